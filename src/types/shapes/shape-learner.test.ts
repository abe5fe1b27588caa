import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { assertSame } from "../../../test/arbitraries/same.ts";
import { anySpec, graphValue, plainValue, valuesOf } from "../../../test/arbitraries/typed-values.ts";
import { heapView } from "../../base/memory-view.ts";
import type { BatchCodec, BatchWriter } from "../bytes/codec.ts";
import { specText } from "../spec/spec-text.ts";
import { ShapeLearner } from "./shape-learner.ts";

/** Sends records the way a channel does: what is staged goes out before the shape changes. */
class Channel {
  readonly received: unknown[] = [];
  readonly learner = new ShapeLearner({ timestamps: false });
  #codec: BatchCodec | null = null;
  #writer: BatchWriter | null = null;

  send(record: unknown): boolean {
    if (this.#writer?.append(record, 0) === true) return true;
    this.flush();
    this.#codec = this.learner.learn(record);
    this.#writer = this.#codec.createWriter();
    return this.#writer.append(record, 0);
  }

  flush(): void {
    if (this.#writer === null || this.#codec === null) return;
    const size = this.#writer.encodedSize();
    const region = heapView(size);
    this.#writer.encode(region, 0);
    const reader = this.#codec.createReader();
    reader.open(region, 0, size);
    for (let i = 0; i < reader.count; i++) this.received.push(reader.record(i));
  }
}

function learned(...records: readonly unknown[]): string {
  const learner = new ShapeLearner({ timestamps: false });
  for (const record of records) learner.learn(record);
  return specText(learner.codec!.spec);
}

function assertArrive(records: readonly unknown[]): Channel {
  const channel = new Channel();
  for (const record of records) assert.ok(channel.send(record));
  channel.flush();
  assert.equal(channel.received.length, records.length);
  for (const [index, record] of records.entries()) assertSame(channel.received[index], record);
  assert.ok(channel.learner.version <= 16);
  return channel;
}

const streams = fc
  .array(anySpec, { minLength: 1, maxLength: 4 })
  .chain((specs) => fc.array(fc.oneof(...specs.map(valuesOf)), { minLength: 1, maxLength: 40, size: "max" }));

/** Records from a small stock of names and values, so that shapes meet again, in any order of fields. */
const similar = fc.array(
  fc
    .uniqueArray(fc.tuple(fc.constantFrom(..."abcdef", "1", "2"), fc.oneof(plainValue, fc.nat(), fc.constant(null))), {
      selector: ([name]) => name,
      maxLength: 5,
    })
    .map(Object.fromEntries),
  { minLength: 1, maxLength: 40, size: "max" },
);

test("records of changing shapes arrive as they were sent, fields in their order", () => {
  fc.assert(
    fc.property(streams, (records) => void assertArrive(records)),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(similar, (records) => void assertArrive(records)),
    { numRuns: 300 },
  );
});

test("records of no shape at all, cyclic ones included, arrive as values", () => {
  const records = fc.array(fc.oneof(plainValue, fc.constant({ a: 1 })), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(records, (values) => void assertArrive(values)),
    { numRuns: 300 },
  );
  // Shapes copy an object for each place that holds it; that one holds itself is kept.
  fc.assert(
    fc.property(graphValue, (value) => {
      const channel = new Channel();
      assert.ok(channel.send(value));
    }),
    { numRuns: 300 },
  );
  const self: { name: string; self?: unknown } = { name: "loop" };
  self.self = self;
  assertArrive([self, { name: "plain" }]);
});

test("what is learned is as narrow as the records", () => {
  const order = {
    id: 1,
    sku: "a",
    paid: true,
    at: new Date(0),
    total: 5n,
    lines: [{ qty: 1 }],
    geo: { lat: 1, lon: 2 },
  };
  assert.equal(
    learned(order),
    "{ id: f64, sku: string, paid: bool, at: date, total: bigint, lines: list<{ qty: f64 }>, geo: { lat: f64, lon: f64 } }",
  );
  assert.equal(learned({ a: 1 }, { a: null }), "{ a: f64 | null }");
  assert.equal(learned({ a: null }, { a: null }), "{ a: null }");
  assert.equal(learned({ a: 1 }, { a: 1, b: "x" }, { b: "y" }), "{ a?: f64, b?: string }");
  assert.equal(learned({ a: 1, c: 1 }, { a: 1, b: 1, c: 1 }), "{ a: f64, b?: f64, c: f64 }");
  assert.equal(learned({ a: undefined }, { a: 1 }), "{ a?: f64 }");
  assert.equal(learned({ a: 1 }, { a: "x" }, { a: [] }, { a: [true] }), "{ a: f64 | string | list<bool> }");
  assert.equal(learned({ a: [] }), "{ a: list<null> }");
  assert.equal(learned({ a: [] }, { a: [1, null] }), "{ a: list<f64 | null> }");
  assert.equal(learned({ a: new Map([["k", new Set([1])]]) }, { a: new Map() }), "{ a: map<string, set<f64>> }");
  assert.equal(learned({ a: new Uint8Array(1) }, { a: new Float64Array(1) }), "{ a: Uint8Array | Float64Array }");
  assert.equal(learned(5), "f64");
  assert.equal(learned({ a: /x/ }, { a: 1 }), "{ a: any }");
});

test("fields in contradicting orders cannot share a struct", () => {
  assert.equal(learned({ a: 1, b: 1 }, { b: 1, a: 1 }), "any");
  assert.equal(learned({ in: { a: 1, b: 1 } }, { in: { b: 1, a: 1 } }), "{ in: any }");
});

test("objects used as dictionaries become values of their own, their neighbours stay columns", () => {
  const records = Array.from({ length: 100 }, (_, i) => ({ id: i, scores: { [`player ${i}`]: i } }));
  const channel = assertArrive(records);
  assert.match(specText(channel.learner.codec!.spec), /^\{ id\?: f64 \| null, scores\?: any \}$/);
});

test("fields that turn nullable one after the other do not make a shape each", () => {
  const names = Array.from({ length: 60 }, (_, i) => `f${i}`);
  const records = names.map((nullName) =>
    Object.fromEntries(names.map((name) => [name, name === nullName ? null : 1])),
  );
  const channel = assertArrive(records);
  assert.ok(channel.learner.version <= 8);
  assert.equal(channel.learner.codec!.spec.kind, "struct");
});

test("a record that no codec can carry is refused with its place, and changes nothing for the others", () => {
  const channel = new Channel();
  assert.ok(channel.send({ a: 1, f: "x" }));
  const version = channel.learner.version;
  const bad = { a: 1, f: () => 1 };
  assert.equal(channel.send(bad), false);
  assert.equal(channel.learner.codec?.mismatch(bad)?.path, "f");
  assert.equal(channel.learner.codec?.mismatch(bad)?.unsupported, true);
  for (let i = 0; i < 50; i++) assert.equal(channel.send(bad), false);
  assert.ok(channel.learner.version <= version + 1);
  assert.ok(channel.send({ a: 2, f: "y" }));
});

test("a first record that no codec can carry is refused with its place too", () => {
  const learner = new ShapeLearner({ timestamps: true });
  for (const record of [{ at: { x: new WeakMap() } }, Promise.resolve(1), () => 1]) {
    const codec = learner.learn(record);
    assert.equal(codec.createWriter().append(record, 0), false);
    assert.equal(codec.mismatch(record)?.unsupported, true);
  }
});

test("two learners that see the same records make the same codecs", () => {
  const records = [{ a: 1 }, { a: "x", b: [] }, { b: [1] }, 7];
  const [left, right] = [
    new ShapeLearner({ timestamps: true }, "left"),
    new ShapeLearner({ timestamps: true }, "right"),
  ];
  for (const record of records) assert.equal(left.learn(record).fingerprint, right.learn(record).fingerprint);
});

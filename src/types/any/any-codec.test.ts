import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { assertSame } from "../../../test/arbitraries/same.ts";
import { graphValue, plainValue } from "../../../test/arbitraries/typed-values.ts";
import { ByteCursor, ByteSink } from "../bytes/byte-buffer.ts";
import { t } from "../t.ts";
import { compileValueCodec } from "../values/value-codec.ts";

const codec = compileValueCodec(t.any.spec);

function copy<T>(value: T): T {
  const sink = new ByteSink(1);
  codec.write(value, sink);
  return codec.read(new ByteCursor(sink.bytes, 0, sink.position)) as T;
}

test("15,000 random values come back as they were, and equal to their structured clones", () => {
  let cases = 0;
  const property = fc.property(fc.array(plainValue, { minLength: 1, maxLength: 20, size: "max" }), (values) => {
    for (const value of values) {
      const read = copy(value);
      assertSame(read, value);
      // Structured clone turns a null prototype into a plain one, we keep it.
      if (!hasNullPrototype(value)) assert.ok(isDeepStrictEqual(read, structuredClone(value)));
      cases += 1;
    }
  });
  fc.assert(property, { numRuns: 2000 });
  assert.ok(cases >= 15_000, `only ${cases} values`);
});

test("objects that are reached twice, or that hold themselves, stay one object", () => {
  fc.assert(
    fc.property(graphValue, (value) => assertSame(copy(value), value)),
    { numRuns: 2000 },
  );
});

test("classes of the language keep class, content and what hangs on them", () => {
  const cause = new RangeError("inner");
  const coded = Object.assign(new TypeError("outer", { cause }), { code: "E_CODE", errno: -2 });
  const expression = /a(b)?/giu;
  expression.lastIndex = 3;
  const silent = new Error("no stack");
  Reflect.deleteProperty(silent, "stack");
  const values: unknown[] = [
    ...[-0, 0, NaN, Infinity, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 1e-320, 0.1],
    ...[0n, -1n, 255n, -256n, 2n ** 200n, -(2n ** 64n)],
    ...["", "ascii", "é", "日本", "\ud800", "\udc00\ud800", "x".repeat(100_000), "é".repeat(5000), "日".repeat(5000)],
    ...[new Date(0), new Date(Number.NaN), new Date(8.64e15)],
    ...[expression, /[/]\n/s, /(?:)/],
    ...[Object(-0), Object("boxed"), Object(false), Object(12n)],
    ...[coded, silent, new AggregateError([cause, 1], "several"), new Error("", { cause: undefined })],
    ...[new ArrayBuffer(5), new DataView(new ArrayBuffer(9), 1, 7), new Float32Array([-0, NaN, 1.5])],
    ...[new BigInt64Array([-1n]), new Uint8ClampedArray([1]), new Float16Array([0.5]), Buffer.from("buffer")],
    ...[
      [],
      [undefined],
      new Array(3),
      Object.assign([1], { 2: 3 }),
      Object.assign([1], { extra: true }),
      "a-b".match(/(?<x>.)-/),
    ],
    ...[{}, { b: 1, a: 2, 10: 3, 9: 4 }, Object.create(null), JSON.parse('{"__proto__": {"x": 1}}')],
    ...[
      new Map<unknown, unknown>([
        [{}, new Map()],
        [NaN, -0],
      ]),
      new Set([undefined, null, "x"]),
    ],
  ];
  for (const value of values) assertSame(copy(value), value);
  assertSame(copy(values), values);
});

test("a long sparse array takes no room for its holes", () => {
  const sparse: unknown[] = [];
  sparse[4_000_000_000] = "end";
  assertSame(copy(sparse), sparse);
});

test("views of one buffer share it afterwards, at their offsets", () => {
  const buffer = new ArrayBuffer(32);
  const value = {
    all: new Uint8Array(buffer),
    part: new Float64Array(buffer, 8, 2),
    view: new DataView(buffer, 3),
    buffer,
  };
  const read = copy(value);
  assert.equal(read.part.buffer, read.buffer);
  assert.equal(read.view.buffer, read.all.buffer);
  assert.deepEqual([read.part.byteOffset, read.part.length, read.view.byteOffset, read.view.byteLength], [8, 2, 3, 29]);
  read.all[8] = 1;
  assert.notEqual(read.part[0], 0);
});

test("what structured clone would refuse or lose is refused by name and place", () => {
  class Point {
    x = 1;
  }
  const locked = new ArrayBuffer(4);
  structuredClone(locked, { transfer: [locked] });
  const cases: readonly [unknown, string, string][] = [
    [{ a: [{ run() {} }] }, "a[0].run", "a function"],
    [[Symbol("s")], "[0]", "a symbol"],
    [{ at: new Point() }, "at", "an instance of Point"],
    [{ [Symbol("key")]: 1 }, "", "an object with a symbol as a key"],
    [{ p: Promise.resolve(1) }, "p", "a promise"],
    [new Proxy({}, {}), "", "a Proxy"],
    [{ w: new WeakMap() }, "w", "an instance of WeakMap"],
    [new Map([["k", new WeakRef({})]]), "{0}.value", "an instance of WeakRef"],
    [Object.assign(new Date(0), { zone: "UTC" }), "", "a Date with properties of its own"],
    [Object.assign(new Map(), { name: "m" }), "", "a Map with properties of its own"],
    [new SharedArrayBuffer(8), "", "an instance of SharedArrayBuffer"],
    [new Uint8Array(new SharedArrayBuffer(8)), "", "a view of shared memory"],
    [new ArrayBuffer(4, { maxByteLength: 8 }), "", "a resizable ArrayBuffer"],
    [locked, "", "a detached ArrayBuffer"],
    [Object.create(Date.prototype), "", "a Date"],
    [class {}, "", "a function"],
    [new (class extends Array {})(), "", "an instance of a class without a name"],
    [new (class Fault extends Error {})("x"), "", "an instance of Fault"],
    [(function* () {})(), "", "an instance of a class without a name"],
  ];
  for (const [value, path, actual] of cases) {
    assert.deepEqual(codec.mismatch(value), { path, expected: "any", actual, unsupported: true });
  }
});

test("a value nested deeper than the limit is refused, one at the limit is carried", () => {
  const nested = (depth: number): unknown => {
    let value: unknown = [];
    for (let i = 1; i < depth; i++) value = i % 2 === 0 ? [value] : { value };
    return value;
  };
  let read = copy(nested(1000));
  let depth = 0;
  for (; typeof read === "object"; depth++) read = Array.isArray(read) ? read[0] : (read as { value: unknown }).value;
  assert.equal(depth, 1000);
  const { actual, path } = codec.mismatch(nested(1001)) ?? {};
  assert.match(actual ?? "", /nested more than 1000/);
  assert.equal(path?.length, 161);
  assert.match(path ?? "", /^(\[0\]\.value)+[^…]{0,9}…[^…]{0,9}(\[0\]\.value)+$/);
});

test("a getter that throws leaves the codec fit for the next value", () => {
  const trap = {
    get broken(): never {
      throw new Error("getter");
    },
  };
  assert.throws(() => copy({ a: {}, trap }), /getter/);
  const shared = {};
  assertSame(copy([shared, shared]), [shared, shared]);
});

function hasNullPrototype(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Object.getPrototypeOf(value) === null) return true;
  if (value instanceof Map) return [...value].flat().some(hasNullPrototype);
  if (value instanceof Set) return [...value].some(hasNullPrototype);
  return !ArrayBuffer.isView(value) && Object.values(value).some(hasNullPrototype);
}

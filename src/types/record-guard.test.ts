import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anySpec, graphValue, plainValue, valuesOf } from "../../test/arbitraries/typed-values.ts";
import { AnyCheck } from "./any/any-check.ts";
import { AnyWriter } from "./any/any-writer.ts";
import { compileBatchCodec } from "./batch/batch-codec.ts";
import { ByteSink } from "./bytes/byte-buffer.ts";
import { compileRecordGuard, LearnedGuard } from "./record-guard.ts";
import { ShapeLearner } from "./shapes/shape-learner.ts";
import { t } from "./t.ts";

class Point {
  #x = 1;
  y = this.#x;
}

/** What no codec carries, or only some carry. */
const ODD: readonly unknown[] = [
  Math.max,
  Symbol("s"),
  new Point(),
  new (class extends Map {})(),
  { [Symbol("key")]: 1 },
  { nested: { f: () => 1 } },
  [1, [new Point()]],
  Object.assign([1, 2], { f: () => 1 }),
  Object.assign(new Date(0), { zone: "UTC" }),
  Object.assign(new Date(0), { f: () => 1 }),
  new Map<unknown, unknown>([[new Point(), 1]]),
  new Map<unknown, unknown>([[1, () => 1]]),
  new Set([Symbol("s")]),
  new Proxy({}, {}),
  Promise.resolve(1),
  new WeakMap(),
  new SharedArrayBuffer(8),
  new Uint8Array(new SharedArrayBuffer(8)),
  new ArrayBuffer(4, { maxByteLength: 8 }),
  Object.assign(new Error("with a function"), { f: () => 1 }),
  Object.assign(new Error("with a symbol"), { [Symbol("s")]: 1 }),
  Object(Symbol("boxed")),
  Object.assign(Object("boxed"), { f: 1 }),
  Object.assign(/x/, { lastIndex: "0" }),
  Object.create(Date.prototype),
  Object.create(null),
];
const odd = fc.constantFrom(...ODD);
const holdsOdd = fc.oneof(
  odd,
  fc.tuple(plainValue, odd).map(([value, other]) => ({ value, other })),
  fc.tuple(plainValue, odd).map((items) => items),
);

const guarded = anySpec.chain((spec) =>
  fc.record({
    spec: fc.constant(spec),
    extraFields: fc.constantFrom("refuse" as const, "ignore" as const),
    values: fc.array(fc.oneof(valuesOf(spec), plainValue, anySpec.chain(valuesOf), holdsOdd), {
      minLength: 1,
      maxLength: 30,
      size: "max",
    }),
  }),
);

test("U1: a declared type's guard takes a record exactly if the codec takes it", () => {
  let taken = 0;
  let refused = 0;
  const property = fc.property(guarded, ({ spec, extraFields, values }) => {
    const guard = compileRecordGuard(spec, extraFields, "test");
    const writer = compileBatchCodec(spec, { timestamps: false, extraFields }).createWriter();
    for (const value of values) {
      writer.reset();
      const fits = writer.append(value, 0);
      assert.equal(guard(value, true), fits);
      if (fits) taken += 1;
      else refused += 1;
    }
  });
  fc.assert(property, { numRuns: 400 });
  assert.ok(taken > 1_000 && refused > 1_000, `${taken} taken, ${refused} refused`);
});

test("U1: a learned guard refuses exactly the records that no codec can carry, whatever came before", () => {
  let refused = 0;
  const records = fc.array(fc.oneof({ weight: 4, arbitrary: anySpec.chain(valuesOf) }, plainValue, holdsOdd), {
    minLength: 1,
    maxLength: 30,
    size: "max",
  });
  const property = fc.property(records, (values) => {
    const guard = new LearnedGuard("test");
    const learner = new ShapeLearner({ timestamps: false }, "test");
    for (const value of values) {
      const carried =
        learner.codec?.createWriter().append(value, 0) || learner.learn(value).createWriter().append(value, 0);
      assert.equal(guard.fits(value, true) || guard.admit(value), carried);
      if (!carried) refused += 1;
    }
  });
  fc.assert(property, { numRuns: 120 });
  assert.ok(refused > 200, `${refused} refused`);
});

test("records of a learned shape pass the guard without another look, in any order of their fields", () => {
  const guard = new LearnedGuard("test");
  assert.equal(guard.admit({ id: 1, tags: ["a"], at: { x: 1, y: 2 } }), true);
  const { fits } = guard;
  assert.equal(fits({ id: 2, tags: [], at: { y: 2, x: 1 } }, true), true);
  assert.equal(fits({ tags: [], id: 2, at: { y: 2, x: 1 } }, false), true);
  for (const other of [
    { id: 2, tags: [] },
    { id: "2", tags: [], at: { x: 1, y: 2 } },
    { id: 2, tags: [1], at: null },
  ]) {
    assert.equal(fits(other, false), false);
    assert.equal(guard.admit(other), true);
    assert.equal(guard.fits(other, false), true);
  }
});

test("a field that nobody declared is seen, and a projection does not look at it", () => {
  const { spec } = t.struct({ k: t.string, v: t.f64.optional() });
  const whole = compileRecordGuard(spec, "refuse", "test");
  const part = compileRecordGuard(spec, "ignore", "test");
  for (const fine of [{ k: "a" }, { k: "a", v: undefined }, { v: 1, k: "a" }]) {
    assert.equal(whole(fine, true) && part(fine, true), true);
  }
  const more = { k: "a", v: 1, f: () => 1 };
  assert.deepEqual([whole(more, true), part(more, true)], [false, true]);
  for (const wrong of [{ k: 1 }, { k: "a", v: "5" }, { k: "a", v: null }, { v: 1 }, null, undefined, 5, [], () => 1]) {
    assert.equal(whole(wrong, true) || part(wrong, true), false);
  }
});

test("A4: what can be carried is told exactly as by writing it", () => {
  const check = new AnyCheck();
  const writer = new AnyWriter();
  let cases = 0;
  const property = fc.property(fc.oneof(plainValue, graphValue, holdsOdd), (value) => {
    assert.equal(check.carries(value), writer.write(value, new ByteSink()));
    cases += 1;
  });
  fc.assert(property, { numRuns: 5_000 });
  assert.ok(cases >= 5_000);
  for (const value of ODD) assert.equal(check.carries(value), writer.write(value, new ByteSink()));
});

test("A4: depth, cycles and parts reached by many ways are no trouble", () => {
  const check = new AnyCheck();
  const nested = (depth: number): unknown => {
    let value: unknown = [];
    for (let i = 1; i < depth; i += 1) value = i % 2 === 0 ? [value] : { value };
    return value;
  };
  assert.deepEqual([check.carries(nested(1_000)), check.carries(nested(1_001))], [true, false]);
  const self: Record<string, unknown> = { n: 1 };
  self.self = self;
  assert.equal(check.carries(self), true);
  let wide: unknown = 1;
  for (let i = 0; i < 60; i += 1) wide = [wide, wide]; // 2^60 paths.
  assert.equal(check.carries(wide), true);
  const trap = {
    get broken(): never {
      throw new Error("getter");
    },
  };
  assert.throws(() => check.carries({ a: {}, trap }), /getter/);
  assert.equal(check.carries([{}, {}]), true);
});

test("-0 in a field that is declared as an integer is 0 behind a guard, as behind a codec", () => {
  const fits = compileRecordGuard(
    t.struct({ n: t.i32, m: t.i32.nullable().optional(), f: t.f64 }).spec,
    "refuse",
    "zero",
  );
  const record = { n: -0, m: -0, f: -0 };
  assert.ok(fits(record, true));
  assert.deepEqual(record, { n: 0, m: 0, f: -0 });
  assert.ok(fits(Object.freeze({ n: -0, f: 1 }), true));
});

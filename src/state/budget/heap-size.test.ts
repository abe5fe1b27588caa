import assert from "node:assert/strict";
import { test } from "node:test";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import type { KeyedStateStore, ValueState } from "../contract/keyed-state.ts";
import { assertRatio, heapGrowth } from "../suites/heap-growth.contract.ts";
import { makeHeap } from "../suites/store-makers.contract.ts";
import { ANY, F64, listSpec, mapSpec, STRING, struct, use, valueSpec } from "../suites/tested-store.contract.ts";
import { HeapSize, isMeasureDue } from "./heap-size.ts";

type Shape = readonly [what: string, make: (n: number) => unknown];

const texts = (n: number) => ({ id: n, name: `name ${n}`, note: `a longer note about record ${n}` });
const numbers = (n: number) => ({ a: n + 0.5, b: n / 3, c: n + 0.25, d: n, e: 7 });
const mixed = (n: number) => ({ symbol: `S${n % 500}`, at: 1.7e12 + n, price: n / 7, size: n % 100, live: true });
const pushed = (count: number, item: (i: number) => unknown): unknown[] => {
  const items: unknown[] = [];
  for (let i = 0; i < count; i += 1) items.push(item(i));
  return items;
};
const named = (names: readonly string[]): object => {
  const object: Record<string, unknown> = {};
  for (const name of names) object[name] = 1;
  return object;
};

const RECORDS: readonly Shape[] = [
  ["texts", texts],
  ["numbers", numbers],
  ["mixed fields", mixed],
  ["counts", (n) => ({ n, sum: n * 2, least: 0, most: n })],
  ["a record in a record", (n) => ({ id: n, inner: numbers(n), other: texts(n) })],
  ["records in a list", (n) => pushed(20, (i) => mixed(n + i))],
  ["numbers in a list", (n) => pushed(200, (i) => n + i / 3)],
  ["dates and bigints", (n) => ({ at: new Date(n), big: 2n ** 62n + BigInt(n), huge: 2n ** 500n + BigInt(n) })],
  ["text of one byte a unit", (n) => `${n} `.padEnd(400, "abc ")],
  ["text of two bytes a unit", (n) => `${n} `.padEnd(400, "déjà 中文 ")],
];

const SHAPES: readonly Shape[] = [
  ["no fields", () => ({})],
  ["a list of objects without fields", () => Array.from({ length: 100 }, () => ({}))],
  ["a list of maps without entries", () => Array.from({ length: 50 }, () => new Map())],
  ["a list of sets without entries", () => Array.from({ length: 50 }, () => new Set())],
  ["a list of booleans", () => Array.from({ length: 500 }, (_, i) => i % 2 === 0)],
  ["a list of lists without items", () => Array.from({ length: 100 }, () => [])],
  ["short lists", (n) => [[n + 0.5, n], [[`${n}`]]]],
  ["lists filled one by one, just grown", (n) => [1, 18, 44].map((count) => pushed(count, (i) => n + i))],
  ["fractions among others", (n) => [null, ...pushed(30, (i) => n + i / 3)]],
  ["a map just grown", (n) => new Map(pushed(129, (i) => [i, n + i]) as [number, number][])],
  ["a map nearly full", (n) => new Map(pushed(127, (i) => [`key ${i}`, n + i]) as [string, number][])],
  ["a set just grown", (n) => new Set(pushed(129, (i) => n + i))],
  ["a set of texts", (n) => new Set(pushed(40, (i) => `item ${n + i}`))],
  ["one field with a name from data", (n) => ({ [`name ${n}`]: n })],
  ["fields with names from data", (n) => named(pushed(40, (i) => `name ${n * 40 + i}`) as string[])],
  ["many fields one by one", () => named(pushed(100, (i) => `name ${i}`) as string[])],
  ["numbered fields", (n) => named(pushed(10, (i) => `${(n + i) * 1000}`) as string[])],
  ["small typed arrays", () => [new Uint8Array(8), new Float64Array(8), new Uint8Array(0)]],
  ["typed arrays", () => [new Uint8Array(65), new Float32Array(500), new BigInt64Array(40)]],
  ["a view of a buffer", () => new Uint8Array(new ArrayBuffer(4096), 100, 10)],
  ["two views of a buffer", () => [new Uint8Array(8192), null].map((view, _, [all]) => view ?? all!.subarray(1))],
  ["buffers", () => [new ArrayBuffer(100), new DataView(new ArrayBuffer(1000)), Buffer.alloc(10)]],
  ["errors", (n) => new Error(`number ${n}`)],
  ["parts of longer texts", (n) => `${n} `.padEnd(100, "xyz").slice(0, 90)],
];

/** Estimate, as a multiple of what the heap grows by. */
function ratioOf(make: (n: number) => unknown, spec: TypeSpec | null): number {
  const size = new HeapSize(spec);
  for (let n = 0; n < 300; n += 1) size.of(make(-n - 1)); // names and shapes are learned
  const count = Math.min(20_000, Math.max(500, Math.floor(6e6 / size.of(make(0)))));
  const { made, bytes, bufferBytes } = heapGrowth(() => {
    const values = new Array<unknown>(count).fill(null);
    for (let n = 0; n < count; n += 1) values[n] = make(n);
    for (const value of values) size.of(value); // texts that are put together become one
    return values;
  });
  const real = bytes + bufferBytes - 8 * count;
  return made.reduce((sum: number, value) => sum + size.of(value), 0) / real;
}

for (const [what, make] of RECORDS) {
  test(`the estimate of ${what} is at most twice what V8 takes, and hardly less`, () => {
    for (const spec of [ANY, struct({})]) assertRatio(0.85, 2, () => ratioOf(make, spec));
  });
}

for (const [what, make] of SHAPES) {
  test(`the estimate of values of undeclared type holds for ${what}`, () => {
    assertRatio(0.8, 3, () => ratioOf(make, null));
  });
}

const STATES: readonly [what: string, open: (store: KeyedStateStore) => (n: number) => void][] = [
  ["numbers", (store) => writer(store.value<number>(valueSpec("s", F64), null), (n) => n + 0.5)],
  ["texts", (store) => writer(store.value<string>(valueSpec("s", STRING), null), (n) => `text of key ${n}`)],
  ["records", (store) => writer(store.value<unknown>(valueSpec("s", ANY), null), mixed)],
  [
    "lists",
    (store) => {
      const list = store.list<number>(listSpec("s", F64));
      return (n) => list.add(n);
    },
  ],
  [
    "maps of one entry",
    (store) => {
      const map = store.map<number, number>(mapSpec("s", F64, F64));
      return (n) => map.set(n, n + 0.5);
    },
  ],
];

const LIMIT_BYTES = 6 << 20;

const FULL: readonly [what: string, open: (store: KeyedStateStore) => (n: number) => void][] = [
  ...STATES,
  ["small objects", (store) => writer(store.value<unknown>(valueSpec("s", ANY), null), () => pushed(500, () => ({})))],
  ["maps", (store) => writer(store.value<unknown>(valueSpec("s", ANY), null), () => pushed(200, () => new Map()))],
  [
    "booleans",
    (store) => {
      const type: TypeSpec = { kind: "list", item: { kind: "bool" } };
      return writer(store.value<unknown>(valueSpec("s", type), null), () => pushed(5000, () => true));
    },
  ],
  ["names of timers", (store) => (n) => store.timers.event.set(`timer of record ${n}`, n)],
];

for (const [what, open] of FULL) {
  test(`when ${what} are refused, they take about as much of the heap as they may`, () => {
    assertRatio(0.8, 3, () => {
      const { store } = makeHeap({ key: F64, limitBytes: LIMIT_BYTES });
      const write = open(store);
      const { bytes } = heapGrowth(() => {
        const fill = () => {
          for (let n = 0; ; n += 1) {
            use(store, F64, what === "names of timers" ? 1 : n);
            write(n);
          }
        };
        assert.throws(fill, { code: "STATE_BUDGET_EXCEEDED" });
      });
      return LIMIT_BYTES / bytes;
    });
  });
}

function writer<T>(state: ValueState<T>, make: (n: number) => T): (n: number) => void {
  return (n) => state.set(make(n));
}

const KEYS: readonly [TypeSpec, (n: number) => unknown][] = [
  [F64, (n) => n + 0.5],
  [STRING, (n) => `the key with number ${n}`],
];

for (const [key, keyOf] of KEYS) {
  for (const [what, open] of STATES) {
    test(`what a heap store says that ${what} by ${key.kind} take is about what V8 takes`, () => {
      assertRatio(0.8, 2, () => {
        const { store } = makeHeap({ key });
        const write = open(store);
        const { bytes } = heapGrowth(() => {
          for (let n = 0; n < 9000; n += 1) {
            use(store, key, keyOf(n));
            write(n);
          }
        });
        return store.usage()[0]!.bytes / bytes;
      });
    });
  }
}

test("an object reached twice counts once, and cycles end", () => {
  const size = new HeapSize(null);
  const shared = { texts: Array.from({ length: 50 }, (_, i) => `number ${i}`) };
  const cyclic: unknown[] = [shared, shared];
  const once = size.of([shared]);
  cyclic.push(cyclic);
  assert.ok(size.of(cyclic) < once * 1.1);
  let deep: unknown = null;
  for (let n = 0; n < 100_000; n += 1) deep = { deep };
  assert.ok(size.of(deep) > 50 * 100_000);
});

test("an array of holes is not walked hole by hole", () => {
  const holes: unknown[] = [];
  holes[4_000_000_000] = { a: "text" };
  assert.ok(new HeapSize(null).of(holes) < 1000);
});

test("a getter that throws leaves nothing behind", () => {
  const size = new HeapSize(null);
  const expected = size.of([1, 2]);
  const thrower = {
    a: [],
    get b(): never {
      throw new Error("no");
    },
  };
  assert.throws(() => size.of([{}, {}, thrower]), /no/);
  assert.equal(size.of([1, 2]), expected);
});

test("a value that grows with each write is measured at a constant cost per item, and within half of its size", () => {
  const due = Array.from({ length: 100_000 }, (_, n) => n + 1).filter(isMeasureDue);
  assert.deepEqual(due.slice(0, 10), [1, 2, 3, 4, 6, 8, 12, 16, 24, 32]);
  for (let i = 2; i < due.length; i += 1) assert.ok(due[i]! <= due[i - 1]! * 1.5);
  assert.ok(due.reduce((sum, writes) => sum + writes, 0) < 4 * 100_000);
});

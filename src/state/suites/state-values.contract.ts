// Value, reducing, aggregating, list and map state, and time-to-live: what both stores guarantee.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { MAX_PARALLELISM_LIMIT } from "../keys/key-groups.ts";
import {
  ANY,
  F64,
  listSpec,
  mapSpec,
  STRING,
  type StoreMaker,
  struct,
  use,
  valueSpec,
} from "./tested-store.contract.ts";

export function stateValuesContract(make: StoreMaker): void {
  valueTests(make);
  inPlaceTests(make);
  collectionTests(make);
  ttlTests(make);
}

const DAY = struct({
  n: F64,
  small: { kind: "f32" },
  whole: { kind: "i32" },
  flag: { kind: "bool" },
  side: { kind: "enum", values: ["buy", "sell"] },
  maybe: { kind: "nullable", inner: { kind: "enum", values: ["x"] } },
  maybeDate: { kind: "nullable", inner: { kind: "date" } },
  when: { kind: "date" },
  at: { kind: "timestamp" },
  big: { kind: "i64" },
  nothing: { kind: "null" },
  inner: struct({ __proto__x: F64, deep: { kind: "nullable", inner: { kind: "i64" } } }),
});

const DAYS = [
  {
    n: -0,
    small: 0.5,
    whole: -7,
    flag: true,
    side: "sell",
    maybe: null,
    maybeDate: new Date(5),
    when: new Date(-8.64e15),
    at: 1.7e12,
    big: -(2n ** 63n),
    nothing: null,
    inner: { __proto__x: Number.NaN, deep: null },
  },
  {
    n: Number.NEGATIVE_INFINITY,
    small: Number.NaN,
    whole: 2147483647,
    flag: false,
    side: "buy",
    maybe: "x",
    maybeDate: null,
    when: new Date(0),
    at: -1,
    big: 2n ** 63n - 1n,
    nothing: null,
    inner: { __proto__x: 0, deep: 9n },
  },
];

function valueTests(make: StoreMaker): void {
  test("a value is per key and state, absent until set, and gone when cleared", () => {
    const { store } = make({ key: STRING });
    const a = store.value<number>(valueSpec("a", F64), null);
    const b = store.value<number>(valueSpec("b", F64), () => 40);
    use(store, STRING, "one");
    assert.equal(a.get(), null);
    assert.equal(b.get(), 40);
    a.set(1);
    b.set(b.get() + 2);
    use(store, STRING, "two");
    assert.equal(a.get(), null);
    a.set(2);
    use(store, STRING, "one");
    assert.equal(a.get(), 1);
    assert.equal(b.get(), 42);
    a.clear();
    assert.equal(a.get(), null);
    a.clear();
    use(store, STRING, "two");
    assert.equal(a.get(), 2);
  });

  test("values of every type come back as they were, whether their size is fixed or not", () => {
    const wide = {
      text: "lone \ud800 surrogate",
      list: [1, undefined, { deep: [new Map([[1, new Set(["x"])]])] }],
      t: new Uint8Array([1, 2]),
    };
    const cases: [TypeSpec, readonly unknown[]][] = [
      [DAY, DAYS],
      [ANY, [wide, undefined, null, 5, "text"]],
      [{ kind: "undefined" }, [undefined]],
      [{ kind: "bool" }, [true, false]],
      [{ kind: "nullable", inner: { kind: "i32" } }, [null, 0, 5]],
      [
        struct({ s: STRING, n: F64 }),
        [
          { s: "é".repeat(5000), n: 1 },
          { s: "", n: 2 },
        ],
      ],
    ];
    const { store } = make({ key: F64 });
    for (const [n, [type, values]] of cases.entries()) {
      const state = store.value<unknown>(valueSpec(`v${n}`, type), null);
      for (const value of values) {
        use(store, F64, 1);
        state.set(value);
        use(store, F64, 2);
        use(store, F64, 1);
        assert.deepStrictEqual(state.get(), value);
      }
    }
  });

  test("a value that does not fit its type is refused with the state, the field and what was expected", () => {
    const { store } = make({ key: F64 });
    const cases: [TypeSpec, unknown, unknown, RegExp][] = [
      [struct({ n: F64 }), { n: 1 }, { n: "1" }, /n of the value of state "s0" .*expected/],
      [struct({ n: F64 }), { n: 1 }, { n: 1, more: 2 }, /state "s1"/],
      [struct({ n: { kind: "i32" } }), { n: 1 }, { n: 1.5 }, /state "s2"/],
      [struct({ n: { kind: "i32" } }), { n: 1 }, { n: 2 ** 31 }, /state "s3"/],
      [{ kind: "enum", values: ["a"] }, "a", "b", /state "s4"/],
      [STRING, "x", 7, /state "s5"/],
      [ANY, { a: 1 }, { a: () => 1 }, /state "s6"/],
    ];
    for (const [n, [type, good, bad, message]] of cases.entries()) {
      const state = store.value<unknown>(valueSpec(`s${n}`, type), null);
      use(store, F64, n);
      assert.throws(() => state.set(bad), message);
      assert.equal(state.get(), null);
      state.set(good);
      assert.throws(() => state.set(bad), /CODEC|state/);
      assert.deepEqual(state.get(), good);
    }
  });

  test("a whole number of -0 is 0", () => {
    const { store } = make({ key: F64 });
    const state = store.value<unknown>(valueSpec("n", struct({ n: { kind: "i32" } })), null);
    use(store, F64, 1);
    state.set({ n: -0 });
    assert.deepEqual(state.get(), { n: 0 });
  });

  test("keys of every type keep their states apart", () => {
    const compound = struct({ s: STRING, n: { kind: "nullable", inner: F64 } });
    const long = "x".repeat(100);
    const cases: [TypeSpec, readonly unknown[]][] = [
      [
        ANY,
        ["1", 1, 1n, true, false, "true", new Date(1), new Date(2), "\u0000\u0005", 2n ** 70n, "", long, `${long}y`],
      ],
      [
        compound,
        [
          { s: "a", n: 1 },
          { s: "a", n: null },
          { s: "", n: 1 },
          { s: long, n: 1 },
        ],
      ],
      [{ kind: "enum", values: ["u", "v"] }, ["u", "v"]],
      [F64, [1, 2, -1, Infinity, 1e-300]],
    ];
    for (const [spec, keys] of cases) {
      const { store } = make({ key: spec });
      const state = store.value<number>(valueSpec("v", F64), null);
      keys.forEach((key, n) => {
        use(store, spec, key);
        assert.equal(state.get(), null);
        state.set(n);
      });
      keys.forEach((key, n) => {
        use(store, spec, structuredClone(key));
        assert.equal(state.get(), n);
      });
      assert.equal(store.usage()[0]!.entries, keys.length);
    }
  });

  test("0 and -0 are one key", () => {
    const { store } = make({ key: F64 });
    const state = store.value<string>(valueSpec("v", STRING), null);
    use(store, F64, 0);
    state.set("zero");
    use(store, F64, -0);
    assert.equal(state.get(), "zero");
  });

  test("reducing and aggregating state fold what is added", () => {
    const { store } = make({ key: F64 });
    const max = store.reducing<number>({ kind: "reducing", name: "max", type: F64, ttlMs: null }, Math.max);
    const accumulator = struct({ sum: F64, count: F64 });
    const mean = store.aggregating<number, { sum: number; count: number }, number>(
      { kind: "aggregating", name: "mean", accumulator, ttlMs: null },
      {
        create: () => ({ sum: 0, count: 0 }),
        add: (acc, value) => ({ sum: acc.sum + value, count: acc.count + 1 }),
        merge: (left, right) => ({ sum: left.sum + right.sum, count: left.count + right.count }),
        result: (acc) => acc.sum / acc.count,
      },
    );
    use(store, F64, 1);
    assert.equal(max.get(), undefined);
    assert.equal(mean.get(), undefined);
    const greatest = [3, 9, 6].map((value) => {
      mean.add(value);
      return max.add(value);
    });
    assert.deepEqual(greatest, [3, 9, 9]);
    assert.equal(max.get(), 9);
    assert.equal(mean.get(), 6);
    max.clear();
    assert.equal(max.get(), undefined);
    assert.equal(mean.get(), 6);
  });

  test("one name is one state: asked for again it is the same, with another type it is refused", () => {
    const { store } = make({ key: F64 });
    const first = store.value<number>(valueSpec("v", F64), null);
    use(store, F64, 1);
    first.set(5);
    assert.equal(store.value<number>(valueSpec("v", F64), null).get(), 5);
    assert.throws(() => store.value(valueSpec("v", STRING), null), { code: "STATE_TYPE_CHANGED" });
  });
}

type Counted = { n: number; seen: number[]; at: Date; bytes: Uint8Array; tags: Set<string> };
const counted = (n: number): Counted => ({
  n,
  seen: [n],
  at: new Date(n),
  bytes: new Uint8Array([n]),
  tags: new Set([`${n}`]),
});
const COUNTED = struct({
  n: F64,
  seen: { kind: "list", item: F64 },
  at: { kind: "date" },
  bytes: { kind: "bytes", array: "Uint8Array" },
  tags: { kind: "set", item: STRING },
});

/** Changes every part of a value in place. */
function change(value: Counted | undefined | null): void {
  assert.ok(value);
  value.n += 100;
  value.seen.push(100);
  value.at.setTime(100);
  value.bytes[0] = 100;
  value.tags.add("100");
}

function inPlaceTests(make: StoreMaker): void {
  for (const type of [COUNTED, ANY]) {
    test(`K2: a value of ${type.kind} that is changed in place, before or after it was stored, is not changed`, () => {
      const { store } = make({ key: F64 });
      const value = store.value<Counted>(valueSpec("value", type), null);
      const list = store.list<Counted>(listSpec("list", type));
      const map = store.map<string, Counted>(mapSpec("map", STRING, type));
      use(store, F64, 1);
      const given = [counted(1), counted(2), counted(3), counted(4)] as const;
      value.set(given[0]);
      list.add(given[1]);
      map.set("a", given[2]);
      given.forEach(change);
      for (let turn = 0; turn < 2; turn += 1) {
        assert.deepStrictEqual(value.get(), counted(1));
        assert.deepStrictEqual(list.get(), [counted(2)]);
        assert.deepStrictEqual(map.get("a"), counted(3));
        change(value.get());
        list.get().forEach(change);
        (list.get() as Counted[]).push(counted(9));
        change(map.get("a"));
        for (const item of map.values()) change(item);
        for (const [, item] of map.entries()) change(item);
      }
      list.set([given[3]]);
      change(given[3]);
      assert.equal(list.get()[0]?.n, 104);
    });
  }

  test("K2: the value that a folding function is given is its own to change and give back, a failure changes nothing", () => {
    const { store } = make({ key: F64 });
    const type = struct({ n: F64, all: { kind: "list", item: F64 } });
    type Sum = { n: number; all: number[] };
    const add = (into: Sum, { n }: Sum): Sum => {
      into.n += n;
      into.all.push(n);
      if (n < 0) throw new Error("negative");
      return into;
    };
    const sum = store.reducing<Sum>({ kind: "reducing", name: "sum", type, ttlMs: null }, add);
    const zero: Sum = { n: 0, all: [] };
    const total = store.aggregating<Sum, Sum, Sum>(
      { kind: "aggregating", name: "total", accumulator: type, ttlMs: null },
      { create: () => zero, add, merge: (left) => left, result: (all) => all },
    );
    const first: Sum = { n: 1, all: [] };
    for (const key of [1, 2]) {
      use(store, F64, key);
      const given: Sum[] = [];
      for (const n of [1, 2, 3]) {
        const record = n === 1 ? first : { n, all: [] };
        given.push(sum.add(record));
        total.add(record);
      }
      assert.throws(() => sum.add({ n: -5, all: [] }), /negative/);
      assert.throws(() => total.add({ n: -5, all: [] }), /negative/);
      assert.deepEqual(sum.get(), { n: 6, all: [2, 3] });
      assert.deepEqual(
        given.map(({ n }) => n),
        [1, 3, 6],
      );
    }
    assert.deepEqual(first, { n: 1, all: [] });
  });

  test("what is no key of a map is refused by every call, also when the map is empty", () => {
    const { store } = make({ key: F64 });
    const map = store.map<unknown, number>(mapSpec("m", ANY, F64));
    use(store, F64, 1);
    for (let turn = 0; turn < 2; turn += 1) {
      for (const call of [map.get, map.has, map.delete, (key: unknown) => map.set(key, 1)]) {
        for (const key of [Number.NaN, undefined, null, [1]]) {
          assert.throws(() => call.call(map, key), { code: "KEY_INVALID" });
        }
      }
      map.set("a", 1);
    }
  });

  test("values come back as their type has them, whatever was written", () => {
    const { store } = make({ key: F64 });
    const state = store.value<Record<string, unknown>>(valueSpec("v", struct({ b: F64, a: F64 })), null);
    use(store, F64, 1);
    state.set({ a: 1, b: 2 });
    assert.deepEqual(Object.keys(state.get()), ["b", "a"]);
  });
}

function collectionTests(make: StoreMaker): void {
  test("a list keeps the order of addition over any length, and gives a new array each time", () => {
    const { store } = make({ key: STRING });
    const list = store.list<string>(listSpec("l", STRING));
    const expected: string[] = [];
    use(store, STRING, "k");
    assert.deepEqual(list.get(), []);
    for (let n = 0; n < 3000; n += 1) {
      const item = n % 500 === 7 ? "long ".repeat(1000) + n : `item ${n}`;
      expected.push(item);
      list.add(item);
    }
    const got = list.get();
    assert.deepEqual(got, expected);
    (got as string[]).pop();
    assert.deepEqual(list.get(), expected);
    use(store, STRING, "other");
    assert.deepEqual(list.get(), []);
    use(store, STRING, "k");
    list.set(expected.slice(0, 2000).reverse());
    list.add("end");
    assert.deepEqual(list.get(), [...expected.slice(0, 2000).reverse(), "end"]);
    list.set(["short"]);
    assert.deepEqual(list.get(), ["short"]);
    list.set([]);
    assert.deepEqual(list.get(), []);
    assert.equal(store.usage()[0]!.entries, 0);
  });

  test("a list that is replaced again and again holds its items and no more", () => {
    const { store } = make({ key: F64 });
    const list = store.list<string>(listSpec("l", STRING));
    use(store, F64, 1);
    let most = 0;
    for (let n = 0; n < 200; n += 1) {
      const items = Array.from({ length: n % 3 === 0 ? 2 : 20 }, (_, i) => `${n} ${i} `.repeat(60));
      list.set(items);
      list.add("one more");
      assert.deepEqual(list.get(), [...items, "one more"]);
      if (n === 20) most = store.usage()[0]!.bytes;
    }
    assert.ok(store.usage()[0]!.bytes <= most * 1.5, `${most} bytes grew to ${store.usage()[0]!.bytes}`);
  });

  test("a list is not changed when one of the new items does not fit", () => {
    const { store } = make({ key: F64 });
    const list = store.list<unknown>(listSpec("l", F64));
    use(store, F64, 1);
    list.set([1, 2]);
    assert.throws(() => list.set([3, "x"]), { code: "CODEC_MISMATCH" });
    assert.throws(() => list.add("x"), { code: "CODEC_MISMATCH" });
    assert.deepEqual(list.get(), [1, 2]);
  });

  test("a map has its entries per key, and can be changed while it is iterated", () => {
    const { store } = make({ key: STRING });
    const map = store.map<unknown, string>(mapSpec("m", ANY, STRING));
    use(store, STRING, "k");
    assert.equal(map.size, 0);
    for (let n = 0; n < 1000; n += 1) map.set(n, `v${n}`);
    map.set("1", "text");
    map.set(-0, "zero");
    map.set(new Date(7), "date");
    assert.equal(map.size, 1002);
    assert.equal(map.get(0), "zero");
    assert.equal(map.get(1), "v1");
    assert.equal(map.get("1"), "text");
    assert.equal(map.get(new Date(7)), "date");
    assert.equal(map.get(5000), undefined);
    assert.ok(map.has(999) && !map.has(1000));
    for (const [key] of map.entries()) if (typeof key === "number" && key >= 10) map.delete(key);
    assert.deepEqual([...map.keys()].filter((key) => typeof key === "number").sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.equal([...map.values()].length, 12);
    use(store, STRING, "other");
    assert.equal(map.size, 0);
    assert.deepEqual([...map.entries()], []);
    map.set("x", "y");
    map.delete("x");
    map.delete("x");
    use(store, STRING, "k");
    map.clear();
    assert.equal(map.size, 0);
    assert.equal(store.usage()[0]!.entries, 0);
  });

  test("what cannot be a key of a map is refused, when declared and when used", () => {
    const { store } = make({ key: F64 });
    assert.throws(() => store.map(mapSpec("m", { kind: "list", item: F64 }, F64)), { code: "STATE_MAP_KEY" });
    const map = store.map<unknown, number>(mapSpec("n", F64, F64));
    use(store, F64, 1);
    for (const bad of [Number.NaN, undefined, "x", {}]) assert.throws(() => map.set(bad, 1), { code: "KEY_INVALID" });
    assert.throws(() => map.set(1, "x" as unknown as number), { code: "CODEC_MISMATCH" });
    assert.equal(map.size, 0);
    assert.equal(store.usage().find((usage) => usage.name === "n")!.entries, 0);
  });
}

function ttlTests(make: StoreMaker): void {
  test("what was not written for its time-to-live is never seen again; writing begins the time anew", () => {
    const { store, advance } = make({ key: F64 });
    const value = store.value<number>(valueSpec("v", F64, 100), () => -1);
    const text = store.value<string>(valueSpec("t", STRING, 100), null);
    const list = store.list<number>(listSpec("l", F64, 100));
    const map = store.map<string, number>(mapSpec("m", STRING, F64, 100));
    use(store, F64, 1);
    value.set(1);
    text.set("x");
    list.add(1);
    map.set("old", 1);
    map.set("again", 1);
    advance(60);
    value.set(2);
    list.add(2);
    map.set("new", 2);
    map.set("again", 2);
    advance(60);
    assert.equal(map.size, 2);
    map.delete("again");
    assert.equal(value.get(), 2);
    assert.equal(text.get(), null);
    assert.deepEqual(list.get(), [1, 2]);
    assert.equal(map.get("old"), undefined);
    assert.equal(map.size, 1);
    assert.deepEqual([...map.entries()], [["new", 2]]);
    advance(40);
    assert.equal(value.get(), -1);
    assert.deepEqual(list.get(), []);
    assert.ok(!map.has("new"));
    list.add(3);
    assert.deepEqual(list.get(), [3]);
  });

  test("expired state of keys that never come back is given back as others are written", () => {
    const { store, advance } = make({ key: F64 });
    const value = store.value<number>(valueSpec("v", F64, 50), null);
    const list = store.list<string>(listSpec("l", STRING, 50));
    const map = store.map<number, string>(mapSpec("m", F64, STRING, 50));
    let most = 0;
    for (let n = 0; n < 20_000; n += 1) {
      use(store, F64, n);
      value.set(n);
      list.add(`a list of ${n}`);
      map.set(n, `a map of ${n}`);
      if (n % 10 === 0) advance(1);
      for (const { entries } of store.usage()) most = Math.max(most, entries);
    }
    assert.ok(most < 1500, `500 are alive at a time, ${most} were kept`);
  });
  for (const maxParallelism of [1, 128, MAX_PARALLELISM_LIMIT]) {
    test(`a state that is written to holds a third more than what is alive, with ${maxParallelism} key groups`, () => {
      const { store, advance } = make({ key: F64, maxParallelism, limitBytes: 64 << 20 });
      const value = store.value<number>(valueSpec("v", F64, 600), null);
      const list = store.list<number>(listSpec("l", F64, 600));
      let most = 0;
      for (let n = 0; n < 6000; n += 1) {
        use(store, F64, n);
        value.set(n);
        list.add(n);
        advance(1);
        if (n % 100 === 0) for (const { entries } of store.usage()) most = Math.max(most, entries);
      }
      assert.ok(most <= 800 + 1, `600 are alive at a time, ${most} were kept`);
    });
  }
}

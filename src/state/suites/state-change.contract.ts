// State that is restored under another declaration than it was stored under: what both stores guarantee.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteCursor } from "../../types/bytes/byte-buffer.ts";
import { compileKeyHash } from "../../types/keys/key-hash.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { t } from "../../types/t.ts";
import type { KeyedStateStore, StateMigration } from "../contract/keyed-state.ts";
import {
  F64,
  listSpec,
  MAX_PARALLELISM,
  mapSpec,
  STRING,
  type StoreMaker,
  snapshotOf,
  type TestedStore,
  use,
  valueSpec,
} from "./tested-store.contract.ts";

const Old = t.struct({ id: t.i32, note: t.string });
const New = t.struct({ id: t.i64, tags: t.list(t.string).nullable() });
const reducingSpec = (name: string, type: TypeSpec) => ({ kind: "reducing", name, type, ttlMs: null }) as const;
const aggregatingSpec = (name: string, accumulator: TypeSpec) =>
  ({ kind: "aggregating", name, accumulator, ttlMs: null }) as const;
const FUNCTIONS = {
  create: () => ({}),
  add: (accumulator: unknown) => accumulator,
  merge: (left: unknown) => left,
  result: (accumulator: unknown) => accumulator,
};

/** Everything of one store into another one. */
function moved(from: TestedStore, to: TestedStore): void {
  const groups = Array.from({ length: MAX_PARALLELISM }, (_, group) => snapshotOf(from.store, group));
  for (const [group, bytes] of groups.entries()) to.store.restore(group, new ByteCursor(bytes));
}

/** States of every kind, each of a type. */
function statesOf(store: KeyedStateStore, type: TypeSpec, migration: StateMigration | null = null) {
  for (const name of ["value", "list", "map", "reducing", "aggregating"]) {
    if (migration !== null) store.migrate(name, migration);
  }
  return {
    value: store.value<unknown>(valueSpec("value", type), null),
    list: store.list<unknown>(listSpec("list", type)),
    map: store.map<string, unknown>(mapSpec("map", STRING, type)),
    reducing: store.reducing<unknown>(reducingSpec("reducing", type), (_, right) => right),
    aggregating: store.aggregating<unknown, unknown, unknown>(aggregatingSpec("aggregating", type), {
      ...FUNCTIONS,
      add: (_, value) => value,
    }),
  };
}

function filled(make: StoreMaker): TestedStore {
  const tested = make({ key: F64 });
  const { value, list, map, reducing, aggregating } = statesOf(tested.store, Old.spec);
  for (let key = 0; key < 40; key += 1) {
    use(tested.store, F64, key);
    const stored = (n: number) => ({ id: key * 10 + n, note: `of ${key}` });
    value.set(stored(0));
    list.set([stored(1), stored(2)]);
    map.set("a", stored(3));
    map.set("b", stored(4));
    reducing.add(stored(5));
    aggregating.add(stored(6));
    tested.store.timers.event.set("due", key);
  }
  return tested;
}

function checkAll(store: KeyedStateStore, type: TypeSpec, expected: (key: number, n: number) => unknown): void {
  const { value, list, map, reducing, aggregating } = statesOf(store, type);
  for (let key = 0; key < 40; key += 1) {
    use(store, F64, key);
    assert.deepEqual(value.get(), expected(key, 0));
    assert.deepEqual(list.get(), [expected(key, 1), expected(key, 2)]);
    assert.deepEqual(
      [...map.entries()].sort(([left], [right]) => (left < right ? -1 : 1)),
      [
        ["a", expected(key, 3)],
        ["b", expected(key, 4)],
      ],
    );
    assert.deepEqual(reducing.get(), expected(key, 5));
    assert.deepEqual(aggregating.get(), expected(key, 6));
    assert.equal(store.timers.event.get("due"), key);
  }
}

export function stateChangeContract(make: StoreMaker): void {
  test("state of every kind is taken over under a type that has a place for it, and is of that type then", () => {
    const two = make({ key: F64 });
    statesOf(two.store, New.spec);
    moved(filled(make), two);
    const expected = (key: number, n: number) => ({ id: BigInt(key * 10 + n), tags: null });
    checkAll(two.store, New.spec, expected);
    const three = make({ key: F64 });
    statesOf(three.store, New.spec);
    moved(two, three);
    checkAll(three.store, New.spec, expected);
    assert.equal(two.finish() + three.finish(), 0);
  });

  test("a migration makes values of another type, also of one that has a place in its own", () => {
    const to = t.struct({ text: t.string });
    const migrate = (old: unknown) => {
      const { id, note } = old as { id: number | bigint; note: string };
      return { text: `${typeof id} ${id} ${note}` };
    };
    for (const [from, kind] of [
      [Old, "number"],
      [t.struct({ id: t.i64, note: t.string }), "bigint"],
    ] as const) {
      const two = make({ key: F64 });
      statesOf(two.store, to.spec, { from: from.spec, with: migrate });
      moved(filled(make), two);
      checkAll(two.store, to.spec, (key, n) => ({ text: `${kind} ${key * 10 + n} of ${key}` }));
      assert.equal(two.finish(), 0);
    }
  });

  test("a migration comes before what the types allow by themselves", () => {
    const two = make({ key: F64 });
    const asked = { id: 5n, tags: ["asked"] };
    statesOf(two.store, New.spec, { from: Old.spec, with: () => asked });
    moved(filled(make), two);
    checkAll(two.store, New.spec, () => asked);
  });

  test("a migration is not asked about what was stored under the declared type", () => {
    for (const { spec: from } of [New, Old]) {
      const two = make({ key: F64 });
      statesOf(two.store, Old.spec, { from, with: () => assert.fail("asked") });
      moved(filled(make), two);
      checkAll(two.store, Old.spec, (key, n) => ({ id: key * 10 + n, note: `of ${key}` }));
    }
  });

  test("what a migration throws, gives wrongly, or has no number for, is told with state and key", () => {
    const failing = (type: TypeSpec, migration: StateMigration, filling: TestedStore): (() => void) => {
      const two = make({ key: F64 });
      two.store.migrate("value", migration);
      two.store.value(valueSpec("value", type), null);
      return () => moved(filling, two);
    };
    const one = filled(make);
    const thrown = { from: Old.spec, with: () => JSON.parse("{") };
    assert.throws(failing(F64, thrown, one), {
      code: "STATE_MIGRATION_FAILED",
      operator: "contract",
      message: /^state "value" of operator "contract", key \d+, cannot be taken over: .*JSON/,
    });
    assert.throws(failing(F64, { from: Old.spec, with: () => "text" }, one), {
      code: "STATE_MIGRATION_FAILED",
      message: /does not fit its type: expected f64, got string "text"/,
    });
    assert.throws(failing(F64, { from: Old.spec, with: async () => 1 }, one), {
      code: "STATE_MIGRATION_FAILED",
      message: /the function of migrate returned a promise/,
    });
    const large = make({ key: F64 });
    const value = large.store.value<bigint>(valueSpec("value", { kind: "i64" }), null);
    use(large.store, F64, 3);
    value.set(2n ** 60n);
    const number = make({ key: F64 });
    number.store.value(valueSpec("value", F64), null);
    assert.throws(() => moved(large, number), {
      code: "STATE_MIGRATION_FAILED",
      message: /key 3, cannot be taken over: .* expected f64, got /,
    });
  });

  test("another kind, other keys of a map, and types without a place are refused", () => {
    const declare: readonly (readonly [(store: KeyedStateStore) => unknown, RegExp])[] = [
      [(store) => store.list(listSpec("value", Old.spec)), /it was of the kind value, and is of the kind list/],
      [(store) => store.map(mapSpec("map", F64, Old.spec)), /its keys were string, and are f64/],
      [
        (store) => store.value(valueSpec("value", t.struct({ id: t.string }).spec), null),
        /declared as value \{ id: string \}, but was value \{ id: i32, note: string \}: id: it was i32, and is string/,
      ],
    ];
    const one = filled(make);
    for (const [open, message] of declare) {
      const two = make({ key: F64 });
      open(two.store);
      assert.throws(() => moved(one, two), { code: "STATE_TYPE_CHANGED", message });
    }
  });

  test("state that is not declared any more is left out, and what stands beside it is not", () => {
    const two = make({ key: F64 });
    const list = two.store.list<unknown>(listSpec("list", Old.spec));
    moved(filled(make), two);
    use(two.store, F64, 7);
    assert.equal(list.get().length, 2);
    assert.equal(two.store.timers.event.get("due"), 7);
    const names = two.store.usage().map(({ name }) => name);
    assert.deepEqual(
      names.filter((name) => name !== "timers"),
      ["list"],
    );
    assert.doesNotMatch(snapshotOf(two.store, 0).toString("latin1"), /reducing/);
  });

  test("values that wait in the order of their times are taken over as well, or refused", () => {
    const sorted = (type: TypeSpec) => {
      const tested = make({ key: STRING });
      return { ...tested, table: tested.store.tables.sorted({ name: "waiting", types: [STRING, type] }) };
    };
    const one = sorted(Old.spec);
    const hash = compileKeyHash(STRING, "sorted");
    for (const [timeMs, key] of [
      [3, "c"],
      [1, "a"],
      [2, "b"],
    ] as const) {
      const place = { key, hash: hash(key), timeMs, channel: 0 };
      one.table.add({ ...place, type: 1 }, { id: timeMs, note: key });
      one.table.add({ ...place, type: 0 }, `text of ${key}`);
    }
    const two = sorted(New.spec);
    moved(one, two);
    const taken = Array.from({ length: two.table.size }, () => {
      const { key, value } = two.table.take();
      return [key, value];
    });
    assert.deepEqual(taken, [
      ["a", { id: 1n, tags: null }],
      ["a", "text of a"],
      ["b", { id: 2n, tags: null }],
      ["b", "text of b"],
      ["c", { id: 3n, tags: null }],
      ["c", "text of c"],
    ]);
    const three = sorted(F64);
    assert.throws(() => moved(one, three), {
      code: "STATE_TYPE_CHANGED",
      message: /"waiting" of operator "contract" holds f64/,
    });
    assert.equal(two.finish(), 0);
  });

  test("a time to live may be given, changed and taken away: what has no time is as old as its restore", () => {
    const store = (ttlMs: number | null) => {
      const tested = make({ key: F64 });
      const value = tested.store.value<number>(valueSpec("value", F64, ttlMs), null);
      const list = tested.store.list<number>(listSpec("list", F64, ttlMs));
      const map = tested.store.map<string, number>(mapSpec("map", STRING, F64, ttlMs));
      use(tested.store, F64, 1);
      return { ...tested, seen: () => [value.get(), list.get().length, map.size], value, list, map };
    };
    const full = (ttlMs: number | null) => {
      const made = store(ttlMs);
      made.value.set(5);
      made.list.add(5);
      made.map.set("a", 5);
      return made;
    };
    const [all, none] = [
      [5, 1, 1],
      [null, 0, 0],
    ];
    const given = store(100);
    given.advance(500);
    moved(full(null), given);
    use(given.store, F64, 1);
    assert.deepEqual(given.seen(), all);
    given.advance(99);
    assert.deepEqual(given.seen(), all);
    given.advance(1);
    assert.deepEqual(given.seen(), none);

    const shorter = store(50);
    moved(full(100), shorter);
    use(shorter.store, F64, 1);
    shorter.advance(49);
    assert.deepEqual(shorter.seen(), all);
    shorter.advance(1);
    assert.deepEqual(shorter.seen(), none);

    const forever = store(null);
    moved(full(100), forever);
    use(forever.store, F64, 1);
    forever.advance(10_000);
    assert.deepEqual(forever.seen(), all);
  });
}

// Snapshots, budgets and release: what both stores guarantee.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteCursor, readU32, writeU32 } from "../../types/bytes/byte-buffer.ts";
import { keyCodec } from "../../types/keys/key-bytes.ts";
import { compileKeyHash } from "../../types/keys/key-hash.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import type { KeyedStateStore } from "../contract/keyed-state.ts";
import { KeyBatch } from "../keys/key-batch.ts";
import {
  ANY,
  F64,
  listSpec,
  MAX_PARALLELISM,
  mapSpec,
  STRING,
  type StoreMaker,
  snapshotOf,
  struct,
  type TestedStore,
  use,
  valueSpec,
} from "./tested-store.contract.ts";
import { fireAll } from "./timers.contract.ts";

export function storeLifecycleContract(make: StoreMaker): void {
  snapshotTests(make);
  budgetTests(make);
}

function snapshotTests(make: StoreMaker): void {
  test("a snapshot names what is in it, also where there is nothing", () => {
    const { store } = make({ key: F64 });
    store.value<string>(valueSpec("first", STRING), null);
    assert.match(snapshotOf(store, 3).toString("latin1"), /"key":\{"kind":"f64"\}.*"name":"first"/);
    assert.throws(() => store.value(valueSpec("first", F64), null), { code: "STATE_TYPE_CHANGED" });
  });

  test("bytes that are no snapshot of the group, or of another version or key type, are refused", () => {
    const { store } = make({ key: F64 });
    const value = store.value<number>(valueSpec("v", F64), null);
    for (let key = 0; key < 50; key += 1) {
      use(store, F64, key);
      value.set(key);
    }
    const bytes = snapshotOf(store, 3);
    const restore = (key: TypeSpec, group: number, from: Buffer) => () =>
      make({ key }).store.restore(group, new ByteCursor(from));
    restore(F64, 3, bytes)();
    assert.throws(restore(F64, 4, bytes), { code: "CODEC_CORRUPT" });
    assert.throws(restore(STRING, 3, bytes), { code: "STATE_TYPE_CHANGED" });
    for (let size = 0; size < bytes.length; size += 7) {
      assert.throws(restore(F64, 3, bytes.subarray(0, size)), { name: /InternalError|SyntaxError/ }, `cut at ${size}`);
    }
    const other = Buffer.from(bytes);
    other[5] = 9;
    assert.throws(restore(F64, 3, other), { code: "STATE_VERSION_UNKNOWN" });
  });

  test("what has expired is in no snapshot, swept already or not", () => {
    const fill = ({ store, advance }: TestedStore, expiring: number): string[] => {
      const value = store.value<number>(valueSpec("value", F64, 100), null);
      const text = store.value<string>(valueSpec("text", STRING, 100), null);
      const list = store.list<string>(listSpec("list", STRING, 100));
      const map = store.map<string, number>(mapSpec("map", STRING, F64, 100));
      const write = (key: number): void => {
        value.set(key);
        text.set("text");
        list.add("item");
        map.set(`of ${key}`, key);
      };
      for (let key = 0; key < expiring; key += 1) {
        use(store, F64, key);
        write(key);
      }
      use(store, F64, 1_000);
      for (let key = 0; key < expiring; key += 1) map.set(`expired ${key}`, key);
      advance(100);
      write(1_000);
      for (let key = 0; key < expiring; key += 1) {
        use(store, F64, key);
        map.clear();
      }
      return contentOf(store);
    };
    assert.deepEqual(fill(make({ key: F64 }), 40), fill(make({ key: F64 }), 0));
  });

  test("what is restored expires when it would have, counted from when it was written", () => {
    const open = (tested: TestedStore) => ({
      ...tested,
      value: tested.store.value<number>(valueSpec("value", F64, 100), null),
      text: tested.store.value<string>(valueSpec("text", STRING, 100), null),
      list: tested.store.list<string>(listSpec("list", STRING, 100)),
      map: tested.store.map<string, number>(mapSpec("map", STRING, F64, 100)),
    });
    const before = open(make({ key: F64 }));
    use(before.store, F64, 1);
    before.value.set(1);
    before.text.set("text");
    before.list.add("item");
    before.map.set("entry", 1);
    const after = open(make({ key: F64 }));
    after.advance(60);
    for (let group = 0; group < MAX_PARALLELISM; group += 1)
      after.store.restore(group, new ByteCursor(snapshotOf(before.store, group)));
    const seen = () => [after.value.get(), after.text.get(), after.list.get(), after.map.get("entry")];
    use(after.store, F64, 1);
    after.advance(39);
    assert.deepEqual(seen(), [1, "text", ["item"], 1]);
    after.advance(1);
    assert.deepEqual(seen(), [null, null, [], undefined]);
  });

  test("what operators keep in tables of their own is part of the snapshot, by name", () => {
    const one = openPart(make({ key: STRING }).store, "panes");
    const key = "a long key of more than sixteen bytes";
    const batch = tableKey(key, 60_000);
    const group = one.table.groupOf(batch.hashes[0]!);
    const row = one.table.resolveIn(group, batch, 0);
    assert.ok(one.table.blobs.write(row, Buffer.from("blob"), 0, 4));
    const bytes = snapshotOf(one.store, group);
    const two = openPart(make({ key: STRING }).store, "panes");
    two.store.restore(group, new ByteCursor(bytes));
    assert.deepEqual(two.restored, [[group, 1]]);
    assert.equal(one.store.usage().find((usage) => usage.name === "panes")!.entries, 1);
    const other = openPart(make({ key: STRING }).store, "sessions");
    assert.throws(() => other.store.restore(group, new ByteCursor(bytes)), /has panes for operator "contract"/);
  });
}

/** A table with a part that snapshots how many rows each group has. */
function openPart(store: KeyedStateStore, name: string) {
  const spec = {
    name,
    key: "bytes",
    namespaced: true,
    listed: true,
    blob: true,
    valueWords: 1,
    initial: null,
  } as const;
  const table = store.tables.table(spec);
  const restored: [number, number][] = [];
  store.tables.attach({
    name,
    bytes: 0,
    snapshot: (_keyGroup, out) => writeU32(out, table.size),
    restore: (keyGroup, input) => {
      restored.push([keyGroup, readU32(input)]);
    },
  });
  return { store, table, restored };
}

function tableKey(key: string, namespace: number): KeyBatch {
  const batch = new KeyBatch(1);
  batch.hashes[0] = compileKeyHash(STRING, "table")(key);
  batch.stage(0, key, keyCodec(STRING));
  batch.namespaces[0] = namespace;
  return batch;
}

/** Everything a store holds, for comparing. */
function contentOf(store: KeyedStateStore): string[] {
  return Array.from({ length: MAX_PARALLELISM }, (_, group) => snapshotOf(store, group).toString("latin1"));
}

type Filling = readonly [what: string, open: (store: KeyedStateStore) => (n: number) => void];

/** Sets a value of each key; of small values only the keys use up a budget. */
function setting(what: string, type: TypeSpec, make: (n: number) => unknown, hasManyKeys = false): Filling {
  return [
    what,
    (store) => {
      const state = store.value<unknown>(valueSpec("s", type), null);
      return (n) => {
        if (hasManyKeys) use(store, F64, n);
        state.set(make(n));
      };
    },
  ];
}

const FILLINGS: readonly Filling[] = [
  setting("a value of fixed size", struct({ n: F64 }), (n) => ({ n }), true),
  setting("a value of any size", STRING, (n) => "text ".repeat(n % 50)),
  setting("a value of many small objects", ANY, (n) => Array.from({ length: 200 + (n % 60) }, () => ({})), true),
  setting("a value of many empty maps", ANY, (n) => Array.from({ length: 150 + (n % 40) }, () => new Map()), true),
  setting("a value of many booleans", { kind: "list", item: { kind: "bool" } }, (n) =>
    Array.from({ length: n % 500 }, () => true),
  ),
  setting(
    "a value with names from data",
    ANY,
    (n) => Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`name ${n} ${i}`, { [`inner ${n}`]: i }])),
    true,
  ),
  setting("a value of typed arrays", { kind: "bytes", array: "Float64Array" }, (n) => new Float64Array(n % 100)),
  [
    "a list",
    (store) => {
      const state = store.list<string>(listSpec("s", STRING));
      return (n) =>
        n % 2 === 0
          ? state.add("text ".repeat(n % 50))
          : state.set(Array.from({ length: 200 }, () => "text ".repeat(5)));
    },
  ],
  [
    "a list of small objects",
    (store) => {
      const state = store.list<unknown>(listSpec("s", ANY));
      return (n) => state.add([{}, new Map(), new Set(), [], n]);
    },
  ],
  [
    "a map",
    (store) => {
      const state = store.map<string, string>(mapSpec("s", STRING, STRING));
      return (n) => state.set(`key ${n} that is long enough for the log`, "text ".repeat(n % 50));
    },
  ],
  [
    "a value that is reduced to a growing list",
    (store) => {
      const type: TypeSpec = { kind: "list", item: { kind: "bool" } };
      const spec = { kind: "reducing", name: "s", type, ttlMs: null } as const;
      const state = store.reducing<boolean[]>(spec, (left, right) => [...left, ...right]);
      return () => state.add(Array.from({ length: 20 }, () => true));
    },
  ],
  [
    "an accumulator that grows",
    (store) => {
      const spec = { kind: "aggregating", name: "s", accumulator: ANY, ttlMs: null } as const;
      const state = store.aggregating<number, object[], number>(spec, {
        create: () => [],
        add: (all) => [...all, ...Array.from({ length: 100 }, () => ({}))],
        merge: (left, right) => [...left, ...right],
        result: (all) => all.length,
      });
      return (n) => state.add(n);
    },
  ],
];

function budgetTests(make: StoreMaker): void {
  for (const [what, open] of FILLINGS) {
    test(`when the budget is used up, ${what} is refused and nothing is changed`, () => {
      // Budgets of different sizes are used up at different points: a row, an index, a page of the log.
      for (const blocks of [3, 4, 6]) budgetTest(make({ key: F64, limitBytes: blocks * 64 * 1024 }), open);
    });
  }

  test("what is too large for the rest of the budget leaves nothing of its key behind", () => {
    const large = "x".repeat(400_000);
    const writes: readonly ((store: KeyedStateStore) => (text: string) => void)[] = [
      (store) => {
        const state = store.value<string>(valueSpec("s", STRING), null);
        return (text) => state.set(text);
      },
      (store) => {
        const state = store.list<string>(listSpec("s", STRING));
        return (text) => state.add(text);
      },
      (store) => {
        const state = store.list<string>(listSpec("s", STRING));
        return (text) => state.set([text, text]);
      },
      (store) => {
        const state = store.map<string, string>(mapSpec("s", STRING, STRING));
        return (text) => state.set("k", text);
      },
    ];
    for (const open of writes) {
      const { store, finish } = make({ key: F64, maxParallelism: 1, limitBytes: 6 * 64 * 1024 });
      const write = open(store);
      use(store, F64, 1);
      write("small");
      const before = snapshotOf(store, 0);
      use(store, F64, 2);
      assert.throws(() => write(large), { code: "STATE_BUDGET_EXCEEDED" });
      assert.deepEqual(snapshotOf(store, 0), before);
      assert.equal(store.usage().find(({ name }) => name === "s")?.entries, 1);
      assert.equal(finish(), 0);
    }
  });

  test("timers are refused when the budget is used up, and those set stay", () => {
    const { store, finish } = make({ key: STRING, limitBytes: 512 * 1024 });
    let n = 0;
    assert.throws(
      () => {
        for (; ; n += 1) {
          use(store, STRING, `key ${n}`);
          store.timers.event.set(`name ${n % 10}`, n);
        }
      },
      {
        message: /state "timers" of operator "contract"/,
        fix: /set fewer timers/,
      },
    );
    assert.equal(store.timers.count, n);
    assert.equal(fireAll(store, "event", Infinity).length, n);
    use(store, STRING, "again");
    store.timers.event.set("t", 1);
    assert.equal(finish(), 0);
  });

  test("names of timers made from data are refused when the budget is used up, and given back when none has them", () => {
    const { store, finish } = make({ key: F64, limitBytes: 512 * 1024 });
    const name = (n: number) => `timer of record ${n} `.padEnd(400, "x");
    const bytes = () => store.usage().find((usage) => usage.name === "timers")!.bytes;
    let n = 0;
    const fill = () => {
      for (; n < 5000; n += 1) {
        use(store, F64, n % 10);
        store.timers.event.set(name(n), n);
      }
    };
    assert.throws(fill, (error: Error & { code: string; fix: string }) => {
      assert.equal(error.code, "STATE_BUDGET_EXCEEDED");
      assert.match(error.message, /state "timers" of operator "contract" holds about \d.* and cannot grow/);
      assert.match(error.fix, /taskmanager\.memory\.task\.heap\.size/);
      return true;
    });
    assert.equal(store.timers.count, n);
    assert.equal(store.timers.event.get(name(n)), undefined);
    const full = bytes();
    assert.ok(full > 400 * n);
    use(store, F64, (n - 1) % 10);
    store.timers.event.set(name(n - 1), 3); // its key has it: no further name
    assert.equal(fireAll(store, "event", Infinity).length, n);
    assert.ok(bytes() < full / 10, `${bytes()} of ${full} bytes are left`);
    n = 0;
    assert.throws(fill, { code: "STATE_BUDGET_EXCEEDED" });
    assert.equal(finish(), 0);
  });

  test("releasing gives everything back", () => {
    const { store, finish } = make({ key: STRING });
    const value = store.value<string>(valueSpec("v", STRING), null);
    const list = store.list<string>(listSpec("l", STRING));
    const map = store.map<string, string>(mapSpec("m", STRING, STRING));
    for (let n = 0; n < 2000; n += 1) {
      use(store, STRING, `a key that is long enough for the log ${n % 100}`);
      value.set("x".repeat(n));
      list.add("y".repeat(n % 100));
      map.set(`${n}`, "z");
      store.timers.event.set(`${n}`, n);
    }
    assert.equal(finish(), 0);
  });

  test("a key of another subtask's group is a bug that names the groups", () => {
    const { store } = make({ key: F64, keyGroups: { first: 2, last: 3 } });
    const useAll = () => {
      for (let key = 0; key < 50; key += 1) use(store, F64, key);
    };
    assert.throws(useAll, /a key of group \d reached a subtask that has the groups 2 to 3/);
  });

  test("prefetching changes nothing", () => {
    const { store } = make({ key: F64 });
    const value = store.value<number>(valueSpec("v", F64), null);
    use(store, F64, 1);
    value.set(1);
    store.prefetch(new Int32Array([compileKeyHash(F64, "p")(1), compileKeyHash(F64, "q")(2)]), 2);
    assert.equal(value.get(), 1);
  });
}

function budgetTest({ store, finish }: TestedStore, open: (store: KeyedStateStore) => (n: number) => void): void {
  const write = open(store);
  let n = 0;
  const fill = () => {
    for (; n < 100_000; n += 1) {
      use(store, F64, n % 3000);
      write(n);
    }
  };
  assert.throws(fill, (error: Error & { code: string; fix: string }) => {
    assert.equal(error.code, "STATE_BUDGET_EXCEEDED");
    assert.match(error.message, /state "s" of operator "contract" holds (about )?\d/);
    assert.match(error.fix, /taskmanager\.memory/);
    return true;
  });
  let before = contentOf(store);
  for (let more = 0; more < 12; more += 1) {
    use(store, F64, 1_000_000 + more);
    try {
      write(n);
    } catch {
      assert.deepEqual(contentOf(store), before);
      continue;
    }
    before = contentOf(store);
  }
  assert.equal(finish(), 0);
}

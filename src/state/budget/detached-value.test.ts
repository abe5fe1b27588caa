import assert from "node:assert/strict";
import { test } from "node:test";
import { assertRatio, heapGrowth } from "../suites/heap-growth.contract.ts";
import { makeHeap } from "../suites/store-makers.contract.ts";
import { ANY, listSpec, mapSpec, STRING, struct, use, valueSpec } from "../suites/tested-store.contract.ts";
import { detached } from "./detached-value.ts";

/** A text that is part of one of 4,096 units, as those of a batch are. */
const part = (n: number): string => `${n} `.padEnd(4096, "the text of a batch ").substring(0, 30);

test("a detached value is equal to the original, in all its kinds of parts", () => {
  const shared = { text: part(1) };
  const value: Record<string, unknown> = {
    text: part(2),
    short: "short",
    list: [part(3), 5, null, undefined, shared],
    map: new Map<unknown, unknown>([[part(4), { deep: [part(5)] }]]),
    set: new Set([part(6), shared]),
    bytes: new Uint8Array([1, 2]),
    date: new Date(5),
    holes: Object.assign([], { 0: part(7), 2: 3, length: 3 }),
    extra: Object.assign([1, 2], { name: part(8) }),
    bare: Object.assign(Object.create(null), { a: 1 }),
  };
  value.self = value;
  const copy = detached(value) as typeof value;
  assert.deepStrictEqual(copy, value);
  assert.equal(copy.self, copy);
  assert.equal((copy.list as unknown[])[4], [...(copy.set as Set<unknown>)][1]);
  assert.notEqual((copy.list as unknown[])[4], shared);
  assert.deepEqual(Object.keys(copy.holes as unknown[]), ["0", "2"]);
});

test("what was frozen is frozen, and the original is not changed", () => {
  const value = Object.freeze({ list: Object.freeze([part(1)]), open: { text: part(2) } });
  const copy = detached(value) as typeof value;
  assert.ok(Object.isFrozen(copy) && Object.isFrozen(copy.list) && !Object.isFrozen(copy.open));
  assert.notEqual(copy.list, value.list);
});

test("a heap store keeps nothing of a batch alive but the texts that it was given", () => {
  // Any that is kept alive makes it many times what the store says.
  assertRatio(0.8, 4, () => {
    const record = struct({ text: STRING, more: { kind: "list", item: STRING } });
    const { store } = makeHeap({ key: STRING });
    const value = store.value<unknown>(valueSpec("value", record), null);
    const list = store.list<unknown>(listSpec("list", ANY));
    const map = store.map<string, string>(mapSpec("map", STRING, STRING));
    const best = store.reducing<unknown>(
      { kind: "reducing", name: "best", type: record, ttlMs: null },
      (_, right) => right,
    );
    const { bytes } = heapGrowth(() => {
      for (let n = 0; n < 3000; n += 1) {
        use(store, STRING, part(n % 1500));
        value.set({ text: part(n), more: [part(n)] });
        list.add({ text: part(n) });
        map.set(part(n), part(n));
        best.add({ text: part(n), more: [part(n)] });
        store.timers.event.set(part(n), n);
      }
    });
    return store.usage().reduce((sum, usage) => sum + usage.bytes, 0) / bytes;
  });
});

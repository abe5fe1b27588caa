import assert from "node:assert/strict";
import { test } from "node:test";
import { HeapGuard } from "./heap-guard.ts";

function setUp() {
  const heap = { live: 0, garbage: 0, collections: 0 };
  const guard = new HeapGuard({
    budgetBytes: 1_000,
    usedBytes: () => heap.live + heap.garbage,
    collect: () => {
      heap.garbage = 0;
      heap.collections += 1;
    },
  });
  return { heap, guard };
}

test("garbage does not count, and is left to V8 until there is much of it", () => {
  const { heap, guard } = setUp();
  Object.assign(heap, { live: 900, garbage: 550 });
  assert.equal(guard.exceeded(0), false);
  assert.equal(heap.collections, 0);
  heap.garbage = 5_000;
  assert.equal(guard.exceeded(100), false);
  assert.deepEqual(heap, { live: 900, garbage: 0, collections: 1 });
});

test("live objects above the budget are found", () => {
  const { heap, guard } = setUp();
  Object.assign(heap, { live: 1_001, garbage: 500 });
  assert.equal(guard.exceeded(0), true);
});

test("it looks once in a while, not at every call", () => {
  const { heap, guard } = setUp();
  heap.live = 2_000;
  assert.deepEqual([guard.exceeded(0), guard.exceeded(1), guard.exceeded(100)], [true, false, true]);
});

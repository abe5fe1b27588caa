import assert from "node:assert/strict";
import { test } from "node:test";
import { HeapGuard } from "./heap-guard.ts";

function setUp() {
  const heap = { live: 0, garbage: 0, collections: 0, sampling: false, sampled: 100 };
  const guard = new HeapGuard({
    budgetBytes: 1_000,
    usedBytes: () => heap.live + heap.garbage,
    collect: () => {
      heap.garbage = 0;
      heap.collections += 1;
    },
    sample: {
      start: () => {
        heap.sampling = true;
      },
      stop: () => (heap.sampling && heap.sampled > 0 ? { stack: "at leak", bytes: heap.sampled } : null),
    },
  });
  return { heap, guard };
}

test("garbage does not count, and is left to V8 until there is much of it", () => {
  const { heap, guard } = setUp();
  Object.assign(heap, { live: 900, garbage: 550 });
  assert.equal(guard.overrun(0), null);
  assert.equal(heap.collections, 0);
  heap.garbage = 5_000;
  assert.equal(guard.overrun(100), null);
  assert.deepEqual(heap, { live: 900, garbage: 0, collections: 1, sampling: false, sampled: 100 });
});

test("a slot that holds more than its budget is watched for a second, then told with the stack", () => {
  const { heap, guard } = setUp();
  Object.assign(heap, { live: 1_001, garbage: 500 });
  assert.equal(guard.overrun(0), null);
  assert.equal(heap.sampling, true);
  heap.live += 100;
  assert.equal(guard.overrun(900), null);
  assert.deepEqual(guard.overrun(1_000), { stack: "at leak" });
});

test("what does not account for most of the growth, or for hardly any, is no answer: records under way are held, too", () => {
  for (const [grown, sampled, stack] of [
    [200, 100, "at leak"],
    [201, 100, null],
    [20, 100, "at leak"],
    [19, 100, null],
    [-50, 100, null],
  ] as const) {
    const { heap, guard } = setUp();
    Object.assign(heap, { live: 2_000, sampled });
    guard.overrun(0);
    heap.live += grown;
    assert.deepEqual(guard.overrun(1_000), stack === null ? null : { stack }, `${grown}`);
  }
});

test("it is watched no longer than until it has grown by a quarter of the budget", () => {
  const { heap, guard } = setUp();
  heap.live = 2_000;
  assert.equal(guard.overrun(0), null);
  heap.live = 2_249;
  assert.equal(guard.overrun(50), null);
  heap.live = 2_250;
  assert.notEqual(guard.overrun(100), null);
});

test("it looks once in a while, not at every call", () => {
  const { heap, guard } = setUp();
  heap.live = 2_000;
  guard.overrun(0);
  heap.live = 3_000;
  assert.equal(guard.overrun(49), null);
  assert.notEqual(guard.overrun(50), null);
});

test("growth that is slow adds up from look to look", () => {
  const { heap, guard } = setUp();
  Object.assign(heap, { live: 2_000, sampled: 15 });
  guard.overrun(0);
  heap.live += 12;
  assert.equal(guard.overrun(1_000), null);
  heap.live += 12;
  assert.deepEqual(guard.overrun(2_000), { stack: "at leak" });
});

test("a slot in which nobody is seen to allocate is watched on, for twenty seconds or until it has grown enough", () => {
  const { heap, guard } = setUp();
  Object.assign(heap, { live: 2_000, sampled: 0 });
  for (let nowMs = 0; nowMs < 20_000; nowMs += 500) {
    if (nowMs === 3_000) heap.live += 30;
    assert.equal(guard.overrun(nowMs), null);
  }
  heap.sampled = 30;
  assert.deepEqual(guard.overrun(20_000), { stack: null }, "nothing was added since the last look");
  const growing = setUp();
  Object.assign(growing.heap, { live: 2_000, sampled: 0 });
  growing.guard.overrun(0);
  growing.heap.live += 250;
  assert.deepEqual(growing.guard.overrun(100), { stack: null });
});

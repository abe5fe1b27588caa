import assert from "node:assert/strict";
import { test } from "node:test";
import { type MetricDefinition, MetricRegistry, metricMemory } from "../../metrics/metric-registry.ts";
import { MetricStore } from "../../metrics/metric-store.ts";
import { TaskMetrics } from "./task-metrics.ts";

function setUp() {
  const memory = metricMemory();
  const slot = { ms: 0, nowMs: () => 1e12 + slot.ms, monotonicMs: () => slot.ms };
  const main = { nowMs: slot.nowMs, monotonicMs: () => slot.ms + 77 };
  const store = new MetricStore(main);
  const define = (definition: MetricDefinition): void => store.define(0, memory, [definition]);
  const scope = new MetricRegistry(memory, define).scope({ vertex: 0, subtask: 0, operator: null });
  const metrics = new TaskMetrics({ scope, clock: slot, wake: () => undefined, hasInputs: true, hasOutputs: false });
  const times = () =>
    ["accumulateBusyTimeMs", "accumulateIdleTimeMs", "accumulateBackPressuredTimeMs"].map((name) => store.sum(name));
  return { slot, store, metrics, times };
}

test("T1: every moment counts for one activity, the one under way as it is read", () => {
  const { slot, metrics, times } = setUp();
  assert.deepEqual(times(), [0, 0, 0]);
  slot.ms = 100;
  metrics.mark("idle", slot.ms);
  slot.ms = 130;
  assert.deepEqual(times(), [0, 30, 0]);
  metrics.mark("busy", slot.ms);
  slot.ms = 5_130; // User code holds the thread.
  assert.deepEqual(times(), [5_000, 30, 0]);
  metrics.mark("backPressured", slot.ms, "backPressured"); // It was a turn that found no room.
  assert.deepEqual(times(), [0, 30, 5_000]);
  slot.ms += 7;
  metrics.mark("ended", slot.ms);
  slot.ms += 1_000;
  assert.deepEqual(times(), [0, 30, 5_007]);
});

test("after the end of a job time stands still", () => {
  const { slot, store, metrics, times } = setUp();
  metrics.mark("busy", 0);
  slot.ms = 10;
  store.freeze();
  slot.ms = 1_000;
  assert.deepEqual(times(), [10, 0, 0]);
});

test("the watermark is the last finite one", () => {
  const { store, metrics } = setUp();
  assert.equal(store.sum("currentInputWatermark"), -Infinity);
  metrics.inputWatermark(5);
  metrics.inputWatermark(Infinity);
  assert.equal(store.sum("currentInputWatermark"), 5);
});

test("a task without outputs has no metrics of outputs", () => {
  const { store, metrics } = setUp();
  metrics.received(3, 100);
  metrics.received(2, 50);
  metrics.sent(1, 1);
  metrics.usage(0.5, 1);
  const names = store.entries().map(({ name }) => name);
  assert.ok(!names.some((name) => /Out|out/.test(name)), names.join());
  assert.deepEqual(
    ["numRecordsIn", "numBytesIn", "numBuffersIn", "inPoolUsage"].map((name) => store.sum(name)),
    [5, 150, 2, 0.5],
  );
});

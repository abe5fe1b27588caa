import assert from "node:assert/strict";
import { test } from "node:test";
import type { Plan } from "../graph/plan.ts";
import { MetricRates } from "../metrics/metric-rates.ts";
import { MetricRegistry, type MetricScope, metricMemory } from "../metrics/metric-registry.ts";
import { MetricStore } from "../metrics/metric-store.ts";
import { activityCode } from "../metrics/task-activity.ts";
import { DropCounts } from "../protocol/fence.ts";
import { controlMetrics, jobCounts, operatorMetrics, poolMetrics, taskMetrics } from "./job-metrics.ts";

const KINDS = {
  in: "source",
  parse: "parse",
  time: "eventTime",
  window: "window",
  ordered: "process",
  other: "process",
  out: "sink",
};
const PLAN = {
  operators: Object.entries(KINDS).map(([uid, kind]) => ({ uid, kind, options: { inOrder: uid === "ordered" } })),
} as unknown as Plan;

/** Two subtasks in two slots; `fill` sets the metrics of each. */
function store(
  fill: (scope: (operator: string | null) => MetricScope, subtask: number) => void,
  metrics = new MetricStore(),
): MetricStore {
  for (const subtask of [0, 1]) {
    const memory = metricMemory();
    const registry = new MetricRegistry(memory, (definition) => metrics.define(subtask, memory, [definition]));
    fill((operator) => registry.scope({ vertex: 0, subtask, operator }), subtask);
  }
  return metrics;
}

test("counts add up over subtasks, each by the kind of its operator", () => {
  const metrics = store((scope) => {
    scope("in").count("numRecordsOut", 10);
    scope("in").count("numRecordsInErrors", 1);
    scope("parse").count("numRecordsOut", 8);
    scope("parse").count("numRecordsInErrors", 2);
    scope("window").count("numRecordsInErrors", 4);
    scope("window").count("numLateRecordsDropped", 3);
    scope("out").count("numRecordsOut", 5);
    scope(null).count("accumulateBusyTimeMs", 50);
  });
  const { watermarkMs, ...counts } = jobCounts(metrics, PLAN);
  assert.deepEqual(counts, { rowsIn: 20, rowsOut: 10, late: 6, invalid: 6, skipped: 8, busyMs: 100 });
  assert.equal(watermarkMs, null);
});

test("records that go aside as late are late, too; a side output of a function's own that has this name is not", () => {
  const metrics = store((scope) => {
    scope("window").count("numRecordsOut.late", 3);
    scope("ordered").count("numLateRecordsDropped", 5);
    scope("ordered").count("numRecordsOut.late", 20);
    scope("ordered").count("numRecordsOut", 100);
    scope("other").count("numRecordsOut.late", 1_000);
  });
  assert.equal(jobCounts(metrics, PLAN).late, 56);
});

test("the watermark is the lowest of those that have begun", () => {
  const at = (first: number, second: number) =>
    jobCounts(
      store((scope, subtask) => scope(null).gauge("currentInputWatermark", subtask === 0 ? first : second)),
      PLAN,
    ).watermarkMs;
  assert.equal(at(2_000, 1_000), 1_000);
  assert.equal(at(-Infinity, 1_000), 1_000);
  assert.equal(at(-Infinity, -Infinity), null);
  assert.equal(at(Infinity, Infinity), null);
});

test("a task that has ended holds no watermark back", () => {
  const metrics = store((scope, subtask) => {
    const task = scope(null);
    task.gauge("currentInputWatermark", subtask === 0 ? 1_000 : 2_000);
    scope("window").gauge("currentInputWatermark", 1);
    const at = task.index("activity", "activity");
    task.values[at] = activityCode(subtask === 0 ? "ended" : "idle");
  });
  assert.equal(jobCounts(metrics, PLAN).watermarkMs, 2_000);
});

test("metrics of operators: counters as sums with their rates, gauges as ranges, distributions of all subtasks", () => {
  const metrics = store((scope, subtask) => {
    scope("out").count("numRecordsOut", 5);
    scope("out").gauge("queue", subtask);
    scope("out").gauge("currentInputWatermark", subtask === 0 ? -Infinity : 7);
    scope("out").gauge("currentOutputWatermark", -Infinity);
    scope("out").observe("latency", 3 + subtask);
    scope("out").mark("alerts", 2);
  });
  const { out = {}, window } = operatorMetrics(metrics, new MetricRates(metrics), PLAN);
  const { p50: _, p95: __, p99: ___, ...latency } = out.latency as Record<string, number>;
  assert.deepEqual(
    { ...out, latency },
    {
      numRecordsOut: 10,
      numRecordsOutPerSecond: 0,
      queue: { min: 0, max: 1 },
      currentInputWatermark: { min: 7, max: 7 },
      latency: { count: 2, min: 3, max: 4, mean: 3.5 },
      alerts: { count: 4, perSecond: 0 },
    },
  );
  assert.deepEqual(window, {});
});

test("rates of operators are those of all their subtasks together", () => {
  const clock = { nowMs: () => 0, monotonicMs: () => nowMs };
  let nowMs = 0;
  const metrics = new MetricStore(clock);
  const rates = new MetricRates(metrics);
  rates.start();
  store((scope, subtask) => {
    scope("out").count("numRecordsOut", subtask === 0 ? 30 : 50);
    scope("out").mark("alerts", 2);
  }, metrics);
  nowMs = 10_000;
  const { numRecordsOutPerSecond, alerts } = operatorMetrics(metrics, rates, PLAN).out ?? {};
  assert.deepEqual([numRecordsOutPerSecond, alerts], [8, { count: 4, perSecond: 0.4 }]);
});

test("metrics of tasks come by vertex and subtask with their rates, all of them finite", () => {
  const metrics = store((scope) => {
    scope(null).count("numRecordsIn", 7);
    scope(null).gauge("currentInputWatermark", -Infinity);
    scope("out").count("numRecordsOut", 1);
  });
  const expected = { numRecordsIn: 7, numRecordsInPerSecond: 0 };
  assert.deepEqual(taskMetrics(metrics, new MetricRates(metrics)), [
    { vertex: 0, subtask: 0, metrics: expected },
    { vertex: 0, subtask: 1, metrics: expected },
  ]);
});

test("the pools of the TaskManager have Flink's names: segments of the network, bytes of managed memory", () => {
  const stats = { total: 8, free: 6, leased: 2, leasedPeak: 5, repairs: 0 };
  assert.deepEqual(poolMetrics(stats, stats, 1_024), {
    "Status.Network.TotalMemorySegments": 8,
    "Status.Network.AvailableMemorySegments": 6,
    "Status.Network.UsedMemorySegments": 2,
    "Status.Network.PeakMemorySegments": 5,
    "Status.Flink.Memory.Managed.Total": 8_192,
    "Status.Flink.Memory.Managed.Used": 2_048,
    "Status.Flink.Memory.Managed.Peak": 5_120,
  });
});

test("control messages that were dropped are one number, whatever the reason", () => {
  const dropped = new DropCounts();
  for (const reason of ["late", "twice", "twice", "early", "foreign"] as const) dropped.add(reason);
  assert.deepEqual(controlMetrics(dropped), { "Status.Millrace.ControlMessages.Dropped": 5 });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Plan } from "../graph/plan.ts";
import { MetricRegistry, type MetricScope, metricMemory } from "../metrics/metric-registry.ts";
import { MetricStore } from "../metrics/metric-store.ts";
import { operatorMetrics, runCounts, taskMetrics } from "./run-metrics.ts";

const KINDS = { in: "source", parse: "parse", time: "eventTime", window: "window", out: "sink" };
const PLAN = { operators: Object.entries(KINDS).map(([uid, kind]) => ({ uid, kind })) } as unknown as Plan;

/** Two subtasks in two slots; `fill` sets the metrics of each. */
function store(fill: (scope: (operator: string | null) => MetricScope, subtask: number) => void): MetricStore {
  const metrics = new MetricStore();
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
  const { watermarkMs, ...counts } = runCounts(metrics, PLAN);
  assert.deepEqual(counts, { rowsIn: 20, rowsOut: 10, late: 6, invalid: 6, skipped: 8, busyMs: 100 });
  assert.equal(watermarkMs, null);
});

test("the watermark is the lowest of those that have begun", () => {
  const at = (first: number, second: number) =>
    runCounts(
      store((scope, subtask) => scope(null).gauge("currentInputWatermark", subtask === 0 ? first : second)),
      PLAN,
    ).watermarkMs;
  assert.equal(at(2_000, 1_000), 1_000);
  assert.equal(at(-Infinity, 1_000), 1_000);
  assert.equal(at(-Infinity, -Infinity), null);
  assert.equal(at(Infinity, Infinity), null);
});

test("metrics of operators: counters as sums, gauges as ranges, distributions by subtask", () => {
  const metrics = store((scope, subtask) => {
    scope("out").count("numRecordsOut", 5);
    scope("out").gauge("queue", subtask);
    scope("out").observe("latency", 3);
  });
  const { out = {}, window } = operatorMetrics(metrics, PLAN);
  const { numRecordsOut, queue, latency } = out;
  assert.deepEqual([numRecordsOut, queue], [10, { min: 0, max: 1 }]);
  assert.ok(Array.isArray(latency) && latency.length === 2);
  assert.deepEqual(window, {});
});

test("metrics of tasks come by vertex and subtask, all of them finite", () => {
  const metrics = store((scope) => {
    scope(null).count("numRecordsIn", 7);
    scope(null).gauge("currentInputWatermark", -Infinity);
    scope("out").count("numRecordsOut", 1);
  });
  assert.deepEqual(taskMetrics(metrics), [
    { vertex: 0, subtask: 0, metrics: { numRecordsIn: 7 } },
    { vertex: 0, subtask: 1, metrics: { numRecordsIn: 7 } },
  ]);
});

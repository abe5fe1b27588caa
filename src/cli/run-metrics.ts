// The numbers of a run that people ask for first, read from its metrics. Pure.

import type { OperatorKind, Plan } from "../graph/plan.ts";
import type { MetricEntry, MetricStore } from "../metrics/metric-store.ts";

export type RunCounts = {
  /** Records that sources gave, and that sinks took. */
  readonly rowsIn: number;
  readonly rowsOut: number;
  /** Too late for their window, and nobody read the late output. */
  readonly late: number;
  /** Could not be read, or failed their schema. */
  readonly invalid: number;
  /** A user function threw on them. */
  readonly skipped: number;
  /** Task time spent working, in all. */
  readonly busyMs: number;
  /** Event time that every task with an input has reached; null before the first watermark, and after the last. */
  readonly watermarkMs: number | null;
};

export function runCounts(metrics: MetricStore, plan: Plan): RunCounts {
  const kinds = new Map<string, OperatorKind>(plan.operators.map(({ uid, kind }) => [uid, kind]));
  const of = (...wanted: readonly OperatorKind[]) => {
    return ({ operator }: MetricEntry): boolean => wanted.includes(kinds.get(operator ?? "") ?? "map");
  };
  const invalid = metrics.sum("numRecordsInErrors", of("source", "parse"));
  return {
    rowsIn: metrics.sum("numRecordsOut", of("source")),
    rowsOut: metrics.sum("numRecordsOut", of("sink")),
    late: metrics.sum("numLateRecordsDropped"),
    invalid,
    skipped: metrics.sum("numRecordsInErrors") - invalid,
    busyMs: metrics.sum("accumulateBusyTimeMs"),
    watermarkMs: lowestWatermark(metrics, plan),
  };
}

function lowestWatermark(metrics: MetricStore, plan: Plan): number | null {
  if (!plan.operators.some(({ kind }) => kind === "eventTime")) return null;
  let lowest = Infinity;
  for (const entry of metrics.entries()) {
    if (entry.name !== "currentInputWatermark") continue;
    const watermark = metrics.value(entry);
    if (watermark !== -Infinity) lowest = Math.min(lowest, watermark);
  }
  return Number.isFinite(lowest) ? lowest : null;
}

/** Metrics by operator uid, summed over its subtasks; gauges as their least and greatest. For `run --json`. */
export function operatorMetrics(metrics: MetricStore, plan: Plan): Record<string, Record<string, number | object>> {
  const result: Record<string, Record<string, number | object>> = {};
  for (const { uid } of plan.operators) result[uid] = {};
  for (const entry of metrics.entries()) {
    const ofOperator = result[entry.operator ?? ""];
    if (ofOperator !== undefined) ofOperator[entry.name] = merged(ofOperator[entry.name], metrics, entry);
  }
  return result;
}

export type TaskMetricsSummary = {
  readonly vertex: number;
  readonly subtask: number;
  readonly metrics: Record<string, number>;
};

/** Metrics of tasks themselves. Watermarks that are not finite are left out: JSON has no such numbers. */
export function taskMetrics(metrics: MetricStore): readonly TaskMetricsSummary[] {
  const tasks = new Map<string, TaskMetricsSummary>();
  for (const entry of metrics.entries()) {
    if (entry.operator !== null) continue;
    const { vertex, subtask } = entry;
    const key = `${vertex}/${subtask}`;
    const task = tasks.get(key) ?? { vertex, subtask, metrics: {} };
    tasks.set(key, task);
    const value = metrics.value(entry);
    if (Number.isFinite(value)) task.metrics[entry.name] = value;
  }
  return [...tasks.values()].sort((left, right) => left.vertex - right.vertex || left.subtask - right.subtask);
}

function merged(before: number | object | undefined, metrics: MetricStore, entry: MetricEntry): number | object {
  if (entry.kind === "histogram") {
    const summary = metrics.histogram(entry);
    return Array.isArray(before) ? [...before, summary] : [summary];
  }
  const value = metrics.value(entry);
  if (entry.kind === "counter") return (typeof before === "number" ? before : 0) + value;
  const range = (before ?? { min: Infinity, max: -Infinity }) as { min: number; max: number };
  return { min: Math.min(range.min, value), max: Math.max(range.max, value) };
}

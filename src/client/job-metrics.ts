// The numbers of a job, read from its metrics. Pure.

import { canBeLate, type OperatorKind, type Plan, SIDE_LATE } from "../graph/plan.ts";
import type { PoolStats } from "../memory/segment-pool.ts";
import { type MetricRates, meterName } from "../metrics/metric-rates.ts";
import type { MetricEntry, MetricStore } from "../metrics/metric-store.ts";
import type { DropCounts } from "../protocol/fence.ts";
import type { Distribution, JobCounts, JobMetrics, MetricValues, TaskMetricValues } from "../protocol/job-messages.ts";

export type MetricSources = {
  readonly plan: Plan;
  readonly metrics: MetricStore;
  readonly rates: MetricRates;
  readonly runningMs: number;
  readonly dropped: DropCounts;
  readonly jobManager: JobMetrics["jobManager"];
  readonly pools: { readonly network: PoolStats; readonly managed: PoolStats; readonly managedBlockSize: number };
};

export function jobMetrics(sources: MetricSources): JobMetrics {
  const { plan, metrics, rates, runningMs, pools, dropped, jobManager } = sources;
  return {
    ...jobCounts(metrics, plan),
    runningMs,
    jobManager,
    operators: operatorMetrics(metrics, rates, plan),
    tasks: taskMetrics(metrics, rates),
    taskManager: {
      ...poolMetrics(pools.network, pools.managed, pools.managedBlockSize),
      ...controlMetrics(dropped),
      "Status.Millrace.Metrics.Refused": metrics.refused(),
    },
  };
}

export function jobCounts(metrics: MetricStore, plan: Plan): JobCounts {
  const kinds = new Map<string, OperatorKind>(plan.operators.map(({ uid, kind }) => [uid, kind]));
  const of = (...wanted: readonly OperatorKind[]) => {
    return ({ operator }: MetricEntry): boolean => wanted.includes(kinds.get(operator ?? "") ?? "map");
  };
  const invalid = metrics.sum("numRecordsInErrors", of("source", "parse"));
  const timed = new Set(plan.operators.filter(canBeLate).map(({ uid }) => uid));
  const setAside = metrics.sum(`numRecordsOut.${SIDE_LATE}`, ({ operator }) => timed.has(operator ?? ""));
  return {
    rowsIn: metrics.sum("numRecordsOut", of("source")),
    rowsOut: metrics.sum("numRecordsOut", of("sink")),
    late: metrics.sum("numLateRecordsDropped") + setAside,
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
    if (entry.name !== "currentInputWatermark" || entry.operator !== null) continue;
    const watermark = metrics.value(entry);
    if (watermark !== -Infinity && metrics.activity(entry) !== "ended") lowest = Math.min(lowest, watermark);
  }
  return Number.isFinite(lowest) ? lowest : null;
}

/** Metrics by operator uid, over all its subtasks. Numbers that JSON does not have are left out. */
export function operatorMetrics(metrics: MetricStore, rates: MetricRates, plan: Plan): Record<string, MetricValues> {
  const groups = new Map<string, Map<string, { entry: MetricEntry; index: number }[]>>();
  for (const { uid } of plan.operators) groups.set(uid, new Map());
  for (const [index, entry] of metrics.entries().entries()) {
    const ofOperator = groups.get(entry.operator ?? "");
    if (ofOperator === undefined) continue;
    const ofName = ofOperator.get(entry.name) ?? [];
    ofOperator.set(entry.name, [...ofName, { entry, index }]);
  }
  const values = (group: Map<string, { entry: MetricEntry; index: number }[]>): MetricValues =>
    Object.assign({}, ...[...group.values()].map((subtasks) => merged(metrics, rates, subtasks)));
  return Object.fromEntries([...groups].map(([uid, group]) => [uid, values(group)]));
}

/** Metrics of tasks themselves. A watermark that never came is left out: JSON has no such number. */
export function taskMetrics(metrics: MetricStore, rates: MetricRates): readonly TaskMetricValues[] {
  const tasks = new Map<string, TaskMetricValues & { readonly metrics: Record<string, number> }>();
  for (const [index, entry] of metrics.entries().entries()) {
    if (entry.operator !== null) continue;
    const { vertex, subtask } = entry;
    const key = `${vertex}/${subtask}`;
    const task = tasks.get(key) ?? { vertex, subtask, metrics: {} as Record<string, number> };
    tasks.set(key, task);
    const value = metrics.value(entry);
    if (Number.isFinite(value)) task.metrics[entry.name] = value;
    const meter = meterName(entry.name);
    if (entry.kind === "counter" && meter !== null) task.metrics[meter] = rates.perSecond(index);
  }
  return [...tasks.values()].sort((left, right) => left.vertex - right.vertex || left.subtask - right.subtask);
}

/** The memory of the TaskManager, by Flink's names. `Peak` is our own: at the end of a job all is free again. */
export function poolMetrics(
  network: PoolStats,
  managed: PoolStats,
  managedSegmentBytes: number,
): Readonly<Record<string, number>> {
  return {
    "Status.Network.TotalMemorySegments": network.total,
    "Status.Network.AvailableMemorySegments": network.free,
    "Status.Network.UsedMemorySegments": network.leased,
    "Status.Network.PeakMemorySegments": network.leasedPeak,
    "Status.Flink.Memory.Managed.Total": managed.total * managedSegmentBytes,
    "Status.Flink.Memory.Managed.Used": managed.leased * managedSegmentBytes,
    "Status.Flink.Memory.Managed.Peak": managed.leasedPeak * managedSegmentBytes,
  };
}

/** Messages that came from an attempt or a leader of the past, twice, or from nobody known. */
export function controlMetrics(dropped: DropCounts): Readonly<Record<string, number>> {
  const { late, twice, early, foreign } = dropped.counts;
  return { "Status.Millrace.ControlMessages.Dropped": late + twice + early + foreign };
}

/** One metric of all subtasks, with the rate that goes with it. */
function merged(
  metrics: MetricStore,
  rates: MetricRates,
  subtasks: readonly { readonly entry: MetricEntry; readonly index: number }[],
): MetricValues {
  const [first] = subtasks;
  if (first === undefined) return {};
  const { name, kind } = first.entry;
  if (kind === "histogram")
    return {
      [name]: distribution(
        metrics,
        subtasks.map(({ entry }) => entry),
      ),
    };
  const values = subtasks.map(({ entry }) => metrics.value(entry)).filter(Number.isFinite);
  if (kind === "gauge")
    return values.length === 0 ? {} : { [name]: { min: Math.min(...values), max: Math.max(...values) } };
  const count = values.reduce((sum, value) => sum + value, 0);
  const perSecond = subtasks.reduce((sum, { index }) => sum + rates.perSecond(index), 0);
  if (kind === "meter") return { [name]: { count, perSecond } };
  const meter = meterName(name);
  return { [name]: count, ...(meter !== null && { [meter]: perSecond }) };
}

function distribution(metrics: MetricStore, entries: readonly MetricEntry[]): Distribution {
  const { count, min, max, mean, p50, p95, p99 } = metrics.histogram(...entries);
  return { count, min, max, mean, p50, p95, p99 };
}

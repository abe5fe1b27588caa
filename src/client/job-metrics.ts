// The numbers of a run that people ask for first, and all others for `run --json`, read from its metrics. Pure.

import type { OperatorKind, Plan } from "../graph/plan.ts";
import type { PoolStats } from "../memory/segment-pool.ts";
import { type MetricRates, meterName } from "../metrics/metric-rates.ts";
import type { HistogramSummary, MetricEntry, MetricStore } from "../metrics/metric-store.ts";

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

/** Records that each sink took, by its uid. */
export function sinkRows(metrics: MetricStore, plan: Plan): Readonly<Record<string, number>> {
  const sinks = plan.operators.filter(({ kind }) => kind === "sink");
  const rows = (uid: string): number => metrics.sum("numRecordsOut", ({ operator }) => operator === uid);
  return Object.fromEntries(sinks.map(({ uid }) => [uid, rows(uid)]));
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

type Range = { readonly min: number; readonly max: number };
type MeterValue = { readonly count: number; readonly perSecond: number };
type Distribution = Omit<HistogramSummary, "sum" | "p999">;

/** Counters and their rates as numbers, gauges as ranges, meters of users and histograms as objects of their own. */
export type MetricValues = Readonly<Record<string, number | Range | MeterValue | Distribution>>;

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

export type TaskMetricsSummary = {
  readonly vertex: number;
  readonly subtask: number;
  readonly metrics: Record<string, number>;
};

/** Metrics of tasks themselves. A watermark that never came is left out: JSON has no such number. */
export function taskMetrics(metrics: MetricStore, rates: MetricRates): readonly TaskMetricsSummary[] {
  const tasks = new Map<string, TaskMetricsSummary>();
  for (const [index, entry] of metrics.entries().entries()) {
    if (entry.operator !== null) continue;
    const { vertex, subtask } = entry;
    const key = `${vertex}/${subtask}`;
    const task = tasks.get(key) ?? { vertex, subtask, metrics: {} };
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

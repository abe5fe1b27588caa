// What a case reports, and how people read it.

export type CaseResult = {
  readonly case: string;
  readonly events: number;
  readonly runs: number;
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly eventsPerSecond: number;
  readonly eventsPerCpuSecond: number;
  readonly nsPerEvent: number;
  readonly peakRssBytes: number;
  /** The other side, measured alternately in the same run; `ratio` is our CPU time by its. */
  readonly vs?: { readonly name: string; readonly ratio: number };
  readonly [extra: string]: unknown;
};

export type Measured = { readonly events: number; readonly wallSeconds: number; readonly cpuSeconds: number };

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? NaN)
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

/** Medians over the runs. Peak memory is the process's. */
export function resultOf(
  name: string,
  runs: readonly Measured[],
  extra: Readonly<Record<string, unknown>> = {},
): CaseResult {
  const perEvent = median(runs.map((run) => run.cpuSeconds / run.events));
  return {
    case: name,
    events: runs[0]?.events ?? 0,
    runs: runs.length,
    wallSeconds: median(runs.map((run) => run.wallSeconds)),
    cpuSeconds: median(runs.map((run) => run.cpuSeconds)),
    eventsPerSecond: median(runs.map((run) => run.events / run.wallSeconds)),
    eventsPerCpuSecond: 1 / perEvent,
    nsPerEvent: perEvent * 1e9,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    ...extra,
  };
}

export function report(result: CaseResult): void {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

/** Median over the runs of "ours by theirs", pair by pair. */
export function ratioOf(ours: readonly Measured[], theirs: readonly Measured[]): number {
  return median(ours.map((run, index) => run.cpuSeconds / run.events / cpuPerEvent(theirs[index])));
}

function cpuPerEvent(run: Measured | undefined): number {
  return run === undefined ? NaN : run.cpuSeconds / run.events;
}

export function caseText(result: CaseResult): string {
  const { case: name, vs, ...rest } = result;
  const lines = [
    name,
    `  ${millions(rest.eventsPerSecond)} M events/s wall, ${millions(rest.eventsPerCpuSecond)} M events per CPU second, ${Number(rest.nsPerEvent ?? NaN).toFixed(1)} ns CPU per event`,
    `  ${rest.events.toLocaleString("en")} events, median of ${rest.runs} runs: ${rest.wallSeconds.toFixed(2)} s wall, ${rest.cpuSeconds.toFixed(2)} s CPU; peak resident ${(rest.peakRssBytes / 1024 ** 2).toFixed(0)} MiB`,
  ];
  if (vs !== undefined) lines.push(`  vs ${vs.name}: ${vs.ratio.toFixed(2)}x its CPU time`);
  for (const [key, value] of Object.entries(rest))
    if (!STANDARD.has(key)) lines.push(`  ${key}: ${JSON.stringify(value)}`);
  return lines.join("\n");
}

const STANDARD = new Set([
  "events",
  "runs",
  "wallSeconds",
  "cpuSeconds",
  "eventsPerSecond",
  "eventsPerCpuSecond",
  "nsPerEvent",
  "peakRssBytes",
]);

const millions = (value: number): string => (value / 1e6).toFixed(2);

/** Milliseconds of a bucket of jobs/latency.ts. */
const BUCKET_MS = 0.01;

/** Of what jobs/latency.ts prints: number of a bucket and how often, in turn. */
export function bucketQuantile(pairs: readonly number[], q: number): number {
  let total = 0;
  for (let i = 1; i < pairs.length; i += 2) total += pairs[i] ?? 0;
  let rank = Math.ceil(q * total);
  for (let i = 0; i < pairs.length; i += 2) {
    rank -= pairs[i + 1] ?? 0;
    if (rank <= 0) return ((pairs[i] ?? 0) + 1) * BUCKET_MS;
  }
  return NaN;
}

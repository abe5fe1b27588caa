// A checkpoint each second while a sink is more than a hundred times too slow: how long checkpoints take, and that
// memory stays flat. The headline is parallelism 4 with three exchanges and a sink that makes its task wait; beside it
// other parallelisms and numbers of exchanges, and a sink that keeps its thread.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import job from "../jobs/checkpoint-backpressure.ts";
import { median, report } from "../result.ts";
import { cpuSecondsSince, startJob } from "../run-job.ts";

const SECONDS = 20;
const HEADLINE_SECONDS = 60;
const INTERVAL_MS = 1_000;
const MODULE = new URL("../jobs/checkpoint-backpressure.ts", import.meta.url).href;

type Shape = { readonly slow: "busy" | "wait"; readonly parallelism: number; readonly exchanges: number };

/** Times in milliseconds; of a checkpoint that is under way at the end, how long it has been so far. */
type Seen = {
  readonly checkpoints: number;
  readonly firstMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly longestMs: number;
  readonly recordsPerSecond: number;
  readonly lastBytes: number;
  readonly residentGrowth: number;
};

const HEADLINE: Shape = { slow: "wait", parallelism: 4, exchanges: 3 };
const OTHERS: readonly Shape[] = [
  { slow: "busy", parallelism: 4, exchanges: 3 },
  { slow: "wait", parallelism: 1, exchanges: 1 },
  { slow: "wait", parallelism: 2, exchanges: 2 },
  { slow: "busy", parallelism: 1, exchanges: 1 },
  { slow: "busy", parallelism: 2, exchanges: 3 },
];

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN;

async function measured({ slow, parallelism, exchanges }: Shape, seconds: number): Promise<Seen> {
  const directory = await mkdtemp(join(tmpdir(), "bench-backpressure-"));
  const run = await startJob({
    job,
    module: MODULE,
    params: { slow, exchanges: String(exchanges) },
    config: {
      "parallelism.default": parallelism,
      "execution.checkpointing.dir": directory,
      "execution.checkpointing.interval": INTERVAL_MS,
    },
  });
  await run.master.running();
  const durations: number[] = [];
  const residents: number[] = [];
  let last = 0;
  let lastAtMs = performance.now();
  let lastBytes = 0;
  const startMs = performance.now();
  while (performance.now() - startMs < seconds * 1_000) {
    await pause(20);
    residents.push(process.memoryUsage.rss());
    const metrics = run.jobManagerMetrics(performance.now());
    const id = metrics.lastCompletedCheckpointId ?? 0;
    if (id === last) continue;
    last = id;
    lastAtMs = performance.now();
    lastBytes = metrics.lastCheckpointSize ?? 0;
    durations.push(metrics.lastCheckpointDuration ?? 0);
  }
  const openMs = performance.now() - lastAtMs - INTERVAL_MS;
  if (openMs > INTERVAL_MS) durations.push(openMs);
  const records = run.metrics.sum("numRecordsOut", (entry) => entry.operator === "slow");
  run.cancel();
  await run.result;
  await rm(directory, { recursive: true, force: true });
  const sorted = durations.toSorted((a, b) => a - b);
  const early = residents.slice(0, residents.length >> 2);
  return {
    checkpoints: last,
    firstMs: durations[0] ?? NaN,
    p50Ms: quantile(sorted, 0.5),
    p95Ms: quantile(sorted, 0.95),
    longestMs: sorted.at(-1) ?? NaN,
    recordsPerSecond: records / seconds,
    lastBytes,
    residentGrowth: median(residents.slice(-early.length)) / median(early) - 1,
  };
}

const cpu = process.cpuUsage();
const headline = await measured(HEADLINE, HEADLINE_SECONDS);
const cpuSeconds = cpuSecondsSince(cpu);
const others = [];
for (const shape of OTHERS) others.push({ ...shape, ...(await measured(shape, SECONDS)) });
const events = headline.recordsPerSecond * HEADLINE_SECONDS;
report({
  case: "checkpoint-backpressure",
  events,
  runs: 1,
  wallSeconds: HEADLINE_SECONDS,
  cpuSeconds,
  eventsPerSecond: headline.recordsPerSecond,
  eventsPerCpuSecond: events / cpuSeconds,
  nsPerEvent: (cpuSeconds / events) * 1e9,
  peakRssBytes: process.resourceUsage().maxRSS * 1024,
  ...headline,
  others,
});

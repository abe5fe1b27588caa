// keyed-sum (all of its 1 M keys are changed between two checkpoints) with a checkpoint each second and without, in
// turn, and the 99th percentile of latency with and without.

import keyedSum from "../jobs/keyed-sum.ts";
import latency from "../jobs/latency.ts";
import { bucketQuantile, type Measured, median, ratioOf, report, resultOf } from "../result.ts";
import { measureJob, type RunOptions, runsWanted } from "../run-job.ts";

const EVENTS = 40_000_000;
const RATE = 100_000;
const LATENCY_EVENTS = RATE * 10;
const EVERY_MS = 1_000;

const sum: RunOptions = {
  job: keyedSum,
  module: new URL("../jobs/keyed-sum.ts", import.meta.url).href,
  params: { events: String(EVENTS) },
  config: { "parallelism.default": 2 },
};

async function p99Of(checkpointEveryMs?: number): Promise<number> {
  let p99 = NaN;
  const options: RunOptions = {
    job: latency,
    module: new URL("../jobs/latency.ts", import.meta.url).href,
    params: { events: String(LATENCY_EVENTS), rate: String(RATE) },
    onPrint: (line) => {
      p99 = bucketQuantile(JSON.parse(line) as number[], 0.99);
    },
    ...(checkpointEveryMs !== undefined && { checkpointEveryMs }),
  };
  await measureJob(options, LATENCY_EVENTS, { warmUp: 0.1 });
  return p99;
}

const [withThem, without]: [Measured[], Measured[]] = [[], []];
const [p99With, p99Without]: [number[], number[]] = [[], []];
for (let run = 0; run < runsWanted(); run += 1) {
  without.push(await measureJob(sum, EVENTS));
  withThem.push(await measureJob({ ...sum, checkpointEveryMs: EVERY_MS }, EVENTS));
  p99Without.push(await p99Of());
  p99With.push(await p99Of(EVERY_MS));
}
const rate = (run: Measured): number => run.events / run.wallSeconds;
report(
  resultOf("checkpoint-overhead", withThem, {
    vs: { name: "the same without checkpoints", ratio: ratioOf(withThem, without) },
    throughputRatio: median(withThem.map((run, index) => rate(run) / rate(without[index]!))),
    p99Ms: { withCheckpoints: median(p99With), without: median(p99Without) },
  }),
);

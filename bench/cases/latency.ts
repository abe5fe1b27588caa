// 100 k records/s over one keyed exchange between two slots, from the moment a record is made to the moment the sink
// has it; default settings. The first second is not counted. Each run lasts 10 s.

import latency from "../jobs/latency.ts";
import { bucketQuantile, type Measured, median, report, resultOf } from "../result.ts";
import { measureJob, runsWanted } from "../run-job.ts";

const RATE = 100_000;
const SECONDS = 10;
const MODULE = new URL("../jobs/latency.ts", import.meta.url).href;
const runs: Measured[] = [];
const seen: number[][] = [];
for (let run = 0; run < runsWanted(); run += 1) {
  const events = RATE * SECONDS;
  const params = { events: String(events), rate: String(RATE) };
  const onPrint = (line: string): void => void seen.push(JSON.parse(line) as number[]);
  runs.push(await measureJob({ job: latency, module: MODULE, params, onPrint }, events, { warmUp: 0.1 }));
}
const milliseconds = (q: number): number => median(seen.map((pairs) => bucketQuantile(pairs, q)));
report(resultOf("latency", runs, { p50Ms: milliseconds(0.5), p99Ms: milliseconds(0.99), p999Ms: milliseconds(0.999) }));

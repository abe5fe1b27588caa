// Those records, exchanged by key between two slots, a running sum over 1 M keys in the managed store: one updated sum
// per record.

import keyedSum from "../jobs/keyed-sum.ts";
import { type Measured, report, resultOf } from "../result.ts";
import { measureJob, runsWanted } from "../run-job.ts";

const EVENTS = 20_000_000;
const MODULE = new URL("../jobs/keyed-sum.ts", import.meta.url).href;

const runs: Measured[] = [];
for (let run = 0; run < runsWanted(); run += 1) {
  const config = { "parallelism.default": 2 };
  runs.push(await measureJob({ job: keyedSum, module: MODULE, params: { events: String(EVENTS) }, config }, EVENTS));
}
report(resultOf("keyed-sum", runs));

// Windowed aggregates of 5,000 keys with three rows each per window, of which a combiner before the exchange can save
// hardly any, against the same without it; and of 100 keys with 10,000 rows each, of which it saves nearly all.

import combiner from "../jobs/combiner.ts";
import { type Measured, ratioOf, report, resultOf } from "../result.ts";
import { measureJob, runsWanted } from "../run-job.ts";

const EVENTS = 4_000_000;
const MODULE = new URL("../jobs/combiner.ts", import.meta.url).href;

const CASES = {
  numbers: { aggregate: "numbers", keys: "5000", rows: "3" },
  quantile: { aggregate: "quantile", keys: "5000", rows: "3" },
  distinctCount: { aggregate: "distinctCount", keys: "5000", rows: "3" },
  manyRows: { aggregate: "numbers", keys: "100", rows: "10000" },
} as const;

const measure = (params: Readonly<Record<string, string>>, combines: boolean): Promise<Measured> =>
  measureJob(
    {
      job: combiner,
      module: MODULE,
      params: { events: String(EVENTS), ...params },
      config: { "parallelism.default": 2, "millrace.pipeline.pre-aggregation": String(combines) },
    },
    EVENTS,
  );

const ratios: Record<string, number> = {};
let headline: Measured[] = [];
for (const [name, params] of Object.entries(CASES)) {
  const on: Measured[] = [];
  const off: Measured[] = [];
  for (let run = 0; run < runsWanted(); run += 1) {
    on.push(await measure(params, true));
    off.push(await measure(params, false));
  }
  ratios[name] = ratioOf(on, off);
  if (name === "numbers") headline = on;
}
report(resultOf("combiner", headline, { cpuTimeByThatWithoutIt: ratios }));

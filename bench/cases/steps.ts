// Watermarks among the records, each time that event time has gone on by a step: every thousandth record, every
// hundredth, and before each record. Against watermarks after each batch only.

import steps from "../jobs/steps.ts";
import { type Measured, ratioOf, report, resultOf } from "../result.ts";
import { measureJob, runsWanted } from "../run-job.ts";

const EVENTS = 4_000_000;
const MODULE = new URL("../jobs/steps.ts", import.meta.url).href;
const STEPS = ["1000ms", "100ms", "1ms"] as const;

const measure = (every: string | null): Promise<Measured> =>
  measureJob(
    {
      job: steps,
      module: MODULE,
      params: { events: String(EVENTS), ...(every === null ? {} : { every }) },
      config: { "parallelism.default": 2 },
    },
    EVENTS,
  );

const without: Measured[] = [];
const runs = { "1000ms": [] as Measured[], "100ms": [] as Measured[], "1ms": [] as Measured[] };
for (let run = 0; run < runsWanted(); run += 1) {
  without.push(await measure(null));
  for (const every of STEPS) runs[every].push(await measure(every));
}
const ratios = Object.fromEntries(STEPS.map((every) => [every, ratioOf(runs[every], without)]));
report(resultOf("steps", runs["1000ms"], { cpuTimeByThatWithoutSteps: ratios }));

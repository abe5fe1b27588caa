// A process function with state and a timer in event-time order; against the same function as records arrive, which
// does not do the same work: what order costs.

import inOrder from "../jobs/in-order.ts";
import { type Measured, ratioOf, report, resultOf } from "../result.ts";
import { measureJob, runsWanted } from "../run-job.ts";

const EVENTS = 4_000_000;
const MODULE = new URL("../jobs/in-order.ts", import.meta.url).href;

const measure = (ordered: boolean): Promise<Measured> =>
  measureJob(
    {
      job: inOrder,
      module: MODULE,
      params: { events: String(EVENTS), ordered: String(ordered) },
      config: { "parallelism.default": 2 },
    },
    EVENTS,
  );

const runs: Measured[] = [];
const asTheyCome: Measured[] = [];
for (let run = 0; run < runsWanted(); run += 1) {
  asTheyCome.push(await measure(false));
  runs.push(await measure(true));
}
report({ ...resultOf("in-order", runs), vs: { name: "as records arrive", ratio: ratioOf(runs, asTheyCome) } });

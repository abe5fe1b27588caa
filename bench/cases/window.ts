// Sliding windows of 10 s by 2 s over 10 M events that cover 100 s of event time, 10 k keys; against tumbling windows
// of 10 s.

import window from "../jobs/window.ts";
import { type Measured, ratioOf, report, resultOf } from "../result.ts";
import { measureJob, runsWanted } from "../run-job.ts";

const EVENTS = 10_000_000;
const MODULE = new URL("../jobs/window.ts", import.meta.url).href;

const sliding: Measured[] = [];
const tumbling: Measured[] = [];
const run = (kind: string): Promise<Measured> =>
  measureJob({ job: window, module: MODULE, params: { events: String(EVENTS), window: kind } }, EVENTS);
for (let round = 0; round < runsWanted(); round += 1) {
  sliding.push(await run("sliding"));
  tumbling.push(await run("tumbling"));
}
report(resultOf("window", sliding, { vs: { name: "tumbling 10 s", ratio: ratioOf(sliding, tumbling) } }));

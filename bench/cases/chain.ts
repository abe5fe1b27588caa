// 7-field records generated, mapped, filtered, mapped, discarded; against a loop written by hand that calls the same
// functions.

import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import chain, { halved, isLarge, KEYS, taxed } from "../jobs/chain.ts";
import { trade } from "../jobs/records.ts";
import { type Measured, ratioOf, report, resultOf } from "../result.ts";
import { measureHere, measureJob, runsWanted, WORKER_ARGS } from "../run-job.ts";

const EVENTS = 60_000_000;
const MODULE = new URL("../jobs/chain.ts", import.meta.url).href;

/** The same work as the job, as one would write it by hand. `count` is returned so that nothing can be left out. */
function loop(events: number): number {
  let count = 0;
  for (let n = 0; n < events; n += 1) {
    const record = taxed(trade(n, KEYS));
    if (!isLarge(record)) continue;
    if (halved(record).qty >= 0) count += 1;
  }
  return count;
}

/** In a thread of its own, so that each run starts as cold as the job's slot does. */
async function byHand(): Promise<Measured> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { events: EVENTS }, execArgv: WORKER_ARGS });
  return new Promise((resolve, reject) => {
    worker.on("message", resolve);
    worker.on("error", reject);
  });
}

if (isMainThread) {
  const ours: Measured[] = [];
  const theirs: Measured[] = [];
  for (let run = 0; run < runsWanted(); run += 1) {
    ours.push(await measureJob({ job: chain, module: MODULE, params: { events: String(EVENTS) } }, EVENTS));
    theirs.push(await byHand());
  }
  report(resultOf("chain", ours, { vs: { name: "hand-written loop", ratio: ratioOf(ours, theirs) } }));
} else {
  const { events } = workerData as { events: number };
  loop(events * 0.2);
  parentPort?.postMessage(measureHere(events * 0.8, () => loop(events * 0.8)));
}

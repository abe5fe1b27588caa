// count + sum + max by key over 1 M keys in one slot, managed store: the whole job (generate, group, one row per key at
// the end); against a loop by hand that generates the same records and keeps a `Map` of objects. Both in this thread,
// alternately, so that the pauses of the garbage collector can be seen from inside.

import { PerformanceObserver } from "node:perf_hooks";
import keyedAgg, { KEYS, reading } from "../jobs/keyed-agg.ts";
import { type Measured, median, ratioOf, report, resultOf } from "../result.ts";
import { measureHere, measureJob, runsWanted } from "../run-job.ts";

const EVENTS = 20_000_000;
const MODULE = new URL("../jobs/keyed-agg.ts", import.meta.url).href;

function byMap(events: number): number {
  const groups = new Map<number, { n: number; total: number; top: number }>();
  for (let n = 0; n < events; n += 1) {
    const { key, value } = reading(n);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { n: 1, total: value, top: value });
    else {
      group.n += 1;
      group.total += value;
      if (value > group.top) group.top = value;
    }
  }
  let rows = 0;
  for (const [key, group] of groups) if ({ key, ...group }.n > 0) rows += 1;
  return rows;
}

let pauses: number[] = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) pauses.push(entry.duration);
}).observe({ entryTypes: ["gc"] });

const ours: Measured[] = [];
const theirs: Measured[] = [];
const ourPauses: number[] = [];
const theirPauses: number[] = [];
const bytesPerKey: number[] = [];
const flushed = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
for (let run = 0; run < runsWanted() + 1; run += 1) {
  globalThis.gc?.();
  await flushed();
  pauses = [];
  const mine = await measureJob(
    { job: keyedAgg, module: MODULE, params: { events: String(EVENTS) }, local: true },
    EVENTS,
    {
      onDone: ({ taskManager }) => {
        const { managed } = taskManager;
        bytesPerKey.push((managed.stats().leasedPeak * managed.segmentSize) / KEYS);
      },
    },
  );
  await flushed();
  const minePauses = Math.max(0, ...pauses);
  globalThis.gc?.();
  await flushed();
  pauses = [];
  const other = measureHere(EVENTS, () => byMap(EVENTS));
  await flushed();
  if (run === 0) continue; // Warm-up.
  ours.push(mine);
  theirs.push(other);
  ourPauses.push(minePauses);
  theirPauses.push(Math.max(0, ...pauses));
}
report(
  resultOf("keyed-agg", ours, {
    vs: { name: "Map of objects", ratio: ratioOf(ours, theirs) },
    nsPerEventMap: median(theirs.map((run) => (run.cpuSeconds / run.events) * 1e9)),
    bytesPerKey: median(bytesPerKey),
    longestGcPauseMs: Math.max(...ourPauses),
    longestGcPauseMapMs: Math.max(...theirPauses),
  }),
);

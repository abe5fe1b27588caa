// A sink more than 100 times too slow, for 60 s: resident memory must stay flat within 5 % of what it was in the first
// 10 s.

import backPressure from "../jobs/back-pressure.ts";
import { median, report } from "../result.ts";
import { cpuSecondsSince, startJob } from "../run-job.ts";

const SECONDS = 60;
const FIRST_SECONDS = 10;
const MODULE = new URL("../jobs/back-pressure.ts", import.meta.url).href;

const run = await startJob({ job: backPressure, module: MODULE });
await run.master.running();
const cpu = process.cpuUsage();
const startMs = performance.now();
const residents: number[] = [];
for (let second = 1; second <= SECONDS; second += 1) {
  await new Promise((resolve) => setTimeout(resolve, startMs + second * 1_000 - performance.now()));
  residents.push(process.memoryUsage.rss());
}
const wallSeconds = (performance.now() - startMs) / 1_000;
const cpuSeconds = cpuSecondsSince(cpu);
const events = run.metrics.sum("numRecordsOut", (entry) => entry.operator === "slow");
run.cancel();
await run.result;
const first = median(residents.slice(0, FIRST_SECONDS));
const later = residents.slice(FIRST_SECONDS);
report({
  case: "back-pressure",
  events,
  runs: 1,
  wallSeconds,
  cpuSeconds,
  eventsPerSecond: events / wallSeconds,
  eventsPerCpuSecond: events / cpuSeconds,
  nsPerEvent: (cpuSeconds / events) * 1e9,
  peakRssBytes: process.resourceUsage().maxRSS * 1024,
  residentFirst10sBytes: first,
  residentLaterMaxBytes: Math.max(...later),
  residentGrowth: Math.max(...later) / first - 1,
});

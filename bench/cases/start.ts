// Time to the first result: of the local executor inside a running process, of `millrace run --local`, and of `millrace
// run`, each from its start to the first line on standard output.

import { spawn } from "node:child_process";
import { once } from "node:events";
import first from "../jobs/first.ts";
import { median, report } from "../result.ts";
import { cpuSecondsSince, runsWanted, startJob } from "../run-job.ts";

const MODULE = new URL("../jobs/first.ts", import.meta.url);
const BIN = new URL("../../bin/millrace.js", import.meta.url).pathname;

async function executorMs(): Promise<number> {
  const startMs = performance.now();
  let firstMs = NaN;
  const onPrint = (): void => {
    if (Number.isNaN(firstMs)) firstMs = performance.now() - startMs;
  };
  const run = await startJob({ job: first, module: MODULE.href, local: true, onPrint });
  await run.result;
  return firstMs;
}

async function commandMs(...options: string[]): Promise<number> {
  const startMs = performance.now();
  const child = spawn(process.execPath, [BIN, "run", MODULE.pathname, ...options], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(child.stdout, "data");
  const firstMs = performance.now() - startMs;
  await once(child, "close");
  return firstMs;
}

const cpu = process.cpuUsage();
const cold = await executorMs();
const local: number[] = [];
const runLocal: number[] = [];
const runThreads: number[] = [];
await commandMs(); // Fills Node's compile cache, as a first use does.
for (let run = 0; run < runsWanted(); run += 1) {
  local.push(await executorMs());
  runLocal.push(await commandMs("--local"));
  runThreads.push(await commandMs());
}
const wallSeconds = median(runThreads) / 1_000;
report({
  case: "start",
  events: 5,
  runs: runThreads.length,
  wallSeconds,
  cpuSeconds: cpuSecondsSince(cpu),
  eventsPerSecond: 5 / wallSeconds,
  eventsPerCpuSecond: NaN,
  nsPerEvent: NaN,
  peakRssBytes: process.resourceUsage().maxRSS * 1024,
  localExecutorColdMs: cold,
  localExecutorMs: median(local),
  runLocalMs: median(runLocal),
  runMs: median(runThreads),
});

// `kill -9` of `millrace run` under 10,000 records a second, small state, a checkpoint each second: from the start of
// the next process until its first output.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { median, report } from "../result.ts";
import { cpuSecondsSince, runsWanted } from "../run-job.ts";

const MODULE = new URL("../jobs/recover.ts", import.meta.url).pathname;
const BIN = new URL("../../bin/millrace.js", import.meta.url).pathname;

/** Both processes read the same records: those that are due since `startMs`. */
function started(directory: string, startMs: number): ChildProcess {
  const params = ["--param", `startMs=${startMs}`, "--param", "rate=10000"];
  const options = ["--checkpoint-dir", directory, "-D", "execution.checkpointing.interval=1s"];
  return spawn(process.execPath, [BIN, "run", MODULE, ...params, ...options], { stdio: ["ignore", "pipe", "ignore"] });
}

async function killed(child: ChildProcess): Promise<void> {
  const closed = once(child, "close");
  child.kill("SIGKILL");
  await closed;
}

async function firstOutputMs(): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "millrace-recover-"));
  const startMs = Date.now();
  const first = started(directory, startMs);
  first.stdout?.resume();
  while (!existsSync(join(directory, "latest"))) await delay(10);
  await killed(first);
  const againMs = performance.now();
  const second = started(directory, startMs);
  await once(second.stdout!, "data");
  const tookMs = performance.now() - againMs;
  await killed(second);
  rmSync(directory, { recursive: true, force: true });
  return tookMs;
}

const cpu = process.cpuUsage();
const took: number[] = [];
await firstOutputMs(); // Fills Node's compile cache.
while (took.length < runsWanted()) took.push(await firstOutputMs());
const wallSeconds = median(took) / 1_000;
report({
  case: "recover-process",
  events: took.length,
  runs: took.length,
  wallSeconds,
  cpuSeconds: cpuSecondsSince(cpu),
  eventsPerSecond: 1 / wallSeconds,
  eventsPerCpuSecond: Number.NaN,
  nsPerEvent: Number.NaN,
  peakRssBytes: process.resourceUsage().maxRSS * 1024,
  firstOutputMs: median(took),
  firstOutputMaxMs: Math.max(...took),
});

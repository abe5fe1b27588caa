// The thread of the slot with state and sink is ended under 100,000 records a second, a checkpoint each second: from
// its end until records that were due afterwards come less than 300 ms late again, those in between caught up with.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { SlotHandle, SlotRunner } from "../../src/taskmanager/runner/slot-runner.ts";
import { threadSlotRunner } from "../../src/taskmanager/runner/slot-runner-node.ts";
import recover from "../jobs/recover.ts";
import { report } from "../result.ts";
import { cpuSecondsSince, runsWanted, startJob } from "../run-job.ts";

const MODULE = new URL("../jobs/recover.ts", import.meta.url);
const RATE = 100_000;
const RUNS_MIN = 20;
const LATE_MAX_MS = 300;
/** By then code is warm, checkpoints are there, and a spare thread is. */
const RUN_MS = 4_000;
const COUNTING_SLOT = 1;

type Late = { readonly atMs: number; readonly dueMs: number; readonly lateMs: number };

/** Ends a slot's thread as if it had ended by itself. */
class Killing {
  readonly #threads = new Map<number, () => Promise<void>>();
  readonly runner: SlotRunner;

  constructor() {
    const threads = threadSlotRunner();
    this.runner = {
      ...threads,
      start: (start, onExit): SlotHandle => {
        const handle = threads.start(start, onExit);
        this.#threads.set(start.index, async () => {
          await handle.terminate();
          onExit({ kind: "exit", code: 137, error: null });
        });
        return handle;
      },
    };
  }

  async kill(slot: number): Promise<void> {
    await this.#threads.get(slot)?.();
  }
}

/** Milliseconds from the end of the thread until caught up. */
async function recovery(log: (line: string) => void): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "millrace-recover-"));
  const killing = new Killing();
  let late: (seen: Late) => void = () => undefined;
  const config = { "execution.checkpointing.dir": directory, "execution.checkpointing.interval": "1s" };
  const params = { startMs: String(performance.timeOrigin + performance.now()), rate: String(RATE) };
  const run = await startJob({
    ...{ job: recover, module: MODULE.href, params, config, log, runner: killing.runner },
    onPrint: (line) => late(JSON.parse(line) as Late),
  });
  await run.master.running();
  await delay(RUN_MS);
  const killedMs = performance.timeOrigin + performance.now();
  const caughtUp = new Promise<number>((resolve) => {
    late = ({ atMs, dueMs, lateMs }) => {
      if (dueMs > killedMs && lateMs < LATE_MAX_MS) resolve(atMs);
    };
  });
  await killing.kill(COUNTING_SLOT);
  const atMs = await caughtUp;
  run.cancel();
  await run.result;
  rmSync(directory, { recursive: true, force: true });
  return atMs - killedMs;
}

const cpu = process.cpuUsage();
const startedMs = performance.now();
const took: number[] = [];
const lines: string[] = [];
while (took.length < Math.max(RUNS_MIN, runsWanted())) took.push(await recovery((line) => lines.push(line)));
const sorted = took.toSorted((left, right) => left - right);
const quantile = (q: number): number => sorted[Math.ceil(q * sorted.length) - 1] ?? Number.NaN;
process.stderr.write(`${lines.slice(-2).join("\n")}\n`);
const wallSeconds = quantile(0.5) / 1_000;
report({
  case: "recover-slot",
  events: took.length,
  runs: took.length,
  wallSeconds,
  cpuSeconds: cpuSecondsSince(cpu),
  eventsPerSecond: (took.length * 1_000) / (performance.now() - startedMs),
  eventsPerCpuSecond: Number.NaN,
  nsPerEvent: Number.NaN,
  peakRssBytes: process.resourceUsage().maxRSS * 1024,
  caughtUpP50Ms: quantile(0.5),
  caughtUpP95Ms: quantile(0.95),
  caughtUpMs: sorted.map(Math.round),
});

// Runs a job for a benchmark and measures its steady part.
//
// Slots are new threads in each run, so their code starts cold. Measuring begins once `warmUp` of the events have
// passed (0.2 by default) and ends with the last one: warm, and without start-up.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { nodeEnv } from "../src/base/env-node.ts";
import { checkpointsOpen } from "../src/client/checkpoints.ts";
import { type EmbeddedJob, embeddedStart } from "../src/client/embedded.ts";
import { jobPlan } from "../src/client/job-plan.ts";
import { Configuration } from "../src/config/configuration.ts";
import type { Job } from "../src/index.ts";
import { nodeDisk } from "../src/storage/node-disk.ts";
import type { SlotRunner } from "../src/taskmanager/runner/slot-runner.ts";
import { localSlotRunner } from "../src/taskmanager/runner/slot-runner-local.ts";
import { threadSlotRunner } from "../src/taskmanager/runner/slot-runner-node.ts";
import type { Measured } from "./result.ts";

export type RunOptions = {
  readonly job: Job;
  /** Module of the job: slots import it by themselves. */
  readonly module: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly config?: Readonly<Record<string, string | number>>;
  readonly onPrint?: (line: string) => void;
  /** Of what the job says of itself. Default: standard error. */
  readonly log?: (line: string) => void;
  /** Default: threads, or with `local` this one. */
  readonly runner?: SlotRunner;
  /** Slots in this thread instead of threads of their own. */
  readonly local?: boolean;
  /** It takes checkpoints in a directory of its own, in this interval, which goes with it. */
  readonly checkpointEveryMs?: number;
};

export async function startJob(options: RunOptions): Promise<EmbeddedJob> {
  const env = nodeEnv(nodeDisk(), { logLevel: "warn" });
  const { params = {}, log = (line: string): void => void process.stderr.write(`${line}\n`) } = options;
  const values = { ...options.config, ...checkpointing(options.checkpointEveryMs) };
  const configuration = new Configuration([{ origin: { kind: "command line" }, values }]);
  const planned = await jobPlan(options.job, params, configuration);
  const { plan } = planned.graph;
  const opening = { env, cwd: process.cwd(), plan, configuration, log, fresh: false, allowNonRestored: false };
  const checkpoints = await checkpointsOpen(opening);
  return embeddedStart({
    ...{ env, planned, log, ...(checkpoints !== null && { checkpoints }) },
    bundle: options.module,
    params,
    configuration,
    runner:
      options.runner ?? (options.local ? localSlotRunner({ env, load: async () => options.job }) : threadSlotRunner()),
    checks: false,
    machineBytes: totalmem(),
    print: options.onPrint ?? ((line) => process.stderr.write(`${line}\n`)),
  });
}

function checkpointing(everyMs: number | undefined): Readonly<Record<string, string | number>> {
  if (everyMs === undefined) return {};
  const directory = mkdtempSync(join(tmpdir(), "millrace-bench-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  return { "execution.checkpointing.dir": directory, "execution.checkpointing.interval": `${everyMs}ms` };
}

/** Runs a bounded job whose sources give `events` records. `onDone` sees the job before its pools are forgotten. */
export async function measureJob(
  options: RunOptions,
  events: number,
  { warmUp = 0.2, onDone = (_: EmbeddedJob): void => undefined } = {},
): Promise<Measured> {
  const run = await startJob(options);
  const sources = new Set(
    run.plan.operators.filter((operator) => operator.kind === "source").map((operator) => operator.uid),
  );
  const emitted = (): number =>
    run.metrics.sum("numRecordsOut", (entry) => entry.operator !== null && sources.has(entry.operator));
  let begin: { cpu: NodeJS.CpuUsage; atMs: number; events: number } | null = null;
  const timer = setInterval(() => {
    const passed = emitted();
    if (begin === null && passed >= events * warmUp)
      begin = { cpu: process.cpuUsage(), atMs: performance.now(), events: passed };
  }, 2);
  const { outcome, error } = await run.result;
  clearInterval(timer);
  onDone(run);
  if (outcome !== "finished" || error !== null) throw error ?? new Error(`the job ${outcome}`);
  if (begin === null) throw new Error("the job was over before measuring began: more events are needed");
  const { cpu, atMs, events: passed }: { cpu: NodeJS.CpuUsage; atMs: number; events: number } = begin;
  return { events: events - passed, wallSeconds: (performance.now() - atMs) / 1_000, cpuSeconds: cpuSecondsSince(cpu) };
}

export function cpuSecondsSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

/** Measures a plain function in this thread. */
export function measureHere(events: number, work: () => void): Measured {
  const cpu = process.cpuUsage();
  const atMs = performance.now();
  work();
  return { events, wallSeconds: (performance.now() - atMs) / 1_000, cpuSeconds: cpuSecondsSince(cpu) };
}

export const runsWanted = (): number => Math.max(1, Number(process.argv[2] ?? 5));

/** For workers of a case: `--expose-gc`, which cases get, is none of a worker's options. */
export const WORKER_ARGS = ["--conditions=millrace-source"];

// `millrace run`: starts the job, shows how it goes, ends it when asked, and tells what came of it.

import type { Job } from "../../api/job.ts";
import { nodeEnv } from "../../base/env-node.ts";
import { type EmbeddedJob, embeddedStart } from "../../client/embedded.ts";
import type { ErrorReport } from "../../client/errors/error-report.ts";
import { operatorMetrics, poolMetrics, runCounts, sinkRows, taskMetrics } from "../../client/job-metrics.ts";
import type { JobResult } from "../../jobmanager/job-master.ts";
import { nodeDisk } from "../../storage/node-disk.ts";
import { localSlotRunner } from "../../taskmanager/slot-runner-local.ts";
import { threadSlotRunner } from "../../taskmanager/slot-runner-node.ts";
import { nextCommand, pairs } from "../arguments.ts";
import { errorText } from "../errors/error-text.ts";
import { EXIT } from "../exit-codes.ts";
import type { Interrupts } from "../interrupts.ts";
import { machineBytes, type Session } from "../session.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { type StatusSample, statusText } from "./run-status.ts";
import { type RunEnd, summaryText } from "./run-summary.ts";

const SUMMARY_VERSION = 1;
const STATUS_EVERY_MS = 500;
/** Rates are those of the last minute, give or take this. As in Flink. */
const SAMPLE_EVERY_MS = 5_000;

export async function runCommand(session: Session, terminal: Terminal, interrupts: Interrupts): Promise<number> {
  const { line } = session;
  const local = line.flags.has("local");
  const [configuration, job] = await Promise.all([session.configuration(), session.job()]);
  for (const warning of session.bundle?.warnings ?? []) {
    const { file = "", line: at = 1, column = 1 } = warning.location ?? {};
    terminal.note(`warning  ${file}:${at}:${column}  ${warning.message}`);
  }
  const asJson = line.flags.has("json");
  const env = nodeEnv(nodeDisk(), { writeLog: (text) => terminal.note(text) });
  const run = await embeddedStart({
    env,
    job,
    bundle: local ? null : (session.bundle?.url ?? null),
    params: pairs(line, "param"),
    configuration,
    runner: local
      ? localSlotRunner({ env, load: async (): Promise<Job> => job })
      : threadSlotRunner((text) => terminal.note(text.trimEnd())),
    checks: local,
    machineBytes: machineBytes(),
    print: (text) => (asJson ? terminal.note(text) : terminal.data(text)),
    log: (text) => terminal.note(text),
  });
  session.plan = run.plan;
  interrupts.start(run);
  const { result, runMs } = await watch(run, terminal);
  await terminal.flush();
  const lost = terminal.takeOutputError();
  const errors = [result.error, lost?.code === result.error?.code ? null : lost].filter((error) => error !== null);
  const reports = errors.flatMap((error) => session.errorReports(error));
  const { plan, metrics } = run;
  const peakRssBytes = process.resourceUsage().maxRSS * 1024;
  const end: RunEnd = {
    plan,
    outcome: result.outcome,
    counts: runCounts(metrics, plan),
    sinkRows: sinkRows(metrics, plan),
    commits: run.master.state.commits,
    runMs,
    peakRssBytes,
  };
  for (const report of reports) terminal.note(errorText(report, terminal.errPalette));
  terminal.note(summaryText(end, terminal.errPalette));
  if (asJson) terminal.data(JSON.stringify(summaryJson(run, end, reports)));
  if (result.outcome !== "failed" || end.counts.rowsIn > 0) terminal.note(`  next   ${nextCommand(line, "explain")}`);
  return lost === null ? exitCode(result) : EXIT.jobFailed;
}

/** Waits for the job's end, with a live line meanwhile. */
async function watch(run: EmbeddedJob, terminal: Terminal): Promise<{ result: JobResult; runMs: number }> {
  let runningMs = performance.now();
  void run.master.running().then(() => {
    runningMs = performance.now();
  });
  const stopStatus = terminal.live ? showStatus(run, terminal) : () => undefined;
  const sampling = setInterval(() => run.rates.sample(), SAMPLE_EVERY_MS);
  const result = await run.result;
  clearInterval(sampling);
  stopStatus();
  return { result, runMs: performance.now() - runningMs };
}

function showStatus(run: EmbeddedJob, terminal: Terminal): () => void {
  const { plan, metrics, taskManager } = run;
  const sample = (): StatusSample => ({ atMs: performance.now(), counts: runCounts(metrics, plan) });
  let previous = sample();
  const timer = setInterval(() => {
    const current = sample();
    terminal.status(statusText({ name: plan.name, slots: taskManager.slots, nowMs: Date.now(), previous, current }));
    previous = current;
  }, STATUS_EVERY_MS);
  return () => clearInterval(timer);
}

function exitCode({ outcome }: JobResult): number {
  if (outcome === "failed") return EXIT.jobFailed;
  return outcome === "cancelled" ? EXIT.interrupted : EXIT.ok;
}

function summaryJson(run: EmbeddedJob, end: RunEnd, reports: readonly ErrorReport[]): object {
  const { plan, jobId, metrics, rates, taskManager } = run;
  const { busyMs, watermarkMs, ...rows } = end.counts;
  const ofOperators = operatorMetrics(metrics, rates, plan);
  return {
    version: SUMMARY_VERSION,
    job: plan.name,
    jobId,
    planHash: plan.hash,
    outcome: end.outcome,
    errors: reports,
    // The clock begins with the process: its start is part of what people wait for.
    durationMs: { total: Math.round(performance.now()), running: Math.round(end.runMs) },
    rows: { in: rows.rowsIn, out: rows.rowsOut, late: rows.late, invalid: rows.invalid, skipped: rows.skipped },
    rowsPerSecond: end.runMs > 0 ? (rows.rowsIn * 1_000) / end.runMs : 0,
    busyMs,
    peakRssBytes: end.peakRssBytes,
    operators: plan.operators.map(({ uid, name, kind, parallelism }) => {
      return { uid, name, kind, parallelism, metrics: ofOperators[uid] };
    }),
    tasks: taskMetrics(metrics, rates),
    taskManager: {
      metrics: poolMetrics(taskManager.network.stats(), taskManager.managed.stats(), taskManager.managed.segmentSize),
    },
  };
}

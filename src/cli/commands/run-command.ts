// `millrace run`: starts the job, shows how it goes, ends it when asked, and tells what came of it.

import type { Job } from "../../api/job.ts";
import { nodeEnv } from "../../base/env-node.ts";
import type { Controlled } from "../../client/control/run-control.ts";
import { runOpen } from "../../client/control/run-place-node.ts";
import type { EmbeddedJob } from "../../client/embedded.ts";
import { embeddedHandle } from "../../client/embedded-handle.ts";
import type { ErrorReport } from "../../client/errors/error-report.ts";
import { exceptionsJson, type ReportOf } from "../../client/errors/exceptions-json.ts";
import { neverLateTexts } from "../../client/explain/time-text.ts";
import { type JobHandle, rowSinks } from "../../client/job-handle.ts";
import { jobPlan } from "../../client/job-plan.ts";
import { machineBytes } from "../../client/machine-node.ts";
import { isToStdout } from "../../connectors/files/sink/target-path.ts";
import { valueText } from "../../connectors/print/value-text.ts";
import type { Plan } from "../../graph/plan.ts";
import { errorFromData } from "../../protocol/error-data.ts";
import type { JobEnd } from "../../protocol/job-messages.ts";
import { nodeDisk } from "../../storage/node-disk.ts";
import { localSlotRunner } from "../../taskmanager/runner/slot-runner-local.ts";
import { threadSlotRunner } from "../../taskmanager/runner/slot-runner-node.ts";
import { errorText } from "../errors/error-text.ts";
import { nextCommand, pairs } from "../session/arguments.ts";
import { EXIT } from "../session/exit-codes.ts";
import type { Interrupts } from "../session/interrupts.ts";
import { runCheckpoints } from "../session/run-checkpoints.ts";
import type { Session } from "../session/session.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { type InputSize, inputProgress, inputSizes } from "./run-progress.ts";
import { type StatusSample, statusText } from "./run-status.ts";
import { summaryText } from "./run-summary.ts";

const SUMMARY_VERSION = 1;
const STATUS_EVERY_MS = 500;

export async function runCommand(session: Session, terminal: Terminal, interrupts: Interrupts): Promise<number> {
  const { line } = session;
  const asJson = line.flags.has("json");
  const { run, handle, print, checkpoints, control } = await started(session, terminal, asJson);
  session.plan = run.plan;
  interrupts.start({
    stop: () => run.stop(),
    fail: (error) => handle.fail(error),
    get stranded() {
      return run.stranded;
    },
    isLocal: line.flags.has("local"),
  });
  const stopStatus = terminal.live ? showStatus(run, handle, terminal) : () => undefined;
  const showing = rowSinks(run.plan).map((uid) => showRows(handle, uid, shower(run.plan, uid, { terminal, print })));
  const [end] = await Promise.all([handle.end, ...showing]);
  stopStatus();
  terminal.onReaderGone = () => terminal.note("nobody reads standard output any more: not all of it was read");
  await terminal.flush();
  const lost = terminal.takeOutputError();
  const error = end.error === null ? null : errorFromData(end.error);
  const errors = [error, lost?.code === error?.code ? null : lost].filter((one) => one !== null);
  const reports = errors.flatMap((one) => session.errorReports(one));
  for (const report of reports) terminal.note(errorText(report, terminal.errPalette));
  const peakRssBytes = process.resourceUsage().maxRSS * 1024;
  const { plan, graph } = run;
  const reportOf: ReportOf = (one) => session.errorReports(one)[0]!;
  const faults = end.exceptions.entries.map(({ count, error: data }) => ({ count, ...reportOf(errorFromData(data)) }));
  terminal.note(
    summaryText({ plan, lateNotes: neverLateTexts(graph), end, faults, peakRssBytes }, terminal.errPalette),
  );
  if (asJson)
    (writesStdout(run.plan) ? terminal.note : terminal.data).call(
      terminal,
      JSON.stringify(summaryJson({ plan: run.plan, jobId: run.jobId, end, reports, reportOf, peakRssBytes })),
    );
  if (end.outcome !== "failed" || end.metrics.rowsIn > 0) terminal.note(`  next   ${nextCommand(line, "explain")}`);
  if (lost !== null) return EXIT.jobFailed;
  // Whoever runs services asks for that, and starts it again later.
  const isAsked = (interrupts.reason === "SIGTERM" && checkpoints !== null) || control?.isAsked === true;
  return isAsked && end.outcome !== "failed" ? EXIT.ok : exitCode(end);
}

async function started(session: Session, terminal: Terminal, asJson: boolean) {
  const { line } = session;
  const local = line.flags.has("local");
  const [configuration, job] = await Promise.all([session.configuration(), session.job()]);
  for (const warning of session.bundle?.warnings ?? []) {
    const { file = "", line: at = 1, column = 1 } = warning.location ?? {};
    terminal.note(`warning  ${file}:${at}:${column}  ${warning.message}`);
  }
  const env = nodeEnv(nodeDisk(), { writeLog: (text) => terminal.note(text) });
  const params = pairs(line, "param");
  const planned = await jobPlan(job, params, configuration);
  // Standard output is for one thing: the job's text if it has any, else the summary as JSON, else what is printed.
  const notes = asJson || writesStdout(planned.graph.plan);
  const print = (text: string): void => (notes ? terminal.note(text) : terminal.data(text));
  const claimed = await planned.claim(env.disk);
  const { plan } = planned.graph;
  const note = (text: string): void => terminal.note(text);
  const checkpoints = await runCheckpoints({
    ...{ line, cwd: session.cwd, env, plan, configuration, note },
  }).catch(async (error: unknown) => {
    await claimed.release();
    throw error;
  });
  const handled = embeddedHandle({
    env,
    planned,
    claimed,
    ...(checkpoints !== null && {
      checkpoints,
      control: (asked: Controlled) => runOpen(asked, { ...env, directory: checkpoints.directory.path, log: note }),
    }),
    bundle: local ? null : (session.bundle?.url ?? null),
    params,
    configuration,
    runner: local
      ? localSlotRunner({ env, load: async (): Promise<Job> => job })
      : threadSlotRunner((text) => terminal.note(text.trimEnd())),
    checks: local,
    machineBytes: machineBytes(),
    print,
    log: (text) => terminal.note(text),
    told: (error) => error, // Reports map places where they are shown.
    toldOf: (error) => session.errorReports(error)[0]!,
  });
  return { ...handled, print, checkpoints };
}

function writesStdout({ operators }: Plan): boolean {
  return operators.some(({ kind, options }) => kind === "sink" && isToStdout(options));
}

/** Text for standard output is written as it is; rows are printed. */
function shower(
  { operators }: Plan,
  uid: string,
  { terminal, print }: { terminal: Terminal; print: (text: string) => void },
): (row: unknown) => Promise<void> {
  const operator = operators.find((one) => one.uid === uid);
  if (!isToStdout(operator?.options)) return async (row) => print(`${uid}  ${valueText(row)}`);
  return async (text) => {
    terminal.data(String(text).replace(/\n$/, ""));
    await terminal.flush(); // Whoever reads slowly holds up the job.
  };
}

/** What a program would read is shown. */
async function showRows(handle: JobHandle, uid: string, show: (row: unknown) => Promise<void>): Promise<void> {
  try {
    for await (const row of handle.rows(uid)) await show(row);
  } catch {
    return; // The job's error, which is told at its end.
  }
}

function showStatus(run: EmbeddedJob, handle: JobHandle, terminal: Terminal): () => void {
  const { plan, graph, taskManager } = run;
  const tasks = graph.vertices.map(({ operators }) => operators[0]?.name ?? "");
  let previous: StatusSample | null = null;
  let sizes: readonly InputSize[] | null = null;
  let ended = false;
  void inputSizes(plan, nodeDisk()).then((found) => {
    sizes = found;
  });
  const show = async (): Promise<void> => {
    const metrics = await handle.metrics();
    if (ended) return;
    const current = { atMs: performance.now(), metrics };
    const progress = inputProgress(sizes, metrics.operators);
    const { name } = handle;
    const now = { nowMs: Date.now(), memoryBytes: process.memoryUsage.rss() };
    if (previous !== null) {
      terminal.status(statusText({ name, slots: taskManager.slots, tasks, progress, ...now, previous, current }));
    }
    previous = current;
  };
  const timer = setInterval(() => void show(), STATUS_EVERY_MS);
  return () => {
    ended = true;
    clearInterval(timer);
  };
}

function exitCode({ outcome }: JobEnd): number {
  if (outcome === "failed") return EXIT.jobFailed;
  return outcome === "finished" ? EXIT.ok : EXIT.interrupted;
}

type SummaryFacts = {
  readonly plan: Plan;
  readonly jobId: string;
  readonly end: JobEnd;
  readonly reports: readonly ErrorReport[];
  readonly reportOf: ReportOf;
  readonly peakRssBytes: number;
};

function summaryJson({ plan, jobId, end, reports, reportOf, peakRssBytes }: SummaryFacts): object {
  const { rowsIn, rowsOut, late, invalid, skipped, busyMs, runningMs, operators, tasks } = end.metrics;
  const { jobManager, taskManager } = end.metrics;
  const { uptime = 0 } = jobManager;
  return {
    version: SUMMARY_VERSION,
    job: plan.name,
    jobId,
    planHash: plan.hash,
    outcome: end.outcome,
    errors: reports,
    ...exceptionsJson(end.exceptions, reportOf),
    // The clock begins with the process: its start is part of what people wait for.
    durationMs: { total: Math.round(performance.now()), running: Math.round(runningMs) },
    rows: { in: rowsIn, out: rowsOut, late, invalid, skipped },
    rowsPerSecond: uptime > 0 ? (rowsIn * 1_000) / uptime : 0,
    busyMs,
    peakRssBytes,
    operators: plan.operators.map(({ uid, name, kind, parallelism }) => {
      return { uid, name, kind, parallelism, metrics: operators[uid] };
    }),
    tasks,
    jobManager: { metrics: jobManager },
    taskManager: { metrics: taskManager },
  };
}

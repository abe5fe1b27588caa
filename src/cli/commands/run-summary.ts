// What a run ended with, as people read it. Pure.

import { memorySizeText } from "../../base/memory-size.ts";
import type { ErrorReport } from "../../client/errors/error-report.ts";
import { isToStdout } from "../../connectors/files/sink/target-path.ts";
import { isBounded, type Plan } from "../../graph/plan.ts";
import { commonestIssue } from "../../metrics/issue-counts.ts";
import type { JobEnd, JobMetrics } from "../../protocol/job-messages.ts";
import { countText, elapsedText, grouped } from "../terminal/number-text.ts";
import type { Palette } from "../terminal/palette.ts";

export type RunEnd = {
  readonly plan: Plan;
  /** About late records that are read, though there can be none. */
  readonly lateNotes: readonly string[];
  readonly end: JobEnd;
  /** What it went on after, and what has ended it, the newest first. */
  readonly faults: readonly (Pick<ErrorReport, "code" | "message" | "location"> & { readonly count: number })[];
  readonly peakRssBytes: number;
};

export function summaryText(run: RunEnd, palette: Palette): string {
  const { plan, end, peakRssBytes } = run;
  const { outcome, metrics: counts } = end;
  const { runningMs: runMs, jobManager } = counts;
  const mark = outcome === "finished" ? palette.green("✓") : outcome === "failed" ? palette.red("✗") : "■";
  const { uptime = 0 } = jobManager;
  const rate = uptime > 0 ? (counts.rowsIn * 1_000) / uptime : 0;
  const memory = `peak memory ${memorySizeText(Math.round(peakRssBytes / 1024 ** 2) * 1024 ** 2)}`;
  const odd = [
    [counts.late, "late"],
    [counts.invalid, "invalid"],
    [counts.skipped, "skipped"],
  ] as const;
  const lines = [
    `${mark} ${palette.bold(plan.name)} ${outcome} after ${elapsedText(runMs)}`,
    row(
      "rows",
      `${grouped(counts.rowsIn)} in, ${grouped(counts.rowsOut)} out${odd.map(([count, word]) => (count > 0 ? `, ${grouped(count)} ${word}` : "")).join("")}${sinceText(counts)}`,
    ),
    ...restartRows(run),
    ...issueRows(run),
    ...promiseRows(run),
    ...run.lateNotes.map((note) => row("late", note)),
    ...refusedRows(run),
    ...(outcome === "finished" || counts.rowsIn > 0 ? [row("speed", `${countText(rate)} rows/s; ${memory}`)] : []),
    ...fileRows(run),
    ...keptRows(run),
  ];
  return lines.join("\n");
}

/** Each attempt counts anew: where the last one began. */
function sinceText({ jobManager: { numRestarts = 0, lastRestoredCheckpointId: from } }: JobMetrics): string {
  if (from !== undefined) return ` since checkpoint ${from}`;
  return numRestarts > 0 ? ` in attempt ${numRestarts + 1}` : "";
}

/** Kinds of failures that are shown; all that are kept are in the JSON. */
const FAULTS_MAX = 5;

function restartRows({ end: { metrics, exceptions }, faults }: RunEnd): string[] {
  const { numRestarts = 0 } = metrics.jobManager;
  if (numRestarts === 0) return [];
  const shown = faults.slice(0, FAULTS_MAX).map(({ count, code, message, location }) => {
    const place = location === null ? "" : `  ${location.file}:${location.line}:${location.column}`;
    return row("fault", `${grouped(count)} × ${code}  ${message.split("\n")[0]}${place}`);
  });
  const isMore = exceptions.truncated || faults.length > FAULTS_MAX;
  return [
    row("again", `started again ${numRestarts === 1 ? "once" : `${numRestarts} times`}`),
    ...shown,
    ...(isMore ? [row("", "and other failures, longer ago")] : []),
  ];
}

/** Where the next run goes on. */
function keptRows({ end: { outcome, metrics } }: RunEnd): string[] {
  const kept = keptCheckpoint(metrics);
  return outcome === "finished" || kept === null
    ? []
    : [row("kept", `checkpoint ${kept}: the next run goes on from it`)];
}

function keptCheckpoint({ jobManager }: JobMetrics): number | null {
  return jobManager.lastCompletedCheckpointId ?? jobManager.lastRestoredCheckpointId ?? null;
}

/** What was wrong with most of the records that were left out or set aside. */
function issueRows({ plan, end: { metrics } }: RunEnd): string[] {
  return plan.operators.flatMap(({ uid }) => {
    const commonest = commonestIssue(metrics.operators[uid] ?? {});
    return commonest === null ? [] : [row("issue", `${grouped(commonest.count)} × ${commonest.issue}  (${uid})`)];
  });
}

/** Records that showed that files do not follow one another in time, as `inTimeOrder` says. */
function promiseRows({ plan, end: { metrics } }: RunEnd): string[] {
  return plan.operators.flatMap(({ uid, kind }) => {
    const behind = Number(metrics.operators[uid]?.numRecordsBehindFiles ?? 0);
    if (kind !== "eventTime" || behind === 0) return [];
    const rows = behind === 1 ? "row is" : "rows are";
    return [
      row("order", `${grouped(behind)} ${rows} older than the files before allow: inTimeOrder does not hold (${uid})`),
    ];
  });
}

function refusedRows({ end: { metrics } }: RunEnd): string[] {
  const refused = metrics.taskManager["Status.Millrace.Metrics.Refused"] ?? 0;
  if (refused === 0) return [];
  return [
    row("metric", `${grouped(refused)} metrics had no room and were not counted: do not make their names from data`),
  ];
}

/** Where sinks wrote to files, and whether it stands there. */
function fileRows({ plan, end: { outcome, commits, metrics } }: RunEnd): string[] {
  const sinks = plan.operators.flatMap(({ uid, kind, options }) => {
    const paths = kind === "sink" && !isToStdout(options) ? (options as { paths?: unknown }).paths : null;
    return Array.isArray(paths) ? [{ uid, paths, rows: Number(metrics.operators[uid]?.numRecordsOut ?? 0) }] : [];
  });
  if (sinks.length === 0) return [];
  const kept = keptCheckpoint(metrics);
  if (!commits && kept !== null) {
    if (isBounded(plan)) return [row("wrote", "nothing yet: what was written is shown once the job has finished")];
    return sinks.map(({ uid, paths }) => row("wrote", `${paths.join(", ")}  (${uid}, up to checkpoint ${kept})`));
  }
  if (!commits)
    return [row("wrote", `nothing: the job ${outcome === "failed" ? "failed" : "was stopped before its end"}`)];
  if (outcome === "failed") return [row("wrote", "perhaps a part: the job failed while its sinks committed")];
  return sinks.map(({ uid, paths, rows }) => {
    const counted = `${grouped(rows)} ${rows === 1 ? "row" : "rows"}${sinceText(metrics)}`;
    return row("wrote", `${paths.join(", ")}  (${uid}, ${counted})`);
  });
}

function row(label: string, text: string): string {
  return `  ${label.padEnd(6)} ${text}`;
}

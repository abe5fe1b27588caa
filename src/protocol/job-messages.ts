// Messages between whoever started a job and the runtime that runs it. Plain data: the two may be in different threads
// or processes.

import type { Savepoint } from "../checkpoint/savepoint.ts";
import type { Connection, Says } from "../network/transport.ts";
import type { EngineErrorData } from "./error-data.ts";
import type { TaskId } from "./slot-messages.ts";

export type ToJob =
  /** Ends the job and drops what its sinks have not committed. */
  | { readonly kind: "cancel" }
  /** Ends the job; of an endless one, what its sinks have written becomes visible. */
  | { readonly kind: "stop" }
  /** As "stop"; with a savepoint of what it comes to, or after its input has ended where it is. "savepoint", once. */
  | ({ readonly kind: "stopWith"; readonly request: number } & StopHow)
  /** "savepoint", once; null: to its usual place. */
  | { readonly kind: "savepoint"; readonly request: number; readonly path: string | null }
  /** Ends the job for a reason that it has not seen. */
  | { readonly kind: "fail"; readonly error: EngineErrorData }
  | { readonly kind: "metrics"; readonly request: number }
  | { readonly kind: "exceptions"; readonly request: number }
  | { readonly kind: "rowsRead"; readonly task: TaskId; readonly sink: string; readonly bytes: number };

export type FromJob =
  | { readonly kind: "rows"; readonly task: TaskId; readonly sink: string; readonly rows: Uint8Array }
  | { readonly kind: "metrics"; readonly request: number; readonly metrics: JobMetrics }
  | { readonly kind: "exceptions"; readonly request: number; readonly exceptions: JobExceptions }
  /** Null: none was asked for. */
  | { readonly kind: "savepoint"; readonly request: number; readonly savepoint: Savepoint | null }
  | { readonly kind: "refused"; readonly request: number; readonly error: EngineErrorData }
  /** No rows follow, though metrics may still be asked for. */
  | { readonly kind: "ended"; readonly end: JobEnd };

/** `savepoint`: null for none; its path null for its usual place. */
export type StopHow = { readonly savepoint: { readonly path: string | null } | null; readonly drain: boolean };

/** The end of whoever started the job, and that of the job. */
export type JobControl = Connection<Says<ToJob>, Says<FromJob>>;
export type JobSide = Connection<Says<FromJob>, Says<ToJob>>;

export type JobEnd = {
  /** "stopped": on request, with what sinks had written made visible. "cancelled": on request, without. */
  readonly outcome: "finished" | "stopped" | "cancelled" | "failed";
  readonly error: EngineErrorData | null;
  /** Sinks were told to commit: of a failed job, a part may be visible. */
  readonly commits: boolean;
  readonly metrics: JobMetrics;
  readonly exceptions: JobExceptions;
};

/** What has failed in a job, the newest first. Flink's exception history, in which the same is there once. */
export type JobExceptions = {
  readonly entries: readonly JobException[];
  /** There were more kinds of failures than are kept. */
  readonly truncated: boolean;
};

export type JobException = {
  /** Equal for failures of the same kind at the same place. */
  readonly fingerprint: string;
  readonly count: number;
  /** Wall clock, of the first and the last time. */
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  /** All else is of the last time. From 0. */
  readonly attempt: number;
  /** Those that failed: one, or all of a slot. None of a failure of the job as a whole. */
  readonly tasks: readonly { readonly name: string; readonly vertex: number; readonly subtask: number }[];
  /** Of the job, from 0; null: of no slot. */
  readonly slot: number | null;
  readonly error: EngineErrorData;
};

type Range = { readonly min: number; readonly max: number };
type MeterValue = { readonly count: number; readonly perSecond: number };
export type Distribution = Readonly<Record<"count" | "min" | "max" | "mean" | "p50" | "p95" | "p99", number>>;

/** Counters and their rates as numbers, gauges as ranges, meters of users and histograms as objects of their own. */
export type MetricValues = Readonly<Record<string, number | Range | MeterValue | Distribution>>;

/** The numbers that people ask for first. */
export type JobCounts = {
  /** Records that sources gave, and that sinks took. */
  readonly rowsIn: number;
  readonly rowsOut: number;
  /** Too late for their window, or for an operator in event-time order: dropped, or gone to `side.late`. */
  readonly late: number;
  /** Could not be read, or failed their schema. */
  readonly invalid: number;
  /** A user function threw on them. */
  readonly skipped: number;
  /** Task time spent working, in all. */
  readonly busyMs: number;
  /** Event time that every task with an input has reached; null before the first watermark, and after the last. */
  readonly watermarkMs: number | null;
};

/** What a job has done so far; records, operators and tasks since its last attempt began. */
export type JobMetrics = JobCounts & {
  /** Since the first time that all tasks ran; 0 before it. */
  readonly runningMs: number;
  /** Of the job as a whole, by Flink's names: restarts, and checkpoints where it takes them. */
  readonly jobManager: Readonly<Record<string, number>>;
  /** By operator uid and Flink's name of the metric, over all subtasks. */
  readonly operators: Readonly<Record<string, MetricValues>>;
  readonly tasks: readonly TaskMetricValues[];
  /** Of the job's memory, by Flink's names. */
  readonly taskManager: Readonly<Record<string, number>>;
};

export type TaskMetricValues = {
  readonly vertex: number;
  readonly subtask: number;
  readonly metrics: Readonly<Record<string, number>>;
};

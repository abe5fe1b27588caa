// The sink contract: a writer per subtask; for those that commit in two phases, committers anywhere.
//
//   K1. `write` always takes the record and never blocks: it buffers. False means the buffer is full now: the task
//       stops, calls `flush`, and goes on once that has resolved. A call may go over the bound by one record, no more.
//   K2. `flush` resolves when everything written so far has reached the system outside, though perhaps not visibly.
//   K3. `prepareCommit` gives committables that make everything written so far visible, but for what the writer's
//       `snapshot` keeps; a committer's `commit` does it, knows nothing but the committables, is idempotent, also after
//       a part of it was done, and is called only for what is certain to be needed (a completed checkpoint, or the end
//       of the job).
//   K4. `abort` leaves nothing visible of what was not prepared, and never touches another attempt's work.
//       What was prepared outlives it, since whoever decides on the commit may hold it, until `discard` names what
//       nobody does. So does what a `snapshot` names.
//   K5. After a restore, all committables of the restored checkpoint are committed, by whichever committers, before any
//       writer of the new attempt is opened: `open` may sweep what earlier attempts left.
//   K6. What was written before a checkpoint is in its committables or those before, or in the snapshots of that
//       checkpoint, and never in both. Of those snapshots each is gone on with, or finished, by exactly one writer.

import type { Disk } from "../base/disk.ts";
import type { Env } from "../base/env.ts";
import type { RowKind } from "../types/bytes/row-kind.ts";
import type { TypeSpec } from "../types/spec/type-spec.ts";
import type { SinkTakes } from "./changelog.ts";
import type { OperatorMetrics } from "./operator.ts";
import type { Json } from "./source.ts";

export interface SinkWriterContext {
  /** Clock, timers and randomness: use them in place of `Date.now()` and `setTimeout`, which tests cannot move. */
  readonly env: Env;
  readonly disk: Disk;
  readonly uid: string;
  readonly jobId: string;
  readonly subtaskIndex: number;
  readonly parallelism: number;
  /** Attempt of this subtask, for names that no other attempt uses. */
  readonly attempt: number;
  /** The job goes on from a checkpoint or savepoint, of this run or another: what was committed before it stays. */
  readonly restored: boolean;
  /**
   * What the restored checkpoint holds of this sink, of all subtasks that it had then. It stays: others commit it, now,
   * or, in a bounded job, at the end. Default: nothing.
   */
  readonly uncommitted?: readonly Committable[];
  /**
   * What the writers of this sink gave in `snapshot` for the restored checkpoint, of all subtasks that there were then:
   * with another parallelism the writers have to agree on who goes on with which. Default: nothing.
   */
  readonly states?: readonly Json[];
  /** The job ends by itself. */
  readonly bounded: boolean;
  /** Type of the records, where it is declared. */
  readonly recordType?: TypeSpec | null;
  /** Fields whose values tell which rows are one; null where rows stand for themselves, or nobody knows. */
  readonly key?: readonly string[] | null;
  readonly metrics: OperatorMetrics;
  /**
   * Lines for the user's terminal (the print sink), sent at once; those of one call stay together. Resolves when more
   * may follow: it waits while they are not read.
   */
  print(lines: string): Promise<void>;
  /**
   * Encoded rows for whoever started the job (the rows sink). Resolves when more may follow: it waits while they are
   * not read.
   */
  deliver(rows: Uint8Array): Promise<void>;
}

/**
 * What a commit needs to know: names of files to rename, ids of transactions. Plain data (what JSON gives back as it
 * was), for it travels to other processes and is kept in checkpoints.
 */
export type Committable = Json;

/**
 * Writes what one subtask gets. The order of calls: `open`, any number of `write` and `flush`; at each checkpoint
 * `flush`, `prepareCommit` and `snapshot`, and on it goes; at the end `flush` and `prepareCommit`, or `abort`; at last
 * `close`. What an asynchronous call rejects with fails the job.
 */
export interface SinkWriter<in T> {
  /** Opens what it writes to. May sweep what earlier attempts left. */
  open(): Promise<void>;
  /**
   * Takes the record, always, and never waits: it buffers. False when the buffer is full now: the next record comes
   * after `flush`. `timestampMs` is NaN for a record without event time. `kind` is one of those that the sink `takes`;
   * without it, as with 0, the record is an insert. A record of kind delete is the row that goes, as it was last known.
   */
  write(record: T, timestampMs: number, kind?: RowKind): boolean;
  /**
   * Resolves when everything written so far has reached the system outside, though perhaps not visibly. One at a time;
   * `write` goes on meanwhile unless it said that the buffer is full.
   */
  flush(): Promise<void>;
  /**
   * What makes everything written so far visible, when it is given to a committer of the sink. Makes nothing visible
   * itself. Empty: there is nothing to commit. Unless `isLast`, a writer with a `snapshot` may keep back what is not
   * complete: a file that is to grow, say.
   */
  prepareCommit(isLast: boolean): Promise<readonly Committable[]>;
  /**
   * What was written and is in no committable, as plain data: it must be durable outside by then. Called right after
   * `prepareCommit` at each checkpoint; it becomes part of that, and `context.states` of a job that goes on from there.
   * Null: nothing is kept back.
   */
  snapshot?(): Promise<Json | null>;
  /**
   * The job has failed or was cancelled: drops what was neither prepared nor is in a snapshot. What is stays, for
   * somebody may commit it, or go on with it.
   */
  abort(): Promise<void>;
  /** Gives back what was opened. */
  close(): Promise<void>;
}

export interface SinkCommitterContext {
  /** Clock, timers and randomness: use them in place of `Date.now()` and `setTimeout`, which tests cannot move. */
  readonly env: Env;
  readonly disk: Disk;
  readonly uid: string;
  readonly jobId: string;
}

/**
 * Makes visible what writers of a sink have prepared. It knows no writer: it may be made in another thread or process
 * than those, and after they are gone. One call at a time.
 */
export interface SinkCommitter {
  /**
   * Makes visible what these stand for: all of one `prepareCommit`. Called only when every sink of the whole job has
   * prepared. May be called again with the same, by this committer or another, also when an earlier call has failed in
   * the middle: it then does what is left. An ExternalError, or any other than an EngineError, is tried again
   * (`sink.committer.retries`).
   */
  commit(committables: readonly Committable[]): Promise<void>;
  /**
   * The job has failed or was cancelled before any commit, and nobody will ever commit these: removes what they stand
   * for. Without it that is left to the `open` of a later run.
   */
  discard?(committables: readonly Committable[]): Promise<void>;
  /** Gives back what it holds. The last call. */
  close?(): Promise<void>;
}

export interface SinkClaimContext {
  readonly disk: Disk;
  readonly uid: string;
  /** Name of the job, for whoever wants the same meanwhile. */
  readonly jobName: string;
  /** The job ends by itself. */
  readonly bounded: boolean;
}

/** What a run holds of the system outside, so that no other writes to the same place. */
export type SinkClaim = { release(): Promise<void> };

/** A sink for records `T`, for `.to(uid, sink)`: makes a writer for each subtask. */
export interface Sink<in T> {
  /** Short name for plans and `explain`, for example "jsonl". */
  readonly kind: string;
  /** Options as plain data, without secrets; part of the plan and its hash, so the same each time. */
  describe(): Json;
  /**
   * What a crash can do to the output, for `explain` and the docs. "exactly-once": nothing; its committers show each
   * row once. "idempotent-upsert": rows since the last checkpoint come again, and write over those of their keys, so
   * that nothing of it is left in the end; such a sink `takes` "upsert". "at-least-once": rows come again, and stay.
   */
  readonly guarantee: "exactly-once" | "idempotent-upsert" | "at-least-once";
  /**
   * Which rows it takes. Default "rows": inserts and updates alike, as rows of their own; a stream with deletes is
   * refused. "upsert": inserts, updates and deletes by the fields of `context.key`; a stream whose key is not known is
   * refused. "changes": rows of every kind.
   */
  readonly takes?: SinkTakes;
  /** Subtasks it runs with; those of the job when it does not say. */
  readonly parallelism?: number;
  /**
   * Once for the whole job, before any of it runs: takes hold of where it writes to, and rejects with a UserError when
   * another run has. Released when nothing of the job is left.
   */
  claim?(context: SinkClaimContext): Promise<SinkClaim>;
  createWriter(context: SinkWriterContext): SinkWriter<T>;
  /** For sinks whose writers give committables. */
  createCommitter?(context: SinkCommitterContext): SinkCommitter;
}

// The checkpoints of a job beside its life (job-state.ts): taken while all its tasks run, committed where that is due,
// and a last one before the job commits or is stopped.
//
//   L1. What all tasks have prepared is in a completed checkpoint before the job commits any of it.
//   L2. What belongs to tasks that have failed is committed by those that begin anew, and by nobody else.

import type { Env } from "../../base/env.ts";
import { type EngineError, ExternalError } from "../../base/errors.ts";
import type { CheckpointId } from "../../base/ids.ts";
import type { CompletedCheckpointStore } from "../../checkpoint/completed-store.ts";
import type { RestorePlan } from "../../checkpoint/restore.ts";
import type { JobGraph } from "../../graph/job-graph.ts";
import { isBounded } from "../../graph/plan.ts";
import type { EngineErrorData } from "../../protocol/error-data.ts";
import type {
  CheckpointMessage,
  JobDescriptor,
  PreparedSink,
  TaskDescriptor,
  TaskId,
} from "../../protocol/slot-messages.ts";
import type { CommitTry } from "../commits/job-commits.ts";
import { CheckpointCommits, type TaskPrepared } from "./checkpoint-commits.ts";
import {
  CheckpointDriver,
  type CheckpointReport,
  type CompletedCheckpoint,
  type HeldCheckpoint,
} from "./checkpoint-driver.ts";
import type { CheckpointingState } from "./coordinator.ts";

/** What a job is given to take checkpoints. */
export type JobCheckpoints = {
  readonly store: CompletedCheckpointStore;
  /** As the process before has left it. */
  readonly state: CheckpointingState;
  /** What the job begins from; null: from nothing. */
  readonly restored: RestorePlan | null;
  readonly onCompleted: (checkpoint: CompletedCheckpoint) => void;
  readonly onFailed: (id: CheckpointId, reason: string) => void;
};

export type JobCheckpointingOptions = {
  readonly env: Env;
  readonly graph: JobGraph;
  readonly job: JobDescriptor;
  readonly tasks: readonly TaskDescriptor[];
  readonly checkpoints: JobCheckpoints;
  readonly commitRetries: number;
  readonly slotOf: (task: TaskId) => number;
  /** The task runs, or will: nobody has told it to end. */
  readonly isUp: (task: TaskId) => boolean;
  readonly postAll: (message: CheckpointMessage) => void;
  readonly commit: (commit: CommitTry) => void;
  /** All that was prepared is in a checkpoint: the job can commit it. */
  readonly onLastPrepared: (last: LastPrepared) => void;
  /** The user has asked for an end; the last checkpoint is completed, and all of it is committed. */
  readonly onStopped: () => void;
  /** Of no single task. */
  readonly fail: (error: EngineError) => void;
};

/** The last task to come to its end, with what its sinks have prepared. */
export type LastPrepared = { readonly slot: number; readonly task: TaskId; readonly sinks: readonly PreparedSink[] };

export class JobCheckpointing {
  readonly #options: JobCheckpointingOptions;
  readonly #driver: CheckpointDriver;
  readonly #commits: CheckpointCommits;
  /** All tasks have come to their end: told once the last checkpoint is completed (L1). */
  #last: LastPrepared | null = null;
  #isStopping = false;
  /** How often tasks have been told to end. */
  #pauses = 0;

  constructor(options: JobCheckpointingOptions) {
    this.#options = options;
    const { env, graph, job, tasks, checkpoints, commitRetries, slotOf, commit, postAll, fail } = options;
    this.#commits = new CheckpointCommits({
      ...{ retries: commitRetries, slotOf, post: commit, fail },
      onCommitted: (task, sink, upTo) => this.#driver.committed(task, sink, upTo),
      onSettled: () => this.#onSettled(),
    });
    this.#driver = new CheckpointDriver({
      ...{ env, graph, job, tasks, postAll, fail, ...checkpoints },
      onCompleted: (checkpoint, prepared) => {
        checkpoints.onCompleted(checkpoint);
        this.#onCheckpoint(checkpoint, prepared);
      },
    });
  }

  get state(): CheckpointingState {
    return this.#driver.state;
  }

  /** A last checkpoint is being taken, because the user wants the job to end. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** All tasks run. */
  start(): void {
    this.#driver.start();
  }

  /**
   * These tasks are told to end; checkpoints under way are given up. Returns the last task that had come to its end,
   * if it is none of these: it counts as any other then, for others come to their end after it.
   */
  pause(tasks: ReadonlySet<TaskId>): LastPrepared | null {
    const last = this.#last;
    this.#last = null;
    this.#pauses += 1;
    this.#driver.pause();
    this.#commits.giveUp(notCommitted());
    this.#commits.drop(tasks); // L2
    return last === null || tasks.has(last.task) ? null : last;
  }

  /** Resolves when nothing is being stored any more. */
  stored(): Promise<void> {
    return this.#driver.stored();
  }

  /** These begin anew, in place of those of the same subtasks. */
  restart(again: readonly TaskDescriptor[], restored: RestorePlan | null): void {
    this.#driver.restart(again, restored);
  }

  /** The job is over. Resolves when nothing is being stored any more. */
  async end(): Promise<void> {
    this.#driver.pause();
    this.#commits.close(notCommitted());
    await this.#driver.stored();
  }

  /** Takes one now, beside those that are taken by themselves. */
  checkpoint(): void {
    this.#driver.ask("periodic");
  }

  /** Checkpoints that are taken when it is over say that its input was ended ahead of its end. */
  drain(): void {
    this.#driver.drain();
  }

  /** The final checkpoint is written out as a savepoint. */
  keepFinal(): void {
    this.#driver.keepFinal();
  }

  /**
   * Takes one now. Resolves when all that sinks had prepared for it is committed, of an endless job; rejects with
   * SAVEPOINT_ABORTED when it is given up, or tasks fail or end before.
   */
  async take(): Promise<HeldCheckpoint> {
    const pauses = this.#pauses;
    const held = await this.#driver.take();
    // Of a bounded job nothing is committed before its end: its savepoint can also be taken while it ends.
    if (isBounded(this.#options.graph.plan)) return held;
    try {
      if (this.#pauses > pauses) throw notCommitted(); // L2: nobody says when.
      await this.#commits.whenCommitted(held.metadata.id);
      return held;
    } catch (error) {
      await held.release();
      throw error;
    }
  }

  /** Ends the job with a last checkpoint. */
  stop(): void {
    this.#isStopping = true;
    this.#driver.ask("final");
  }

  onReport(report: CheckpointReport): void {
    this.#driver.onReport(report);
  }

  /** A task has come to its end. Returns all that its sinks have prepared; null: it is told later (L1). */
  prepared({ slot, task, sinks }: LastPrepared, isLast: boolean): readonly PreparedSink[] | null {
    this.#driver.finished(task, sinks);
    // What checkpoints commit, the last one does as well.
    const uncommitted = isBounded(this.#options.graph.plan) ? this.#driver.uncommitted(task) : [];
    if (!isLast) return uncommitted;
    this.#last = { slot, task, sinks: uncommitted };
    this.#driver.ask("final");
    return null;
  }

  /** False: it is none of these. */
  committed(task: TaskId, sink: string): boolean {
    return this.#commits.committed(task, sink);
  }

  /** As `committed`. */
  commitFailed(task: TaskId, sink: string, error: EngineErrorData): boolean {
    return this.#commits.failed(task, sink, error);
  }

  #onCheckpoint({ id, kind }: CompletedCheckpoint, prepared: readonly TaskPrepared[]): void {
    const due = prepared.filter(({ task }) => this.#options.isUp(task)); // L2
    if (due.length > 0) this.#commits.add(id, due);
    if (kind === "final" && this.#commits.isSettled) this.#onSettled();
  }

  /** What was prepared is committed, and the last checkpoint is completed, if one was asked for. */
  #onSettled(): void {
    if (this.state.pending.some(({ kind }) => kind === "final")) return;
    const last = this.#last;
    this.#last = null;
    if (last !== null) this.#options.onLastPrepared(last);
    if (last !== null || !this.#isStopping) return;
    this.#isStopping = false;
    this.#options.onStopped();
  }
}

function notCommitted(): EngineError {
  const what = "tasks of the job have failed or ended before all of it was committed";
  return new ExternalError("SAVEPOINT_ABORTED", what, { fix: "ask for the savepoint again once the job runs" });
}

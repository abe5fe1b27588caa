// Commits what sinks prepared for completed checkpoints while the job goes on: one checkpoint after the other, each
// commit until it is acknowledged.

import type { EngineError } from "../../base/errors.ts";
import type { CheckpointId } from "../../base/ids.ts";
import { type EngineErrorData, errorFromData } from "../../protocol/error-data.ts";
import type { PreparedSink, TaskId } from "../../protocol/slot-messages.ts";
import {
  type Commit,
  type Commits,
  type CommitTry,
  commitAfterFailure,
  commitKey,
  commitsWith,
  isSettled,
} from "../commits/job-commits.ts";

export type CheckpointCommitsOptions = {
  readonly retries: number;
  readonly slotOf: (task: TaskId) => number;
  readonly post: (commit: CommitTry) => void;
  /** What was prepared up to this checkpoint is. */
  readonly onCommitted: (task: TaskId, sink: string, upTo: CheckpointId) => void;
  /** Nothing is left to commit. */
  readonly onSettled: () => void;
  readonly fail: (error: EngineError) => void;
};

export type TaskPrepared = { readonly task: TaskId; readonly prepared: PreparedSink };

type Prepared = { readonly checkpoint: CheckpointId; readonly prepared: readonly TaskPrepared[] };

export class CheckpointCommits {
  readonly #options: CheckpointCommitsOptions;
  /** Of later checkpoints, by age. */
  readonly #waiting: Prepared[] = [];
  #checkpoint = 0 as CheckpointId;
  #commits: Commits = new Map();
  readonly #waiters: { readonly upTo: CheckpointId; readonly told: PromiseWithResolvers<void> }[] = [];
  /** Why nothing is committed any more, for whoever asks later. */
  #closed: EngineError | null = null;

  constructor(options: CheckpointCommitsOptions) {
    this.#options = options;
  }

  get isSettled(): boolean {
    return this.#waiting.length === 0 && this.#commits.size === 0;
  }

  /** Resolves when nothing of this checkpoint, or of those before it, is left to commit; rejects by the two below. */
  whenCommitted(upTo: CheckpointId): Promise<void> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    const told = Promise.withResolvers<void>();
    this.#waiters.push({ upTo, told });
    this.#tell();
    return told.promise;
  }

  /** Tasks fail or end: who waits now is told so. */
  giveUp(reason: EngineError): void {
    for (const { told } of this.#waiters.splice(0)) told.reject(reason);
  }

  /** The job is over, and nothing more is committed: as `giveUp`, also for who comes later. */
  close(reason: EngineError): void {
    this.#closed = reason;
    this.giveUp(reason);
  }

  #tell(): void {
    const underWay = this.#commits.size > 0 ? this.#checkpoint : (this.#waiting[0]?.checkpoint ?? Infinity);
    for (const { upTo, told } of this.#waiters.splice(0)) {
      if (upTo < underWay) told.resolve();
      else this.#waiters.push({ upTo, told });
    }
  }

  add(checkpoint: CheckpointId, prepared: readonly TaskPrepared[]): void {
    this.#waiting.push({ checkpoint, prepared });
    if (this.#commits.size === 0) this.#next();
  }

  /** These tasks begin anew, and commit what is theirs as they do: nothing of them is waited for here. */
  drop(tasks: ReadonlySet<TaskId>): void {
    const isOther = ({ task }: { readonly task: TaskId }): boolean => !tasks.has(task);
    for (const [index, { checkpoint, prepared }] of this.#waiting.entries())
      this.#waiting[index] = { checkpoint, prepared: prepared.filter(isOther) };
    if (this.#commits.size === 0) return;
    this.#commits = new Map([...this.#commits].filter(([, commit]) => isOther(commit)));
    if ([...this.#commits.values()].every(isSettled)) this.#next();
  }

  /** False: it is none of these. */
  committed(task: TaskId, sink: string): boolean {
    const commit = this.#commits.get(commitKey(task, sink));
    // At the end of an endless job the same is committed a second time, as the last of the job.
    if (commit === undefined || isSettled(commit)) return false;
    this.#commits = commitsWith(this.#commits, { ...commit, phase: "committed" });
    this.#options.onCommitted(task, sink, this.#checkpoint);
    if ([...this.#commits.values()].every(isSettled)) this.#next();
    return true;
  }

  /** As `committed`. */
  failed(task: TaskId, sink: string, error: EngineErrorData): boolean {
    const { retries, slotOf, post, fail } = this.#options;
    const before = this.#commits.get(commitKey(task, sink));
    if (before === undefined || isSettled(before)) return false;
    const cause = errorFromData(error);
    const { commit, retry } = commitAfterFailure(before, { slots: cause.retryable ? [slotOf(task)] : [], retries });
    this.#commits = commitsWith(this.#commits, commit);
    if (retry === null) fail(cause);
    else post(retry);
    return true;
  }

  #next(): void {
    const { slotOf, post, onSettled } = this.#options;
    const { checkpoint, prepared } = this.#waiting.shift() ?? { checkpoint: this.#checkpoint, prepared: [] };
    this.#checkpoint = checkpoint;
    this.#commits = new Map();
    for (const each of prepared) {
      const commit: Commit = { ...each, slot: slotOf(each.task), tries: 1, phase: "tried" };
      this.#commits = commitsWith(this.#commits, commit);
      post({ commit, delayMs: 0 });
    }
    this.#tell();
    if (prepared.length > 0) return;
    if (this.#waiting.length > 0) this.#next();
    else onSettled();
  }
}

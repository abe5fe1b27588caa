// How a job is ended by its user, and what is done once no task of it is left.
//
//   E1. A job that has finished leaves no checkpoints: its next run begins anew. One that was drained leaves them, for
//       its input goes on without it, and its next run has to find that there is nothing more to do.
//   E2. What was stopped can go on. Whether what was cancelled, or has failed, can do so, the configuration says.

import type { Savepoint } from "../checkpoint/savepoint.ts";
import type { Configuration } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import { isBounded, type Plan } from "../graph/plan.ts";
import type { JobMaster, JobResult } from "../jobmanager/job-master.ts";
import { errorData } from "../protocol/error-data.ts";
import type { StopHow } from "../protocol/job-messages.ts";
import type { OpenedCheckpoints } from "./checkpoints.ts";
import { notRunning, type Savepoints } from "./savepoints.ts";

export type JobEndingOptions = {
  readonly master: JobMaster;
  readonly savepoints: Savepoints;
  /** Undefined: the job takes none. */
  readonly checkpoints: OpenedCheckpoints | undefined;
  readonly configuration: Configuration;
  readonly plan: Plan;
  readonly log: (line: string) => void;
};

export class JobEnding {
  readonly #options: JobEndingOptions;
  #isCancelled = false;
  #isDrained = false;

  constructor(options: JobEndingOptions) {
    this.#options = options;
  }

  cancel(): void {
    this.#isCancelled = true;
    this.#options.master.cancel();
  }

  stop(): void {
    const { master, plan, checkpoints } = this.#options;
    if (isBounded(plan) && checkpoints === undefined) master.cancel();
    else master.stop();
  }

  /** Rejects with JOB_NOT_RUNNING, or where the savepoint cannot be. `result`: nothing of the job is left. */
  async stopWith({ savepoint, drain }: StopHow, result: Promise<unknown>): Promise<Savepoint | null> {
    const { master, savepoints } = this.#options;
    const needsAll = savepoint !== null || drain;
    if (needsAll) this.#checkRunning();
    const atEnd = savepoint === null ? null : await savepoints.takeAtEnd(savepoint.path);
    try {
      if (needsAll) this.#checkRunning();
    } catch (error) {
      await atEnd?.giveUp();
      throw error;
    }
    if (atEnd !== null) master.keepFinal();
    this.#isDrained ||= drain;
    if (drain) master.drain();
    else this.stop();
    await result;
    return atEnd === null ? null : atEnd.written;
  }

  /** No task is left: the savepoint of a stop; then checkpoints go that nobody needs (E1, E2). */
  async afterwards(result: JobResult): Promise<JobResult> {
    const { checkpoints, log, savepoints } = this.#options;
    await savepoints.end(result);
    try {
      if (this.#isOver(result)) await checkpoints?.directory.finish();
    } catch (error) {
      log(`the checkpoints of the job, which is over, are still there: ${errorData(error).message}`);
    }
    // It was ended, and has not come to its end.
    return result.outcome === "finished" && this.#isDrained ? { ...result, outcome: "cancelled" } : result;
  }

  #isOver({ outcome }: JobResult): boolean {
    const { checkpoints, configuration } = this.#options;
    const retention = configuration.get(OPTIONS.checkpointRetention);
    if (outcome === "finished") return !this.#isDrained && checkpoints?.restored?.metadata.drained !== true;
    if (outcome === "failed") return retention === "no-externalized-checkpoints";
    return this.#isCancelled && retention !== "retain-on-cancellation";
  }

  #checkRunning(): void {
    if (!this.#options.master.isRunning) throw notRunning("is not running: it starts, or ends");
  }
}

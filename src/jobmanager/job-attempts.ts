// The attempts of a job, one after the other: when one fails, the next begins where the newest checkpoint is.
//
//   A1. There is one attempt at a time: the next begins when nothing is left of the one before.
//   A2. Without checkpoints, or when the restart strategy says so, the first failure is the job's. A job that its user
//       has ended is not started again.
//   A3. What fails again and again at the same place from the same checkpoint would do so for ever: the third time it
//       is the job's failure.

import type { Env, TimerHandle } from "../base/env.ts";
import type { EngineError } from "../base/errors.ts";
import type { CheckpointId } from "../base/ids.ts";
import type { JobResult } from "./job-master.ts";
import { type RestartState, type RestartStrategy, restartAfter, restartStateOf } from "./restart-strategy.ts";

/** What runs one attempt. */
export interface AttemptMaster {
  readonly result: Promise<JobResult>;
  start(): void;
  stop(): void;
  cancel(): void;
  fail(error: EngineError): void;
}

/** What an attempt begins from. */
export type AttemptStart<R> = { readonly checkpoint: CheckpointId | null; readonly restore: R | null };

/** One failure, for people. */
export type FailedAttempt = {
  readonly attempt: number;
  /** Wall clock. */
  readonly atMs: number;
  readonly error: EngineError;
  /** The checkpoint that the attempt had begun from; null: none. */
  readonly from: CheckpointId | null;
};

export type JobAttemptsOptions<M extends AttemptMaster, R> = {
  readonly env: Env;
  readonly strategy: RestartStrategy;
  readonly first: AttemptStart<R>;
  /** Makes what runs an attempt; it is started then. `before`: what ran the one before. */
  readonly begin: (attempt: number, start: AttemptStart<R>, before: M | null) => M;
  /** Where the next attempt begins. Rejects when nothing can be restored. */
  readonly newest: () => Promise<AttemptStart<R>>;
  readonly onFailed: (failed: FailedAttempt, delayMs: number) => void;
  readonly onBegin: (attempt: number, start: AttemptStart<R>) => void;
};

const SAME_FAILURES_MAX = 3;
const HISTORY_MAX = 16;

export class JobAttempts<M extends AttemptMaster, R> {
  readonly result: Promise<JobResult>;
  readonly #options: JobAttemptsOptions<M, R>;
  #resolve: (result: JobResult) => void = () => undefined;
  #current: M;
  #attempt = 0;
  #start: AttemptStart<R>;
  #restarts: RestartState;
  #waiting: TimerHandle | null = null;
  /** Its user has asked for it. */
  #isEnding = false;
  #failures: readonly FailedAttempt[] = [];

  constructor(options: JobAttemptsOptions<M, R>) {
    this.#options = options;
    this.#restarts = restartStateOf(options.strategy);
    this.#start = options.first;
    this.result = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#current = options.begin(0, options.first, null);
  }

  /** What runs the attempt that is under way, or was last. */
  get current(): M {
    return this.#current;
  }

  /** The last ones, by age. */
  get failures(): readonly FailedAttempt[] {
    return this.#failures;
  }

  start(): void {
    this.#current.start();
    void this.#current.result.then((result) => this.#ended(result));
  }

  stop(): void {
    this.#end(() => this.#current.stop());
  }

  cancel(): void {
    this.#end(() => this.#current.cancel());
  }

  /** Ends the job for a reason that lies outside of it. */
  fail(error: EngineError): void {
    this.#end(() => this.#current.fail(error));
  }

  #end(end: () => void): void {
    this.#isEnding = true;
    if (this.#waiting === null) {
      end();
      return;
    }
    this.#waiting.cancel();
    this.#waiting = null;
    this.#resolve({ outcome: "cancelled", error: null });
  }

  #ended(result: JobResult): void {
    const { error, outcome } = result;
    const dueMs = outcome !== "failed" || error === null || this.#isEnding ? null : this.#restartDueMs(error);
    if (dueMs === null) {
      this.#resolve(result);
      return;
    }
    const { env, onFailed } = this.#options;
    const delayMs = Math.max(0, dueMs - env.clock.monotonicMs());
    onFailed(this.#failures.at(-1)!, delayMs);
    this.#waiting = env.timers.after(delayMs, () => void this.#again(result));
  }

  /** Null: the job has failed for good (A2, A3). */
  #restartDueMs(error: EngineError): number | null {
    const { env } = this.#options;
    const failed = { attempt: this.#attempt, atMs: env.clock.nowMs(), error, from: this.#start.checkpoint };
    this.#failures = [...this.#failures, failed].slice(-HISTORY_MAX);
    const { state, dueMs } = restartAfter(this.#restarts, env.clock.monotonicMs(), () => env.random.next());
    this.#restarts = state;
    return this.#isStuck() ? null : dueMs;
  }

  /** A3 */
  #isStuck(): boolean {
    const last = this.#failures.slice(-SAME_FAILURES_MAX);
    return last.length === SAME_FAILURES_MAX && new Set(last.map(fingerprintOf)).size === 1;
  }

  async #again(failed: JobResult): Promise<void> {
    const { newest, begin, onBegin } = this.#options;
    let start: AttemptStart<R>;
    try {
      start = await newest();
    } catch (error) {
      this.#waiting = null;
      this.#resolve({ ...failed, error: error as EngineError });
      return;
    }
    if (this.#waiting === null) return; // Ended meanwhile.
    this.#waiting = null;
    this.#attempt += 1;
    this.#start = start;
    this.#current = begin(this.#attempt, start, this.#current);
    onBegin(this.#attempt, start);
    this.start();
  }
}

/** What is the same when the same happens again; messages may hold times, and numbers of attempts. */
function fingerprintOf({ error, from }: FailedAttempt): string {
  const { code, operator, location } = error;
  return [code, operator, location?.file, location?.line, location?.column, from].join(" ");
}

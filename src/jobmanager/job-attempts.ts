// The attempts of a job, one after the other: when one fails, the next begins where the newest checkpoint is.
//
//   A1. There is one attempt at a time: the next begins when nothing is left of the one before.
//   A2. Without checkpoints, or when the restart strategy says so, the first failure is the job's. A job that its user
//       has ended is not started again.
//   A3. What fails again and again at the same place, from the same checkpoint or with the same message of the user's
//       code, would do so for ever: the third time it is the job's failure.

import type { Env, TimerHandle } from "../base/env.ts";
import type { EngineError } from "../base/errors.ts";
import type { CheckpointId } from "../base/ids.ts";
import type { JobResult } from "./job-master.ts";
import { type RestartState, type RestartStrategy, restartAfter, restartStateOf } from "./restart-strategy.ts";

/** What runs one attempt. */
export interface AttemptMaster {
  readonly result: Promise<JobResult>;
  /** Monotonic; null: it has not failed. */
  readonly failedMs: number | null;
  /** Monotonic; null: there was no time yet at which all its tasks ran. */
  readonly runningSinceMs: number | null;
  start(): void;
  /** Resolves once all its tasks run, or it ends before. */
  running(): Promise<void>;
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

/** A job that has failed runs again. */
export type Recovery<R> = {
  readonly attempt: number;
  readonly start: AttemptStart<R>;
  readonly failed: FailedAttempt;
  /** From the failure until nothing was left of its attempt, until the next was due, had read where it begins, ran. */
  readonly tookMs: Readonly<Record<"end" | "wait" | "read" | "deploy", number>>;
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
  readonly onRecovered: (recovery: Recovery<R>) => void;
};

const SAME_FAILURES_MAX = 3;

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
  /** The last ones, by age: as many as A3 looks at. */
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

  /** How often the job has begun anew after a failure. */
  get restarts(): number {
    return this.#attempt;
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
    const endedMs = env.clock.monotonicMs();
    const delayMs = Math.max(0, dueMs - endedMs);
    onFailed(this.#failures.at(-1)!, delayMs);
    this.#waiting = env.timers.after(delayMs, () => void this.#again(result, endedMs));
  }

  /** Null: the job has failed for good (A2, A3). */
  #restartDueMs(error: EngineError): number | null {
    const { env } = this.#options;
    const failed = { attempt: this.#attempt, atMs: env.clock.nowMs(), error, from: this.#start.checkpoint };
    this.#failures = [...this.#failures, failed].slice(-SAME_FAILURES_MAX);
    const { state, dueMs } = restartAfter(this.#restarts, env.clock.monotonicMs(), () => env.random.next());
    this.#restarts = state;
    return this.#isStuck() ? null : dueMs;
  }

  /** A3 */
  #isStuck(): boolean {
    const last = this.#failures;
    if (last.length < SAME_FAILURES_MAX || !areSame(last.map(placeOf))) return false;
    if (areSame(last.map(({ from }) => from))) return true;
    // Checkpoints may well be taken before the job comes to the same record again, which the message shows.
    return last.every(({ error }) => error.domain === "user") && areSame(last.map(({ error }) => error.message));
  }

  async #again(failed: JobResult, endedMs: number): Promise<void> {
    const { env, newest, begin } = this.#options;
    const dueMs = env.clock.monotonicMs();
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
    const failedMs = this.#current.failedMs ?? endedMs;
    this.#current = begin(this.#attempt, start, this.#current);
    const tookMs = { end: endedMs - failedMs, wait: dueMs - endedMs, read: env.clock.monotonicMs() - dueMs };
    this.start();
    void this.#tellRecovered(tookMs);
  }

  async #tellRecovered(tookMs: Omit<Recovery<R>["tookMs"], "deploy">): Promise<void> {
    const begunMs = this.#options.env.clock.monotonicMs();
    const [master, attempt, start, failed] = [this.#current, this.#attempt, this.#start, this.#failures.at(-1)!];
    await master.running();
    if (master.runningSinceMs === null) return;
    const deploy = master.runningSinceMs - begunMs;
    this.#options.onRecovered({ attempt, start, failed, tookMs: { ...tookMs, deploy } });
  }
}

/** What is the same when the same happens again. */
function placeOf({ error }: FailedAttempt): string {
  const { code, operator, location } = error;
  return [code, operator, location?.file, location?.line, location?.column].join(" ");
}

function areSame(values: readonly unknown[]): boolean {
  return new Set(values).size === 1;
}

// What has failed in a job and what follows from it, with the figures that Flink has for it.

import type { Env } from "../../base/env.ts";
import type { EngineError } from "../../base/errors.ts";
import type { CheckpointId } from "../../base/ids.ts";
import type { RestorePlan } from "../../checkpoint/restore.ts";
import type { JobExceptions } from "../../protocol/job-messages.ts";
import type { TaskDescriptor } from "../../protocol/slot-messages.ts";
import { exceptionsWith, NO_EXCEPTIONS } from "./exception-history.ts";
import { type FailurePolicy, failureDecide, failurePolicyOf } from "./failure-policy.ts";
import type { FailedAttempt, Recovery } from "./recoveries.ts";
import type { RestartStrategy } from "./restart-strategy.ts";

/** What a job is given to go on after failures. */
export type RecoveryOptions = {
  readonly strategy: RestartStrategy;
  /** Where tasks begin anew; null: from nothing. Rejects when nothing can be restored. */
  readonly newest: () => Promise<RestorePlan | null>;
  readonly onFailed: (failed: FailedAttempt, delayMs: number) => void;
  /** The same has failed so often that it would fail for ever: the job does not go on. */
  readonly onStuck: (failed: FailedAttempt) => void;
  /** Tasks begin from it. */
  readonly onRestored: (restore: RestorePlan) => void;
  readonly onRecovered: (recovery: Recovery) => void;
};

type Happened = {
  readonly error: EngineError;
  readonly tasks: readonly TaskDescriptor[];
  readonly slot: number | null;
};

/** Where the tasks that have failed had begun. */
type Origin = { readonly attempt: number; readonly from: CheckpointId | null };

export class JobFailures {
  readonly #env: Env;
  readonly #options: RecoveryOptions | null;
  #policy: FailurePolicy;
  #exceptions = NO_EXCEPTIONS;
  #restarts = 0;
  /** Monotonic; null: there was no time yet at which all tasks ran, or not all do. */
  #upSinceMs: number | null = null;
  /** Null: all tasks run, or never did. */
  #downSinceMs: number | null = null;
  #downTotalMs = 0;

  constructor(env: Env, options: RecoveryOptions | null) {
    this.#env = env;
    this.#options = options;
    this.#policy = failurePolicyOf(options?.strategy ?? { kind: "none" });
  }

  get exceptions(): JobExceptions {
    return this.#exceptions;
  }

  /** Something has failed that nothing follows from. */
  note(happened: Happened, { attempt }: Origin): void {
    this.#exceptions = exceptionsWith(this.#exceptions, { ...happened, attempt, atMs: this.#env.clock.nowMs() });
  }

  /** Null: the job has failed. `dueMs`: when the tasks begin anew, monotonic. */
  failed(
    happened: Happened,
    origin: Origin,
    mayGoOn: boolean,
  ): { readonly failed: FailedAttempt; readonly dueMs: number } | null {
    this.note(happened, origin);
    if (!mayGoOn || this.#options === null) return null;
    const { clock, random } = this.#env;
    const { error, tasks, slot } = happened;
    const atMs = clock.monotonicMs();
    const { policy, dueMs, isStuck } = failureDecide(this.#policy, { error, from: origin.from, atMs }, () =>
      random.next(),
    );
    this.#policy = policy;
    const failed = { ...origin, error, slot, atMs: clock.nowMs(), tasks: tasks.map(({ name }) => name) };
    if (isStuck) this.#options.onStuck(failed);
    if (dueMs === null) return null;
    this.#restarts += 1;
    this.#options.onFailed(failed, Math.max(0, dueMs - atMs));
    return { failed, dueMs };
  }

  /** All tasks run, or do not. */
  onRuns(runs: boolean): void {
    const nowMs = this.#env.clock.monotonicMs();
    if (runs) {
      this.#downTotalMs += this.#downMs(nowMs);
      this.#downSinceMs = null;
      this.#upSinceMs ??= nowMs;
    } else if (this.#upSinceMs !== null) {
      this.#upSinceMs = null;
      this.#downSinceMs = nowMs;
    }
  }

  /** By Flink's names. `nowMs`: monotonic. */
  metrics(nowMs: number): Readonly<Record<string, number>> {
    const downMs = this.#downMs(nowMs);
    return {
      numRestarts: this.#restarts,
      fullRestarts: this.#restarts,
      uptime: nowMs - (this.#upSinceMs ?? nowMs),
      downtime: downMs,
      restartingTime: downMs,
      restartingTimeTotal: this.#downTotalMs + downMs,
    };
  }

  #downMs(nowMs: number): number {
    return nowMs - (this.#downSinceMs ?? nowMs);
  }
}

// What follows from a failure: the job goes on, and when, or it has failed. Pure.
//
//   A2. When the restart strategy says so, a failure is the job's.
//   A3. What fails again and again at the same place, from the same checkpoint or with the same message of the user's
//       code, would do so for ever: the third time it is the job's failure, whatever else fails in between. What lies
//       outside (`retryable`) may pass: there the restart strategy decides alone.

import type { EngineError } from "../../base/errors.ts";
import type { CheckpointId } from "../../base/ids.ts";
import { fingerprintOf } from "./fingerprint.ts";
import { type RestartState, type RestartStrategy, restartAfter, restartStateOf } from "./restart-strategy.ts";

type Failure = {
  readonly error: EngineError;
  /** The checkpoint that the tasks had begun from; null: none. */
  readonly from: CheckpointId | null;
  /** Monotonic. */
  readonly atMs: number;
};

export type FailurePolicy = {
  readonly restarts: RestartState;
  /** The last ones, by age. */
  readonly failures: readonly Failure[];
};

export type FailureDecision = {
  readonly policy: FailurePolicy;
  /** When the tasks begin anew, monotonic; null: the job has failed. */
  readonly dueMs: number | null;
  /** It has failed for A3. */
  readonly isStuck: boolean;
};

export const SAME_FAILURES_MAX = 3;
const KEPT = 32;
/** The same message after so long says nothing about one record. */
const FORGOTTEN_MS = 3_600_000;

export function failurePolicyOf(strategy: RestartStrategy): FailurePolicy {
  return { restarts: restartStateOf(strategy), failures: [] };
}

export function failureDecide(policy: FailurePolicy, failure: Failure, random: () => number): FailureDecision {
  const failures = [...policy.failures, failure].slice(-KEPT);
  const { state: restarts, dueMs } = restartAfter(policy.restarts, failure.atMs, random);
  const isStuck = isSameForEver(failures, failure);
  return { policy: { restarts, failures }, dueMs: isStuck ? null : dueMs, isStuck: isStuck && dueMs !== null };
}

/** A3 */
function isSameForEver(failures: readonly Failure[], last: Failure): boolean {
  if (last.error.retryable) return false;
  const place = fingerprintOf(last.error);
  const same = failures.filter(({ error }) => fingerprintOf(error) === place);
  if (same.filter(({ from }) => from === last.from).length >= SAME_FAILURES_MAX) return true;
  // Checkpoints may well be taken before the job comes to the same record again, which the message shows.
  const isAgain = ({ error, atMs }: Failure): boolean =>
    error.message === last.error.message && last.atMs - atMs < FORGOTTEN_MS;
  return last.error.domain === "user" && same.filter(isAgain).length >= SAME_FAILURES_MAX;
}

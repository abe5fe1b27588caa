// Whether a job that has failed is started again, and after how long: pure, no I/O. Names, defaults and meaning are
// Flink's (`restart-strategy.*`).
//
//   R1. Failures while a restart is waited for are part of the one before: they count once, and change no delay.
//   R2. "exponential-delay" begins anew after a job has run without failure for `resetThresholdMs`.

import { unreachable } from "../../base/errors.ts";
import type { Configuration } from "../../config/configuration.ts";
import { OPTIONS } from "../../config/options.ts";

export type RestartStrategy =
  | { readonly kind: "none" }
  | { readonly kind: "fixed-delay"; readonly attempts: number; readonly delayMs: number }
  | {
      readonly kind: "exponential-delay";
      readonly initialMs: number;
      readonly maxMs: number;
      readonly multiplier: number;
      /** A job that has run so long without failure begins with `initialMs` again. */
      readonly resetThresholdMs: number;
      /** Part of the delay by which it varies, up and down: many jobs that failed together do not start together. */
      readonly jitter: number;
      /** Restarts until the delay has begun anew; Infinity for any number. */
      readonly attempts: number;
    }
  | {
      readonly kind: "failure-rate";
      /** Failures within `intervalMs` that are followed by a restart. */
      readonly maxFailures: number;
      readonly intervalMs: number;
      readonly delayMs: number;
    };

export type RestartState = {
  readonly strategy: RestartStrategy;
  /** Since the start, or since the delay has begun anew. */
  readonly restarts: number;
  /** When the restart that was decided last is due; -Infinity: there was none. */
  readonly dueMs: number;
  /** The next delay of "exponential-delay", without jitter. */
  readonly backoffMs: number;
  /** Failures that "failure-rate" remembers, by age. */
  readonly failuresMs: readonly number[];
};

export type Restart = {
  readonly state: RestartState;
  /** When the job starts again; null: it has failed for good. */
  readonly dueMs: number | null;
};

export function restartStateOf(strategy: RestartStrategy): RestartState {
  const backoffMs = strategy.kind === "exponential-delay" ? strategy.initialMs : 0;
  return { strategy, restarts: 0, dueMs: -Infinity, backoffMs, failuresMs: [] };
}

/** The job has failed at `nowMs` (monotonic). `random`: 0 to 1. */
export function restartAfter(state: RestartState, nowMs: number, random: () => number): Restart {
  const { strategy } = state;
  if (nowMs < state.dueMs) return { state, dueMs: state.dueMs }; // R1
  switch (strategy.kind) {
    case "none":
      return { state, dueMs: null };
    case "fixed-delay":
      return state.restarts >= strategy.attempts ? { state, dueMs: null } : again(state, nowMs + strategy.delayMs);
    case "exponential-delay":
      return exponential(state, strategy, nowMs, random);
    case "failure-rate": {
      const failuresMs = [...state.failuresMs, nowMs].filter((atMs) => nowMs - atMs < strategy.intervalMs);
      if (failuresMs.length > strategy.maxFailures) return { state, dueMs: null };
      return again({ ...state, failuresMs }, nowMs + strategy.delayMs);
    }
    default:
      return unreachable(strategy);
  }
}

function exponential(
  state: RestartState,
  strategy: Extract<RestartStrategy, { kind: "exponential-delay" }>,
  nowMs: number,
  random: () => number,
): Restart {
  const { initialMs, maxMs, multiplier, resetThresholdMs, jitter, attempts } = strategy;
  const isAnew = nowMs - state.dueMs >= resetThresholdMs; // R2
  const current = isAnew ? { ...state, restarts: 0, backoffMs: initialMs } : state;
  if (current.restarts >= attempts) return { state: current, dueMs: null };
  const { backoffMs } = current;
  const delayMs = Math.min(maxMs, backoffMs * (1 + jitter * (2 * random() - 1)));
  return again({ ...current, backoffMs: Math.min(maxMs, backoffMs * multiplier) }, nowMs + delayMs);
}

function again(state: RestartState, dueMs: number): Restart {
  return { state: { ...state, restarts: state.restarts + 1, dueMs }, dueMs };
}

export function restartStrategyOf(configuration: Configuration): RestartStrategy {
  const kind = configuration.get(OPTIONS.restartStrategy);
  switch (kind) {
    case "none":
      return { kind };
    case "fixed-delay":
      return {
        kind,
        attempts: configuration.get(OPTIONS.restartFixedAttempts),
        delayMs: configuration.get(OPTIONS.restartFixedDelay),
      };
    case "exponential-delay":
      return {
        kind,
        initialMs: configuration.get(OPTIONS.restartInitialBackoff),
        maxMs: configuration.get(OPTIONS.restartMaxBackoff),
        multiplier: configuration.get(OPTIONS.restartBackoffMultiplier),
        resetThresholdMs: configuration.get(OPTIONS.restartResetThreshold),
        jitter: configuration.get(OPTIONS.restartJitter),
        attempts: configuration.get(OPTIONS.restartBackoffAttempts) ?? Infinity,
      };
    case "failure-rate":
      return {
        kind,
        maxFailures: configuration.get(OPTIONS.restartRateFailures),
        intervalMs: configuration.get(OPTIONS.restartRateInterval),
        delayMs: configuration.get(OPTIONS.restartRateDelay),
      };
    default:
      return unreachable(kind);
  }
}

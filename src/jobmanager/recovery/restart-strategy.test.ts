import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type RestartStrategy, restartAfter, restartStateOf } from "./restart-strategy.ts";

const EXPONENTIAL: Extract<RestartStrategy, { kind: "exponential-delay" }> = {
  kind: "exponential-delay",
  initialMs: 1_000,
  maxMs: 5_000,
  multiplier: 2,
  resetThresholdMs: 60_000,
  jitter: 0,
  attempts: Infinity,
};

/** Delays after failures, each so long after the restart before it; null: the job has failed for good. */
function delays(strategy: RestartStrategy, runsMs: readonly number[], random = () => 0.5): (number | null)[] {
  let state = restartStateOf(strategy);
  let nowMs = 0;
  return runsMs.map((ranMs) => {
    nowMs = Math.max(nowMs, state.dueMs) + ranMs;
    const restart = restartAfter(state, nowMs, random);
    state = restart.state;
    return restart.dueMs === null ? null : restart.dueMs - nowMs;
  });
}

describe("restart strategies", () => {
  test("none: the first failure ends the job", () => {
    assert.deepEqual(delays({ kind: "none" }, [0]), [null]);
  });

  test("fixed delay: so many restarts in all", () => {
    const strategy: RestartStrategy = { kind: "fixed-delay", attempts: 2, delayMs: 500 };
    assert.deepEqual(delays(strategy, [0, 10_000_000, 1]), [500, 500, null]);
    assert.deepEqual(delays({ ...strategy, attempts: 0 }, [0]), [null]);
  });

  test("exponential delay: longer each time up to the most, anew after a long run (R2)", () => {
    assert.deepEqual(delays(EXPONENTIAL, [0, 0, 0, 0, 0]), [1_000, 2_000, 4_000, 5_000, 5_000]);
    assert.deepEqual(delays(EXPONENTIAL, [0, 59_999, 60_000, 0]), [1_000, 2_000, 1_000, 2_000]);
    assert.deepEqual(delays({ ...EXPONENTIAL, attempts: 2 }, [0, 0, 0]), [1_000, 2_000, null]);
    assert.deepEqual(delays({ ...EXPONENTIAL, attempts: 2 }, [0, 0, 60_000, 0, 0]), [1_000, 2_000, 1_000, 2_000, null]);
  });

  test("exponential delay varies by its jitter, and never beyond the most", () => {
    const strategy = { ...EXPONENTIAL, jitter: 0.1 };
    assert.deepEqual(
      delays(strategy, [0, 0], () => 0),
      [900, 1_800],
    );
    assert.deepEqual(
      delays(strategy, [0, 0, 0, 0], () => 1),
      [1_100, 2_200, 4_400, 5_000],
    );
  });

  test("failure rate: as many failures within any interval", () => {
    const strategy: RestartStrategy = { kind: "failure-rate", maxFailures: 2, intervalMs: 10_000, delayMs: 100 };
    assert.deepEqual(delays(strategy, [0, 0, 0]), [100, 100, null]);
    assert.deepEqual(delays(strategy, [0, 4_900, 4_900, 0]), [100, 100, 100, null]);
  });

  test("failures while a restart is waited for are part of the one before (R1)", () => {
    const first = restartAfter(restartStateOf(EXPONENTIAL), 0, () => 0.5);
    const second = restartAfter(first.state, 999, () => 0.5);
    assert.deepEqual(second, { state: first.state, dueMs: 1_000 });
    const fixed = restartAfter(restartStateOf({ kind: "fixed-delay", attempts: 1, delayMs: 10 }), 0, () => 0);
    assert.equal(restartAfter(fixed.state, 5, () => 0).dueMs, 10);
    assert.equal(restartAfter(fixed.state, 10, () => 0).dueMs, null);
  });
});

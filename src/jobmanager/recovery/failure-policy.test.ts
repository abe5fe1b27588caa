import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type EngineError, ExternalError, UserError } from "../../base/errors.ts";
import type { CheckpointId } from "../../base/ids.ts";
import { failureDecide, failurePolicyOf } from "./failure-policy.ts";
import type { RestartStrategy } from "./restart-strategy.ts";

const FIXED: RestartStrategy = { kind: "fixed-delay", attempts: 100, delayMs: 1_000 };
const lost = (): EngineError => new ExternalError("SLOT_LOST", "it is gone");
const poison = (line: number, message = `at ${Math.random()}`): EngineError =>
  new UserError("USER_FUNCTION_THREW", message, { location: { file: "job.ts", line, column: 1 } });

type Given = readonly [error: EngineError, from: number | null, atMs?: number];

/** "on", "failed" by the strategy, or "stuck". */
function decisions(given: readonly Given[], strategy = FIXED): string[] {
  let policy = failurePolicyOf(strategy);
  return given.map(([error, from, atMs], index) => {
    const failure = { error, from: from as CheckpointId | null, atMs: atMs ?? index * 10_000 };
    const decision = failureDecide(policy, failure, () => 0.5);
    policy = decision.policy;
    if (decision.isStuck) return "stuck";
    return decision.dueMs === null ? "failed" : "on";
  });
}

describe("what follows from a failure", () => {
  test("A2: what the restart strategy says", () => {
    assert.deepEqual(decisions([[lost(), null]], { kind: "none" }), ["failed"]);
    const { dueMs } = failureDecide(failurePolicyOf(FIXED), { error: lost(), from: null, atMs: 7 }, () => 0);
    assert.equal(dueMs, 1_007);
  });

  test("A3: the third time at one place from one checkpoint ends the job; other places and checkpoints do not count", () => {
    const history: Given[] = [
      ...([
        [poison(7), null],
        [poison(7), null],
        [poison(7), 1],
        [poison(8), 1],
        [poison(7), 1],
      ] as const),
      ...([
        [poison(7), 2],
        [poison(7), 2],
      ] as const),
    ];
    assert.deepEqual(decisions(history), Array(7).fill("on"));
    assert.equal(decisions([...history, [poison(7), 2]]).at(-1), "stuck");
  });

  test("A3: also when something else fails in between, as with one such record in each of two regions", () => {
    const both = [1, 2, 3].flatMap((): Given[] => [
      [poison(7), 4],
      [poison(8), 4],
    ]);
    assert.deepEqual(decisions(both), ["on", "on", "on", "on", "stuck", "stuck"]);
  });

  test("A3: the same record each time, though checkpoints were taken meanwhile; another record does not count", () => {
    const same = [1, 2, 3].map((from): Given => [poison(7, "threw on { id: 7 }"), from]);
    assert.deepEqual(decisions(same), ["on", "on", "stuck"]);
    const others = [1, 2, 3].map((from): Given => [poison(7, `threw on { id: ${from} }`), from]);
    assert.deepEqual(decisions(others), ["on", "on", "on"]);
    const rare = [1, 2, 3].map((from): Given => [poison(7, "out of memory"), from, from * 3_600_000]);
    assert.deepEqual(decisions(rare), ["on", "on", "on"]);
  });

  test("A3: what lies outside may pass: the strategy decides alone", () => {
    assert.deepEqual(decisions(Array.from({ length: 9 }, (): Given => [lost(), 1])), Array(9).fill("on"));
  });

  test("A3: without a place of the engine's, the first frame of the innermost cause is the place", () => {
    const thrown = (line: number): EngineError => {
      const cause = new Error("no");
      cause.stack = `Error: no\n    at node:internal/x:1:1\n    at check (file:///job.ts:${line}:3)`;
      return new UserError("USER_FUNCTION_THREW", `on ${Math.random()}`, { cause });
    };
    assert.equal(decisions([1, 1, 1].map((line): Given => [thrown(line), 1])).at(-1), "stuck");
    assert.equal(decisions([1, 2, 1].map((line): Given => [thrown(line), 1])).at(-1), "on");
  });
});

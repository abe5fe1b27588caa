import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type EngineError, ExternalError, UserError } from "../base/errors.ts";
import type { CheckpointId } from "../base/ids.ts";
import { SimEnv } from "../testing/sim-env.ts";
import { type AttemptMaster, type AttemptStart, JobAttempts, type Recovery } from "./job-attempts.ts";
import type { JobResult } from "./job-master.ts";
import type { RestartStrategy } from "./restart-strategy.ts";

class Master implements AttemptMaster {
  readonly asked: string[] = [];
  readonly #end = Promise.withResolvers<JobResult>();
  readonly result = this.#end.promise;
  failedMs: number | null = null;
  runningSinceMs: number | null = null;
  readonly #running = Promise.withResolvers<void>();

  run(nowMs: number | null): void {
    this.runningSinceMs = nowMs;
    this.#running.resolve();
  }

  running(): Promise<void> {
    return this.#running.promise;
  }

  end(outcome: JobResult["outcome"], error: EngineError | null = null): void {
    this.#end.resolve({ outcome, error });
  }

  start(): void {
    this.asked.push("start");
  }

  stop(): void {
    this.asked.push("stop");
  }

  cancel(): void {
    this.asked.push("cancel");
  }

  fail(): void {
    this.asked.push("fail");
  }
}

const FIXED: RestartStrategy = { kind: "fixed-delay", attempts: 10, delayMs: 1_000 };
const chk = (id: number): AttemptStart<string> => ({ checkpoint: id as CheckpointId, restore: `state ${id}` });
const NOTHING: AttemptStart<string> = { checkpoint: null, restore: null };
const lost = (what = "SLOT_LOST"): EngineError => new ExternalError(what, "it is gone");

function setUp(strategy: RestartStrategy = FIXED) {
  const env = new SimEnv({ seed: 1 });
  const masters: Master[] = [];
  const begun: [number, AttemptStart<string>][] = [];
  const failed: [number, string, number][] = [];
  const recovered: Recovery<string>[] = [];
  const newest = { start: chk(1), error: null as EngineError | null, delayMs: 0 };
  const attempts = new JobAttempts<Master, string>({
    env,
    strategy,
    first: NOTHING,
    begin: (attempt, start) => {
      begun.push([attempt, start]);
      const master = new Master();
      masters.push(master);
      return master;
    },
    newest: async () => {
      if (newest.delayMs > 0) await new Promise<void>((resolve) => void env.timers.after(newest.delayMs, resolve));
      if (newest.error !== null) throw newest.error;
      return newest.start;
    },
    onFailed: ({ attempt, error }, delayMs) => failed.push([attempt, error.code, delayMs]),
    onRecovered: (recovery) => recovered.push(recovery),
  });
  attempts.start();
  let result: JobResult | null = null;
  void attempts.result.then((given) => {
    result = given;
  });
  const fail = async (error: EngineError, waitMs = 1_000): Promise<void> => {
    masters.at(-1)!.end("failed", error);
    await env.advance(waitMs);
  };
  return { env, attempts, masters, begun, failed, recovered, newest, fail, result: () => result };
}

describe("the attempts of a job", () => {
  test("after a failure the next begins from the newest checkpoint, when its time has come (A1)", async () => {
    const { masters, begun, failed, newest, fail, result, env } = setUp();
    await fail(lost(), 999);
    assert.deepEqual(failed, [[0, "SLOT_LOST", 1_000]]);
    assert.equal(masters.length, 1);
    newest.start = chk(7);
    await env.advance(1);
    assert.deepEqual(begun, [
      [0, NOTHING],
      [1, chk(7)],
    ]);
    assert.deepEqual(masters[1]?.asked, ["start"]);
    masters[1]?.end("finished");
    await env.advance(0);
    assert.deepEqual(result(), { outcome: "finished", error: null });
  });

  test("a recovery says what failed, where it begins, and how long each step took", async () => {
    const { env, attempts, masters, recovered, newest, fail } = setUp();
    await env.advance(5_000);
    masters[0]!.failedMs = env.clock.monotonicMs();
    await env.advance(70);
    newest.delayMs = 30;
    newest.start = chk(7);
    await fail(lost(), 1_030);
    assert.equal(attempts.restarts, 1);
    await env.advance(400);
    masters[1]!.run(env.clock.monotonicMs());
    await env.advance(0);
    const [{ attempt, start, failed, tookMs }] = recovered as [Recovery<string>];
    assert.deepEqual([attempt, start, failed.error.code], [1, chk(7), "SLOT_LOST"]);
    assert.deepEqual(tookMs, { end: 70, wait: 1_000, read: 30, deploy: 400 });
    await fail(lost(), 1_030);
    masters[2]!.run(null); // It has ended before all its tasks ran.
    await env.advance(0);
    assert.equal(recovered.length, 1);
  });

  test("when the strategy gives up, the last failure is the job's (A2)", async () => {
    const error = lost();
    const { fail, result } = setUp({ kind: "none" });
    await fail(error);
    assert.deepEqual(result(), { outcome: "failed", error });
  });

  test("a job that its user has ended is not started again, whether it runs or waits (A2)", async () => {
    const running = setUp();
    running.attempts.stop();
    assert.deepEqual(running.masters[0]?.asked, ["start", "stop"]);
    const error = lost();
    await running.fail(error);
    assert.deepEqual(running.result(), { outcome: "failed", error });
    const waiting = setUp();
    await waiting.fail(lost(), 10);
    waiting.attempts.cancel();
    await waiting.env.advance(10_000);
    assert.deepEqual(waiting.result(), { outcome: "cancelled", error: null });
    assert.equal(waiting.masters.length, 1);
  });

  test("the same failure from the same checkpoint ends the job the third time, others do not (A3)", async () => {
    const { fail, result, masters, newest } = setUp();
    const poison = (line: number): EngineError =>
      new UserError("USER_FUNCTION", `at ${Math.random()}`, { location: { file: "job.ts", line, column: 1 } });
    await fail(poison(7)); // From nothing.
    await fail(poison(7));
    await fail(poison(7));
    await fail(poison(8));
    await fail(poison(7));
    newest.start = chk(2);
    await fail(poison(7));
    assert.equal(result(), null);
    assert.equal(masters.length, 7);
    await fail(poison(7));
    await fail(poison(7));
    assert.equal(result(), null);
    await fail(poison(7));
    assert.equal((result() as JobResult | null)?.outcome, "failed");
  });

  test("so does the same record each time, though checkpoints were taken meanwhile; what lies outside may pass (A3)", async () => {
    const poison = (): EngineError =>
      new UserError("USER_FUNCTION_THREW", "threw on { id: 7 }", { location: { file: "job.ts", line: 7, column: 1 } });
    for (const [failure, isStuck] of [
      [poison, true],
      [lost, false],
    ] as const) {
      const { fail, result, newest } = setUp();
      for (const id of [1, 2, 3]) {
        newest.start = chk(id);
        await fail(failure());
      }
      assert.equal((result() as JobResult | null)?.outcome === "failed", isStuck);
    }
  });

  test("nothing that can be restored is the job's failure, never an empty start", async () => {
    const { fail, result, newest, masters } = setUp();
    newest.error = lost("CHECKPOINT_NONE_READABLE");
    await fail(lost());
    assert.deepEqual(result(), { outcome: "failed", error: newest.error });
    assert.equal(masters.length, 1);
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type EngineError, ExternalError } from "../../base/errors.ts";
import type { CheckpointId } from "../../base/ids.ts";
import type { RestorePlan } from "../../checkpoint/restore.ts";
import { SimEnv } from "../../testing/sim-env.ts";
import { type FailedAttempt, Recoveries, type Recovery } from "./recoveries.ts";

const chk = (id: number): RestorePlan => ({ metadata: { id: id as CheckpointId }, dropped: [] }) as never;
const failedIn = (attempt: number): FailedAttempt => ({
  ...{ attempt, atMs: 0, error: new ExternalError("LOST", "it is gone"), from: null, tasks: [], slot: null },
});

function setUp() {
  const env = new SimEnv({ seed: 1 });
  const deployed: [regions: readonly number[], from: number | null, attempt: number][] = [];
  const recovered: Recovery[] = [];
  const failed: EngineError[] = [];
  const world = { newest: chk(1), error: null as EngineError | null, readMs: 0, storingMs: 0 };
  const passed = (ms: number): Promise<void> => new Promise((resolve) => void env.timers.after(ms, resolve));
  const recoveries = new Recoveries(
    {
      env,
      stored: () => (world.storingMs === 0 ? Promise.resolve() : passed(world.storingMs)),
      newest: async () => {
        if (world.readMs > 0) await passed(world.readMs);
        if (world.error !== null) throw world.error;
        return world.newest;
      },
      deploy: (regions, restore, attempt) => deployed.push([regions, restore?.metadata.id ?? null, attempt]),
      onRecovered: (recovery) => recovered.push(recovery),
      fail: (error) => failed.push(error),
    },
    0,
  );
  return { env, recoveries, deployed, recovered, failed, world };
}

describe("regions that have failed", () => {
  test("V1: begin anew when nothing is left of them and their time has come, from what is newest then", async () => {
    const { env, recoveries, deployed, world } = setUp();
    recoveries.begin([0, 2], failedIn(0), 1_000);
    recoveries.onClosed(0);
    await env.advance(2_000);
    assert.deepEqual(deployed, []);
    world.newest = chk(7);
    recoveries.onClosed(2);
    await env.advance(0);
    assert.deepEqual(deployed, [[[0, 2], 7, 1]]);
    recoveries.begin([1], failedIn(0), 9_000);
    recoveries.onClosed(1);
    await env.advance(6_999);
    assert.equal(deployed.length, 1);
    await env.advance(1);
    assert.deepEqual(deployed[1], [[1], 7, 2]);
  });

  test("V1: not while a checkpoint is being stored, which may be the one to begin from", async () => {
    const { env, recoveries, deployed, world } = setUp();
    world.storingMs = 50;
    recoveries.begin([0], failedIn(0), 0);
    recoveries.onClosed(0);
    await env.advance(49);
    world.newest = chk(8);
    assert.deepEqual(deployed, []);
    await env.advance(1);
    assert.deepEqual(deployed, [[[0], 8, 1]]);
  });

  test("say what failed, where they begin, in how many new threads, and how long each step took", async () => {
    const { env, recoveries, recovered, world } = setUp();
    await env.advance(5_000);
    recoveries.begin([1, 0], failedIn(0), 6_100);
    await env.advance(70);
    recoveries.onClosed(0);
    recoveries.onClosed(1);
    world.readMs = 30;
    recoveries.onThread();
    await env.advance(1_060);
    recoveries.onRunning([0]);
    await env.advance(400);
    assert.equal(recovered.length, 0);
    recoveries.onRunning([0, 1]);
    const [{ attempt, restore, failed, regions, newThreads, tookMs }] = recovered as [Recovery];
    assert.deepEqual([attempt, restore?.metadata.id, failed.error.code, newThreads], [1, 1, "LOST", 1]);
    assert.deepEqual([regions, tookMs], [[0, 1], { end: 70, wait: 1_030, read: 30, deploy: 400 }]);
  });

  test("V2: one that fails again before all run is told with the later failure, the others with the earlier one", async () => {
    const { env, recoveries, recovered } = setUp();
    recoveries.begin([0, 1], failedIn(0), 0);
    recoveries.onClosed(0);
    recoveries.onClosed(1);
    await env.advance(0);
    recoveries.begin([1], failedIn(1), 0);
    recoveries.onRunning([0]);
    recoveries.begin([0], failedIn(1), 0);
    assert.equal(recovered.length, 1);
    for (const region of [1, 0]) {
      recoveries.onClosed(region);
      await env.advance(0);
    }
    recoveries.onRunning([0, 1]);
    assert.deepEqual(
      recovered.map(({ attempt, regions, failed }) => [attempt, regions, failed.attempt]),
      [
        [1, [0], 0],
        [2, [1], 1],
        [3, [0], 1],
      ],
    );
  });

  test("V3: do not begin anew once the job ends, whether they wait or look where to begin", async () => {
    for (const readMs of [0, 10]) {
      const { env, recoveries, deployed, world, failed } = setUp();
      world.readMs = readMs;
      recoveries.begin([0], failedIn(0), 5);
      recoveries.onClosed(0);
      await env.advance(readMs === 0 ? 4 : 6);
      recoveries.stop();
      await env.advance(100);
      assert.deepEqual([deployed, failed], [[], []]);
    }
  });

  test("what cannot be restored is the job's failure, never an empty start", async () => {
    const { env, recoveries, deployed, world, failed } = setUp();
    world.error = new ExternalError("CHECKPOINT_NONE_READABLE", "none");
    recoveries.begin([0], failedIn(0), 0);
    recoveries.onClosed(0);
    await env.advance(0);
    assert.deepEqual([deployed, failed], [[], [world.error]]);
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { JobId } from "../base/ids.ts";
import { SimEnv } from "../testing/sim-env.ts";
import { Savepoints } from "./savepoints.ts";

const TARGETS = "/targets";

function setUp() {
  const env = new SimEnv({ seed: 1 });
  const savepoints = new Savepoints({
    env,
    ...{ configuration: null as never, plan: null as never, master: { checkpointing: null } as never },
    jobId: "0".repeat(32) as JobId,
    checkpoints: { cwd: "/", savepointDirectory: TARGETS, directory: { path: "/checkpoints" } } as never,
    log: () => undefined,
  });
  /** Asks at once, then lets the disk do what is asked of it. */
  const ask = async (...paths: (string | null)[]) => {
    const asked = Promise.allSettled(paths.map((path) => savepoints.takeAtEnd(path)));
    await env.runUntilIdle();
    return asked;
  };
  return { env, ask, savepoints };
}

const codeOf = (asked: PromiseSettledResult<unknown> | undefined): string =>
  asked?.status === "rejected" ? (asked.reason as { code: string }).code : "taken";

test("of two stops with a savepoint at once one goes ahead, and the other is told so", async () => {
  const { env, ask } = setUp();
  assert.deepEqual((await ask(null, null)).map(codeOf), ["taken", "JOB_NOT_RUNNING"]);
  assert.deepEqual((await ask(null)).map(codeOf), ["JOB_NOT_RUNNING"]);
  const places = env.disk.list(TARGETS);
  await env.runUntilIdle();
  assert.equal((await places).length, 1, "no place is made for what is not written");
});

test("a stop whose savepoint has no place, or that is given up, leaves the next one free to ask", async () => {
  const { env, ask } = setUp();
  env.disk.put("/there", "a file");
  assert.deepEqual((await ask("/there")).map(codeOf), ["SAVEPOINT_TARGET_EXISTS"]);
  const [first] = await ask("/first");
  assert.ok(first?.status === "fulfilled");
  const givenUp = first.value.giveUp();
  await env.runUntilIdle();
  await givenUp;
  assert.deepEqual((await ask("/second")).map(codeOf), ["taken"]);
});

test("why there is no savepoint is told, also where nothing can be removed of it", async () => {
  const { env, ask, savepoints } = setUp();
  const [asked] = await ask("/first");
  assert.ok(asked?.status === "fulfilled");
  env.disk.faults.fail = (operation) => (operation === "remove" ? "DISK_IO" : null);
  const told = Promise.allSettled([asked.value.written]);
  const ended = savepoints.end({ outcome: "failed", error: null });
  await env.runUntilIdle();
  await ended;
  assert.deepEqual((await told).map(codeOf), ["SAVEPOINT_ABORTED"]);
});

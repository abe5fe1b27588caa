import assert from "node:assert/strict";
import { test } from "node:test";
import { SimEnv } from "../testing/sim-env.ts";
import { Watchdog } from "./watchdog.ts";

function setUp() {
  const env = new SimEnv({ seed: 1 });
  const progress = new Int32Array(new SharedArrayBuffer(8));
  const stuck: { slot: number; stuckMs: number; atMs: number }[] = [];
  const onStuck = (slot: number, stuckMs: number) => stuck.push({ slot, stuckMs, atMs: env.clock.monotonicMs() });
  const watchdog = new Watchdog({ env, progress, timeoutMs: 1_000, onStuck });
  watchdog.watch();
  return { env, progress, stuck, watchdog };
}

test("a slot inside user code without progress for the time-out is reported once, within a quarter of it", async () => {
  const { env, progress, stuck } = setUp();
  await env.advance(10_000);
  progress[1] = 1;
  await env.advance(5_000);
  assert.equal(stuck.length, 1);
  assert.equal(stuck[0]?.slot, 1);
  assert.ok(stuck[0].stuckMs >= 1_000 && stuck[0].atMs <= 11_500, JSON.stringify(stuck));
});

test("a slot that sleeps, or that goes on, is never reported", async () => {
  const { env, progress, stuck } = setUp();
  progress[0] = 2; // Even: outside user code.
  for (let turn = 0; turn < 50; turn += 1) {
    progress[1]! += turn % 2 === 0 ? 1 : 2; // Often inside, yet moving.
    await env.advance(300);
  }
  assert.deepEqual(stuck, []);
});

test("a forgotten slot and a stopped watchdog report nothing, and a stopped one leaves no timer", async () => {
  const forgotten = setUp();
  forgotten.progress[0] = 1;
  forgotten.watchdog.forget(0);
  await forgotten.env.advance(10_000);
  assert.deepEqual(forgotten.stuck, []);
  const stopped = setUp();
  stopped.progress[0] = 1;
  stopped.watchdog.stop();
  await stopped.env.advance(10_000);
  assert.deepEqual(stopped.stuck, []);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { SimEnv } from "../testing/sim-env.ts";
import { Watchdog } from "./watchdog.ts";

function setUp() {
  const env = new SimEnv({ seed: 1 });
  const progress = new Int32Array(new SharedArrayBuffer(8));
  const stuck: { slot: number; stuckMs: number; atMs: number }[] = [];
  const onStuck = (slot: number, stuckMs: number) => stuck.push({ slot, stuckMs, atMs: env.clock.monotonicMs() });
  const rung: number[] = [];
  const awake = { slot: -1 };
  const ring = (slot: number): void => {
    rung.push(slot);
    if (slot === awake.slot) progress[slot]! += 2;
  };
  const watchdog = new Watchdog({ env, progress, timeoutMs: 1_000, ring, onStuck });
  watchdog.watch();
  return { env, progress, stuck, watchdog, rung, awake };
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

test("a slot that sleeps, and answers when it is rung, is never reported, nor is one that goes on", async () => {
  const { env, progress, stuck, awake, rung } = setUp();
  progress[0] = 2; // Even: outside a turn.
  awake.slot = 0;
  for (let turn = 0; turn < 50; turn += 1) {
    progress[1]! += turn % 2 === 0 ? 1 : 2; // Often inside, yet moving.
    await env.advance(300);
  }
  assert.deepEqual(stuck, []);
  assert.ok(rung.includes(0) && !rung.includes(1));
});

test("a slot that hangs outside of turns is rung, and reported when it does not answer within the time-out", async () => {
  const { env, progress, stuck, rung } = setUp();
  progress[0] = 2;
  await env.advance(1_800);
  assert.deepEqual([rung, stuck], [[0], []]);
  await env.advance(1_000);
  assert.deepEqual([rung, stuck.map(({ slot }) => slot)], [[0], [0]]);
});

test("a slot that has never looked for work is being started, and not watched", async () => {
  const { env, stuck, rung } = setUp();
  await env.advance(10_000);
  assert.deepEqual([rung, stuck], [[], []]);
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

import assert from "node:assert/strict";
import { test } from "node:test";
import { SimEnv } from "../testing/sim-env.ts";
import { MemoryGuard } from "./memory-guard.ts";

function setUp(bytesAt: (nowMs: number) => number | null) {
  const env = new SimEnv({ seed: 1 });
  const over: number[] = [];
  const guard = new MemoryGuard({
    env,
    limitBytes: 1_000,
    residentBytes: () => bytesAt(env.clock.monotonicMs()),
    onOver: async (bytes) => {
      over.push(bytes);
      await new Promise<void>((resolve) => env.timers.after(3_000, resolve));
    },
  });
  guard.watch();
  return { env, guard, over };
}

test("a process at its limit is left alone; one above it is reported, and again only after the report was dealt with", async () => {
  const { env, over } = setUp((nowMs) => (nowMs < 1_000 ? 1_000 : 1_001));
  await env.advance(900);
  assert.deepEqual(over, []);
  await env.advance(2_000);
  assert.deepEqual(over, [1_001]);
  await env.advance(2_000);
  assert.deepEqual(over, [1_001, 1_001]);
});

test("a stopped guard reports nothing and leaves no timer, whatever was under way", async () => {
  const { env, guard, over } = setUp(() => 2_000);
  await env.advance(300);
  guard.stop();
  await env.advance(10_000);
  assert.deepEqual(over, [2_000]);
});

test("where the size is not known nothing is watched", async () => {
  const { env, over } = setUp(() => null);
  await env.advance(10_000);
  assert.deepEqual(over, []);
});

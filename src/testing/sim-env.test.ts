import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SimEnv } from "./sim-env.ts";

/** Three tasks that sleep for random times and meet at equal instants. */
async function history(seed: number): Promise<{ steps: string; digest: string }> {
  const env = new SimEnv({ seed });
  const steps: string[] = [];
  const task = async (name: string): Promise<void> => {
    for (let round = 0; round < 5; round += 1) {
      const delayMs = Math.floor(env.random.next() * 3);
      await new Promise<void>((resolve) => env.timers.after(delayMs, resolve));
      steps.push(`${name}@${env.clock.monotonicMs()}`);
    }
  };
  void task("a");
  void task("b");
  void task("c");
  await env.runUntilIdle();
  return { steps: steps.join(" "), digest: env.digest() };
}

describe("the simulated environment", () => {
  test("one seed gives one history, another seed another", async () => {
    const first = await history(7);
    assert.deepEqual(await history(7), first);
    const others = new Set((await Promise.all([1, 2, 3, 4].map(history))).map((other) => other.digest));
    assert.equal(others.size, 4);
    assert.ok(!others.has(first.digest));
  });

  test("timers fire at their virtual times, and waiting takes no real time", async () => {
    const env = new SimEnv({ seed: 1, startMs: 1_000 });
    const fired: number[] = [];
    env.timers.after(86_400_000, () => fired.push(env.clock.nowMs()));
    env.timers.after(5, () => fired.push(env.clock.nowMs()));
    await env.advance(4);
    assert.deepEqual(fired, []);
    await env.advance(1);
    assert.deepEqual(fired, [1_005]);
    await env.runUntilIdle();
    assert.deepEqual(fired, [1_005, 86_401_000]);
  });

  test("between two events all promises that can go on do so, however many follow one another", async () => {
    const env = new SimEnv({ seed: 1 });
    const steps: string[] = [];
    const walk = async (): Promise<void> => {
      for (let step = 0; step < 1_000; step += 1) await Promise.resolve();
      steps.push("promises");
    };
    env.timers.after(1, () => void walk());
    env.timers.after(1.001, () => steps.push("next event"));
    await env.runUntilIdle();
    assert.deepEqual(steps, ["promises", "next event"]);
  });

  test("events of one instant run in an order drawn from the seed", async () => {
    const orders = new Set<string>();
    for (let seed = 0; seed < 40; seed += 1) {
      const env = new SimEnv({ seed });
      let order = "";
      for (const name of ["a", "b", "c"]) env.timers.soon(() => (order += name));
      await env.runUntilIdle();
      orders.add(order);
    }
    assert.equal(orders.size, 6);
  });

  test("a cancelled timer never fires and keeps nothing busy; a background timer fires only while others are awaited", async () => {
    const env = new SimEnv({ seed: 1 });
    const fired: string[] = [];
    const beat = (): void => {
      fired.push("beat");
      env.timers.after(10, beat, { background: true });
    };
    env.timers.after(10, beat, { background: true });
    const cancelled = env.timers.after(50, () => fired.push("never"));
    cancelled.cancel();
    await env.runUntilIdle();
    assert.equal(fired.length, 0);
    env.timers.after(25, () => fired.push("done"));
    await env.runUntilIdle();
    assert.deepEqual(fired, ["beat", "beat", "done"]);
    await env.advance(100);
    assert.ok(!fired.includes("never"));
  });

  test("a jump of the wall clock moves no timer and no duration", async () => {
    const env = new SimEnv({ seed: 1, startMs: 0 });
    env.jumpWallClock(-5_000);
    assert.equal(env.clock.nowMs(), -5_000);
    assert.equal(env.clock.monotonicMs(), 0);
    await env.advance(10);
    assert.equal(env.clock.nowMs(), -4_990);
  });

  test("a program that never rests is reported with its seed", async () => {
    const env = new SimEnv({ seed: 99, eventsMax: 100 });
    const spin = (): void => env.timers.soon(spin);
    spin();
    await assert.rejects(env.runUntilIdle(), /seed 99: no rest after 100 events/);
  });
});

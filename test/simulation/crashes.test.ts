import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { CheckpointDirectory } from "../../src/checkpoint/checkpoint-directory.ts";
import { generate, job, jsonl, type Source } from "../../src/index.ts";
import { SimEnv } from "../../src/testing/sim-env.ts";
import { SimFaults } from "../../src/testing/sim-faults.ts";
import { simulateStarts } from "../../src/testing/simulate-starts.ts";
import { rowsOf } from "./outcome.ts";
import { LEDGER, ORACLE, runSeed, type Scenario } from "./scenarios.ts";

async function seedsOf(scenario: Scenario, seeds: number): Promise<void> {
  for (let seed = 1; seed <= seeds; seed += 1) await runSeed(scenario, seed);
}

describe("whatever dies and is started again, at whatever parallelism", () => {
  test("bookings are committed once, in order, with the right balances, in 120 worlds (K1)", () =>
    seedsOf(LEDGER, 120));

  test("windows, timers and side outputs have the rows of an undisturbed run, in 80 worlds (K2)", () =>
    seedsOf(ORACLE, 80));
});

describe("what worlds have found", () => {
  /** Says that it does not end, and does. */
  const numbers = { ...generate(40, (n) => ({ n }), { rate: 400 }), bounded: false } as Source<{ n: number }>;
  const ending = job({ name: "ending" }, (env) => {
    const read = env.from("in", numbers);
    for (const name of ["first", "second", "third"]) read.to(name, jsonl(`/out/${name}`));
  });
  const started = (seed: number, config: Readonly<Record<string, string | number>>) =>
    simulateStarts(ending, {
      ...{ seed, faults: new SimFaults([], new SeededRandom(seed)), parallelism: () => 2 },
      config: () => config,
    });

  test("an endless job whose source comes to its end has finished once its checkpoints' commits are done", async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const { disk, starts } = await started(seed, { "execution.checkpointing.interval": "20ms" });
      assert.deepEqual([starts, rowsOf(disk).length], [1, 120]);
    }
  });

  test("a job ends whose regions have, also when one of them begins anew during the last checkpoint", async () => {
    const regions = job({ name: "regions" }, (env) => {
      for (const [name, rows] of [["short", 5] as const, ["long", 20] as const])
        env
          .from(
            name,
            generate(rows, (n) => ({ n }), { rate: 400 }),
          )
          .slotGroup(name)
          .to(`${name}-out`, jsonl(`/out/${name}`));
    });
    for (let seed = 1; seed <= 10; seed += 1) {
      const faults = new SimFaults(
        [{ kind: "slot", at: { phase: "final", visit: 1, events: 0 }, size: 0 }],
        new SeededRandom(seed),
      );
      const { disk, starts } = await simulateStarts(regions, {
        ...{ seed, faults, parallelism: () => 1 },
        config: () => ({}),
      });
      assert.deepEqual([starts, rowsOf(disk).length], [1, 25], `SEED=${seed}`);
    }
  });

  test("splits are handed out between checkpoints that follow each other closely, or are too late each", async () => {
    const several = { "execution.checkpointing.max-concurrent-checkpoints": 4 };
    const late = {
      "execution.checkpointing.timeout": "10ms",
      "execution.checkpointing.tolerable-failed-checkpoints": 10_000,
    };
    for (const more of [several, late]) {
      for (let seed = 1; seed <= 5; seed += 1) {
        const { starts } = await started(seed, { "execution.checkpointing.interval": "10ms", ...more });
        assert.equal(starts, 1);
      }
    }
  });

  test("what a process that died has renamed last is durable before the next one builds on it", async () => {
    const env = new SimEnv({ seed: 1 });
    const { disk } = env;
    disk.put("/job/chk-1/_metadata", "one");
    disk.put("/job/.unfinished", "chk-1 0");
    const done = (work: Promise<unknown>): Promise<void> => {
      let isDone = false;
      void work.finally(() => {
        isDone = true;
      });
      return env.runUntilIdle(() => isDone);
    };
    await done(disk.rename("/job/.unfinished", "/job/latest"));
    env.crash("process");
    assert.equal(disk.durable("/job/latest"), null);
    await done(CheckpointDirectory.open(disk, "/job", "ending"));
    assert.equal(Buffer.from(disk.durable("/job/latest") ?? []).toString(), "chk-1 0");
  });
});

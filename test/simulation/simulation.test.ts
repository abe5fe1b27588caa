import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { job, type Sink, type Source } from "../../src/index.ts";
import { simulateJob } from "../../src/testing/simulate-job.ts";
import { MOVES, RANDOM_GRAPH, runSeed, runSeeds, SILENCES, UPDATES } from "./scenarios.ts";

describe("simulation", () => {
  test("a job with timers and windows gives the same rows under 70 seeds of delays, chunks, schedules and cuts", () =>
    runSeeds(MOVES, 70));

  test("state machines in event-time order give the same rows at parallelism 1 to 4, under 60 seeds", () =>
    runSeeds(SILENCES, 60));

  test("100 random jobs give what a naive interpreter of one thread gives", () => runSeeds(RANDOM_GRAPH, 100));

  test("150 random jobs over updates are refused, or leave the rows of a naive interpreter", async () => {
    for (let seed = 1; seed <= 150; seed += 1) await runSeed(UPDATES, seed);
  });
});

/** A source of one record per subtask whose reader waits for a wake-up that never comes. */
const sleeping: Source<number> = {
  kind: "sleeping",
  type: null,
  bounded: false,
  invalid: "fail",
  describe: () => ({}),
  createEnumerator: () => ({
    start: async () => undefined,
    next: () => null,
    addBack: () => undefined,
    snapshot: () => null,
    restore: () => undefined,
    close: async () => undefined,
  }),
  createReader: () => ({
    addSplit: () => undefined,
    noMoreSplits: () => undefined,
    poll: () => "wait",
    snapshot: () => [],
    close: async () => undefined,
  }),
};
const nowhere: Sink<unknown> = {
  kind: "nowhere",
  guarantee: "at-least-once",
  describe: () => ({}),
  createWriter: () => ({
    open: async () => undefined,
    write: () => true,
    flush: async () => undefined,
    prepareCommit: async () => [],
    abort: async () => undefined,
    close: async () => undefined,
  }),
};

describe("what the simulator finds out", () => {
  test("Y2: a job that waits for what never comes is reported, with the seed", async () => {
    const hanging = job({ name: "hanging" }, (env) => void env.from("in", sleeping).to("out", nowhere));
    await assert.rejects(simulateJob(hanging, { seed: 11 }), /SEED=11: the job hangs/);
  });

  test("Y3: the clock, randomness and timers of the process are out of reach, for user code as for the engine", async () => {
    const uses: Record<string, () => unknown> = {
      "Date.now": () => Date.now(),
      "new Date()": () => new Date(),
      "Date()": () => Date(),
      "Math.random": () => Math.random(),
      "performance.now": () => performance.now(),
      setTimeout: () => setTimeout(() => undefined, 1),
      setImmediate: () => setImmediate(() => undefined),
      setInterval: () => setInterval(() => undefined, 1),
      randomUUID: () => crypto.randomUUID(),
    };
    for (const [name, use] of Object.entries(uses)) {
      const ambient = job({ name: "ambient" }, (env) => {
        use();
        env.from("in", sleeping).to("out", nowhere);
      });
      await assert.rejects(simulateJob(ambient, { seed: 1 }), {
        code: "SIMULATION_AMBIENT",
        message: new RegExp(name.replace(/[()]/g, ".")),
      });
    }
    assert.ok(Date.now() > 0 && Math.random() >= 0 && new Date() instanceof Date, "the trap is lifted");
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FAULT_CELLS } from "../../../src/testing/sim-fault-plan.ts";
import { FaultCells } from "../../../src/testing/sim-faults.ts";
import { GRAPHS, runSeed } from "../scenarios.ts";

const SEEDS = 300;

describe("random graphs of which everything may fail", () => {
  const seen = new FaultCells();

  test("300 of them have committed the rows that an interpreter of one thread gives (K1, K2)", async () => {
    const run = async (seed: number) => {
      const crashed = await GRAPHS.crashing(seed);
      seen.addAll(crashed.cells);
      return crashed;
    };
    for (let seed = 1; seed <= SEEDS; seed += 1) await runSeed({ ...GRAPHS, run }, seed);
  });

  // That each did in each phase in which it can is for a campaign of some thousands (`npm run simulate`); "stopping"
  // and "failing" are as rare as they are short.
  test("each kind of fault happened, in each phase something did, and most did in most phases", () => {
    assert.deepEqual(
      seen.never().filter((cell) => !["stopping", "failing"].includes(cell)),
      [],
    );
    assert.ok(seen.empty().length <= FAULT_CELLS.length / 3, `${seen.empty()}`);
  });
});

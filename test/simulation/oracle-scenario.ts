// Jobs with windows, timers, process functions, side outputs, combiners and event-time order over files: whatever dies
// and is started again, at whatever parallelism, their rows are those of a run in which nothing happens.

import assert from "node:assert/strict";
import market from "../../examples/01-market/job.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import type { Job } from "../../src/index.ts";
import type { SimDisk } from "../../src/testing/sim-disk.ts";
import { simulateStarts } from "../../src/testing/simulate-starts.ts";
import { type Crashed, type Less, NOTHING_LESS, WorldFailed, worldOf } from "./crash-world.ts";
import { marketInput, marketParams, marketScenario } from "./market-scenario.ts";
import { moves, movesInput, movesScenario } from "./moves-scenario.ts";
import { type Outcome, rowsOf } from "./outcome.ts";
import { silences, silencesInput, silencesScenario } from "./silences-scenario.ts";

type Case = {
  readonly job: Job;
  readonly params?: Readonly<Record<string, string>>;
  readonly prepare: (disk: SimDisk) => void;
  readonly undisturbed: (seed: number) => Promise<Outcome>;
};

const CASES: readonly Case[] = [
  { job: moves, prepare: movesInput, undisturbed: movesScenario },
  { job: silences, prepare: silencesInput, undisturbed: silencesScenario },
  { job: market, params: marketParams, prepare: marketInput, undisturbed: marketScenario },
];
const expected = new Map<Case, readonly string[]>();

export async function oracleScenario(seed: number, less: Less = NOTHING_LESS): Promise<Crashed> {
  const random = new SeededRandom(seed ^ 0x0eac1e);
  const chosen = CASES[random.below(CASES.length)]!;
  const rows = expected.get(chosen) ?? (await chosen.undisturbed(1)).rows;
  expected.set(chosen, rows);
  const { planned, ...world } = worldOf({ seed, random, less, drains: false });
  const { faults } = world;
  const { params, prepare } = chosen;
  try {
    const starts = await simulateStarts(chosen.job, {
      ...{ ...world, prepare, ...(params !== undefined && { params }) },
      onOver: (disk) => assert.deepEqual(rowsOf(disk), rows),
    });
    return { ...starts, cells: faults.cells };
  } catch (cause) {
    throw new WorldFailed(seed, { what: [faults.plan], size: { faults: planned, nodes: 0 }, cause });
  }
}

// Jobs with windows, timers, process functions, side outputs, combiners and event-time order over files: whatever dies
// and is started again, at whatever parallelism, their rows are those of a run in which nothing happens.

import assert from "node:assert/strict";
import market from "../../examples/01-market/job.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import type { Job } from "../../src/index.ts";
import type { SimDisk } from "../../src/testing/sim-disk.ts";
import { type FaultCounts, faultPlanOf, SimFaults } from "../../src/testing/sim-faults.ts";
import { type Starts, simulateStarts } from "../../src/testing/simulate-starts.ts";
import { checkpointsConfig } from "./checkpoints-config.ts";
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

export async function oracleScenario(seed: number): Promise<Starts & { readonly counts: FaultCounts }> {
  const random = new SeededRandom(seed ^ 0x0eac1e);
  const chosen = CASES[random.below(CASES.length)]!;
  const rows = expected.get(chosen) ?? (await chosen.undisturbed(1)).rows;
  expected.set(chosen, rows);
  const faults = new SimFaults(faultPlanOf(random));
  const first = 1 + random.below(4);
  const changes = random.next() < 0.6;
  const later = Array.from({ length: 8 }, () => 1 + random.below(4));
  const { params, prepare } = chosen;
  const starts = await simulateStarts(chosen.job, {
    ...{ seed, faults, prepare, ...(params !== undefined && { params }) },
    realLinks: seed % 5 === 0,
    config: checkpointsConfig(random),
    parallelism: (start) => (changes ? (later[start - 1] ?? first) : first),
  });
  try {
    assert.deepEqual(rowsOf(starts.disk), rows);
  } catch (error) {
    throw new Error([`SEED=${seed} ${JSON.stringify(faults.plan)}`, ...starts.log].join("\n"), { cause: error });
  }
  return { ...starts, counts: faults.counts };
}

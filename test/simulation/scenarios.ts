// What is simulated, each as a function of a seed. A scenario throws when an outcome is wrong; its digest tells
// histories apart. One seed in five has the links of a real TaskManager, the others simulated ones.

import assert from "node:assert/strict";
import { noBreaks, type SimBreaks } from "../../src/testing/sim-transport.ts";
import { commitScenario } from "./commit-scenario.ts";
import type { Crashing } from "./crash-world.ts";
import { filesScenario } from "./files-scenario.ts";
import { graphScenario } from "./graphs/graph-scenario.ts";
import { ledgerScenario } from "./ledger-scenario.ts";
import { marketScenario } from "./market-scenario.ts";
import { movesScenario } from "./moves-scenario.ts";
import { oracleScenario } from "./oracle-scenario.ts";
import type { Outcome } from "./outcome.ts";
import { randomGraphScenario } from "./random-graph.ts";
import { regionsScenario } from "./regions-scenario.ts";
import { restartScenario } from "./restart-scenario.ts";
import { silencesScenario } from "./silences-scenario.ts";
import { updatesScenario } from "./updates-scenario.ts";

export type Scenario = {
  readonly name: string;
  readonly run: (seed: number) => Promise<{ readonly digest: string; readonly breaks: SimBreaks }>;
};

/** What all seeds are compared with, also when one runs alone. */
const REFERENCE_SEED = 1;

/** Every seed gives the rows of the reference. */
function sameRows(run: (seed: number) => Promise<Outcome>, rowsMin: number): Scenario["run"] {
  let expected: readonly string[] | null = null;
  return async (seed) => {
    expected ??= (await run(REFERENCE_SEED)).rows;
    const outcome = await run(seed);
    assert.ok(outcome.rows.length >= rowsMin, `only ${outcome.rows.length} rows`);
    assert.deepEqual(outcome.rows, expected);
    return outcome;
  };
}

export const MARKET: Scenario = { name: "market", run: sameRows(marketScenario, 200) };
export const MOVES: Scenario = { name: "moves", run: sameRows(movesScenario, 500) };
export const SILENCES: Scenario = { name: "silences", run: sameRows(silencesScenario, 1_000) };
export const FILES: Scenario = { name: "files", run: filesScenario };
export const RANDOM_GRAPH: Scenario = { name: "random-graph", run: randomGraphScenario };
export const UPDATES: Scenario = { name: "updates", run: updatesScenario };
export const COMMITS: Scenario = { name: "commits", run: commitScenario };
export const RESTARTS: Scenario = { name: "restarts", run: restartScenario };
export const REGIONS: Scenario = { name: "regions", run: regionsScenario };

/** A job that is started again and again, whatever dies: also with less of what there is in its world. */
export type CrashScenario = Scenario & { readonly crashing: Crashing };

const crashScenario = (name: string, crashing: Crashing): CrashScenario => ({
  ...{ name, crashing },
  run: (seed) => crashing(seed),
});
export const LEDGER = crashScenario("ledger", ledgerScenario);
export const ORACLE = crashScenario("oracle", oracleScenario);
export const GRAPHS = crashScenario("graphs", graphScenario);

/** Of so many seeds one loses a connection while the job runs, at least, and one gets messages of a lost one late. */
const SEEDS_PER_CUT = 2.5;
const SEEDS_PER_LATE = 5;

/** Runs the seeds 1 to `count`; throws as well when connections did not break in many of them. */
export async function runSeeds(scenario: Scenario, count: number): Promise<void> {
  const seeds = noBreaks();
  for (let seed = 1; seed <= count; seed += 1) {
    const { cuts, late, lost } = (await runSeed(scenario, seed)).breaks;
    seeds.cuts += Math.min(1, cuts);
    seeds.late += Math.min(1, late);
    seeds.lost += Math.min(1, lost);
  }
  const found = JSON.stringify(seeds);
  const some = Math.floor(count / SEEDS_PER_LATE);
  assert.ok(seeds.cuts >= count / SEEDS_PER_CUT && seeds.late >= some && seeds.lost >= some, found);
}

const REPEAT_EVERY = 50;

/** Runs one seed, every 50th twice; a failure names the scenario and the seed, with the command that replays it. */
export async function runSeed(scenario: Scenario, seed: number): ReturnType<Scenario["run"]> {
  try {
    const first = await scenario.run(seed);
    if (seed % REPEAT_EVERY !== 0) return first;
    assert.equal((await scenario.run(seed)).digest, first.digest, "the same seed gave another history");
    return first;
  } catch (error) {
    const replay = `npm run simulate -- --scenario ${scenario.name} --seed ${seed} --seeds 1`;
    throw new Error(`SEED=${seed} of ${scenario.name}: ${replay}`, { cause: error });
  }
}

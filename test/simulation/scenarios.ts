// What is simulated, each as a function of a seed. A scenario throws when an outcome is wrong; its digest tells
// histories apart.

import assert from "node:assert/strict";
import { commitScenario } from "./commit-scenario.ts";
import { filesScenario } from "./files-scenario.ts";
import { marketScenario } from "./market-scenario.ts";
import { movesScenario } from "./moves-scenario.ts";
import type { Outcome } from "./outcome.ts";
import { randomGraphScenario } from "./random-graph.ts";
import { silencesScenario } from "./silences-scenario.ts";

export type Scenario = { readonly name: string; readonly run: (seed: number) => Promise<{ readonly digest: string }> };

/** Every seed gives the rows of the first one. */
function sameRows(run: (seed: number) => Promise<Outcome>, rowsMin: number): Scenario["run"] {
  let first: readonly string[] | null = null;
  return async (seed) => {
    const outcome = await run(seed);
    first ??= outcome.rows;
    assert.ok(outcome.rows.length >= rowsMin, `only ${outcome.rows.length} rows`);
    assert.deepEqual(outcome.rows, first);
    return outcome;
  };
}

export const MARKET: Scenario = { name: "market", run: sameRows(marketScenario, 400) };
export const MOVES: Scenario = { name: "moves", run: sameRows(movesScenario, 1_000) };
export const SILENCES: Scenario = { name: "silences", run: sameRows(silencesScenario, 1_500) };
export const FILES: Scenario = { name: "files", run: filesScenario };
export const RANDOM_GRAPH: Scenario = { name: "random-graph", run: randomGraphScenario };
export const COMMITS: Scenario = { name: "commits", run: commitScenario };

/** Runs the seeds 1 to `count`. */
export async function runSeeds(scenario: Scenario, count: number): Promise<void> {
  for (let seed = 1; seed <= count; seed += 1) await runSeed(scenario, seed);
}

const REPEAT_EVERY = 50;

/** Runs one seed, every 50th twice; a failure names the scenario and the seed. */
export async function runSeed(scenario: Scenario, seed: number): Promise<void> {
  try {
    const { digest } = await scenario.run(seed);
    if (seed % REPEAT_EVERY !== 0) return;
    assert.equal((await scenario.run(seed)).digest, digest, "the same seed gave another history");
  } catch (error) {
    throw new Error(`SEED=${seed} of ${scenario.name}: npm run simulate -- --seed ${seed} --seeds 1`, { cause: error });
  }
}

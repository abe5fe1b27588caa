// What is simulated, each as a function of a seed. A scenario throws when an outcome is wrong; its digest tells histories apart.

import assert from "node:assert/strict";
import { marketScenario } from "./market-scenario.ts";
import { randomGraphScenario } from "./random-graph.ts";

export type Scenario = { readonly name: string; readonly run: (seed: number) => Promise<{ readonly digest: string }> };

let marketRows: readonly string[] | null = null;

/** Every seed's output is the same as the first one's. */
async function market(seed: number): Promise<{ digest: string }> {
  const { rows, simulation } = await marketScenario(seed);
  marketRows ??= rows;
  assert.ok(rows.length > 600, `only ${rows.length} rows`);
  assert.deepEqual(rows, marketRows);
  return simulation;
}

export const SCENARIOS: readonly Scenario[] = [
  { name: "market", run: market },
  { name: "random-graph", run: randomGraphScenario },
];

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

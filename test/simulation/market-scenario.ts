// The market example as it is, over the simulated disk.

import { readFileSync } from "node:fs";
import market from "../../examples/01-market/job.ts";
import type { SimDisk } from "../../src/testing/sim-disk.ts";
import { simulateJob } from "../../src/testing/simulate-job.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";

/** Two years of the twenty: seeds count for more than rows. */
const ROWS = 500;

const BARS = readFileSync(new URL("../../node_modules/vega-datasets/data/sp500-2000.csv", import.meta.url), "utf8")
  .split("\n")
  .slice(0, ROWS + 1)
  .join("\n");

export const marketParams = { in: "/data/sp500.csv", out: "/out" };
export const marketInput = (disk: SimDisk): void => disk.put("/data/sp500.csv", BARS);

export async function marketScenario(seed: number): Promise<Outcome> {
  const simulation = await simulateJob(market, {
    seed,
    parallelism: 2 + (seed % 3),
    realLinks: seed % 5 === 0,
    params: marketParams,
    prepare: marketInput,
  });
  return outcomeOf(simulation);
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Restarts, restartScenario } from "./restart-scenario.ts";
import { RESTARTS, runSeeds } from "./scenarios.ts";

test("a job that begins anew in its slots, whenever and whatever happens to these, gives each row once, in 100 worlds", async () => {
  const seen: Restarts = { deploying: 0, running: 0, prepared: 0, died: 0 };
  const run = async (seed: number) => {
    const simulation = await restartScenario(seed);
    for (const [what, count] of Object.entries(simulation.restarts)) seen[what as keyof Restarts] += count;
    return simulation;
  };
  await runSeeds({ ...RESTARTS, run }, 100);
  for (const [what, count] of Object.entries(seen)) assert.ok(count >= 10, `${what}: ${count}`);
});

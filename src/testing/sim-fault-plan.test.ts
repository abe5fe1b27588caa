import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../base/seeded-random.ts";
import { FAULT_CELLS, faultPlanOf } from "./sim-fault-plan.ts";

test("worlds aim at each cell of a fault and a phase in turn, and at each again in other worlds", () => {
  const aimedAt = new Map<string, number[]>();
  for (let seed = 1; seed <= 2 * FAULT_CELLS.length; seed += 1) {
    for (const { kind, at } of faultPlanOf(new SeededRandom(seed), seed)) {
      if ("aim" in at) aimedAt.set(`${kind} ${at.aim}`, [...(aimedAt.get(`${kind} ${at.aim}`) ?? []), seed]);
    }
  }
  const all = FAULT_CELLS.map(({ kind, phase }) => `${kind} ${phase}`);
  assert.deepEqual([...aimedAt.keys()].sort(), all.sort());
  // A campaign has a scenario for each last digit of a seed.
  for (const [cell, seeds] of aimedAt) assert.ok(new Set(seeds.map((seed) => seed % 10)).size > 1, `${cell}: ${seeds}`);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultCells } from "../../src/testing/sim-faults.ts";
import { type Recovered, regionsScenario } from "./regions-scenario.ts";
import { REGIONS, runSeed } from "./scenarios.ts";

test("regions of a job begin anew while others go on, and each record of both is committed once, in 80 worlds", async () => {
  const [cells, recovered]: [FaultCells, Recovered] = [new FaultCells(), { one: 0, all: 0 }];
  const run = async (seed: number) => {
    const starts = await regionsScenario(seed);
    cells.addAll(starts.cells);
    for (const [what, count] of Object.entries(starts.recovered)) recovered[what as keyof Recovered] += count;
    return starts;
  };
  for (let seed = 1; seed <= 80; seed += 1) await runSeed({ ...REGIONS, run }, seed);
  assert.deepEqual(
    ["throw", "slot", "process"].filter((kind) => cells.table()[kind] === undefined),
    [],
  );
  assert.ok(recovered.one >= 20 && recovered.all >= 5, JSON.stringify(recovered));
});

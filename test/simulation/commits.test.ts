import assert from "node:assert/strict";
import { test } from "node:test";
import { type CommitEnd, commitScenario, endOf } from "./commit-scenario.ts";
import { COMMITS, runSeeds } from "./scenarios.ts";

test("whatever happens around the commit, in 150 worlds: all output, none, or a failure that names what is missing", async () => {
  const ends: Record<CommitEnd, number> = { whole: 0, nothing: 0, part: 0 };
  const run = async (seed: number) => {
    const simulation = await commitScenario(seed);
    ends[endOf(simulation)] += 1;
    return simulation;
  };
  await runSeeds({ ...COMMITS, run }, 150);
  for (const [end, count] of Object.entries(ends)) assert.ok(count >= 10, `${end}: ${count}`);
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type FaultCounts, noFaults } from "../../src/testing/sim-faults.ts";
import { ledgerScenario } from "./ledger-scenario.ts";
import { oracleScenario } from "./oracle-scenario.ts";
import { LEDGER, ORACLE, runSeed, type Scenario } from "./scenarios.ts";

type Crashing = (seed: number) => Promise<Awaited<ReturnType<typeof ledgerScenario>>>;

/** What happened under all of these seeds, which names those that nothing tried. */
async function seedsOf(scenario: Scenario, crashing: Crashing, seeds: number): Promise<FaultCounts> {
  const seen = noFaults();
  const run = async (seed: number) => {
    const starts = await crashing(seed);
    for (const [what, count] of Object.entries(starts.counts)) seen[what as keyof FaultCounts] += count;
    return starts;
  };
  for (let seed = 1; seed <= seeds; seed += 1) await runSeed({ ...scenario, run }, seed);
  return seen;
}

describe("whatever dies and is started again, at whatever parallelism", () => {
  test("bookings are committed once, in order, with the right balances, in 150 worlds (K1)", async () => {
    const seen = await seedsOf(LEDGER, ledgerScenario, 150);
    for (const [what, count] of Object.entries(seen)) assert.ok(count >= 8, `${what}: ${count}`);
  });

  test("windows, timers and side outputs have the rows of an undisturbed run, in 100 worlds (K2)", async () => {
    const { thrown: _thrown, ...seen } = await seedsOf(ORACLE, oracleScenario, 100);
    for (const [what, count] of Object.entries(seen)) assert.ok(count >= 4, `${what}: ${count}`);
  });
});

// `npm run simulate -- --seeds N [--seed S] [--scenario NAME]`: more seeds than `npm test` has time for. The last line
// is JSON.

import { inspect, parseArgs } from "node:util";
import { COMMITS, FILES, MARKET, MOVES, RANDOM_GRAPH, runSeed, SILENCES } from "./scenarios.ts";

const SCENARIOS = [MARKET, MOVES, SILENCES, FILES, COMMITS, RANDOM_GRAPH];

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
    scenario: { type: "string" },
  },
});
const first = Number(values.seed);
const count = Number(values.seeds);
const chosen = SCENARIOS.filter(({ name }) => values.scenario === undefined || name === values.scenario);
if (!Number.isInteger(first) || !Number.isInteger(count) || count < 1 || chosen.length === 0) {
  console.error(`--seed and --seeds take whole numbers; scenarios: ${SCENARIOS.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

let failures = 0;
for (const scenario of chosen) {
  const started = process.cpuUsage();
  for (let seed = first; seed < first + count; seed += 1) {
    try {
      await runSeed(scenario, seed);
    } catch (error) {
      failures += 1;
      console.error(inspect(error, { depth: 4 }));
    }
  }
  const { user, system } = process.cpuUsage(started);
  const seedsPerHour = Math.round((count * 3_600) / ((user + system) / 1e6));
  console.error(`${scenario.name}: ${count} seeds, ${seedsPerHour} per hour and core`);
}
console.log(JSON.stringify({ seed: first, seeds: count, scenarios: chosen.map(({ name }) => name), failures }));
process.exitCode = failures === 0 ? 0 : 1;

// `npm run simulate -- --seeds N [--seed S] [--scenario NAME]`: more seeds than `npm test` has time for. The last line
// is JSON; its digest is equal for equal histories.

import { inspect, parseArgs } from "node:util";
import { canonicalHash } from "../../src/base/canonical-json.ts";
import {
  COMMITS,
  FILES,
  LEDGER,
  MARKET,
  MOVES,
  ORACLE,
  RANDOM_GRAPH,
  REGIONS,
  RESTARTS,
  runSeed,
  SILENCES,
  UPDATES,
} from "./scenarios.ts";

const SCENARIOS = [MARKET, MOVES, SILENCES, UPDATES, FILES, COMMITS, RESTARTS, RANDOM_GRAPH, REGIONS, LEDGER, ORACLE];

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
const digests: string[] = [];
for (const scenario of chosen) {
  const started = process.cpuUsage();
  for (let seed = first; seed < first + count; seed += 1) {
    try {
      digests.push((await runSeed(scenario, seed)).digest);
    } catch (error) {
      failures += 1;
      console.error(inspect(error, { depth: 4 }));
    }
  }
  const { user, system } = process.cpuUsage(started);
  const seedsPerHour = Math.round((count * 3_600) / ((user + system) / 1e6));
  console.error(`${scenario.name}: ${count} seeds, ${seedsPerHour} per hour and core`);
}
const scenarios = chosen.map(({ name }) => name);
console.log(JSON.stringify({ seed: first, seeds: count, scenarios, failures, digest: canonicalHash(digests) }));
process.exitCode = failures === 0 ? 0 : 1;

// `npm run simulate`: more seeds than `npm test` has time for. The last line is JSON; its digest is equal for equal
// histories.
//
//   npm run simulate -- --seeds 10000                         each scenario under so many
//   npm run simulate -- --campaign --seeds 10000              so many in all, in which everything may fail
//   npm run simulate -- --scenario graphs --seed 4711 --seeds 1 --less f0,n2   one world, or less of it
//   npm run simulate -- --mutants [part of a name…]           which seed catches each planted bug
//
// A world that comes out wrong is made smaller, and the smallest one that fails is printed with the command that
// replays it. A campaign of 1,000 seeds or more also fails when a fault did not happen in a phase in which it can.

import { inspect, parseArgs } from "node:util";
import { canonicalHash } from "../../src/base/canonical-json.ts";
import { FaultCells } from "../../src/testing/sim-faults.ts";
import { type Crashing, type Less, lessOf, lessText } from "./crash-world.ts";
import {
  COMMITS,
  type CrashScenario,
  FILES,
  GRAPHS,
  LEDGER,
  MARKET,
  MOVES,
  ORACLE,
  RANDOM_GRAPH,
  REGIONS,
  RESTARTS,
  runSeed,
  type Scenario,
  SILENCES,
  UPDATES,
} from "./scenarios.ts";
import { shrunk } from "./shrink.ts";
import { mutantsTried } from "./sim-mutants.ts";

const CRASHES: readonly CrashScenario[] = [GRAPHS, LEDGER, ORACLE];
const SCENARIOS: readonly Scenario[] = [
  ...[MARKET, MOVES, SILENCES, UPDATES, FILES, COMMITS, RESTARTS, REGIONS, RANDOM_GRAPH],
  ...CRASHES,
];
/** Of ten seeds of a campaign. */
const SHARES = [GRAPHS, LEDGER, GRAPHS, ORACLE, GRAPHS, GRAPHS, LEDGER, GRAPHS, ORACLE, GRAPHS];
const FAILURES_SHRUNK_MAX = 3;
/** So many seeds try each fault in each phase in which it can happen. */
const CELLS_SEEDS_MIN = 1_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
    scenario: { type: "string" },
    less: { type: "string" },
    campaign: { type: "boolean", default: false },
    mutants: { type: "boolean", default: false },
    "first-failure": { type: "boolean", default: false },
  },
});
const first = Number(values.seed);
const count = Number(values.seeds);
const chosen = SCENARIOS.filter(({ name }) => values.scenario === undefined || name === values.scenario);
if (!Number.isInteger(first) || !Number.isInteger(count) || count < 1 || chosen.length === 0) {
  console.error(`--seed and --seeds take whole numbers; scenarios: ${SCENARIOS.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

const seen = new FaultCells();
const digests: string[] = [];
let failures = 0;
let starts = 0;

async function tried(scenario: Scenario, seed: number, less: Less | null): Promise<void> {
  const crashing = CRASHES.find(({ name }) => name === scenario.name)?.crashing ?? null;
  const run = async (each: number) => {
    if (crashing === null) return scenario.run(each);
    const crashed = await crashing(each, less ?? undefined);
    seen.addAll(crashed.cells);
    starts += crashed.starts;
    return crashed;
  };
  try {
    digests.push((await runSeed({ ...scenario, run }, seed)).digest);
  } catch (error) {
    failures += 1;
    console.error(inspect(error, { depth: 6 }));
    const isShrunk = crashing !== null && less === null && failures <= FAILURES_SHRUNK_MAX;
    if (isShrunk && !values["first-failure"]) await smaller(scenario.name, { crashing, seed, error });
  }
}

type Failed = { readonly crashing: Crashing; readonly seed: number; readonly error: unknown };

async function smaller(name: string, { crashing, seed, error }: Failed): Promise<void> {
  const { less, error: last, runs } = await shrunk(crashing, seed, (error as Error).cause);
  const text = lessText(less);
  if (text === "") {
    console.error(`nothing of it can be left out (${runs} runs)`);
    return;
  }
  console.error(`made smaller in ${runs} runs:`, inspect(last, { depth: 6 }));
  console.error(`npm run simulate -- --scenario ${name} --seed ${seed} --seeds 1 --less ${text}`);
}

/** Null: nothing can be said of a single core. */
function perHour(seeds: number, since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return Math.round((seeds * 3_600) / ((user + system) / 1e6));
}

const isOver = (): boolean => values["first-failure"] && failures > 0;

async function each(): Promise<void> {
  const less = values.less === undefined ? null : lessOf(values.less);
  for (const scenario of chosen) {
    const started = process.cpuUsage();
    for (let seed = first; seed < first + count && !isOver(); seed += 1) await tried(scenario, seed, less);
    console.error(`${scenario.name}: ${count} seeds, ${perHour(count, started)} per hour and core`);
  }
  const scenarios = chosen.map(({ name }) => name);
  console.log(JSON.stringify({ seed: first, seeds: count, scenarios, failures, digest: canonicalHash(digests) }));
}

async function campaign(): Promise<void> {
  const started = process.cpuUsage();
  let at = first;
  for (; at < first + count && !isOver(); at += 1) await tried(SHARES[at % SHARES.length]!, at, null);
  const empty = count >= CELLS_SEEDS_MIN && !values["first-failure"] ? seen.empty() : [];
  if (empty.length > 0) console.error(`these faults did not happen in these phases: ${empty.join(", ")}`);
  if (failures === 0 && empty.length > 0) failures = 1;
  const told = {
    seed: first,
    seeds: at - first,
    failures,
    starts,
    faultsTotal: seen.total,
    faults: seen.table(),
    empty,
  };
  const figures = { seedsPerHourAndCore: perHour(at - first, started), digest: canonicalHash(digests) };
  console.log(JSON.stringify({ ...told, ...figures }));
}

if (values.mutants) failures = await mutantsTried(positionals, count);
else await (values.campaign ? campaign() : each());
process.exitCode = failures === 0 ? 0 : 1;

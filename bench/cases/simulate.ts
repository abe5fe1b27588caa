// Seeds per hour and core of the simulation in which everything may fail: random graphs, ledgers and oracles, as a
// campaign has them (`npm run simulate -- --campaign`).

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type Measured, median, report, resultOf } from "../result.ts";
import { runsWanted } from "../run-job.ts";

const SCRIPT = new URL("../../test/simulation/simulate.ts", import.meta.url).pathname;
const SEEDS = 200;

type Campaign = { readonly seedsPerHourAndCore: number; readonly faultsTotal: number };

async function campaign(first: number): Promise<Campaign & Measured> {
  const startMs = performance.now();
  const args = ["--conditions=millrace-source", SCRIPT, "--campaign", "--seed", `${first}`, "--seeds", `${SEEDS}`];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1e8 });
  const told = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Campaign;
  const wallSeconds = (performance.now() - startMs) / 1_000;
  return { ...told, events: SEEDS, wallSeconds, cpuSeconds: (SEEDS * 3_600) / told.seedsPerHourAndCore };
}

const runs: Awaited<ReturnType<typeof campaign>>[] = [];
for (let run = 0; run < runsWanted(); run += 1) runs.push(await campaign(1 + run * SEEDS));
report(
  resultOf("simulate", runs, {
    seedsPerHourAndCore: median(runs.map((run) => run.seedsPerHourAndCore)),
    faultsPerSeed: median(runs.map((run) => run.faultsTotal / SEEDS)),
  }),
);

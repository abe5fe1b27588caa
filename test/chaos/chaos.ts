// `npm run chaos -- --minutes M --seed S [--json]`: two jobs under `millrace run`, to which all happens that
// may: the process is killed at random and to the call, slots end, the disk is full, slow or fails, the clock jumps,
// files of checkpoints rot while nothing runs; they are stopped, and started from savepoints, at another parallelism
// each time. Whoever checks what they have committed stands outside. The last line is JSON. Needs Linux and root, for a
// disk of its own (tmpfs), strace and libfaketime.
//
// The ledger never ends, and is stopped when the time is over; the oracle's job ends, and begins again in a new place.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { ChaosJob, type Told } from "./chaos-job.ts";
import { emittedIndices, metadataIn, newestId } from "./checkpoint-files.ts";
import { FAULTS } from "./faults.ts";
import { ledgerWrongs, type Wrongs } from "./ledger-check.ts";
import { oracleWrongs } from "./oracle-check.ts";
import { straceRequire } from "./strace.ts";
import { fakeClockRequire } from "./wall-clock.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string", default: "1" },
    /** Names of faults, with commas, which happen in turn. */
    only: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
const only = values.only?.split(",");
if (!(minutes > 0) || !Number.isInteger(seed)) refuse("--minutes takes a number above 0, --seed a whole number");
if (only?.some((kind) => FAULTS[kind] === undefined)) refuse(`--only takes some of ${Object.keys(FAULTS).join(", ")}`);
straceRequire();
fakeClockRequire();

const ORACLE_ROWS = 6_000;
const MISSED_MAX = 5;
const scratch = mkdtempSync(join(tmpdir(), "millrace-chaos-"));
const endMs = performance.now() + minutes * 60_000;
const errors: unknown[] = [];
const isOver = (): boolean => performance.now() >= endMs || errors.length > 0;
const told: Told = {
  faults: {},
  missed: {},
  recoveriesMs: [],
  note: (line) => {
    if (!values.json) console.error(line);
  },
};

const campaign = { told, only, faults: FAULTS };

function refuse(what: string): never {
  console.error(what);
  process.exit(2);
}

async function ledger(): Promise<Wrongs[]> {
  const place = join(scratch, "ledger");
  const params = { rows: 0, rate: 1_000 };
  const random = new SeededRandom(seed);
  const job = new ChaosJob({ job: "ledger.job.ts", isBounded: false, place, params, random, ...campaign });
  return checked(job, async () => {
    while (!isOver()) await job.fault();
    await job.stop();
    const ids = emittedIndices(metadataIn(job.checkpoints, newestId(job.checkpoints) ?? 0), "entries");
    return ledgerWrongs(job.out, { ids });
  });
}

async function oracle(): Promise<Wrongs[]> {
  const wrongs: Wrongs[] = [];
  for (let round = 1; !isOver() || round === 1; round += 1) {
    const place = join(scratch, `oracle-${round}`);
    const params = { rows: ORACLE_ROWS, rate: 400 };
    const random = new SeededRandom(seed + 1_000 * round);
    const job = new ChaosJob({ job: "oracle.job.ts", isBounded: true, place, params, random, ...campaign });
    const found = await checked(job, async () => {
      while (!job.isFinished && !isOver()) await job.fault();
      await job.finish();
      return oracleWrongs(job.out, ORACLE_ROWS);
    });
    wrongs.push(...found);
  }
  return wrongs;
}

/** An error ends the campaign. */
async function checked(job: ChaosJob, run: () => Promise<Wrongs>): Promise<Wrongs[]> {
  try {
    const wrongs = await run();
    if (!isWhole(wrongs)) job.keep();
    return [wrongs];
  } catch (error) {
    errors.push(error);
    job.keep();
    return [];
  } finally {
    await job.close();
  }
}

function isWhole({ lost, doubled, corrupt, outOfOrder }: Omit<Wrongs, "examples">): boolean {
  return lost + doubled + corrupt + outOfOrder === 0;
}

function percentile(sorted: readonly number[], part: number): number | null {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? null;
}

const all = (await Promise.all([ledger(), oracle()])).flat();
const sum = (kind: "lost" | "doubled" | "corrupt" | "outOfOrder"): number =>
  all.reduce((total, wrongs) => total + wrongs[kind], 0);
for (const example of all.flatMap(({ examples }) => examples)) console.error(example);
const sorted = told.recoveriesMs.map(Math.round).sort((left, right) => left - right);
const wrong = { lost: sum("lost"), doubled: sum("doubled"), corrupt: sum("corrupt"), outOfOrder: sum("outOfOrder") };
const faults: Record<string, number> = {};
const cells = Object.values(told.faults).flatMap((kinds) => Object.entries(kinds));
for (const [kind, count] of cells) faults[kind] = (faults[kind] ?? 0) + count;
/** Tried again and again, and in vain: they cannot be injected here. */
const never = Object.keys(told.missed).filter((kind) => faults[kind] === undefined && told.missed[kind]! >= MISSED_MAX);
if (never.length > 0) errors.push(new Error(`faults that have never come about: ${never.join(", ")}`));
for (const error of errors) console.error(error);
const isRight = isWhole(wrong) && errors.length === 0;
if (isRight) rmSync(scratch, { recursive: true, force: true });
else console.error(`what was written is in ${scratch}`);
const faultsTotal = Object.values(faults).reduce((total, count) => total + count, 0);
const recoveries = {
  ...{ count: sorted.length, p50Ms: percentile(sorted, 0.5), p95Ms: percentile(sorted, 0.95) },
  maxMs: sorted.at(-1) ?? null,
};
console.log(
  JSON.stringify({
    ...{ ...wrong, errors: errors.length, faultsTotal, faults, phases: told.faults, missed: told.missed, recoveries },
    ...{ checks: all.length, minutes, seed },
  }),
);
process.exitCode = isRight ? 0 : 1;

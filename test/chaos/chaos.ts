// `npm run chaos -- --minutes M --seed S [--json]`: two jobs under `millrace run`, to which all happens that may:
// the process is killed, slots end, the disk is full, files of checkpoints rot while nothing runs. Whoever checks what
// they have committed stands outside. The last line is JSON. Needs root, for a disk of its own (tmpfs).
//
// The ledger never ends, and is stopped when the time is over; the oracle's job ends, and begins again in a new place.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { ChaosJob, type Told } from "./chaos-job.ts";
import { emittedIndices, metadataIn, newestId } from "./checkpoint-files.ts";
import { ledgerWrongs, type Wrongs } from "./ledger-check.ts";
import { oracleWrongs } from "./oracle-check.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (!(minutes > 0) || !Number.isInteger(seed)) {
  console.error("--minutes takes a number above 0, --seed a whole number");
  process.exit(2);
}

const ORACLE_ROWS = 6_000;
const scratch = mkdtempSync(join(tmpdir(), "millrace-chaos-"));
const endMs = performance.now() + minutes * 60_000;
const isOver = (): boolean => performance.now() >= endMs;
const told: Told = {
  faults: {},
  recoveriesMs: [],
  note: (line) => {
    if (!values.json) console.error(line);
  },
};

async function ledger(): Promise<Wrongs[]> {
  const place = join(scratch, "ledger");
  const params = { rows: 0, rate: 1_000 };
  const job = new ChaosJob({ job: "ledger.job.ts", place, params, random: new SeededRandom(seed), told });
  try {
    while (!isOver()) await job.fault();
    await job.stop();
    const ids = emittedIndices(metadataIn(job.checkpoints, newestId(job.checkpoints) ?? 0), "entries");
    return [ledgerWrongs(job.out, { ids })];
  } finally {
    await job.close();
  }
}

async function oracle(): Promise<Wrongs[]> {
  const wrongs: Wrongs[] = [];
  for (let round = 1; !isOver() || round === 1; round += 1) {
    const place = join(scratch, `oracle-${round}`);
    const params = { rows: ORACLE_ROWS, rate: 400 };
    const random = new SeededRandom(seed + 1_000 * round);
    const job = new ChaosJob({ job: "oracle.job.ts", place, params, random, told });
    try {
      while (!job.isFinished && !isOver()) await job.fault();
      await job.finish();
      wrongs.push(oracleWrongs(job.out, ORACLE_ROWS));
    } finally {
      await job.close();
    }
  }
  return wrongs;
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
const isRight = Object.values(wrong).every((count) => count === 0);
if (isRight) rmSync(scratch, { recursive: true, force: true });
else console.error(`what was written is in ${scratch}`);
const faultsTotal = Object.values(told.faults).reduce((total, count) => total + count, 0);
const recoveries = { count: sorted.length, p50Ms: percentile(sorted, 0.5), p95Ms: percentile(sorted, 0.95) };
console.log(
  JSON.stringify({ ...wrong, faultsTotal, faults: told.faults, recoveries, checks: all.length, minutes, seed }),
);
process.exitCode = isRight ? 0 : 1;

// Windows over several files, whose splits go out late, to slots that load their job at different times: every seed
// draws files, splits, parallelism and a promise of order, and has to give the windows of all rows, none of them late.

import assert from "node:assert/strict";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { count, csv, job, jsonl, session, t, tumbling } from "../../src/index.ts";
import { type Simulation, simulateJob } from "../../src/testing/simulate-job.ts";
import { collecting } from "./collecting-sink.ts";

const Row = t.struct({ k: t.f64, at: t.timestamp });
type Row = { readonly k: number; readonly at: number };
type Window = { readonly k: number; readonly start: number; readonly n: number };

const OUT_OF_ORDER_MS = 2_000;
const WINDOW_MS = 10_000;

/** Rows out of order by what is allowed; of files that follow one another each begins where the one before ended. */
function filesOf(random: SeededRandom, inTimeOrder: boolean): Row[][] {
  let timeMs = 0;
  return Array.from({ length: 1 + random.below(5) }, () => {
    if (!inTimeOrder) timeMs = random.below(100_000);
    return Array.from({ length: random.below(60) }, () => {
      timeMs += random.below(3_000);
      return { k: random.below(3), at: Math.max(0, timeMs - random.below(OUT_OF_ORDER_MS)) };
    });
  });
}

function tumblingOf(rows: readonly Row[]): string[] {
  const groups = Map.groupBy(rows, ({ k, at }) => `${k} ${Math.floor(at / WINDOW_MS) * WINDOW_MS}`);
  return [...groups].map(([group, { length }]) => `${group} ${length}`).sort();
}

const textOf = ({ k, start, n }: Window): string => `${k} ${start} ${n}`;

export async function filesScenario(seed: number): Promise<Simulation> {
  const random = new SeededRandom(seed ^ 0xf11e5);
  const inTimeOrder = random.next() < 0.5;
  const files = filesOf(random, inTimeOrder);
  const splitSize = 64 + random.below(1_500);
  const [extension, source] = random.next() < 0.5 ? (["csv", csv] as const) : (["jsonl", jsonl] as const);
  const bars = collecting<Window>();
  const visits = collecting<{ n: number }>();
  const late = collecting<unknown>();
  const declared = job({ name: "files" }, (env) => {
    const rows = env
      .from("in", source(`/data/*.${extension}`, { type: Row, splitSize, inTimeOrder }))
      .eventTime({ at: "at", outOfOrder: `${OUT_OF_ORDER_MS}ms`, unit: "ms" })
      .keyBy("k");
    const windows = rows.window(tumbling(`${WINDOW_MS}ms`)).aggregate({ n: count() });
    windows.to("bars", bars.sink);
    windows.side.late.to("late", late.sink);
    rows
      .window(session("3s"))
      .aggregate({ n: count() })
      .to("visits", visits.sink as never);
  });
  const simulation = await simulateJob(declared, {
    seed,
    parallelism: 1 + (seed % 4),
    realLinks: seed % 5 === 0,
    prepare: (disk) => {
      for (const [index, rows] of files.entries()) {
        const lines = rows.map((row) => (extension === "csv" ? `${row.k},${row.at}` : JSON.stringify(row)));
        // Eleven comes after two.
        const name = `/data/day-${index === 4 ? 11 : index}.${extension}`;
        disk.put(name, [...(extension === "csv" ? ["k,at"] : []), ...lines, ""].join("\n"));
      }
    },
  });
  if (simulation.error !== null) throw simulation.error;
  const what = `${files.length} files, inTimeOrder ${inTimeOrder}, splits of ${splitSize}`;
  assert.deepEqual(late.seen, [], what);
  assert.deepEqual(bars.seen.map(({ row }) => textOf(row)).sort(), tumblingOf(files.flat()), what);
  const inVisits = visits.seen.reduce((sum, { row }) => sum + row.n, 0);
  assert.equal(inVisits, files.flat().length, what);
  return simulation;
}

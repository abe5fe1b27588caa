// State that cannot be snapshotted at some moments: those checkpoints are declined and told, the job goes on, and later
// ones are taken.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { aggregate, generate, job, jsonl, t } from "../../src/index.ts";
import { SimFaults } from "../../src/testing/sim-faults.ts";
import { simulateStarts } from "../../src/testing/simulate-starts.ts";
import { rowsOf } from "./outcome.ts";

const ROWS = 120;

type Kept = { n: number; rest: unknown };

/** What stands in it for a value of 2 GiB: its accumulator holds what cannot be written. */
const growing = aggregate({
  create: (): Kept => ({ n: 0, rest: null }),
  add: ({ n }: Kept, _: { n: number }): Kept => ({ n: n + 1, rest: n > 20 && n < 60 ? Symbol("too large") : null }),
  merge: (left: Kept, right: Kept): Kept => ({ n: left.n + right.n, rest: null }),
  result: ({ n }: Kept) => n,
});

const declared = job({ name: "growing" }, (env) => {
  env
    .from(
      "in",
      generate(ROWS, (n) => ({ n, key: "all" }), { type: t.struct({ n: t.i32, key: t.string }), rate: 200 }),
    )
    .keyBy("key")
    .aggregate({ rows: growing })
    .uid("counted")
    .to("rows", jsonl("/out/rows"));
});

test("a checkpoint whose state cannot be taken is declined, and the job goes on, also from those before and after", async () => {
  const at = { operation: "rename", path: "chk-9/_metadata", nth: 1 } as const;
  const { log, disk } = await simulateStarts(declared, {
    seed: 3,
    faults: new SimFaults([{ kind: "process", at, size: 0 }], new SeededRandom(1)),
    parallelism: () => 1,
    config: () => ({
      "execution.checkpointing.interval": "40ms",
      "execution.checkpointing.tolerable-failed-checkpoints": 10,
    }),
  });
  const story = log.join("\n");
  const told = log.filter((line) => /checkpoint \d+ was given up: /.test(line));
  assert.ok(told.length >= 2, story);
  for (const line of told) assert.match(line, /symbol/i);
  assert.match(story, /goes on from checkpoint [89], /);
  assert.doesNotMatch(story, /attempt \d failed/);
  const rows = rowsOf(disk).map((line) => JSON.parse(line.replace("rows ", "")) as { rows: number });
  assert.deepEqual(
    rows.map(({ rows: n }) => n).sort((left, right) => left - right),
    Array.from({ length: ROWS }, (_, n) => n + 1),
  );
});

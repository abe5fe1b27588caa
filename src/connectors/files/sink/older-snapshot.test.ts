// Runs that go on from an older snapshot than the newest (T4 of file-target.ts).

import assert from "node:assert/strict";
import { test } from "node:test";
import { type WriterOptions, WriterUnderTest } from "../../../operators/sink.contract.ts";
import type { Committable } from "../../../operators/sink.ts";
import { readAll } from "../../../operators/source.contract.ts";
import type { SimEnv } from "../../../testing/sim-env.ts";
import { simWorld, type World } from "../../../testing/world.ts";
import { t } from "../../../types/t.ts";
import { jsonl } from "../json/jsonl.ts";

const sink = jsonl("/out");
const numbers = (from: number, to: number): { n: number }[] =>
  Array.from({ length: to - from }, (_, index) => ({ n: from + index }));

async function readBack(world: World<SimEnv>): Promise<number[]> {
  const { records: read } = await readAll(jsonl("/out", { type: t.struct({ n: t.f64 }) }), world);
  return read.map(({ n }) => n).sort((left, right) => left - right);
}

async function committed(
  world: World<SimEnv>,
  rows: readonly unknown[],
  options: WriterOptions,
  into = sink,
): Promise<void> {
  const writer = new WriterUnderTest(into, world, options);
  await writer.open();
  await writer.write(rows);
  await writer.commit(await writer.prepareCommit());
  await writer.close();
}

/** Two subtasks, two checkpoints each; gives what the first of them holds. */
async function checkpointedTwice(world: World<SimEnv>, options: WriterOptions): Promise<Committable[]> {
  const held: Committable[] = [];
  for (const subtaskIndex of [0, 1]) {
    const writer = new WriterUnderTest(sink, world, { bounded: false, parallelism: 2, ...options, subtaskIndex });
    await writer.open();
    await writer.write(numbers(subtaskIndex, subtaskIndex + 1));
    const first = await writer.prepareCommit();
    await writer.commit(first);
    held.push(...first);
    await writer.write(numbers(10 + subtaskIndex, 11 + subtaskIndex));
    await writer.commit(await writer.prepareCommit());
    await writer.close();
  }
  return held;
}

test("from an older snapshot than the newest removes the parts that were committed after it, also elsewhere (T4)", async () => {
  for (const parallelism of [1, 2, 3]) {
    const world = simWorld(1);
    await committed(world, numbers(90, 91), { bounded: false, jobId: "job-0", subtaskIndex: 2, parallelism: 3 });
    const uncommitted = await checkpointedTwice(world, {});
    assert.deepEqual(await readBack(world), [0, 1, 10, 11, 90]);
    for (let subtaskIndex = 0; subtaskIndex < parallelism; subtaskIndex += 1) {
      const next = { jobId: "job-2", restored: true, bounded: false, parallelism, uncommitted, subtaskIndex };
      await committed(world, numbers(20 + subtaskIndex, 21 + subtaskIndex), next);
    }
    const written = [20, 21, 22].slice(0, parallelism);
    assert.deepEqual(await readBack(world), [0, 1, ...written, 90], "those of an earlier run stay");
  }
});

test("with an end leaves the rows of a run that began anew meanwhile where rows are added, and replaces them elsewhere", async () => {
  for (const mode of ["append", undefined] as const) {
    const world = simWorld(1);
    const added = jsonl("/out", mode && { mode });
    const first = new WriterUnderTest(added, world);
    await first.open();
    const { committables: uncommitted, states } = await first.checkpoint();
    await committed(world, numbers(0, 2), { jobId: "job-2" }, added);
    await committed(world, numbers(5, 6), { jobId: "job-3", restored: true, uncommitted, states }, added);
    assert.deepEqual(await readBack(world), mode === "append" ? [0, 1, 5] : [5]);
  }
});

test("without an end tells with each checkpoint how many parts there are (T4)", async () => {
  for (const bounded of [true, false]) {
    const writer = new WriterUnderTest(sink, simWorld(1), { bounded });
    await writer.open();
    await writer.write(numbers(0, 1));
    await writer.commit(await writer.prepareCommit());
    const [then] = await writer.prepareCommit();
    assert.equal((then as { committed: number } | undefined)?.committed, bounded ? undefined : 1);
    await writer.close();
  }
});

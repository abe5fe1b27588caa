// The buffers of a writer: what is written arrives whole and in order, whatever its length.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { settled, WriterUnderTest, writeRun } from "../../../operators/sink.contract.ts";
import { simWorld } from "../../../testing/world.ts";
import { jsonl } from "../json/jsonl.ts";
import { fileCommitter } from "./file-committer.ts";

const KIB = 1024;

/** All that is visible, in the order of the parts. */
function shown(world: ReturnType<typeof simWorld>): string {
  const { disk } = world.env;
  const paths = disk.paths().filter((path) => !path.includes("/."));
  return paths.map((path) => new TextDecoder("utf-8", { fatal: true }).decode(disk.get(path) ?? undefined)).join("");
}

const inProgress = ({ env }: ReturnType<typeof simWorld>): string[] =>
  env.disk.paths().filter((path) => path.endsWith(".tmp"));

const lines = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

describe("what a writer takes", () => {
  for (const [letters, letter] of [
    ["one byte", "a"],
    ["two bytes", "é"],
    ["three bytes", "語"],
    ["four bytes", "😀"],
  ] as const) {
    test(`arrives whole, however letters of ${letters} meet the end of a buffer`, async () => {
      for (const length of [101, 1_001, 90 * KIB, 300 * KIB]) {
        const rows = Array.from({ length: Math.ceil(((length < KIB ? 300 : 700) * KIB) / length) }, (_, n) => ({
          text: letter.repeat(length) + n,
        }));
        const world = simWorld(1);
        await writeRun(jsonl("/out"), world, rows);
        assert.equal(shown(world), lines(rows), `${length} letters`);
        assert.equal(world.env.disk.openHandles, 0);
      }
    });
  }

  test("between two flushes is all in what the commit shows, also when none was asked for", async () => {
    const world = simWorld(1);
    const writer = new WriterUnderTest(jsonl("/out"), world);
    await writer.open();
    const rows = Array.from({ length: 5 }, (_, n) => ({ n }));
    writer.offer(rows[0]);
    await writer.flush();
    for (const row of rows.slice(1)) writer.offer(row);
    await writer.commit(await writer.prepareCommit());
    assert.equal(shown(world), lines(rows));
    await writer.close();
  });

  test("is counted in bytes, each once", async () => {
    const world = simWorld(1);
    const sink = jsonl("/out", { roll: { rows: 3 } });
    const { context } = new WriterUnderTest(sink, world);
    let bytesOut = 0;
    const count = (name: string, n = 1): void => {
      if (name === "numBytesOut") bytesOut += n;
    };
    const writer = sink.createWriter({ ...context, metrics: { ...context.metrics, count } });
    await settled(world, async () => {
      await writer.open();
      for (let n = 0; n < 10; n += 1) {
        writer.write({ n }, Number.NaN);
        if (n % 2 === 0) await writer.flush();
      }
      await fileCommitter(world.env.disk).commit(await writer.prepareCommit(true));
      await writer.close();
    });
    assert.equal(bytesOut, shown(world).length);
  });

  test("is gone from the disk once what was prepared of it is discarded", async () => {
    for (const path of ["/out", "/single/out.jsonl"]) {
      const world = simWorld(1);
      const sink = jsonl(path);
      const writer = new WriterUnderTest(sink, world);
      await writer.open();
      await writer.write([{ n: 1 }]);
      const committables = await writer.prepareCommit();
      await writer.abort();
      await writer.close();
      assert.equal(inProgress(world).length, 1, "a checkpoint may hold it");
      await writer.discard(committables);
      assert.deepEqual(inProgress(world), []);
    }
  });

  test("is gone from the disk after an abort, however far its writing has come", async () => {
    for (const path of ["/out", "/single/out.jsonl"]) {
      for (let steps = 0; steps < 12; steps += 1) {
        const world = simWorld(1);
        world.env.disk.faults.latencyMaxMs = 5;
        const writer = new WriterUnderTest(jsonl(path), world);
        await writer.open();
        for (let n = 0; n < 20; n += 1) writer.offer({ n, text: "x".repeat(30 * KIB) });
        await world.env.advance(steps);
        await writer.abort();
        await writer.close();
        await world.env.advance(100);
        assert.deepEqual([inProgress(world), world.env.disk.openHandles], [[], 0], `aborted after ${steps} ms`);
      }
    }
  });

  test("while a buffer is being written goes into another one", async () => {
    const world = simWorld(1);
    const writer = new WriterUnderTest(jsonl("/out"), world);
    await writer.open();
    const rows = Array.from({ length: 1_500 }, (_, n) => ({ n, text: String(n).repeat(200) }));
    // What one record makes is written to its end, full or not: here some buffers.
    for (const row of rows.slice(0, 1_200)) writer.offer(row);
    for (const row of rows.slice(1_200)) if (!writer.offer(row)) await writer.flush();
    await writer.finish();
    assert.equal(shown(world), lines(rows));
  });
});

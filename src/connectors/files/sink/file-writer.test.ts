// The buffers of a writer: what is written arrives whole and in order, whatever its length.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WriterUnderTest, writeRun } from "../../../operators/sink.contract.ts";
import { simWorld } from "../../../testing/world.ts";
import { jsonl } from "../json/jsonl.ts";

const KIB = 1024;

/** All that is visible, in the order of the parts. */
function shown(world: ReturnType<typeof simWorld>): string {
  const { disk } = world.env;
  const paths = disk.paths().filter((path) => !path.includes("/."));
  return paths.map((path) => new TextDecoder("utf-8", { fatal: true }).decode(disk.get(path) ?? undefined)).join("");
}

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

  test("while a buffer is being written goes into another one", async () => {
    const world = simWorld(1);
    const writer = new WriterUnderTest(jsonl("/out"), world);
    await writer.open();
    const rows = Array.from({ length: 900 }, (_, n) => ({ n, text: String(n).repeat(200) }));
    for (const row of rows.slice(0, 500)) writer.offer(row);
    for (const row of rows.slice(500)) if (!writer.offer(row)) await writer.flush();
    await writer.finish();
    assert.equal(shown(world), lines(rows));
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { STDOUT_PATH } from "../../../base/disk.ts";
import { WriterUnderTest } from "../../../operators/sink.contract.ts";
import type { Sink, SinkWriter } from "../../../operators/sink.ts";
import { simWorld } from "../../../testing/world.ts";
import { t } from "../../../types/t.ts";
import { rowsOf } from "../../rows/row-batch.ts";
import { csv } from "../csv/csv.ts";
import { jsonl } from "../json/jsonl.ts";

const recordType = t.struct({ n: t.f64 }).spec;

/** A writer whose pieces are kept; each is delivered once its reader says so. */
function writerOf(sink: Sink<unknown>, delivery: () => Promise<void> = async () => undefined) {
  const pieces: unknown[] = [];
  let bytesOut = 0;
  const { context } = new WriterUnderTest(sink, simWorld(1));
  const writer: SinkWriter<unknown> = sink.createWriter({
    ...context,
    recordType,
    metrics: {
      ...context.metrics,
      count: (_name, n = 1) => {
        bytesOut += n;
      },
    },
    deliver: (bytes) => {
      pieces.push(...rowsOf(bytes));
      return delivery();
    },
  });
  return { pieces, writer, bytesOut: () => bytesOut };
}

describe("standard output as a sink", () => {
  test("gets the header once, and each row once, with the flushes and the end", async () => {
    const { pieces, writer } = writerOf(csv(STDOUT_PATH));
    await writer.open();
    for (const n of [1, 2]) assert.equal(writer.write({ n }, Number.NaN), true);
    await writer.flush();
    await writer.flush();
    writer.write({ n: 3 }, Number.NaN);
    assert.deepEqual(await writer.prepareCommit(true), []);
    await writer.close();
    assert.deepEqual(pieces, ["n\n1\n2\n", "3\n"]);
  });

  test("gets a header without rows, where the columns are known", async () => {
    const { pieces, writer } = writerOf(csv(STDOUT_PATH));
    await writer.prepareCommit(true);
    assert.deepEqual(pieces, ["n\n"]);
    const lines = writerOf(jsonl(STDOUT_PATH));
    await lines.writer.prepareCommit(true);
    assert.deepEqual(lines.pieces, []);
  });

  test("fills a piece, which then has to be flushed, and the flush waits for its reader", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { pieces, writer, bytesOut } = writerOf(jsonl(STDOUT_PATH), () => promise);
    let rows = 1;
    while (writer.write({ text: "x".repeat(1_000) }, Number.NaN)) rows += 1;
    assert.ok(rows > 10 && rows < 100, `${rows}`);
    let isFlushed = false;
    const flush = writer.flush().then(() => {
      isFlushed = true;
    });
    await new Promise(setImmediate);
    assert.equal(String(pieces[0]).split("\n").length - 1, rows);
    assert.ok(bytesOut() >= rows * 1_000);
    assert.equal(isFlushed, false);
    resolve();
    await flush;
    assert.ok(writer.write({ text: "" }, Number.NaN), "there is room again");
  });

  test("gets nothing of what was not flushed before an abort", async () => {
    const { pieces, writer } = writerOf(jsonl(STDOUT_PATH));
    writer.write({ n: 1 }, Number.NaN);
    await writer.abort();
    await writer.flush();
    assert.deepEqual(pieces, []);
  });
});

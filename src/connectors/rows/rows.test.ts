import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SinkWriterContext } from "../../operators/sink.ts";
import { rowsOf } from "./row-batch.ts";
import { rows } from "./rows.ts";

function writerOf(delivered: unknown[][], delivery: Promise<void> = Promise.resolve()) {
  const deliver = (bytes: Uint8Array): Promise<void> => {
    delivered.push([...rowsOf(bytes)]);
    return delivery;
  };
  return rows().createWriter({ deliver } as Partial<SinkWriterContext> as SinkWriterContext);
}

describe("rows", () => {
  test("arrive as they were written, whatever data they are, with a flush", async () => {
    const delivered: unknown[][] = [];
    const writer = writerOf(delivered);
    const written = [{ at: new Date(5), big: 2n ** 70n, of: new Map([["a", [1, -0, null]]]) }, "text", undefined, NaN];
    for (const row of written) assert.equal(writer.write(row, NaN), true);
    assert.deepEqual(delivered, []);
    await writer.flush();
    await writer.flush();
    assert.deepEqual(delivered, [written], "an empty batch is not sent");
    assert.deepEqual(await writer.prepareCommit(true), []);
  });

  test("fill a batch, which then has to be flushed, and the flush waits for its delivery", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const delivered: unknown[][] = [];
    const writer = writerOf(delivered, promise);
    let count = 1;
    while (writer.write("x".repeat(1_000), NaN)) count += 1;
    assert.ok(count > 10, `${count}`);
    let flushed = false;
    const flush = writer.flush().then(() => {
      flushed = true;
    });
    await new Promise(setImmediate);
    assert.equal(delivered[0]?.length, count);
    assert.equal(flushed, false);
    resolve();
    await flush;
  });

  test("that were sent stay as they are while further ones are written", async () => {
    const sent: Uint8Array[] = [];
    const deliver = async (bytes: Uint8Array): Promise<void> => void sent.push(bytes);
    const writer = rows().createWriter({ deliver } as Partial<SinkWriterContext> as SinkWriterContext);
    for (const row of [{ n: 1 }, { n: 2 }, { n: 3 }]) {
      writer.write(row, NaN);
      await writer.flush();
    }
    assert.deepEqual(
      sent.map((bytes) => [...rowsOf(bytes)]),
      [[{ n: 1 }], [{ n: 2 }], [{ n: 3 }]],
    );
  });

  test("that are no data are refused where they are written", () => {
    assert.throws(() => writerOf([]).write({ f: () => 1 }, NaN), { code: "CODEC_UNSUPPORTED", message: /^f of the/ });
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { STDIN_PATH } from "../../../base/disk.ts";
import { simWorld } from "../../../testing/world.ts";
import { byteStream, encodingProblem, type FileCoding, ReadAhead } from "./byte-stream.ts";

const content = Buffer.from(Array.from({ length: 3_000 }, (_, n) => `${n};`).join(""));

function setUp(chunkBytes: number, gzip = false) {
  const world = simWorld(1);
  const { disk } = world.env;
  disk.put("/f", gzip ? gzipSync(content) : content);
  const closing = new AbortController();
  const coding: FileCoding = { compression: gzip ? "gzip" : null, encoding: null };
  const chunks = (offset: number) => byteStream("/f", offset, { disk, coding, chunkBytes, signal: closing.signal });
  /** All bytes, each chunk taken only when the next one is there, as the reader ahead does. */
  const read = async (offset: number): Promise<string> => {
    const parts: Buffer[] = [];
    const ahead = new ReadAhead(chunks(offset), () => undefined);
    while (!ahead.ended) {
      const chunk = ahead.take();
      await world.settle(); // The next one is read meanwhile.
      await new Promise((resolve) => setImmediate(resolve)); // zlib works in threads of its own.
      if (chunk !== null) parts.push(Buffer.from(chunk));
    }
    await ahead.close();
    return Buffer.concat(parts).toString();
  };
  return { world, disk, chunks, read, closing };
}

describe("the bytes of a file", () => {
  test("B1: come in order and stay as they are while the next ones are read, from any place on", async () => {
    for (const chunkBytes of [7, 100, 100_000]) {
      const { read } = setUp(chunkBytes);
      for (const offset of [0, 1, 5_000, content.length]) {
        assert.equal(await read(offset), content.subarray(offset).toString(), `${chunkBytes} from ${offset}`);
      }
    }
  });

  test("of an archive come from the same place in what it contains", async () => {
    const { read } = setUp(50, true);
    for (const offset of [0, 1, 5_000, content.length - 1])
      assert.equal(await read(offset), content.subarray(offset).toString(), `from ${offset}`);
  });

  test("of an archive that has become shorter are not made up", async () => {
    const { read } = setUp(50, true);
    await assert.rejects(read(content.length + 1), { code: "FILE_CHANGED" });
  });

  test("B3: of a file that is cut while it is read are not taken for all of it", async () => {
    for (const left of [0, 250, content.length - 1]) {
      const { world, disk, chunks } = setUp(100);
      const ahead = new ReadAhead(chunks(0), () => undefined);
      await world.settle();
      assert.notEqual(ahead.take(), null);
      const cutting = disk.open("/f", "replace").then((cut) => cut.append(content.subarray(0, left)));
      await world.settle();
      await cutting;
      const readOn = async () => {
        while (!ahead.ended) {
          await world.settle();
          ahead.take();
        }
      };
      await assert.rejects(readOn, { code: "FILE_CHANGED" }, `${left} bytes left`);
      await ahead.close();
    }
  });

  test("a failure of the disk reaches the consumer, once the chunks before it are taken", async () => {
    const { world, disk, chunks } = setUp(100);
    let reads = 0;
    disk.faults.fail = (operation) => {
      if (operation === "read") reads += 1;
      return operation === "read" && reads === 3 ? "DISK_IO" : null;
    };
    const ahead = new ReadAhead(chunks(0), () => undefined);
    let taken = 0;
    await assert.rejects(
      async () => {
        for (let n = 0; n < 100; n += 1) {
          await world.settle();
          if (ahead.take() !== null) taken += 1;
        }
      },
      { code: "DISK_IO" },
    );
    assert.equal(taken, 2);
    await ahead.close();
    assert.equal(disk.openHandles, 0);
  });

  test("a stream that is not read to its end leaves no file open", async () => {
    const { world, disk, chunks, closing } = setUp(100);
    const ahead = new ReadAhead(chunks(0), () => undefined);
    await world.settle();
    assert.equal(disk.openHandles, 1);
    closing.abort();
    const closed = ahead.close();
    await world.settle();
    await closed;
    assert.equal(disk.openHandles, 0);
  });
});

test("compressed bytes are told with what can be done: a pipe has no name to change", () => {
  const problem = (file: string) => {
    return encodingProblem(file, gzipSync(content), { compression: null, encoding: null });
  };
  assert.equal(problem("in.csv")?.fix, 'rename it to end with ".gz", or set the option `compression: "gzip"`');
  assert.equal(problem(STDIN_PATH)?.fix, 'set the option `compression: "gzip"`');
  assert.equal(problem(STDIN_PATH)?.message, "/dev/stdin is compressed with gzip, which its name cannot say");
});

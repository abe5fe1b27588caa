import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { SeededRandom } from "../../../base/seeded-random.ts";
import { decompressed } from "./decompress-node.ts";
import { ZstdFrames } from "./zstd-frames.ts";

const random = new SeededRandom(1);
const noise = Buffer.from(Array.from({ length: 20_000 }, () => Math.floor(random.next() * 256)));

/** As a file is read: each chunk lies in the same memory as the one before. */
async function* reused(bytes: Buffer, size: number): AsyncGenerator<Uint8Array, void, void> {
  const memory = Buffer.alloc(size);
  for (let at = 0; at < bytes.length; at += size) {
    const count = bytes.copy(memory, 0, at, at + size);
    yield memory.subarray(0, count);
    memory.fill(0);
  }
}

async function all(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts);
}

describe("archives", () => {
  for (const [compression, archive] of [
    ["gzip", gzipSync(noise)],
    ["zstd", zstdCompressSync(noise)],
  ] as const) {
    test(`${compression}: chunks may lie in memory that is used again as soon as the next one is asked for`, async () => {
      for (const size of [100, 1_000]) {
        assert.ok(noise.equals(await all(decompressed("f", compression, () => reused(archive, size)))));
      }
    });
  }

  test("zstd is cut at the ends of its frames, however it comes in", () => {
    const frame = fc.oneof(
      fc.string({ maxLength: 40 }).map((text) => zstdCompressSync(text)),
      fc.constantFrom(zstdCompressSync(noise), zstdCompressSync(Buffer.alloc(300_000))),
      fc.constant(Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])),
      fc.constant(Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0])),
    );
    const property = fc.property(
      fc.array(frame, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 5_000 }),
      (frames, size) => {
        const whole = Buffer.concat(frames);
        const cutter = new ZstdFrames();
        const ends = new Set<number>();
        let at = 0;
        for (let from = 0; from < whole.length; from += size) {
          for (const piece of cutter.pieces(whole.subarray(from, from + size))) {
            at += piece.length;
            ends.add(at);
          }
        }
        assert.equal(at, whole.length);
        let end = 0;
        for (const { length } of frames) {
          end += length;
          assert.ok(ends.has(end), `no cut at ${end}`);
        }
      },
    );
    fc.assert(property, { numRuns: 200 });
  });
});

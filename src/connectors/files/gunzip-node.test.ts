import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { gunzipChunks } from "./gunzip-node.ts";

const text = Buffer.from(Array.from({ length: 20_000 }, (_, n) => `line ${n} of ${(n * 7_919) % 10_007}\n`).join(""));

/** Chunks as a file's reader gives them: in two buffers by turns, each valid until the next but one is asked for. */
async function* chunksOf(bytes: Buffer, size: number): AsyncGenerator<Uint8Array, void, void> {
  const buffers = [Buffer.alloc(size), Buffer.alloc(size)];
  for (let at = 0, turn = 0; at < bytes.length; at += size, turn ^= 1) {
    const count = bytes.copy(buffers[turn]!, 0, at, at + size);
    buffers[turn ^ 1]!.fill(0xdb);
    yield buffers[turn]!.subarray(0, count);
  }
}

for (const size of [50, 1_000, 64 * 1024]) {
  test(`an archive is read whole though its reader uses chunks of ${size} bytes again at once`, async () => {
    const found: Buffer[] = [];
    // What is given out may be kept, too.
    for await (const chunk of gunzipChunks("a.gz", () => chunksOf(gzipSync(text), size))) found.push(chunk as Buffer);
    assert.ok(Buffer.concat(found).equals(text));
  });
}

test("a consumer that has enough leaves nothing open", async () => {
  let closed = 0;
  const chunks = async function* (): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* chunksOf(gzipSync(text), 100);
    } finally {
      closed += 1;
    }
  };
  for await (const chunk of gunzipChunks("a.gz", chunks)) {
    assert.ok(chunk.length > 0);
    break;
  }
  assert.equal(closed, 1);
});

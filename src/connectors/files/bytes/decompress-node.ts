// Decompression with Node's zlib, chunk by chunk and bounded. The only file of the connectors that touches Node's
// streams.

import { once } from "node:events";
import { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { EngineError, UserError } from "../../../base/errors.ts";
import { ZstdFrames } from "./zstd-frames.ts";

export type Compression = "gzip" | "zstd";

const CHUNK = { chunkSize: 128 * 1024 };

/** What the archive contains. Several archives in one file follow one another, as for `gzip -d` and `zstd -d`. */
export async function* decompressed(
  file: string,
  compression: Compression,
  compressed: () => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  const isGzip = compression === "gzip";
  const source = Readable.from(isGzip ? copies(compressed()) : frames(compressed()), { highWaterMark: 1 });
  const inflate = isGzip ? createGunzip(CHUNK) : createZstdDecompress(CHUNK);
  source.on("error", (error) => inflate.destroy(error));
  source.pipe(inflate);
  try {
    for await (const chunk of inflate) yield chunk as Buffer;
  } catch (error) {
    throw archiveError(file, compression, error);
  } finally {
    inflate.destroy();
    source.destroy();
    // Until then a read may still be under way.
    if (!source.closed) await once(source, "close");
  }
}

/** Chunks are reused by their reader, and zlib works on one while the next is read. */
async function* copies(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, void> {
  for await (const chunk of chunks) yield Buffer.from(chunk);
}

async function* frames(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, void> {
  const cutter = new ZstdFrames();
  let isEmpty = true;
  for await (const chunk of copies(chunks)) {
    isEmpty = false;
    yield* cutter.pieces(chunk) as Iterable<Buffer>;
  }
  if (isEmpty) throw new Error("unexpected end of file"); // As for gzip.
}

function archiveError(file: string, compression: Compression, error: unknown): EngineError {
  if (error instanceof EngineError) return error; // From the disk.
  const text = error instanceof Error ? error.message : String(error);
  const details = { fix: `copy or produce the file again; \`${compression} -t\` tests it`, cause: error };
  if (text.includes("unexpected end")) {
    const code = compression === "gzip" ? "GZIP_TRUNCATED" : "ZSTD_TRUNCATED";
    return new UserError(code, `${file} ends in the middle of its ${compression} data`, details);
  }
  const code = compression === "gzip" ? "GZIP_CORRUPT" : "ZSTD_CORRUPT";
  return new UserError(code, `${file} is not valid ${compression} data: ${text}`, details);
}

// Decompression with Node's zlib, chunk by chunk and bounded. The only file of the connectors that touches Node's
// streams.

import { once } from "node:events";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { EngineError, UserError } from "../../base/errors.ts";

/** What the archive contains. Several archives in one file follow one another, as for `gzip -d`. */
export async function* gunzipChunks(
  file: string,
  compressed: () => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  const source = Readable.from(copies(compressed()), { highWaterMark: 1 });
  const inflate = createGunzip({ chunkSize: 128 * 1024 });
  source.on("error", (error) => inflate.destroy(error));
  source.pipe(inflate);
  try {
    for await (const chunk of inflate) yield chunk as Buffer;
  } catch (error) {
    throw archiveError(file, error);
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

function archiveError(file: string, error: unknown): EngineError {
  if (error instanceof EngineError) return error; // From the disk.
  const text = error instanceof Error ? error.message : String(error);
  if (text.includes("unexpected end")) {
    return new UserError("GZIP_TRUNCATED", `${file} ends in the middle of its gzip data`, {
      fix: "copy or produce the file again; `gzip -t` tests it",
      cause: error,
    });
  }
  return new UserError("GZIP_CORRUPT", `${file} is not valid gzip data: ${text}`, {
    fix: "copy or produce the file again; `gzip -t` tests it",
    cause: error,
  });
}

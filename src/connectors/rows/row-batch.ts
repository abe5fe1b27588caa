// Rows on their way out of a job: value after value, as bytes of the format for any value (types/any/any-format.ts).

import { ByteCursor, ByteSink } from "../../types/bytes/byte-buffer.ts";
import { compileValueCodec } from "../../types/values/value-codec.ts";

const BATCH_BYTES = 32 * 1024;

const codec = compileValueCodec({ kind: "any" }, "rows");

export class RowBatch {
  readonly #sink = new ByteSink(BATCH_BYTES);

  /** False when it is full now. Throws CODEC_UNSUPPORTED for what is no data. */
  add(row: unknown): boolean {
    codec.write(row, this.#sink);
    return this.#sink.position < BATCH_BYTES;
  }

  /** The bytes of what was added, and is so no more; null for nothing. */
  take(): Uint8Array | null {
    if (this.#sink.position === 0) return null;
    const bytes = this.#sink.copy();
    this.#sink.position = 0;
    return bytes;
  }
}

export function* rowsOf(bytes: Uint8Array): Generator<unknown> {
  const cursor = new ByteCursor(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  while (cursor.position < cursor.end) yield codec.read(cursor);
}

// The keys of a batch, staged for a table: hashes, and the keys themselves as numbers or as canonical bytes.
//
// Generated operator code fills the arrays directly: `numbers[i]` and `hashes[i]` for number keys (or the numbers
// alone, then `hashNumbers()`), `stage`/`stageAscii` for others, `namespaces[i]` for tables with a namespace. A batch
// is reused for ever.
//
//   B1. `numbers` and `namespaces` hold no NaN; -0 is turned into 0 on the way (`hashNumbers`, the table).
//   B2. Staged bytes start at a multiple of 4 and are followed by zeros up to 16 bytes, so that they compare as words.

import { heapView } from "../../base/memory-view.ts";
import { ENCODED_BYTES_MAX, valueTooLarge } from "../../types/bytes/byte-buffer.ts";
import type { ByteWriter } from "../../types/bytes/codec.ts";
import type { KeyCodec } from "../../types/keys/key-bytes.ts";
import { hashNumbers } from "../../types/keys/key-hash.ts";
import { KEY_TAG } from "../../types/keys/key-spec.ts";

/** Bytes of a key that a row holds itself. */
export const KEY_INLINE_BYTES = 16;

export class KeyBatch implements ByteWriter {
  readonly capacity: number;
  /** Canonical hashes, types/keys/key-hash.ts. */
  readonly hashes: Int32Array;
  readonly numbers: Float64Array;
  /** The same memory as `numbers`. */
  readonly numberWords: Int32Array;
  readonly namespaces: Float64Array;
  /** The same memory as `namespaces`. */
  readonly namespaceWords: Int32Array;
  /** Canonical bytes, and the same memory as words. */
  bytes: Buffer;
  words: Int32Array;
  /** Where key `i` starts in `bytes`, and its length. */
  readonly starts: Int32Array;
  readonly sizes: Int32Array;
  /** End of what is staged; set it to 0 before staging the keys of another batch. */
  position: number;

  constructor(capacity: number) {
    const view = heapView(capacity * 4 * KEY_INLINE_BYTES);
    this.capacity = capacity;
    this.hashes = new Int32Array(capacity);
    this.numbers = new Float64Array(capacity);
    this.numberWords = new Int32Array(this.numbers.buffer);
    this.namespaces = new Float64Array(capacity);
    this.namespaceWords = new Int32Array(this.namespaces.buffer);
    this.bytes = view.bytes;
    this.words = view.i32;
    this.starts = new Int32Array(capacity);
    this.sizes = new Int32Array(capacity);
    this.position = 0;
  }

  /** Hashes the first `count` numbers. Returns less than `count` when that one is NaN, which is no key. */
  hashNumbers(count: number): number {
    return hashNumbers(this.numbers, this.numberWords, count, this.hashes);
  }

  /** Stages a key's canonical bytes as key `i`. */
  stage(i: number, key: unknown, codec: KeyCodec): void {
    const start = this.position;
    codec.write(key, this);
    this.#close(i, start);
  }

  /** Stages the string key whose characters are ASCII bytes, as a text column holds them. */
  stageAscii(i: number, source: Uint8Array, from: number, end: number): void {
    const start = this.position;
    const size = end - from;
    this.reserve(size + 1);
    const bytes = this.bytes;
    bytes[start] = KEY_TAG.string;
    for (let n = 0; n < size; n += 1) bytes[start + 1 + n] = source[from + n]!;
    this.position = start + 1 + size;
    this.#close(i, start);
  }

  /** Stages canonical bytes as they are. */
  stageBytes(i: number, source: Uint8Array, from: number, end: number): void {
    const start = this.position;
    this.reserve(end - from);
    this.bytes.set(source.subarray(from, end), start);
    this.position = start + end - from;
    this.#close(i, start);
  }

  reserve(count: number): void {
    const needed = this.position + count + KEY_INLINE_BYTES;
    if (needed <= this.bytes.length) return;
    if (needed > ENCODED_BYTES_MAX) throw valueTooLarge(needed);
    const view = heapView(Math.min(Math.max(needed, this.bytes.length * 2), ENCODED_BYTES_MAX));
    this.bytes.copy(view.bytes, 0, 0, this.position);
    this.bytes = view.bytes;
    this.words = view.i32;
  }

  #close(i: number, start: number): void {
    const end = this.position;
    const padded = Math.max(start + KEY_INLINE_BYTES, (end + 3) & ~3);
    const bytes = this.bytes;
    for (let n = end; n < padded; n += 1) bytes[n] = 0;
    this.starts[i] = start;
    this.sizes[i] = end - start;
    this.position = padded;
  }
}

// Keys in rows: writing, comparing, reading and hashing them. Layout: row-layout.ts; long keys lie in the log.
//
// The index of a group finds rows by the canonical hash of their key, mixed with the namespace. A group in which too
// many keys share a hash is hardened: its index then uses a second, seeded hash of the key (T5 of managed-table.ts).

import type { MemoryView } from "../../base/memory-view.ts";
import { ByteSink } from "../../types/bytes/byte-buffer.ts";
import type { ByteWriter } from "../../types/bytes/codec.ts";
import { mixEnd, mixWord } from "../../types/keys/key-hash.ts";
import { KEY_TAG } from "../../types/keys/key-spec.ts";
import { KEY_INLINE_BYTES, type KeyBatch } from "../keys/key-batch.ts";
import { type BlobLog, PART_KEY } from "./blob-log.ts";
import type { RowLayout, TableSpec } from "./row-layout.ts";

/** In a row with a long key, by i32: where it lies in the log. */
export const LONG_KEY_REF = 4;

export class RowKeys {
  readonly #f64: Float64Array;
  readonly #i32: Int32Array;
  readonly #log: BlobLog;
  readonly #isNumber: boolean;
  /** 0 when rows have no namespace. */
  readonly #namespaceWord: number;
  readonly #seed: number;
  /** By group: 1 when it is hardened. */
  readonly #hardened: Uint8Array;
  readonly #sink = new ByteSink(64);

  constructor(view: MemoryView, log: BlobLog, spec: TableSpec, layout: RowLayout, groups: number, seed: number) {
    this.#f64 = view.f64;
    this.#i32 = view.i32;
    this.#log = log;
    this.#isNumber = spec.key === "number";
    this.#namespaceWord = spec.namespaced ? layout.namespaceWord : 0;
    this.#seed = seed;
    this.#hardened = new Uint8Array(groups);
  }

  /** Whether a row is that of key `i` of the batch. */
  matches(group: number, address: number, batch: KeyBatch, i: number): boolean {
    const f64 = this.#f64;
    const namespaceWord = this.#namespaceWord;
    if (namespaceWord !== 0 && f64[address + namespaceWord] !== batch.namespaces[i]) return false;
    if (this.#isNumber) return f64[address] === batch.numbers[i];
    const i32 = this.#i32;
    const at = address * 2;
    const size = batch.sizes[i]!;
    if (i32[at] !== batch.hashes[i] || i32[at + 1] !== size) return false;
    const word = batch.starts[i]! >> 2;
    const { words } = batch;
    if (i32[at + 2] !== words[word] || i32[at + 3] !== words[word + 1]) return false;
    if (size > KEY_INLINE_BYTES) return this.#matchesLong(group, address, batch, i);
    return i32[at + 4] === words[word + 2] && i32[at + 5] === words[word + 3];
  }

  #matchesLong(group: number, address: number, batch: KeyBatch, i: number): boolean {
    const { bytes, position } = this.#readOwn(group, address);
    const start = batch.starts[i]!;
    for (let n = 0; n < position; n += 1) {
      if (bytes[n] !== batch.bytes[start + n]) return false;
    }
    return true;
  }

  /** Writes key `i` of the batch and its namespace into a new row. False when the budget has no room for a long key. */
  write(group: number, address: number, row: number, batch: KeyBatch, i: number): boolean {
    if (this.#namespaceWord !== 0) this.#f64[address + this.#namespaceWord] = batch.namespaces[i]!;
    if (this.#isNumber) {
      this.#f64[address] = batch.numbers[i]!;
      return true;
    }
    const i32 = this.#i32;
    const at = address * 2;
    const size = batch.sizes[i]!;
    const word = batch.starts[i]! >> 2;
    i32[at] = batch.hashes[i]!;
    i32[at + 1] = size;
    for (let n = 0; n < KEY_INLINE_BYTES / 4; n += 1) i32[at + 2 + n] = batch.words[word + n]!;
    if (size <= KEY_INLINE_BYTES) return true;
    const ref = this.#log.allocate(group, size, row, PART_KEY);
    if (ref === -1) return false;
    this.#log.write(group, ref, 0, batch.bytes, batch.starts[i]!, size);
    i32[at + LONG_KEY_REF] = ref;
    i32[at + LONG_KEY_REF + 1] = 0;
    return true;
  }

  /** Gives back what a row's key holds outside the row. */
  release(group: number, address: number): void {
    if (this.#isNumber || this.#i32[address * 2 + 1]! <= KEY_INLINE_BYTES) return;
    this.#log.release(group, this.#i32[address * 2 + LONG_KEY_REF]!);
  }

  /** Appends the canonical bytes of a row's key. */
  read(group: number, address: number, out: ByteWriter): void {
    const i32 = this.#i32;
    const at = address * 2;
    if (this.#isNumber) {
      out.reserve(9);
      out.bytes[out.position] = KEY_TAG.number;
      out.position = out.bytes.writeDoubleLE(this.#f64[address]!, out.position + 1);
      return;
    }
    const size = i32[at + 1]!;
    if (size > KEY_INLINE_BYTES) {
      this.#log.read(group, i32[at + LONG_KEY_REF]!, 0, size, out);
      return;
    }
    out.reserve(KEY_INLINE_BYTES);
    for (let n = 0; n < size; n += 4) out.bytes.writeInt32LE(i32[at + 2 + (n >> 2)]!, out.position + n);
    out.position += size;
  }

  /** Stages a row's key, with its hash, as key `i` of a batch. */
  stage(group: number, address: number, batch: KeyBatch, i: number): void {
    if (this.#isNumber) {
      batch.numbers[i] = this.#f64[address]!;
      batch.hashes[i] = this.#numberHash(address * 2);
      return;
    }
    const { bytes, position } = this.#readOwn(group, address);
    batch.stageBytes(i, bytes, 0, position);
    batch.hashes[i] = this.#i32[address * 2]!;
  }

  /** Hash by which the index of a group finds key `i` of the batch. */
  hashOf(group: number, batch: KeyBatch, i: number): number {
    let hash = batch.hashes[i]!;
    if (this.#hardened[group] !== 0) {
      hash = this.#isNumber
        ? secondHash(this.#seed, batch.numberWords[i * 2]!, batch.numberWords[i * 2 + 1]!)
        : secondHashBytes(this.#seed, batch.bytes, batch.starts[i]!, batch.sizes[i]!);
    }
    if (this.#namespaceWord === 0) return hash;
    batch.namespaces[i]! += 0; // -0 becomes 0
    return mixNamespace(hash, batch.namespaceWords[i * 2]!, batch.namespaceWords[i * 2 + 1]!);
  }

  /** The same for the key of a row. */
  rowHash(group: number, address: number): number {
    const i32 = this.#i32;
    const at = address * 2;
    let hash: number;
    if (this.#hardened[group] !== 0) {
      hash = this.#rowSecondHash(group, address);
    } else {
      hash = this.#isNumber ? this.#numberHash(at) : i32[at]!;
    }
    if (this.#namespaceWord === 0) return hash;
    const namespaceAt = at + this.#namespaceWord * 2;
    return mixNamespace(hash, i32[namespaceAt]!, i32[namespaceAt + 1]!);
  }

  /** The same for many rows of a group. */
  rowHashes(group: number, addresses: Int32Array, count: number, hashes: Int32Array): void {
    for (let n = 0; n < count; n += 1) hashes[n] = this.rowHash(group, addresses[n]!);
  }

  isHardened(group: number): boolean {
    return this.#hardened[group] !== 0;
  }

  /** From now on the group's hashes are of the second kind, or of the first again. */
  setHardened(group: number, hardened: boolean): void {
    this.#hardened[group] = hardened ? 1 : 0;
  }

  /** Canonical hash of the number key at a place in the Int32Array. */
  #numberHash(at: number): number {
    return mixEnd(mixWord(mixWord(KEY_TAG.number, this.#i32[at]!), this.#i32[at + 1]!), 8);
  }

  #rowSecondHash(group: number, address: number): number {
    if (this.#isNumber) return secondHash(this.#seed, this.#i32[address * 2]!, this.#i32[address * 2 + 1]!);
    const { bytes, position } = this.#readOwn(group, address);
    return secondHashBytes(this.#seed, bytes, 0, position);
  }

  #readOwn(group: number, address: number): ByteSink {
    this.#sink.position = 0;
    this.read(group, address, this.#sink);
    return this.#sink;
  }
}

/** Hash of a key in a namespace, by the two words of the namespace. */
export function mixNamespace(hash: number, low: number, high: number): number {
  const h = mixWord(mixWord(hash, low), high);
  return h ^ (h >>> 16);
}

function mixSecond(hash: number, word: number): number {
  const h = Math.imul(((hash << 5) | (hash >>> 27)) ^ word, 0x9e3779b1);
  return h ^ (h >>> 15);
}

function secondHash(seed: number, low: number, high: number): number {
  return mixSecond(mixSecond(mixSecond(seed, low), high), low);
}

function secondHashBytes(seed: number, bytes: Uint8Array, start: number, size: number): number {
  let hash = seed;
  for (let n = 0; n < size; n += 1) hash = mixSecond(hash, bytes[start + n]!);
  return hash;
}

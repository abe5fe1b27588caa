// The number of different values in bounded memory: HyperLogLog with m = 2^precision one-byte registers.
//
// A value's first hash picks a register, which keeps the largest "position of the first 1 bit" of the second hash. The
// estimate is Ertl's improved one, unbiased over the whole range without correction tables. Small groups keep the
// hashes themselves.
//
//   D1. Up to m / 16 different values the count is exact (but for collisions of 64-bit hashes).
//   D2. Beyond, the standard error is 1.04 / sqrt(m), m being the least power of two that keeps it within the wanted
//       error.
//   D3. The state is a function of the set of values: order, repetition and the way parts were merged do not matter.
//   D4. `#counts` says how many registers have each value, so that an estimate does not look at the registers: running
//       aggregates read one after each record.

import { UserError } from "../../base/errors.ts";
import { readByte, readI32, readU32, take, writeByte, writeI32, writeU32 } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import { mixEnd, mixWord } from "../../types/keys/key-hash.ts";
import { describe } from "../../types/spec/describe.ts";

/** Registers per kept hash: where keeping hashes would take more memory than the registers, it ends. */
const REGISTERS_PER_HASH = 16;
const RANKS = 32;
/** What a sketch takes beside the bytes of its typed array: its own object, and those of the array. */
const SKETCH_BYTES = 320;
/** The counts of registers, with the objects of their array. */
const COUNTS_BYTES = 4 * (RANKS + 2) + 200;

export class DistinctSketch {
  readonly #precision: number;
  readonly #hashesMax: number;
  /** Open addressing over pairs of hashes, (0, 0) being empty; null once there are registers. */
  #hashes: Int32Array | null;
  #hashCount: number;
  #registers: Uint8Array | null;
  #counts: Int32Array | null;

  constructor(error: number) {
    this.#precision = Math.max(5, Math.ceil(2 * Math.log2(1.04 / error)));
    this.#hashesMax = 2 ** this.#precision / REGISTERS_PER_HASH;
    this.#hashes = new Int32Array(8);
    this.#hashCount = 0;
    this.#registers = null;
    this.#counts = null;
  }

  /** Adds the value that the hasher hashed last. */
  add(hash: ValueHash): void {
    this.#addPair(hash.first, hash.second);
  }

  /** Both must have the same error. `other` stays as it is. */
  merge(other: DistinctSketch): void {
    const registers = other.#registers;
    if (registers !== null) {
      this.#mergeRegisters(registers, 0);
      return;
    }
    const hashes = other.#hashes as Int32Array;
    for (let i = 0; i < hashes.length; i += 2)
      if ((hashes[i]! | hashes[i + 1]!) !== 0) this.#addPair(hashes[i]!, hashes[i + 1]!);
  }

  estimate(): number {
    const counts = this.#counts;
    if (counts === null) return this.#hashCount;
    const m = 2 ** this.#precision;
    let z = m * tau(1 - counts[RANKS + 1]! / m);
    for (let rank = RANKS; rank >= 1; rank -= 1) z = 0.5 * (z + counts[rank]!);
    z += m * sigma(counts[0]! / m);
    return Math.round((m * m) / (2 * Math.LN2 * z));
  }

  /** Memory, for the budget. */
  get bytes(): number {
    const registers = this.#registers;
    return SKETCH_BYTES + (registers === null ? this.#hashes!.byteLength : COUNTS_BYTES + registers.byteLength);
  }

  write(out: ByteWriter): void {
    const registers = this.#registers;
    writeByte(out, registers === null ? 0 : 1);
    if (registers !== null) {
      out.reserve(registers.length);
      out.bytes.set(registers, out.position);
      out.position += registers.length;
      return;
    }
    writeU32(out, this.#hashCount);
    const hashes = this.#hashes as Int32Array;
    for (let i = 0; i < hashes.length; i += 2) {
      if ((hashes[i]! | hashes[i + 1]!) === 0) continue;
      writeI32(out, hashes[i]!);
      writeI32(out, hashes[i + 1]!);
    }
  }

  static read(input: ByteReader, error: number): DistinctSketch {
    const sketch = new DistinctSketch(error);
    sketch.mergeRead(input);
    return sketch;
  }

  /** Merges a sketch that was written. */
  mergeRead(input: ByteReader): void {
    if (readByte(input) === 1) {
      const size = 2 ** this.#precision;
      const start = take(input, size);
      this.#mergeRegisters(input.bytes, start);
      return;
    }
    for (let left = readU32(input); left > 0; left -= 1) {
      const first = readI32(input);
      this.#addPair(first, readI32(input));
    }
  }

  #addPair(first: number, second: number): void {
    const registers = this.#registers;
    if (registers === null) {
      this.#addHash(first, second);
      return;
    }
    this.#raise(first >>> (32 - this.#precision), Math.clz32(second) + 1);
  }

  #raise(index: number, rank: number): void {
    const registers = this.#registers as Uint8Array;
    const before = registers[index]!;
    if (rank <= before) return;
    const counts = this.#counts as Int32Array;
    counts[before]! -= 1;
    counts[rank]! += 1;
    registers[index] = rank;
  }

  /** Registers that lie at `start` in `bytes`. */
  #mergeRegisters(bytes: Uint8Array, start: number): void {
    const size = this.#toRegisters().length;
    for (let i = 0; i < size; i += 1) this.#raise(i, bytes[start + i]!);
  }

  #addHash(first: number, second: number): void {
    const hashes = this.#hashes as Int32Array;
    const filler = (first | second) === 0 ? 1 : second; // (0, 0) means empty
    if (!hashInsert(hashes, first, filler)) return;
    this.#hashCount += 1;
    if (this.#hashCount > this.#hashesMax) this.#toRegisters();
    else if (this.#hashCount * 4 > hashes.length) this.#rehash(hashes);
  }

  #rehash(hashes: Int32Array): void {
    const next = new Int32Array(hashes.length * 2);
    for (let i = 0; i < hashes.length; i += 2) {
      if ((hashes[i]! | hashes[i + 1]!) !== 0) hashInsert(next, hashes[i]!, hashes[i + 1]!);
    }
    this.#hashes = next;
  }

  #toRegisters(): Uint8Array {
    if (this.#registers !== null) return this.#registers;
    const hashes = this.#hashes as Int32Array;
    const registers = new Uint8Array(2 ** this.#precision);
    const counts = new Int32Array(RANKS + 2);
    counts[0] = registers.length;
    this.#registers = registers;
    this.#counts = counts;
    this.#hashes = null;
    for (let i = 0; i < hashes.length; i += 2) {
      if ((hashes[i]! | hashes[i + 1]!) !== 0) this.#addPair(hashes[i]!, hashes[i + 1]!);
    }
    return registers;
  }
}

/** False when the pair was there. The table is never more than half full. */
function hashInsert(hashes: Int32Array, first: number, second: number): boolean {
  const mask = hashes.length - 1;
  for (let at = (first * 2) & mask; ; at = (at + 2) & mask) {
    if ((hashes[at]! | hashes[at + 1]!) === 0) {
      hashes[at] = first;
      hashes[at + 1] = second;
      return true;
    }
    if (hashes[at] === first && hashes[at + 1] === second) return false;
  }
}

function sigma(part: number): number {
  if (part === 1) return Number.POSITIVE_INFINITY;
  let x = part;
  let y = 1;
  let z = part;
  for (let before = -1; z !== before; ) {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  }
  return z;
}

function tau(part: number): number {
  if (part === 0 || part === 1) return 0;
  let x = part;
  let y = 1;
  let z = 1 - part;
  for (let before = -1; z !== before; ) {
    x = Math.sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) ** 2 * y;
  }
  return z / 3;
}

/** Two independent 32-bit hashes of a value: the sketch needs more bits than a key's hash has. */
export class ValueHash {
  first: number;
  second: number;
  readonly #who: string;
  readonly #number: Float64Array;
  readonly #words: Int32Array;

  /** `who`: the aggregate, as people read it. */
  constructor(who = "distinctCount") {
    this.#who = who;
    this.first = 0;
    this.second = 0;
    this.#number = new Float64Array(1);
    this.#words = new Int32Array(this.#number.buffer);
  }

  /** Numbers, strings, booleans, bigints and dates; values of different types differ, others are refused. */
  hash(value: unknown): void {
    if (typeof value === "number") this.#hashNumber(1, value);
    else if (typeof value === "string") this.#hashText(2, value);
    else if (typeof value === "boolean") this.#hashNumber(3, value ? 1 : 0);
    else if (value instanceof Date) this.#hashNumber(4, value.getTime());
    else if (typeof value === "bigint") this.#hashText(5, String(value));
    else throw notCounted(this.#who, value);
  }

  #hashNumber(seed: number, value: number): void {
    this.#number[0] = Number.isNaN(value) ? Number.NaN : value + 0; // one NaN, and -0 is 0
    const low = this.#words[0]!;
    const high = this.#words[1]!;
    this.first = mixEnd(mixWord(mixWord(seed, low), high), 8);
    this.second = mixEnd(mixOther(mixOther(seed, low), high), 8);
  }

  #hashText(seed: number, text: string): void {
    let first = seed;
    let second = seed;
    for (let i = 0; i < text.length; i += 2) {
      const word = text.charCodeAt(i) | (i + 1 < text.length ? text.charCodeAt(i + 1) << 16 : 0);
      first = mixWord(first, word);
      second = mixOther(second, word);
    }
    this.first = mixEnd(first, text.length);
    this.second = mixEnd(second, text.length);
  }
}

function notCounted(who: string, value: unknown): UserError {
  return new UserError(
    "AGGREGATE_INPUT",
    `${who} counts numbers, texts, booleans, bigints and dates, not ${describe(value)}`,
    { fix: "count a field of it, or make one in a map" },
  );
}

/** Another step of hashing than murmur's, so that a collision of one is none of the other. */
function mixOther(hash: number, word: number): number {
  const h = Math.imul(hash ^ word, 0x9e3779b1);
  return Math.imul(h ^ (h >>> 15), 0x85ebca77) ^ (h >>> 13);
}

// Quantiles of numbers in bounded memory, with a bound on the relative error that holds for any data.
//
// Values are counted in buckets whose bounds grow by the factor gamma = (1 + error) / (1 - error): bucket i holds the
// magnitudes in (gamma^(i-1), gamma^i]; its representative 2 gamma^i / (gamma + 1) is within `error` of all of them
// (the idea of DDSketch). Negative values have buckets of their own; zeros and infinities are counted apart. Up to
// EXACT values are kept as they are.
//
//   Q1. `quantile(q)` is within `error`, relatively, of the exact one: the value of rank floor(q * (n - 1)) in sorted
//       order.
//   Q2. The state is a function of the multiset of values: any order of adds and merges gives equal quantiles.
//   Q3. A sign has at most `bucketsMax` buckets (magnitudes over 18 decimal orders). Beyond, magnitudes smaller than
//       10^-18 of the largest are counted as that: Q1 does not hold for them.

import { readCount, readF64, writeF64, writeU32 } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";

/** Groups of up to so many values are exact. */
export const EXACT = 32;
const ORDERS = 18;
/** What a sketch takes beside the bytes of its typed arrays, each of which is some 200 bytes of objects. */
const EXACT_BYTES = 480;
const SKETCH_BYTES = 760;
/** Smaller magnitudes have too few bits for a relative error: they count as 0. */
const MIN_NORMAL = 2 ** -1022;

export class QuantileSketch {
  /** Values but NaN. */
  count: number;
  readonly #gammaLog: number;
  readonly #gamma: number;
  /** The values themselves while there are at most EXACT. */
  #exact: Float64Array | null;
  #zeros: number;
  #minusInfinities: number;
  /** Null until a value of the sign has a bucket. */
  #negative: Buckets | null;
  #positive: Buckets | null;

  constructor(error: number) {
    this.#gamma = (1 + error) / (1 - error);
    this.#gammaLog = Math.log(this.#gamma);
    this.count = 0;
    this.#exact = new Float64Array(4);
    this.#zeros = 0;
    this.#minusInfinities = 0;
    this.#negative = null;
    this.#positive = null;
  }

  /** NaN is skipped. */
  add(value: number): void {
    if (Number.isNaN(value)) return;
    const exact = this.#exact;
    if (exact === null) this.#bucketAdd(value);
    else if (this.count === EXACT) {
      this.#toBuckets();
      this.#bucketAdd(value);
    } else {
      if (this.count === exact.length) this.#exact = grown(exact, exact.length * 2);
      (this.#exact as Float64Array)[this.count] = value;
    }
    this.count += 1;
  }

  /** Both must have the same error. `other` stays as it is. */
  merge(other: QuantileSketch): void {
    const theirs = other.#exact;
    if (theirs !== null) {
      for (let i = 0; i < other.count; i += 1) this.add(theirs[i]!);
      return;
    }
    if (this.#exact !== null) this.#toBuckets();
    this.count += other.count;
    this.#zeros += other.#zeros;
    this.#minusInfinities += other.#minusInfinities;
    if (other.#negative !== null) this.#negatives().merge(other.#negative);
    if (other.#positive !== null) this.#positives().merge(other.#positive);
  }

  /** Null without values. */
  quantile(q: number): number | null {
    if (this.count === 0) return null;
    const rank = Math.floor(q * (this.count - 1));
    if (this.#exact !== null) return this.#exact.slice(0, this.count).sort()[rank]! + 0;
    const [negative, positive] = [this.#negative, this.#positive];
    const belowZero = this.#minusInfinities + (negative?.total ?? 0);
    if (rank < this.#minusInfinities) return Number.NEGATIVE_INFINITY;
    if (negative !== null && rank < belowZero) return -this.#representative(negative.bucketAt(belowZero - 1 - rank));
    if (rank < belowZero + this.#zeros) return 0;
    const above = rank - belowZero - this.#zeros;
    if (positive === null || above >= positive.total) return Number.POSITIVE_INFINITY;
    return this.#representative(positive.bucketAt(above));
  }

  /** Memory, for the budget. */
  get bytes(): number {
    if (this.#exact !== null) return EXACT_BYTES + this.#exact.byteLength;
    return SKETCH_BYTES + (this.#negative?.bytes ?? 0) + (this.#positive?.bytes ?? 0);
  }

  write(out: ByteWriter): void {
    writeF64(out, this.count);
    if (this.#exact !== null) {
      for (let i = 0; i < this.count; i += 1) writeF64(out, this.#exact[i]!);
      return;
    }
    writeF64(out, this.#zeros);
    writeF64(out, this.#minusInfinities);
    Buckets.write(this.#negative, out);
    Buckets.write(this.#positive, out);
  }

  static read(input: ByteReader, error: number): QuantileSketch {
    const sketch = new QuantileSketch(error);
    sketch.mergeRead(input);
    return sketch;
  }

  /** Merges a sketch that was written. */
  mergeRead(input: ByteReader): void {
    const count = readF64(input);
    if (count <= EXACT) {
      for (let i = 0; i < count; i += 1) this.add(readF64(input));
      return;
    }
    if (this.#exact !== null) this.#toBuckets();
    this.count += count;
    this.#zeros += readF64(input);
    this.#minusInfinities += readF64(input);
    this.#negatives().mergeRead(input);
    this.#positives().mergeRead(input);
  }

  #toBuckets(): void {
    const values = this.#exact as Float64Array;
    this.#exact = null;
    for (let i = 0; i < this.count; i += 1) this.#bucketAdd(values[i]!);
  }

  #bucketAdd(value: number): void {
    if (Math.abs(value) < MIN_NORMAL) this.#zeros += 1;
    else if (value === Number.NEGATIVE_INFINITY) this.#minusInfinities += 1;
    else if (value < 0) this.#negatives().add(Math.ceil(Math.log(-value) / this.#gammaLog), 1);
    // Positive infinities are what is left over at the end of `quantile`.
    else if (value < Number.POSITIVE_INFINITY) this.#positives().add(Math.ceil(Math.log(value) / this.#gammaLog), 1);
  }

  #negatives(): Buckets {
    this.#negative ??= new Buckets(this.#bucketsMax());
    return this.#negative;
  }

  #positives(): Buckets {
    this.#positive ??= new Buckets(this.#bucketsMax());
    return this.#positive;
  }

  #bucketsMax(): number {
    return Math.ceil((ORDERS * Math.LN10) / this.#gammaLog);
  }

  #representative(bucket: number): number {
    const low = Math.exp((bucket - 1) * this.#gammaLog);
    return Math.min(Number.MAX_VALUE, low * ((2 * this.#gamma) / (this.#gamma + 1)));
  }
}

/** Counts by bucket number, dense between the lowest and the highest one in use. */
class Buckets {
  total: number;
  readonly #bucketsMax: number;
  #counts: Float64Array;
  /** Bucket number of `#counts[0]`. */
  #base: number;
  #low: number;
  #high: number;

  constructor(bucketsMax: number) {
    this.total = 0;
    this.#bucketsMax = bucketsMax;
    this.#counts = new Float64Array(0);
    this.#base = 0;
    this.#low = 0;
    this.#high = -1;
  }

  get bytes(): number {
    return this.#counts.byteLength;
  }

  add(bucket: number, count: number): void {
    let at = bucket;
    if (at < this.#low || at > this.#high) {
      this.#cover(at);
      at = Math.max(at, this.#low);
    }
    this.#counts[at - this.#base]! += count;
    this.total += count;
  }

  merge(other: Buckets): void {
    for (let bucket = other.#high; bucket >= other.#low; bucket -= 1) {
      const count = other.#counts[bucket - other.#base]!;
      if (count > 0) this.add(bucket, count);
    }
  }

  /** The bucket of the value with the given rank from the lowest. */
  bucketAt(rank: number): number {
    let before = 0;
    for (let bucket = this.#low; bucket < this.#high; bucket += 1) {
      before += this.#counts[bucket - this.#base]!;
      if (before > rank) return bucket;
    }
    return this.#high;
  }

  static write(buckets: Buckets | null, out: ByteWriter): void {
    if (buckets === null || buckets.total === 0) {
      writeU32(out, 0);
      return;
    }
    writeU32(out, buckets.#high - buckets.#low + 1);
    writeF64(out, buckets.#low);
    for (let bucket = buckets.#low; bucket <= buckets.#high; bucket += 1) {
      writeF64(out, buckets.#counts[bucket - buckets.#base]!);
    }
  }

  mergeRead(input: ByteReader): void {
    const size = readCount(input);
    if (size === 0) return;
    const low = readF64(input);
    for (let bucket = low; bucket < low + size; bucket += 1) {
      const count = readF64(input);
      if (count > 0) this.add(bucket, count);
    }
  }

  /** Makes `low..high` include the bucket, as far as `bucketsMax` goes (Q3). */
  #cover(bucket: number): void {
    const empty = this.total === 0;
    const high = empty ? bucket : Math.max(this.#high, bucket);
    const low = empty ? bucket : Math.max(Math.min(this.#low, bucket), high - this.#bucketsMax + 1);
    const fits = low >= this.#base && high < this.#base + this.#counts.length;
    if (!fits || low > this.#low) this.#relayout(low, high);
    this.#low = low;
    this.#high = high;
  }

  /** An array for `low..high` with room on the side that grows; counts below `low` go into it. */
  #relayout(low: number, high: number): void {
    const needed = high - low + 1;
    const spare = Math.min(this.#bucketsMax - needed, needed + 7);
    const base = low < this.#low ? low - spare : low;
    const counts = new Float64Array(needed + spare);
    for (let bucket = this.#low; bucket <= this.#high; bucket += 1) {
      counts[Math.max(bucket, low) - base]! += this.#counts[bucket - this.#base]!;
    }
    this.#counts = counts;
    this.#base = base;
  }
}

function grown(array: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const next = new Float64Array(length);
  next.set(array);
  return next;
}

// Segments that one result partition owns for its whole life, as a stack of numbers in the producer's thread.
//
//   S1. `exclusive` segments are kept for each channel; what is beyond is floating, for whichever channel needs it. So
//       a channel that waits for a segment always has some in flight, and its own receiver rings it.

import { assert } from "../base/errors.ts";
import type { MemoryView } from "../base/memory-view.ts";

export type SegmentStockOptions = {
  readonly view: MemoryView;
  readonly segmentSize: number;
  readonly segments: readonly number[];
  /** Segments kept for each channel. */
  readonly exclusive: number;
};

export class SegmentStock {
  readonly view: MemoryView;
  readonly segmentSize: number;
  readonly #stack: Int32Array;
  readonly #exclusive: number;
  readonly #reclaims: (() => void)[] = [];
  #free: number;
  /** Of the free ones: kept for channels that have fewer than `exclusive` out. */
  #kept = 0;

  constructor(options: SegmentStockOptions) {
    this.view = options.view;
    this.segmentSize = options.segmentSize;
    this.#stack = Int32Array.from(options.segments);
    this.#exclusive = options.exclusive;
    this.#free = options.segments.length;
  }

  get free(): number {
    return this.#free;
  }

  /** Segments in all. */
  get size(): number {
    return this.#stack.length;
  }

  /** A further channel; `reclaim` puts back what its receiver has released. */
  addChannel(reclaim: () => void): void {
    this.#reclaims.push(reclaim);
    this.#kept += this.#exclusive;
    assert(
      this.#kept <= this.#free,
      `${this.#free} segments for ${this.#reclaims.length} channels of ${this.#exclusive}`,
    );
  }

  /** Whether a channel that has `out` segments out may take another. */
  canTake(out: number): boolean {
    if (this.#hasRoom(out)) return true;
    for (const reclaim of this.#reclaims) reclaim();
    return this.#hasRoom(out);
  }

  take(out: number): number {
    assert(this.#hasRoom(out), "no segment at hand");
    if (out < this.#exclusive) this.#kept -= 1;
    this.#free -= 1;
    return this.#stack[this.#free]!;
  }

  /** `out`: segments that the channel has out after this. */
  put(segment: number, out: number): void {
    assert(this.#free < this.#stack.length, `segment ${segment} does not belong here`);
    if (out < this.#exclusive) this.#kept += 1;
    this.#stack[this.#free] = segment;
    this.#free += 1;
  }

  #hasRoom(out: number): boolean {
    return this.#free > (out < this.#exclusive ? 0 : this.#kept);
  }
}

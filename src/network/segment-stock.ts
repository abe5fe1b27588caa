// Segments that one result partition owns for its whole life, as a stack of numbers in the producer's thread.

import { assert } from "../base/errors.ts";
import type { MemoryView } from "../base/memory-view.ts";

export class SegmentStock {
  readonly view: MemoryView;
  readonly segmentSize: number;
  /** Segments at hand. Read-only for others. */
  free: number;
  readonly #stack: Int32Array;

  constructor(options: { view: MemoryView; segmentSize: number; segments: readonly number[] }) {
    this.view = options.view;
    this.segmentSize = options.segmentSize;
    this.#stack = Int32Array.from(options.segments);
    this.free = options.segments.length;
  }

  take(): number {
    assert(this.free > 0, "no segment at hand");
    this.free -= 1;
    return this.#stack[this.free]!;
  }

  put(segment: number): void {
    assert(this.free < this.#stack.length, `segment ${segment} does not belong here`);
    this.#stack[this.free] = segment;
    this.free += 1;
  }
}

// Typed views over one memory region, all of them over all of it, so that one set serves every segment of a pool.

export type MemoryView = {
  readonly bytes: Buffer;
  readonly i32: Int32Array;
  readonly f64: Float64Array;
};

/** The length of `memory` must be a multiple of 8. */
export function memoryView(memory: SharedArrayBuffer | ArrayBuffer): MemoryView {
  return { bytes: Buffer.from(memory), i32: new Int32Array(memory), f64: new Float64Array(memory) };
}

/** A region of its own on the heap, at least `size` bytes. */
export function heapView(size: number): MemoryView {
  return memoryView(new ArrayBuffer(Math.ceil(size / 8) * 8));
}

/** `Buffer.copy` counts places in 32 bits, and beyond them reads and writes elsewhere. */
const COPY_REACH = 2 ** 32;

/**
 * Copies bytes `start` to `end` into a region of any size. `Buffer.copy` takes half the time of `TypedArray.set` into
 * shared memory, for bytes a fifth.
 */
export function bytesCopy(target: Buffer, at: number, source: Buffer, start = 0, end = source.length): void {
  if (end <= COPY_REACH && at + end - start <= COPY_REACH) source.copy(target, at, start, end);
  else target.set(source.subarray(start, end), at);
}

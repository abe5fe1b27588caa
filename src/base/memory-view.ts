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
  return memoryView(new ArrayBuffer((size + 7) & ~7));
}

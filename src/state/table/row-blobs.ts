// The variable parts of rows: a reference and a size in the row, the bytes in the log of its key group (blob-log.ts).
//
//   B1. A refused write leaves the variable part as it was.
//   B2. A part that grows by appending doubles its room when it has to move; one that is replaced by something much
//       smaller gives room back.

import { ByteSink } from "../../types/bytes/byte-buffer.ts";
import type { ByteWriter } from "../../types/bytes/codec.ts";
import type { PageAllocator } from "../pages/page-allocator.ts";
import { type BlobLog, PART_BLOB } from "./blob-log.ts";
import type { RowLayout } from "./row-layout.ts";
import type { RowPages } from "./row-pages.ts";

const NONE = -1;

export type RowBlobsParts = {
  readonly allocator: PageAllocator;
  readonly layout: RowLayout;
  readonly rows: RowPages;
  readonly log: BlobLog;
  /** Told the group whose log cannot grow. */
  readonly refused: (group: number) => void;
};

export class RowBlobs {
  readonly #allocator: PageAllocator;
  readonly #i32: Int32Array;
  readonly #blobWord: number;
  readonly #rows: RowPages;
  readonly #log: BlobLog;
  readonly #refused: (group: number) => void;
  readonly #sink = new ByteSink(64);

  constructor({ allocator, layout, rows, log, refused }: RowBlobsParts) {
    this.#allocator = allocator;
    this.#i32 = allocator.view.i32;
    this.#blobWord = layout.blobWord;
    this.#rows = rows;
    this.#log = log;
    this.#refused = refused;
  }

  /** Of a new row: nothing. */
  init(address: number): void {
    this.#write(address, NONE, 0);
  }

  size(address: number): number {
    return this.#i32[this.#at(address) + 1]!;
  }

  /** Appends the row's variable part to `out`. */
  read(address: number, out: ByteWriter): void {
    const at = this.#at(address);
    const ref = this.#i32[at]!;
    if (ref !== NONE) this.#log.read(this.#rows.group(address), ref, 0, this.#i32[at + 1]!, out);
  }

  /** Replaces the row's variable part. False when the budget refused (B1). */
  write(address: number, source: Uint8Array, start: number, size: number): boolean {
    const group = this.#rows.group(address);
    const at = this.#at(address);
    const ref = this.#i32[at]!;
    const capacity = ref === NONE ? 0 : this.#log.capacity(group, ref);
    if (size > capacity || size * 4 < capacity) return this.#replace(group, address, size, source, start, size);
    if (ref !== NONE) this.#log.write(group, ref, 0, source, start, size);
    this.#write(address, ref, size);
    return true;
  }

  /** Appends to the row's variable part. False when the budget refused (B1). */
  append(address: number, source: Uint8Array, start: number, size: number): boolean {
    const group = this.#rows.group(address);
    const at = this.#at(address);
    const ref = this.#i32[at]!;
    const had = this.#i32[at + 1]!;
    const needed = had + size;
    if (ref !== NONE && needed <= this.#log.capacity(group, ref)) {
      this.#log.write(group, ref, had, source, start, size);
      this.#write(address, ref, needed);
      return true;
    }
    const sink = this.#sink;
    sink.position = 0;
    this.read(address, sink);
    sink.reserve(size);
    sink.bytes.set(source.subarray(start, start + size), had);
    return this.#replace(group, address, had === 0 ? needed : needed * 2, sink.bytes, 0, needed);
  }

  clear(address: number): void {
    const ref = this.#i32[this.#at(address)]!;
    this.init(address);
    if (ref !== NONE) this.#log.release(this.#rows.group(address), ref);
  }

  /** The log has moved a row's variable part. */
  moved(address: number, ref: number): void {
    this.#write(address, ref, this.size(address));
  }

  #replace(group: number, address: number, capacity: number, source: Uint8Array, start: number, size: number): boolean {
    const at = this.#at(address);
    const ref = this.#log.allocate(group, capacity, this.#rows.row(address), PART_BLOB);
    if (ref === NONE) {
      this.#refused(group);
      return false;
    }
    this.#log.write(group, ref, 0, source, start, size);
    const old = this.#i32[at]!; // read after the allocation, which may have moved it
    this.#write(address, ref, size);
    if (old !== NONE) this.#log.release(group, old);
    return true;
  }

  #write(address: number, ref: number, size: number): void {
    const at = this.#at(this.#allocator.writable(address));
    this.#i32[at] = ref;
    this.#i32[at + 1] = size;
  }

  #at(address: number): number {
    return (address + this.#blobWord) * 2;
  }
}

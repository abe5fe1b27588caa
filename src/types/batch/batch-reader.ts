// Reads an encoded batch in place (layout: batch-layout.ts).
//
// `record` is generated (batch-record.ts) and reads through the plain fields of this class.
//
//   R1. `open` refuses a region whose header does not add up; after it no access leaves the region.
//   R2. Text becomes strings in pieces of about CHUNK_UNITS, whole records each; fields are substrings of them. A
//       substring of 13 units or more keeps its piece alive: that is what a string that is kept for long costs at most,
//       besides itself.

import { ByteCursor, corrupt } from "../bytes/byte-buffer.ts";
import type { BatchReader, ColumnView, MemoryView, NullsView, TextView } from "../bytes/codec.ts";
import { ROW_KIND, type RowKind } from "../bytes/row-kind.ts";
import { pathSteps } from "../spec/field-path.ts";
import {
  BATCH_MAGIC,
  type BatchLayout,
  batchParts,
  type ColumnNode,
  HEADER_BYTES,
  headerCheck,
  KINDS_FLAG,
  MARKS_SHIFT,
  newBatchParts,
  TEXT_ASCII,
  TEXT_FORM_BITS,
  TEXT_UTF16,
} from "./batch-layout.ts";

export type ReadRecord = (this: ColumnReader, index: number) => unknown;

/** 5 ns more per record than one piece per batch, by which a kept string could hold on to 32 KiB (docs/adr/0001). */
const CHUNK_UNITS = 4096;

const NOTHING = Buffer.alloc(0);
const NO_MARKS: readonly number[] = [];

export class ColumnReader implements BatchReader {
  readonly record: ReadRecord;
  count: number;
  marks: readonly number[];
  f64: Float64Array;
  i32: Int32Array;
  octets: Buffer;
  /** Only for layouts with such columns; views of the region that `f64` and `i32` are views of. */
  i64: BigInt64Array;
  f32: Float32Array;
  /** Where the parts start, each counted in elements of its view. */
  wideBase: number;
  wordBase: number;
  textEndsBase: number;
  blobEndsBase: number;
  byteBase: number;
  /** The strings of records `textFirst` to `textEnd` (exclusive), which start at unit `textStart` of the batch. */
  text: string;
  textFirst: number;
  textEnd: number;
  textStart: number;
  readonly #layout: BatchLayout;
  readonly #tag: number;
  readonly #parts = newBatchParts();
  readonly #blob: ByteCursor;
  #offset: number;
  #units: number;
  #blobBytes: number;
  #form: number;
  #hasKinds: boolean;
  #markCount: number;
  #endsChecked: boolean;
  /** Records of average length that make a piece of text. */
  #chunkRecords: number;

  constructor(layout: BatchLayout, tag: number, record: ReadRecord) {
    this.record = record;
    this.count = 0;
    this.marks = NO_MARKS;
    this.f64 = new Float64Array(0);
    this.i32 = new Int32Array(0);
    this.octets = NOTHING;
    this.i64 = new BigInt64Array(0);
    this.f32 = new Float32Array(0);
    this.wideBase = 0;
    this.wordBase = 0;
    this.textEndsBase = 0;
    this.blobEndsBase = 0;
    this.byteBase = 0;
    this.text = "";
    this.textFirst = 0;
    this.textEnd = 0;
    this.textStart = 0;
    this.#layout = layout;
    this.#tag = tag;
    this.#blob = new ByteCursor(NOTHING);
    this.#offset = 0;
    this.#units = 0;
    this.#blobBytes = 0;
    this.#form = TEXT_ASCII;
    this.#hasKinds = false;
    this.#markCount = 0;
    this.#endsChecked = false;
    this.#chunkRecords = 1;
  }

  open(source: MemoryView, offset: number, size: number): void {
    this.count = 0;
    if (offset % 8 !== 0 || size < HEADER_BYTES || offset + size > source.bytes.length)
      corrupt(`no batch of ${size} bytes at ${offset}`);
    const i32 = source.i32;
    const at = offset / 4;
    if (i32[at] !== BATCH_MAGIC || i32[at + 7] !== headerCheck(i32, at)) corrupt("the header of a batch is damaged");
    if (i32[at + 6] !== this.#tag) corrupt("a batch of another type");
    this.#openParts(i32, at, size);
    if (this.f64 !== source.f64) this.#setViews(source);
    const parts = this.#parts;
    this.wideBase = (offset + parts.wide) / 8;
    this.wordBase = (offset + parts.word) / 4;
    this.textEndsBase = (offset + parts.textEnds) / 4;
    this.blobEndsBase = (offset + parts.blobEnds) / 4;
    this.byteBase = offset + parts.byte;
    this.#offset = offset;
    this.#endsChecked = false;
    this.textFirst = 0;
    this.textEnd = 0;
    this.count = i32[at + 2]!;
    this.marks = this.#markCount === 0 ? NO_MARKS : this.#readMarks();
    this.#chunkRecords = 1 + Math.floor((CHUNK_UNITS * this.count) / (this.#units + 1));
  }

  timestamp(index: number): number {
    if (index >>> 0 >= this.count) this.outOfRange(index);
    const column = this.#layout.timestamps;
    return column < 0 ? Number.NaN : this.f64[this.wideBase + column * this.count + index]!;
  }

  kind(index: number): RowKind {
    if (index >>> 0 >= this.count) this.outOfRange(index);
    return this.#hasKinds ? ((this.octets[this.#offset + this.#parts.kinds + index]! & 3) as RowKind) : ROW_KIND.insert;
  }

  column(path: string): ColumnView | null {
    return this.#view(columnAt(this.#layout.root, pathSteps(this.#layout.root.spec, path)));
  }

  /** Called by `record` when its strings are not in `text`: loads them, and those of some records that follow. */
  loadText(index: number): string {
    const { i32, textEndsBase, count } = this;
    const stride = this.#layout.counts.text;
    const end = Math.min(count, index + this.#chunkRecords);
    const start = this.#unit(i32[textEndsBase + index * stride]!);
    const text = this.#decode(start, this.#unit(i32[textEndsBase + end * stride]!));
    this.textFirst = index;
    this.textEnd = end;
    this.textStart = start;
    this.text = text;
    return text;
  }

  /** Called by `record`: a cursor over the blob whose end is number `index` of the batch. */
  blobAt(index: number): ByteCursor {
    const at = this.blobEndsBase + index;
    const start = this.i32[at]!;
    const end = this.i32[at + 1]!;
    if (start < 0 || end < start || end > this.#blobBytes)
      corrupt(`a value at ${start} to ${end} of ${this.#blobBytes} bytes`);
    const base = this.#offset + this.#parts.blob;
    const cursor = this.#blob;
    cursor.position = base + start;
    cursor.end = base + end;
    return cursor;
  }

  outOfRange(index: number): never {
    throw new RangeError(`record ${index} of a batch of ${this.count}`);
  }

  /** A damaged end may point anywhere: never outside of the text (R1). */
  #unit(end: number): number {
    return Math.max(0, Math.min(end, this.#units));
  }

  #decode(start: number, end: number): string {
    const base = this.#offset + this.#parts.text;
    return this.#form === TEXT_UTF16
      ? this.octets.toString("utf16le", base + 2 * start, base + 2 * end)
      : this.octets.toString("latin1", base + start, base + end);
  }

  #openParts(i32: Int32Array, at: number, size: number): void {
    const count = i32[at + 2]!;
    this.#form = i32[at + 3]! & ((1 << TEXT_FORM_BITS) - 1);
    this.#hasKinds = (i32[at + 3]! & KINDS_FLAG) !== 0;
    this.#markCount = i32[at + 3]! >> MARKS_SHIFT;
    this.#units = i32[at + 4]!;
    this.#blobBytes = i32[at + 5]!;
    const negative = this.#markCount < 0 || count < 0 || this.#units < 0 || this.#blobBytes < 0;
    if (negative || this.#form < TEXT_ASCII || this.#form > TEXT_UTF16) corrupt("the header of a batch is damaged");
    if (this.#hasKinds && !this.#layout.kinds) corrupt("a batch with kinds where there are none");
    const [units, blobBytes, form, hasKinds] = [this.#units, this.#blobBytes, this.#form, this.#hasKinds];
    batchParts(this.#layout, { count, units, blobBytes, form, hasKinds, marks: this.#markCount }, this.#parts);
    if (i32[at + 1] !== size || this.#parts.size !== size) corrupt(`a batch of ${this.#parts.size} bytes in ${size}`);
  }

  #readMarks(): number[] {
    const from = (this.#offset + this.#parts.marks) / 8;
    return [...this.f64.subarray(from, from + 2 * this.#markCount)];
  }

  #setViews(source: MemoryView): void {
    const { buffer, byteOffset, length } = source.f64;
    this.f64 = source.f64;
    this.i32 = source.i32;
    this.octets = source.bytes;
    this.#blob.bytes = source.bytes;
    this.i64 = new BigInt64Array(buffer, byteOffset, length);
    this.f32 = new Float32Array(buffer, byteOffset, length * 2);
  }

  #view(node: ColumnNode | null): ColumnView | null {
    if (node === null) return null;
    const n = this.count;
    const nulls: NullsView | null =
      node.state < 0 ? null : { bytes: this.octets, base: this.byteBase + node.state * n };
    switch (node.spec.kind) {
      case "f64":
      case "timestamp":
      case "date":
        return { kind: "f64", f64: this.f64, base: this.wideBase + node.index * n, nulls };
      case "i32":
        return { kind: "i32", i32: this.i32, base: this.wordBase + node.index * n, nulls };
      case "bool":
        return { kind: "bool", bytes: this.octets, base: this.byteBase + node.index * n, nulls };
      case "string":
        return { kind: "text", text: this.#textView(node.index), nulls };
      default:
        return null;
    }
  }

  #textView(index: number): TextView {
    const stride = this.#layout.counts.text;
    this.#checkEnds(stride);
    const { i32, textEndsBase, octets } = this;
    const start = this.#offset + this.#parts.text;
    return {
      ascii: this.#form === TEXT_ASCII,
      bytes: octets,
      start: (i) => start + i32[textEndsBase + i * stride + index]!,
      end: (i) => start + i32[textEndsBase + i * stride + index + 1]!,
      string: (i) => {
        const at = textEndsBase + i * stride + index;
        return this.#decode(i32[at]!, i32[at + 1]!);
      },
    };
  }

  /** Whoever reads bytes between the ends of a string must be able to rely on them (R1). */
  #checkEnds(stride: number): void {
    if (this.#endsChecked) return;
    const { i32, textEndsBase } = this;
    let last = 0;
    for (let k = 0; k <= this.count * stride; k++) {
      const end = i32[textEndsBase + k]!;
      if (end < last || end > this.#units) corrupt(`a string that ends at ${end} of ${this.#units}`);
      last = end;
    }
    this.#endsChecked = true;
  }
}

/** Null when the steps lead nowhere, or not to a column. */
function columnAt(root: ColumnNode, steps: readonly string[] | null): ColumnNode | null {
  let at: ColumnNode | undefined = steps === null ? undefined : root;
  for (const name of steps ?? []) at = at?.children.find(({ field }) => field.name === name)?.node;
  return at === undefined || at.spec.kind === "struct" ? null : at;
}

// Contracts of the two codec families that are generated from a `TypeSpec`.
//
//   BatchCodec   columnar, for records that travel between tasks: one writer per channel stages columns on the heap,
//                `encode` lays them out in one contiguous region (a network segment when it fits), a reader decodes in
//                place.
//   ValueCodec   one value after the other as bytes: state values, snapshots, and columns without a columnar form.
//
// Hot path: `append` and `record` run once per record. Budgets (7 fields, 3 strings of 115 characters in all):
// append + encode 60 ns, record 60 ns, no allocation but the record and its strings.

import type { MemoryView } from "../../base/memory-view.ts";
import type { TypeSpec } from "../spec/type-spec.ts";
import type { RowKind } from "./row-kind.ts";

export type { MemoryView };

/** Why a value does not fit a spec: `path` is like `user.tags[3]`, empty for the value itself. */
export type Mismatch = {
  readonly path: string;
  readonly expected: string;
  readonly actual: string;
  /** True when no codec could carry it (a function, a symbol, a class instance with its own prototype). */
  readonly unsupported: boolean;
};

/**
 * What codecs do with more than a type says. `refuse`: a record with a field that the struct does not declare does not
 * fit; fields come out in declared order. `ignore`: a projection, other fields are not read. `exact`: as `refuse`, and
 * what would come back different in any way does not fit either: another order of fields, a null prototype, properties
 * on an array or a Date; for learned types.
 */
export type Strictness = "refuse" | "ignore" | "exact";

export type BatchCodecOptions = {
  /** Whether each record carries an event time; adds an f64 column. */
  readonly timestamps: boolean;
  /** Whether records may be other than inserts; adds a byte to each record of batches that hold such. Default: no. */
  readonly kinds?: boolean;
  readonly extraFields: Strictness;
};

export interface BatchCodec {
  readonly spec: TypeSpec;
  readonly options: BatchCodecOptions;
  /** Equal for equal specs and options, in every process: 32 hex digits. */
  readonly fingerprint: string;
  createWriter(): BatchWriter;
  createReader(): BatchReader;
  /** Null when the record fits. Slow; for error messages and for learning shapes. */
  mismatch(record: unknown): Mismatch | null;
}

/** Codecs of records of two kinds, which travel in batches of their own: with a field of this name, and without it. */
export type CodecPair = { readonly field: string; readonly with: BatchCodec; readonly without: BatchCodec };

export interface BatchWriter {
  /** Records staged. A plain field: read it, never write it. */
  count: number;
  /** Bytes that `encode` would need now if all text is ASCII; the trigger for flushing. */
  bytes: number;
  /** Stages one record. False: it does not fit, and nothing was staged. Grows without bound: the caller flushes. */
  append(record: unknown, timestampMs: number, kind?: RowKind): boolean;
  /** Says something between the records so far and those that follow; later words at one place replace earlier ones. */
  mark(value: number): void;
  /** Exact size of what `encode` will write; a multiple of 8. */
  encodedSize(): number;
  /** Writes the staged records at `offset` (a multiple of 8) and empties the writer. Returns the size written. */
  encode(target: MemoryView, offset: number): number;
  reset(): void;
}

export interface BatchReader {
  count: number;
  /** What was said between records: how many records came before, and the value, in turn. */
  marks: readonly number[];
  /** Points the reader at an encoded batch. Valid until the region is overwritten. */
  open(source: MemoryView, offset: number, size: number): void;
  /** The record at `index`, built anew at each call. */
  record(index: number): unknown;
  /** Event time of the record at `index`, NaN when it has none. */
  timestamp(index: number): number;
  /** Kind of the record at `index`. */
  kind(index: number): RowKind;
  /**
   * Column access for generated operators; null when the field has no fixed-width or text column. `path` is the field
   * name, nested ones joined by ".".
   */
  column(path: string): ColumnView | null;
}

/** Where a column lies in the opened region. Element `i` of a number column is `f64[base + i]` (or `i32[base + i]`). */
export type ColumnView =
  | { readonly kind: "f64"; readonly f64: Float64Array; base: number; readonly nulls: NullsView | null }
  | { readonly kind: "i32"; readonly i32: Int32Array; base: number; readonly nulls: NullsView | null }
  | { readonly kind: "bool"; readonly bytes: Uint8Array; base: number; readonly nulls: NullsView | null }
  | { readonly kind: "text"; readonly text: TextView; readonly nulls: NullsView | null };

/** One byte per record: 0 a value, 1 null, 2 undefined, 3 absent. */
export type NullsView = { readonly bytes: Uint8Array; base: number };

/** Strings of one column. `ascii` tells that bytes and UTF-16 units coincide, so that hashing can read the bytes. */
export interface TextView {
  readonly ascii: boolean;
  readonly bytes: Uint8Array;
  /** Byte offsets when `ascii`. */
  start(index: number): number;
  end(index: number): number;
  string(index: number): string;
}

/** Growable byte sink and cursor for value codecs: plain fields, one owner, reused. */
export interface ByteWriter {
  bytes: Buffer;
  position: number;
  /** Makes room for `count` more bytes. */
  reserve(count: number): void;
}

export interface ByteReader {
  bytes: Buffer;
  position: number;
  readonly end: number;
}

export interface ValueCodec {
  readonly spec: TypeSpec;
  /** Throws CODEC_MISMATCH with the path when the value does not fit. */
  write(value: unknown, out: ByteWriter): void;
  read(input: ByteReader): unknown;
  mismatch(value: unknown): Mismatch | null;
}

// Which columns a spec takes, and where they lie in an encoded batch.
//
//   ┌────────┬───────────────┬───────────────┬───────────┬───────────┬───────────────┬───────┬──────┬───────┬──────┐
//   │ header │ 8-byte columns│ 4-byte columns│ text ends │ blob ends │ 1-byte columns│ kinds │ text │ blobs │ marks│
//   │ 32 B   │ n × each      │ n × each      │ n·s + 1   │ n·b + 1   │ n × each      │ k·n   │      │       │ 16·m │
//   └────────┴───────────────┴───────────────┴───────────┴───────────┴───────────────┴───────┴──────┴───────┴──────┘
//   header   u32 magic, size, n (records), flags, units of text, bytes of blobs, codec tag, check
//   flags    bits 0–1 form of the text: 0 ascii, 1 latin1, 2 utf16 (then text starts at an even byte); bit 2: k;
//            above: m (marks)
//   kinds    row-kind.ts, a byte per record; without them all records are inserts
//   text     all strings of the batch, record by record; string k of s in record i ends at unit ends[i·s + k + 1]
//   blobs    values without a columnar form, record by record, as written by the value codec
//   marks    f64 number of records before it, f64 value: what was said between two records; 0 to 7 bytes before them
//
// Numbers are in the byte order of the machine (little-endian wherever Node runs).
//
//   B1. The layout depends on n, k, m, units and blob bytes alone; a header that does not add up to `size` is refused.
//   B2. 8-byte columns start at a multiple of 8, 4-byte ones at a multiple of 4, from the start of the batch.

import type { BatchCodecOptions } from "../bytes/codec.ts";
import type { StructField, TypeSpec } from "../spec/type-spec.ts";

export const BATCH_MAGIC = 0x3142_524d; // "MRB1"
export const HEADER_BYTES = 32;

export const TEXT_ASCII = 0;
export const TEXT_LATIN1 = 1;
export const TEXT_UTF16 = 2;
/** Of the flags: the form of the text. */
export const TEXT_FORM_BITS = 2;
/** The flag of a batch with kinds. */
export const KINDS_FLAG = 1 << TEXT_FORM_BITS;
/** Of the flags: what is below the number of marks. */
export const MARKS_SHIFT = TEXT_FORM_BITS + 1;
export const MARK_BYTES = 16;

/** Up to this many values an enum takes a byte. */
const BYTE_ENUM_MAX = 256;

export type Storage = "wide" | "word" | "byte" | "text" | "blob" | "none";

/**
 * A spec as columns. `state` is the 1-byte column that tells value (0), null (1), undefined (2) and absent (3) apart,
 * -1 without one; `spec` is what remains below it.
 */
export type ColumnNode = {
  readonly spec: TypeSpec;
  readonly state: number;
  readonly storage: Storage;
  /** Number of the column among those of its storage; -1 without storage. */
  readonly index: number;
  readonly children: readonly ColumnChild[];
};

export type ColumnChild = { readonly field: StructField; readonly node: ColumnNode };

export type BatchLayout = {
  readonly root: ColumnNode;
  /** The 8-byte column of event times; -1 without one. */
  readonly timestamps: number;
  /** Whether records may be other than inserts. */
  readonly kinds: boolean;
  readonly counts: Readonly<Record<Storage, number>>;
  /** Bytes of a record apart from text and blobs. */
  readonly recordBytes: number;
  /** Bytes of an empty batch, before padding. */
  readonly baseBytes: number;
};

export function batchLayout(spec: TypeSpec, { timestamps, kinds = false }: BatchCodecOptions): BatchLayout {
  const counts: Record<Storage, number> = { wide: timestamps ? 1 : 0, word: 0, byte: 0, text: 0, blob: 0, none: 0 };
  const root = columnNode(spec, false, counts);
  const { wide, word, byte, text, blob } = counts;
  return {
    root,
    timestamps: timestamps ? 0 : -1,
    kinds,
    counts,
    recordBytes: 8 * wide + 4 * (word + text + blob) + byte + (kinds ? 1 : 0),
    baseBytes: HEADER_BYTES + (text > 0 ? 4 : 0) + (blob > 0 ? 4 : 0),
  };
}

function columnNode(spec: TypeSpec, optional: boolean, counts: Record<Storage, number>): ColumnNode {
  let inner = spec;
  while (inner.kind === "nullable") inner = inner.inner;
  const state = optional || inner !== spec ? counts.byte++ : -1;
  if (inner.kind !== "struct") {
    const storage = storageOf(inner);
    const index = storage === "none" ? -1 : counts[storage]++;
    return { spec: inner, state, storage, index, children: [] };
  }
  const children = inner.fields.map((field) => {
    return { field, node: columnNode(field.type, field.optional, counts) };
  });
  return { spec: inner, state, storage: "none", index: -1, children };
}

function storageOf(spec: TypeSpec): Storage {
  switch (spec.kind) {
    case "f64":
    case "timestamp":
    case "date":
    case "i64":
      return "wide";
    case "f32":
    case "i32":
      return "word";
    case "bool":
      return "byte";
    case "enum":
      return spec.values.length <= BYTE_ENUM_MAX ? "byte" : "word";
    case "string":
      return "text";
    case "null":
    case "undefined":
      return "none";
    default:
      return "blob";
  }
}

/** Byte offsets of the parts of a batch, from its start. */
export type BatchParts = {
  wide: number;
  word: number;
  textEnds: number;
  blobEnds: number;
  byte: number;
  kinds: number;
  text: number;
  blob: number;
  marks: number;
  size: number;
};

export type BatchSizes = {
  readonly count: number;
  readonly units: number;
  readonly blobBytes: number;
  readonly form: number;
  readonly hasKinds: boolean;
  readonly marks: number;
};

export function batchParts(layout: BatchLayout, sizes: BatchSizes, parts: BatchParts): void {
  const { counts } = layout;
  const n = sizes.count;
  parts.wide = HEADER_BYTES;
  parts.word = parts.wide + 8 * n * counts.wide;
  parts.textEnds = parts.word + 4 * n * counts.word;
  parts.blobEnds = parts.textEnds + (counts.text > 0 ? 4 * (n * counts.text + 1) : 0);
  parts.byte = parts.blobEnds + (counts.blob > 0 ? 4 * (n * counts.blob + 1) : 0);
  parts.kinds = parts.byte + n * counts.byte;
  const afterBytes = parts.kinds + (sizes.hasKinds ? n : 0);
  parts.text = sizes.form === TEXT_UTF16 ? afterBytes + (afterBytes & 1) : afterBytes;
  parts.blob = parts.text + (sizes.form === TEXT_UTF16 ? 2 : 1) * sizes.units;
  const end = parts.blob + sizes.blobBytes;
  parts.marks = end + ((8 - (end % 8)) % 8);
  parts.size = parts.marks + MARK_BYTES * sizes.marks;
}

export function newBatchParts(): BatchParts {
  return { wide: 0, word: 0, textEnds: 0, blobEnds: 0, byte: 0, kinds: 0, text: 0, blob: 0, marks: 0, size: 0 };
}

/** Over the words of the header after the magic: tells a damaged header from one that happens to add up. */
export function headerCheck(i32: Int32Array, at: number): number {
  let check = BATCH_MAGIC;
  for (let i = 1; i < 7; i++) check = Math.imul(check ^ i32[at + i]!, 0x01000193);
  return check;
}

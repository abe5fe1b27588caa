// Finds the fields of one CSV record in a window of bytes. Knows nothing of columns, types or files.
//
// The grammar gives every sequence of bytes one division into records and fields; what RFC 4180 forbids is flagged, not
// guessed at:
//
//   record  = field *( delimiter field ) ( LF / CR LF / CR / end of file )
//   field   = quoted / bare
//   bare    = any bytes up to a delimiter or line break         flagged: a NUL, a quote
//   quoted  = quote *( any byte but quote / quote quote / escape any byte ) quote [ bare ]
//                                                               flagged: a NUL, no closing quote, text after it
//
// Where the dialect says that records have one line each, a line break ends a quoted field too, and the missing quote
// is flagged.
//
//   G1. Whether a byte ends a record depends on the bytes since the record's start alone; `CsvBoundary` decides it the
//       same way.
//   G2. The byte at `end` must be a line break (a sentinel that the window keeps): inner loops test no bounds.
//
// Hot path: about 1 ns per byte. Fields land in `starts`, `ends` and `kinds`, which are reused from record to record.

import { CR, type CsvDialect, LF } from "../format/csv-dialect.ts";

export const BARE = 0;
const QUOTED = 1;
/** Quoted, and doubled quotes or escapes inside are still to be undone. */
export const ESCAPED = 2;

export const HAS_NUL = 1;
export const HAS_STRAY_QUOTE = 2;
export const HAS_TEXT_AFTER_QUOTE = 4;
export const HAS_UNCLOSED_QUOTE = 8;

const FIELDS_MAX = 65_536; // Further ones are counted, not kept: a row of 16 Mi commas must not cost 150 MB.

// What a byte means where the scanner stands; 0 is ordinary.
const IS_DELIMITER = 1;
const IS_LF = 2;
const IS_CR = 3;
const IS_QUOTE = 4;
const IS_NUL = 5;
const IS_ESCAPE = 6;

export class CsvScanner {
  /** Fields of the record, those beyond FIELDS_MAX included. */
  count: number;
  starts: Int32Array;
  ends: Int32Array;
  kinds: Uint8Array;
  /** HAS_… flags. */
  problems: number;
  /** All bytes of the record or-ed: above 127 when it is not ASCII. */
  bits: number;
  /** Line breaks in quotes, and one for the record itself. */
  lines: number;

  readonly #bare: Uint8Array;
  readonly #inside: Uint8Array;
  readonly #quote: number;
  readonly #trim: boolean;
  readonly #delimiter: number;
  readonly #multiline: boolean;
  #quotedEnd: number;
  #quotedKind: number;

  constructor(dialect: CsvDialect) {
    this.count = 0;
    this.starts = new Int32Array(32);
    this.ends = new Int32Array(32);
    this.kinds = new Uint8Array(32);
    this.problems = 0;
    this.bits = 0;
    this.lines = 0;
    const shared = { [LF]: IS_LF, [CR]: IS_CR, 0: IS_NUL, [dialect.quote]: IS_QUOTE };
    this.#bare = byteTable({ ...shared, [dialect.delimiter]: IS_DELIMITER });
    this.#inside = byteTable({ ...shared, [dialect.escape]: IS_ESCAPE });
    this.#quote = dialect.quote;
    this.#trim = dialect.trim;
    this.#delimiter = dialect.delimiter;
    this.#multiline = dialect.multiline;
    this.#quotedEnd = 0;
    this.#quotedKind = BARE;
  }

  /**
   * Scans the record at `from`; the index after its line break, or -1 when the record goes on after `end` and that is
   * not the end of the file.
   */
  scan(bytes: Uint8Array, from: number, end: number, final: boolean): number {
    this.count = 0;
    this.problems = 0;
    this.bits = 0;
    this.lines = 1;
    let position = from;
    for (;;) {
      position = this.#field(bytes, position, end, final);
      if (position < 0) return -1;
      const byte = bytes[position]!;
      if (byte === LF || byte === CR) return lineBreakEnd(bytes, position, end, final);
      position += 1;
    }
  }

  /** As `scan`, for a line that is no record: nothing is stored. */
  scanLine(bytes: Uint8Array, from: number, end: number, final: boolean): number {
    this.problems = 0;
    this.lines = 1;
    let position = from;
    while (bytes[position] !== LF && bytes[position] !== CR) position += 1;
    return lineBreakEnd(bytes, position, end, final);
  }

  /** Scans and stores one field; the index of the delimiter or line break after it, -1 when that is not there yet. */
  #field(bytes: Uint8Array, from: number, end: number, final: boolean): number {
    let start = from;
    if (this.#trim) while (this.#isBlank(bytes[start]!)) start += 1;
    if (bytes[start] !== this.#quote) {
      const stop = this.#bareEnd(bytes, start);
      this.#store(start, this.#trim ? this.#trimEnd(bytes, start, stop) : stop, BARE);
      return stop;
    }
    const closed = this.#quoted(bytes, start + 1, end, final);
    if (closed < 0) return -1;
    const stop = this.#bareEnd(bytes, closed);
    const tail = this.#trim ? this.#trimEnd(bytes, closed, stop) : stop;
    if (tail > closed) this.problems |= HAS_TEXT_AFTER_QUOTE;
    this.#store(start + 1, this.#quotedEnd, this.#quotedKind);
    return stop;
  }

  #bareEnd(bytes: Uint8Array, from: number): number {
    const table = this.#bare;
    let position = from;
    let bits = 0;
    for (;;) {
      let byte = bytes[position]!;
      let meaning = table[byte]!;
      while (meaning === 0) {
        bits |= byte;
        position += 1;
        byte = bytes[position]!;
        meaning = table[byte]!;
      }
      if (meaning < IS_QUOTE) break;
      this.problems |= meaning === IS_NUL ? HAS_NUL : HAS_STRAY_QUOTE;
      position += 1;
    }
    this.bits |= bits;
    return position;
  }

  /** The index after the closing quote; -1 when it is not there yet. */
  #quoted(bytes: Uint8Array, from: number, end: number, final: boolean): number {
    let position = from;
    this.#quotedKind = QUOTED;
    for (;;) {
      position = this.#ordinaryEnd(bytes, position);
      if (position >= end) return final ? this.#unclosed(end) : -1; // It stopped at the sentinel.
      const meaning = this.#inside[bytes[position]!]!;
      if (meaning === IS_QUOTE) {
        // At `end` stands a line break, which is no quote.
        if (bytes[position + 1] !== this.#quote) return this.#closed(position, end, final);
        this.#quotedKind = ESCAPED;
        position += 2;
      } else if (meaning < IS_QUOTE && !this.#multiline) {
        return this.#unclosed(position);
      } else {
        position = this.#special(bytes, position, end, meaning) + 1;
      }
    }
  }

  #closed(position: number, end: number, final: boolean): number {
    if (position + 1 >= end && !final) return -1; // The next byte tells whether the quote is doubled.
    this.#quotedEnd = position;
    return position + 1;
  }

  #ordinaryEnd(bytes: Uint8Array, from: number): number {
    const table = this.#inside;
    let position = from;
    let bits = 0;
    let byte = bytes[position]!;
    while (table[byte] === 0) {
      bits |= byte;
      position += 1;
      byte = bytes[position]!;
    }
    this.bits |= bits;
    return position;
  }

  #unclosed(position: number): number {
    this.problems |= HAS_UNCLOSED_QUOTE;
    this.#quotedEnd = position;
    return position;
  }

  /** A byte in quotes that is neither ordinary nor a quote; the index of the last byte that belongs to it. */
  #special(bytes: Uint8Array, position: number, end: number, meaning: number): number {
    if (meaning === IS_ESCAPE) {
      this.#quotedKind = ESCAPED;
      const next = this.#inside[bytes[position + 1]!];
      return position + 1 < end && (next === IS_QUOTE || next === IS_ESCAPE) ? position + 1 : position;
    }
    if (meaning === IS_NUL) this.problems |= HAS_NUL;
    // Of CR LF the LF counts.
    else if (meaning === IS_LF || bytes[position + 1] !== LF) this.lines += 1;
    return position;
  }

  #store(start: number, end: number, kind: number): void {
    const index = this.count++;
    if (index >= FIELDS_MAX) return;
    if (index === this.starts.length) this.#grow();
    this.starts[index] = start;
    this.ends[index] = end;
    this.kinds[index] = kind;
  }

  /** Gives the record empty fields up to `count`. */
  pad(count: number): void {
    while (this.count < count) this.#store(0, 0, BARE);
  }

  #isBlank(byte: number): boolean {
    return (byte === 32 || byte === 9) && byte !== this.#delimiter;
  }

  #trimEnd(bytes: Uint8Array, start: number, end: number): number {
    let position = end;
    while (position > start && this.#isBlank(bytes[position - 1]!)) position -= 1;
    return position;
  }

  #grow(): void {
    const size = this.starts.length * 2;
    const [starts, ends, kinds] = [new Int32Array(size), new Int32Array(size), new Uint8Array(size)];
    starts.set(this.starts);
    ends.set(this.ends);
    kinds.set(this.kinds);
    this.starts = starts;
    this.ends = ends;
    this.kinds = kinds;
  }
}

function byteTable(meanings: Readonly<Record<number, number>>): Uint8Array {
  const table = new Uint8Array(256);
  for (const [byte, meaning] of Object.entries(meanings)) if (Number(byte) >= 0) table[Number(byte)] = meaning;
  return table;
}

/** The index after the line break at `position`; -1 when the byte that decides is not there yet. */
function lineBreakEnd(bytes: Uint8Array, position: number, end: number, final: boolean): number {
  const isLast = bytes[position] === LF ? position >= end : position + 1 >= end;
  if (isLast) return final ? end : -1;
  return bytes[position] === CR && bytes[position + 1] === LF ? position + 2 : position + 1;
}

// What a file reader needs to know of a format: where records end, and how to read them. CSV and JSON Lines implement
// it.

import { memorySizeText } from "../../../base/memory-size.ts";
import type { SourceOutput } from "../../../operators/source.ts";

export interface RecordFormat<T> {
  /** Every line break ends a record, so that a range of a file can start without a look at what comes before it. */
  readonly cutsAnywhere: boolean;
  /** The first record tells how to read the others: "header" and is none itself, or "sample" and is one. */
  readonly first: "plain" | "header" | "sample";
  /** So many lines at the start of a file are no part of the format. */
  readonly skipLines: number;
  createBoundary(): RecordBoundary;
  /** Whether a record that begins with this byte is none: a blank line, a comment. */
  ignores(firstByte: number): boolean;
  /** For files that begin with `first` (null: without records, or `first` is "plain"). */
  createParser(first: Buffer | null, file: string): RecordParser<T>;
}

/** Finds the ends of records without reading them. Holds its place between two pieces of a file. */
export interface RecordBoundary {
  /** Before the first byte of a record. */
  reset(): void;
  /** The index after the record that begins or goes on at `from`; -1 when it goes on after `to`. */
  next(bytes: Uint8Array, from: number, to: number): number;
  /** As `next`, the first such index not before `atLeast`; for formats that find it faster than by `next`. */
  nextFrom?(bytes: Uint8Array, from: number, to: number, atLeast: number): number;
}

/** A piece of a file in memory, and how far it has been read. Plain fields: the parser's inner loop works on them. */
export type RecordWindow = {
  readonly file: string;
  /** Holds a line break at `end`, behind the last byte read. */
  bytes: Buffer;
  /** Start of the next record. */
  position: number;
  end: number;
  /** Nothing follows `end` in the file. */
  final: boolean;
  /** Records from this index on belong to the next range. */
  stopAt: number;
  /**
   * Line of the record at `position`: counted from the start of the file when `lineKnown`, otherwise from that of the
   * range.
   */
  line: number;
  lineKnown: boolean;
  readonly recordBytesMax: number;
  /** The bytes up to `end`, one character each; null until a parser wants it. */
  text: string | null;
};

/**
 * "limit": call again. "data": the record at `position` goes on after `end`. "line": a row is bad and its line number
 * is needed. "done": no record is left.
 */
export type ParseStatus = "limit" | "data" | "line" | "done";

export interface RecordParser<T> {
  /** Records and bad rows of the last call. */
  emitted: number;
  /** Emits at most `limit` records and bad rows. */
  parse(window: RecordWindow, output: SourceOutput<T>, limit: number): ParseStatus;
}

export const NOT_UTF8 = "bytes that are not UTF-8 (see the option `encoding`)";

const RAW_BYTES_MAX = 1024;

/** The issue of a record beyond the bound, and how much of it is kept. */
export function tooLong(
  bytes: Buffer,
  start: number,
  end: number,
  recordBytesMax: number,
): { raw: string; issues: string[] } {
  const raw = `${bytes.toString("utf8", start, Math.min(end, start + RAW_BYTES_MAX))}…`;
  return {
    raw,
    issues: [`longer than ${memorySizeText(recordBytesMax)}, the limit of one record (option recordSizeMax)`],
  };
}

/** Which lines a bad record takes, when it is more than one: a quote may have swallowed them. */
export function linesIssue(first: number, breaks: number): string[] {
  return breaks === 0 ? [] : [`lines ${first}–${first + breaks}`];
}

/** Line breaks inside a record, without the one that ends it. */
export function lineBreaks(bytes: Buffer, start: number, end: number): number {
  const counter = new LineCounter();
  counter.add(bytes, start, end);
  return counter.inside;
}

/** A record as text without its line break; what is not UTF-8 shows as U+FFFD. */
export function recordText(bytes: Buffer, start: number, end: number): string {
  let stop = end;
  while (stop > start && (bytes[stop - 1] === 10 || bytes[stop - 1] === 13)) stop -= 1;
  return bytes.toString("utf8", start, stop);
}

/** Line breaks in a range of bytes: LF, CR LF, CR. Goes on where it stopped. */
export class LineCounter {
  lines = 0;
  #carriageReturn = false;
  #endsLine = false;

  /** Without the one at the end. */
  get inside(): number {
    return this.lines - (this.#endsLine ? 1 : 0);
  }

  add(bytes: Uint8Array, from: number, to: number): void {
    let carriageReturn = this.#carriageReturn;
    let lines = this.lines;
    for (let position = from; position < to; position += 1) {
      const byte = bytes[position]!;
      if (byte > 13) {
        carriageReturn = false;
        continue;
      }
      if (byte === 13 || (byte === 10 && !carriageReturn)) lines += 1;
      carriageReturn = byte === 13;
    }
    if (to > from) this.#endsLine = bytes[to - 1] === 10 || bytes[to - 1] === 13;
    this.#carriageReturn = carriageReturn;
    this.lines = lines;
  }
}

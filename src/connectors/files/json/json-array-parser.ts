// A file that is one JSON array as a record format: each element is a record, read by itself, so that the array may be
// as large as it likes.
//
//   file   = blank ( "[" blank "]" / first *( next ) "]" ) blank
//   first  = "[" blank value blank        next = "," blank value blank
//
// A record begins with the sign before its value, so that what follows tells whether the array goes on, and each place
// between two records tells by itself what is due.

import type { SourceOutput } from "../../../operators/source.ts";
import type { TypeSpec } from "../../../types/spec/type-spec.ts";
import {
  LineCounter,
  type ParseStatus,
  type RecordBoundary,
  type RecordFormat,
  type RecordParser,
  type RecordWindow,
  recordText,
  tooLong,
} from "../format/record-format.ts";
import { JsonReader } from "./json-reader.ts";

const QUOTE = 34;
const COMMA = 44;
const OPEN = 91;
const BACKSLASH = 92;
const CLOSE = 93;

export function jsonArrayFormat(spec: TypeSpec | null): RecordFormat<unknown> {
  return {
    cutsAnywhere: false,
    first: "plain",
    skipLines: 0,
    createBoundary: () => new ArrayBoundary(),
    ignores: () => false,
    createParser: () => new JsonArrayParser(new JsonReader(spec)),
  };
}

function isBlank(byte: number): boolean {
  return byte === 32 || byte === 10 || byte === 13 || byte === 9;
}

/** Finds the sign after an element: the comma, or the end of the array. */
class ArrayBoundary implements RecordBoundary {
  /** Brackets and braces around the place; -1 before the sign that the record begins with. */
  #depth = -1;
  #isText = false;
  #isEscaped = false;

  reset(): void {
    this.#depth = -1;
    this.#isText = false;
    this.#isEscaped = false;
  }

  next(bytes: Uint8Array, from: number, to: number): number {
    for (let position = from; position < to; position += 1) {
      const byte = bytes[position]!;
      if (this.#isText) this.#text(byte);
      else if (this.#depth < 0) this.#depth = isBlank(byte) ? -1 : 0;
      else if (this.#depth === 0 && (byte === COMMA || byte === CLOSE)) {
        this.reset();
        return position;
      } else this.#sign(byte);
    }
    return -1;
  }

  #text(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === BACKSLASH) this.#isEscaped = true;
    else if (byte === QUOTE) this.#isText = false;
  }

  #sign(byte: number): void {
    if (byte === QUOTE) this.#isText = true;
    else if (byte === OPEN || byte === 123) this.#depth += 1;
    else if ((byte === CLOSE || byte === 125) && this.#depth > 0) this.#depth -= 1;
  }
}

class JsonArrayParser implements RecordParser<unknown> {
  emitted: number;
  readonly #reader: JsonReader;
  readonly #boundary = new ArrayBoundary();

  constructor(reader: JsonReader) {
    this.emitted = 0;
    this.#reader = reader;
  }

  parse(window: RecordWindow, output: SourceOutput<unknown>, limit: number): ParseStatus {
    this.emitted = 0;
    while (this.emitted < limit) {
      const { bytes, position, end } = window;
      if (position >= window.stopAt) return "done";
      this.#boundary.reset();
      const next = this.#boundary.next(bytes, position, end);
      if (next < 0 && !window.final) return "data";
      const status = next < 0 ? this.#last(window, output) : this.#element(window, next, output);
      if (status !== null) return status;
    }
    return "limit";
  }

  /** Null: go on. */
  #element(window: RecordWindow, next: number, output: SourceOutput<unknown>): ParseStatus | null {
    const { bytes, position, recordBytesMax } = window;
    let start = position;
    while (isBlank(bytes[start]!)) start += 1;
    const sign = bytes[start];
    do start += 1;
    while (start < next && isBlank(bytes[start]!));
    if (next - start > recordBytesMax) return this.#invalid(window, { start, next, issue: null }, output);
    if (sign !== OPEN && sign !== COMMA) {
      const issue = sign === CLOSE ? "text after the end of the array" : "not a JSON array";
      return this.#invalid(window, { start: position, next, issue }, output);
    }
    if (start === next && sign === OPEN && bytes[next] === CLOSE) {
      this.#advance(window, next);
      return null;
    }
    const value = this.#reader.read(bytes.toString("utf8", start, next), bytes, start, next);
    const { issue } = this.#reader;
    if (issue !== "") return this.#invalid(window, { start, next, issue }, output);
    this.#advance(window, next);
    this.emitted += 1;
    return output.offer(value, Number.NaN) ? null : "limit";
  }

  /** What no other record follows: the end of the array, or not even that. */
  #last(window: RecordWindow, output: SourceOutput<unknown>): ParseStatus | null {
    const { bytes, position, end } = window;
    const text = bytes.toString("utf8", position, end).trim();
    if (text === "]") return "done";
    const status = this.#invalid(window, { start: position, next: end, issue: lastIssue(text) }, output);
    if (status !== "line") window.stopAt = end;
    return status;
  }

  /** `issue` null: the record is too long. */
  #invalid(
    window: RecordWindow,
    { start, next, issue }: { readonly start: number; readonly next: number; readonly issue: string | null },
    output: SourceOutput<unknown>,
  ): ParseStatus | null {
    if (!window.lineKnown) return "line";
    const { bytes, position, file, recordBytesMax } = window;
    const line = window.line + breaks(bytes, position, start);
    const row =
      issue === null
        ? tooLong(bytes, start, next, recordBytesMax)
        : { raw: recordText(bytes, start, next), issues: [issue] };
    this.#advance(window, next);
    this.emitted += 1;
    return output.invalid({ ...row, file, line }) ? null : "limit";
  }

  #advance(window: RecordWindow, next: number): void {
    window.line += breaks(window.bytes, window.position, next);
    window.position = next;
  }
}

function lastIssue(text: string): string {
  if (text.startsWith("]")) return "text after the end of the array";
  return /^[[,]/.test(text) ? "the array does not end" : "not a JSON array";
}

function breaks(bytes: Buffer, from: number, to: number): number {
  const counter = new LineCounter();
  counter.add(bytes, from, to);
  return counter.lines;
}

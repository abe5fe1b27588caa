// JSON Lines as a record format: one JSON value a line, checked against the declared type when there is one.

import type { SourceOutput } from "../../../operators/source.ts";
import type { TypeSpec } from "../../../types/spec/type-spec.ts";
import {
  type ParseStatus,
  type RecordBoundary,
  type RecordFormat,
  type RecordParser,
  type RecordWindow,
  recordText,
  tooLong,
} from "../format/record-format.ts";
import { JsonReader } from "./json-reader.ts";

const LF = 10;

export function jsonlFormat(spec: TypeSpec | null): RecordFormat<unknown> {
  return {
    cutsAnywhere: true,
    first: "plain",
    skipLines: 0,
    createBoundary: () => LINE_BOUNDARY,
    ignores: (byte) => byte === LF || byte === 13,
    createParser: () => new JsonlParser(new JsonReader(spec)),
  };
}

const LINE_BOUNDARY: RecordBoundary = {
  reset() {},
  next: (bytes, from, to) => lineEnd(bytes, from, to),
};

function lineEnd(bytes: Uint8Array, from: number, to: number): number {
  const found = bytes.indexOf(LF, from);
  return found < 0 || found >= to ? -1 : found + 1;
}

class JsonlParser implements RecordParser<unknown> {
  emitted: number;
  readonly #reader: JsonReader;

  constructor(reader: JsonReader) {
    this.emitted = 0;
    this.#reader = reader;
  }

  parse(window: RecordWindow, output: SourceOutput<unknown>, limit: number): ParseStatus {
    this.emitted = 0;
    while (this.emitted < limit) {
      const { bytes, position, end } = window;
      if (position >= window.stopAt) return "done";
      if (position >= end) return window.final ? "done" : "data";
      let next = lineEnd(bytes, position, end);
      if (next < 0) {
        if (!window.final) return "data";
        next = end;
      }
      const status = this.#line(window, next, output);
      if (status !== null) return status;
    }
    return "limit";
  }

  /** Null: go on. */
  #line(window: RecordWindow, next: number, output: SourceOutput<unknown>): ParseStatus | null {
    const { bytes, position, recordBytesMax } = window;
    const isTooLong = next - position > recordBytesMax;
    const text = isTooLong ? "" : bytes.toString("utf8", position, next);
    const isBlank = !isTooLong && text.trim() === "";
    const value = isTooLong || isBlank ? undefined : this.#reader.read(text, bytes, position, next);
    const isBad = isTooLong || (!isBlank && this.#reader.issue !== "");
    if (isBad && !window.lineKnown) return "line";
    const { file, line } = window;
    window.position = next;
    window.line += 1;
    if (isBlank) return null;
    this.emitted += 1;
    if (!isBad) return output.offer(value, Number.NaN) ? null : "limit";
    const row = isTooLong
      ? tooLong(bytes, position, next, recordBytesMax)
      : { raw: recordText(bytes, position, next), issues: [this.#reader.issue + formHint(text)] };
    return output.invalid({ ...row, file, line }) ? null : "limit";
  }
}

/** What a line looks like that belongs to another form of JSON. */
function formHint(line: string): string {
  const text = line.trim();
  if (text.startsWith("[")) return "; if the file is one JSON array, say `array: true`";
  return text === "{" ? "; each value has to stand on one line, as `jq -c .` writes it" : "";
}

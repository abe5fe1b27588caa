// JSON Lines as a record format: one JSON value a line, checked against the declared type when there is one.

import { isUtf8 } from "node:buffer";
import type { SourceOutput } from "../../../operators/source.ts";
import type { TypeSpec } from "../../../types/type-spec.ts";
import {
  type ParseStatus,
  type RecordBoundary,
  type RecordFormat,
  type RecordParser,
  type RecordWindow,
  recordText,
  tooLong,
} from "../record-format.ts";
import { type JsonDecode, jsonDecoder } from "./json-decode.ts";
import { everyNumber, isUnrounded, jsonExact, WITHIN_RANGE } from "./json-numbers.ts";

const LF = 10;

export function jsonlFormat(spec: TypeSpec | null): RecordFormat<unknown> {
  return {
    cutsAnywhere: true,
    first: "plain",
    createBoundary: () => LINE_BOUNDARY,
    ignores: (byte) => byte === LF || byte === 13,
    createParser: () => new JsonlParser(spec === null ? null : jsonDecoder(spec)),
  };
}

const LINE_BOUNDARY: RecordBoundary = {
  reset() {},
  next: (bytes, from, to) => lineEnd(bytes, from, to),
  nextFrom: (bytes, from, to, atLeast) => lineEnd(bytes, Math.max(from, atLeast - 1), to),
};

function lineEnd(bytes: Uint8Array, from: number, to: number): number {
  const found = bytes.indexOf(LF, from);
  return found < 0 || found >= to ? -1 : found + 1;
}

class JsonlParser implements RecordParser<unknown> {
  emitted: number;
  readonly #decode: JsonDecode | null;
  /** What is wrong with the line just read; empty when nothing is. */
  #issue: string;

  constructor(decode: JsonDecode | null) {
    this.emitted = 0;
    this.#decode = decode;
    this.#issue = "";
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
    const value = isTooLong || isBlank ? undefined : this.#value(text, bytes, position, next);
    const isBad = isTooLong || this.#issue !== "";
    if (isBad && !window.lineKnown) {
      this.#issue = "";
      return "line";
    }
    const { file, line } = window;
    window.position = next;
    window.line += 1;
    if (isBlank) return null;
    this.emitted += 1;
    if (!isBad) return output.offer(value, Number.NaN) ? null : "limit";
    const row = isTooLong
      ? tooLong(bytes, position, next, recordBytesMax)
      : { raw: recordText(bytes, position, next), issues: [this.#issue] };
    this.#issue = "";
    return output.invalid({ ...row, file, line }) ? null : "limit";
  }

  #value(text: string, bytes: Buffer, from: number, to: number): unknown {
    // Decoding puts U+FFFD where bytes are not UTF-8; the text may also hold that character itself.
    if (text.includes("\uFFFD") && !isUtf8(bytes.subarray(from, to))) {
      this.#issue = "bytes that are not UTF-8";
      return undefined;
    }
    try {
      return this.#decode === null ? this.#object(text) : this.#decoded(this.#decode, text);
    } catch (error) {
      this.#issue = `not JSON: ${error instanceof Error ? error.message : String(error)}`;
      return undefined;
    }
  }

  #object(text: string): unknown {
    let value: unknown = JSON.parse(text);
    if (!everyNumber(value, isUnrounded, 0)) {
      value = jsonExact(text);
      if (!everyNumber(value, Number.isFinite, 0)) this.#issue = `expected ${WITHIN_RANGE}`;
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) this.#issue = "not a JSON object";
    return value;
  }

  #decoded(decode: JsonDecode, text: string): unknown {
    const trace = { issue: "", exact: false, rounded: false };
    let decoded = decode(JSON.parse(text), trace);
    if (trace.rounded) {
      const again = { issue: "", exact: true, rounded: false };
      decoded = decode(jsonExact(text), again);
      trace.issue = again.issue;
    }
    this.#issue = trace.issue;
    return decoded;
  }
}

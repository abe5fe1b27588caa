// The text of one JSON value as a record: parsed, checked against the declared type, numbers exact.

import { isUtf8 } from "node:buffer";
import type { TypeSpec } from "../../../types/spec/type-spec.ts";
import { NOT_UTF8 } from "../format/record-format.ts";
import { type JsonDecode, jsonDecoder } from "./json-decode.ts";
import { everyNumber, isUnrounded, jsonExact, WITHIN_RANGE } from "./json-numbers.ts";

export class JsonReader {
  /** What is wrong with the value just read; empty when nothing is. */
  issue: string;
  readonly #decode: JsonDecode | null;

  constructor(spec: TypeSpec | null) {
    this.issue = "";
    this.#decode = spec === null ? null : jsonDecoder(spec);
  }

  /** The value of the text, which is that of `bytes` from `from` to `to`. */
  read(text: string, bytes: Buffer, from: number, to: number): unknown {
    this.issue = "";
    // Decoding puts U+FFFD where bytes are not UTF-8; the text may also hold that character itself.
    if (text.includes("\uFFFD") && !isUtf8(bytes.subarray(from, to))) {
      this.issue = NOT_UTF8;
      return undefined;
    }
    try {
      return this.#decode === null ? this.#object(text) : this.#decoded(this.#decode, text);
    } catch (error) {
      this.issue = `not JSON: ${error instanceof Error ? error.message : String(error)}`;
      return undefined;
    }
  }

  #object(text: string): unknown {
    let value: unknown = JSON.parse(text);
    if (!everyNumber(value, isUnrounded, 0)) {
      value = jsonExact(text);
      if (!everyNumber(value, Number.isFinite, 0)) this.issue = `expected ${WITHIN_RANGE}`;
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) this.issue = "not a JSON object";
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
    this.issue = trace.issue;
    return decoded;
  }
}

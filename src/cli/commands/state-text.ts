// Rows of state as lines of JSON and CSV, and keys as they are typed. Pure.

import { EngineError, UserError } from "../../base/errors.ts";
import type { SavedRow } from "../../checkpoint/reading/saved-row.ts";
import { jsonDecoder } from "../../connectors/files/json/json-decode.ts";
import { jsonText } from "../../connectors/files/json/json-encode.ts";
import { jsonExact } from "../../connectors/files/json/json-numbers.ts";
import { valueText } from "../../connectors/print/value-text.ts";
import { keyProblem } from "../../types/keys/key-spec.ts";
import { specText } from "../../types/spec/spec-text.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";

/** The key, which of the key's it is, the value, and when it was written. */
export function rowJson(row: SavedRow): string {
  try {
    return jsonText(rowObject(row), row.state);
  } catch (error) {
    if (!isUnsupported(error)) throw error;
    return jsonText({ ...rowObject({ ...row, value: null }), value: undefined, text: valueText(row.value) }, row.state);
  }
}

function rowObject({ key, part, value, writtenMs }: SavedRow): Record<string, unknown> {
  return { key, ...part, value, ...(writtenMs !== null && { written: new Date(writtenMs) }) };
}

/** Columns of all rows of a state. */
export function csvHead({ part, writtenMs }: SavedRow): string {
  return ["key", ...Object.keys(part), "value", ...(writtenMs === null ? [] : ["written"])].join(",");
}

/** What is no single value is JSON. */
export function rowCsv({ key, part, value, writtenMs }: SavedRow): string {
  const written = writtenMs === null ? [] : [new Date(writtenMs)];
  return [key, ...Object.values(part), value, ...written].map(csvCell).join(",");
}

function csvCell(value: unknown): string {
  const text = cellText(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "" : value.toISOString();
  if (typeof value !== "object") return String(value);
  try {
    return jsonText(value);
  } catch (error) {
    if (!isUnsupported(error)) throw error;
    return valueText(value);
  }
}

function isUnsupported(error: unknown): boolean {
  return error instanceof EngineError && error.code === "JSON_VALUE_UNSUPPORTED";
}

/** A key as it is typed: a text as it is, all else as JSON. Throws STATE_KEY_INVALID. */
export function typedKey(type: TypeSpec, text: string): unknown {
  const inner = type.kind === "nullable" ? type.inner : type;
  if (inner.kind === "string" || inner.kind === "enum") return text;
  const trace = { issue: "", exact: true, rounded: false };
  const key = jsonDecoder(type)(parsed(text), trace);
  const problem = trace.issue === "" ? keyProblem(type, key) : trace.issue;
  if (problem === null) return key;
  throw new UserError("STATE_KEY_INVALID", `${text} is no key of type ${specText(type)}: ${problem}`, {
    fix: "write it as export shows it, in the quotes of your shell",
  });
}

function parsed(text: string): unknown {
  try {
    return jsonExact(text);
  } catch {
    return text; // A date without quotes, for example.
  }
}

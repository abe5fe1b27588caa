// Values as JSON, one line each. What JSON has no form for is written so that `json-decode.ts` reads it back under the
// declared type:
//
//   Date                 ISO 8601 text, null when invalid
//   bigint               its digits as text: JSON readers round large numbers
//   NaN, ±Infinity       null: JSON has no such numbers
//   Map                  an object when all keys are strings, else a list of pairs
//   Set, typed arrays    a list
//   undefined            the field is left out
//   functions, symbols   an error

import { UserError } from "../../base/errors.ts";
import type { RowEncoder } from "./row-encoder.ts";

export const jsonlEncoder: RowEncoder = {
  begin: () => "",
  line: (record) => `${jsonText(record)}\n`,
};

export function jsonText(value: unknown): string {
  try {
    // The replacer costs more than the rest: it is called for every value.
    const text = isPlain(value, 0) ? JSON.stringify(value) : JSON.stringify(value, replace);
    if (typeof text === "string") return text;
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw unsupported("", error instanceof Error ? error.message : String(error), error); // A cycle.
  }
  throw unsupported("", `a record that is ${typeof value}`);
}

const DEPTH_MAX = 16;

/** Whether JSON.stringify alone writes the value right. */
function isPlain(value: unknown, depth: number): boolean {
  if (typeof value !== "object")
    return typeof value !== "bigint" && typeof value !== "function" && typeof value !== "symbol";
  if (value === null) return true;
  if (depth > DEPTH_MAX) return false;
  if (Array.isArray(value)) return value.every((item) => isPlain(item, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value instanceof Date;
  for (const name in value) if (!isPlain((value as Record<string, unknown>)[name], depth + 1)) return false;
  return true;
}

function replace(this: unknown, name: string, value: unknown): unknown {
  const original = (this as Record<string, unknown>)[name]; // Before its toJSON: a Buffer has one of its own.
  if (typeof original === "bigint") return String(original);
  if (typeof original === "function" || typeof original === "symbol") throw unsupported(name, `a ${typeof original}`);
  if (typeof original !== "object" || original === null) return value;
  if (ArrayBuffer.isView(original) && !(original instanceof DataView)) return [...(original as Uint8Array)];
  if (original instanceof Set) return [...original];
  if (original instanceof Map) return mapValue(original);
  return value;
}

function mapValue(map: ReadonlyMap<unknown, unknown>): unknown {
  const entries = [...map];
  const hasTextKeys = entries.every(([key]) => typeof key === "string");
  return hasTextKeys ? Object.fromEntries(entries as [string, unknown][]) : entries;
}

function unsupported(name: string, what: string, cause?: unknown): UserError {
  const where = name === "" ? "" : `field ${JSON.stringify(name)}: `;
  return new UserError("JSON_VALUE_UNSUPPORTED", `${where}JSON cannot hold ${what}`, {
    fix: "leave the field out, or convert it in a map before the sink",
    cause,
  });
}

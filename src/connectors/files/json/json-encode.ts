// Values as JSON, one line each. What JSON has no form for is written so that `json-decode.ts` reads it back under the
// declared type:
//
//   Date                 ISO 8601 text, null when invalid
//   bigint               its digits
//   NaN, ±Infinity       null: JSON has no such numbers
//   Map                  an object when all keys are strings, else a list of pairs
//   Set, typed arrays    a list
//   undefined            the field is left out
//   toJSON               what it gives
//   the rest             an error: functions, symbols, errors, promises, instances of classes, ArrayBuffers, cycles

import { UserError } from "../../../base/errors.ts";
import { describe } from "../../../types/spec/describe.ts";
import type { RowEncoder } from "../format/row-encoder.ts";

export const jsonlEncoder: RowEncoder = {
  begin: () => "",
  line: (record) => `${jsonText(record)}\n`,
};

/** `name` says which field of the record the value is; "": the record. */
export function jsonText(value: unknown, name = ""): string {
  try {
    // The replacer costs more than the rest: it is called for every value.
    const text = isPlain(value, 0) ? JSON.stringify(value) : JSON.stringify(value, replace);
    if (typeof text === "string") return text;
  } catch (error) {
    throw error instanceof Unheld ? unsupported(error.field || name, error.what) : failed(name, error);
  }
  throw unsupported(name, `a record that is ${typeof value}`);
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

/** `JSON.rawJSON`, which the compiler's library does not know yet. */
export const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;

/** Thrown out of JSON.stringify. */
class Unheld extends Error {
  readonly field: string;
  readonly what: string;

  constructor(field: string, what: string) {
    super(what);
    this.field = field;
    this.what = what;
  }
}

function replace(this: unknown, name: string, value: unknown): unknown {
  const original = (this as Record<string, unknown>)[name]; // Before its toJSON: a Buffer has one of its own.
  if (typeof original === "bigint") return rawJson(String(original));
  const given = ArrayBuffer.isView(original) ? original : value;
  if (typeof given === "function" || typeof given === "symbol") throw new Unheld(name, `a ${typeof given}`);
  if (typeof given !== "object" || given === null || Array.isArray(given)) return given;
  const prototype: unknown = Object.getPrototypeOf(given);
  if (prototype === Object.prototype || prototype === null) return given;
  if (ArrayBuffer.isView(given) && !(given instanceof DataView)) return [...(given as Uint8Array)];
  if (given instanceof Set) return [...given];
  if (given instanceof Map) return mapValue(given);
  if (given instanceof Number || given instanceof String || given instanceof Boolean) return given;
  throw new Unheld(name, describe(given));
}

function mapValue(map: ReadonlyMap<unknown, unknown>): unknown {
  const entries = [...map];
  const hasTextKeys = entries.every(([key]) => typeof key === "string");
  return hasTextKeys ? Object.fromEntries(entries as [string, unknown][]) : entries;
}

/** JSON.stringify itself, a getter or a toJSON threw. */
function failed(name: string, error: unknown): UserError {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof TypeError && /circular/i.test(message)) return unsupported(name, ITSELF, error);
  if (error instanceof RangeError && /string length/i.test(message)) {
    return unsupported(name, "a value whose text is longer than 512 MiB", error);
  }
  if (error instanceof RangeError) return unsupported(name, `${ITSELF}, or is nested too deep`, error);
  return unsupported(name, `a value that throws ${message}`, error);
}

const ITSELF = "an object that contains itself";

function unsupported(name: string, what: string, cause?: unknown): UserError {
  const where = name === "" ? "" : `field ${JSON.stringify(name)}: `;
  return new UserError("JSON_VALUE_UNSUPPORTED", `${where}JSON cannot hold ${what}`, {
    fix: "leave the field out, or convert it in a map before the sink",
    cause,
  });
}

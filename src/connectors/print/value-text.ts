// A value as people read it, on one line and bounded: like a JavaScript literal. A number that is a time by its type
// shows as a date. A promise is refused: nothing is known of it.

import { inspect, types } from "node:util";
import { promiseHeld } from "../../base/synchronous.ts";
import { TIME_MAX_MS } from "../../types/spec/source-value.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";

const LENGTH_MAX = 64;
const ITEMS_MAX = 8;
const DEPTH_MAX = 3;

/** `type` is null when it is not declared. */
export function valueText(value: unknown, type: TypeSpec | null = null, depth = 0): string {
  switch (typeof value) {
    case "string":
      return withoutControls(JSON.stringify(value.length > LENGTH_MAX ? `${value.slice(0, LENGTH_MAX)}…` : value));
    case "bigint":
      return `${value}n`;
    case "function":
    case "symbol":
      return `[${typeof value}]`;
    case "object":
      return value === null ? "null" : objectText(value, bare(type), depth);
    default:
      if (isTime(value, type)) return new Date(value).toISOString();
      return Object.is(value, -0) ? "-0" : String(value);
  }
}

/** A timestamp that a date can show without a loss. */
export function isTime(value: unknown, type: TypeSpec | null): value is number {
  return bare(type)?.kind === "timestamp" && Number.isInteger(value) && Math.abs(Number(value)) <= TIME_MAX_MS;
}

/** The type of a record's field; null when it is not declared. */
export function fieldType(record: TypeSpec | null, name: string): TypeSpec | null {
  const type = bare(record);
  return type?.kind === "struct" ? (type.fields.find((field) => field.name === name)?.type ?? null) : null;
}

function bare(type: TypeSpec | null): TypeSpec | null {
  return type?.kind === "nullable" ? bare(type.inner) : type;
}

function objectText(value: object, type: TypeSpec | null, depth: number): string {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (depth === DEPTH_MAX) return Array.isArray(value) ? "[…]" : "{…}";
  const inner = (item: unknown, itemType: TypeSpec | null): string => valueText(item, itemType, depth + 1);
  if (value instanceof Map) {
    const [ofKey, ofValue] = type?.kind === "map" ? [type.key, type.value] : [null, null];
    const entries = [...value].slice(0, ITEMS_MAX + 1);
    return listText(`Map(${value.size}) {`, entries, "}", ([key, item]) => {
      return `${inner(key, ofKey)} => ${inner(item, ofValue)}`;
    });
  }
  const ofItem = type?.kind === "set" || type?.kind === "list" ? type.item : null;
  if (value instanceof Set) {
    return listText(`Set(${value.size}) {`, [...value].slice(0, ITEMS_MAX + 1), "}", (item) => inner(item, ofItem));
  }
  if (Array.isArray(value)) {
    return listText("[", value.slice(0, ITEMS_MAX + 1), "]", (item) => inner(item, ofItem));
  }
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    const items = [...(value as Uint8Array).subarray(0, ITEMS_MAX + 1)];
    return listText(`${value.constructor.name} [`, items, "]", (item) => valueText(item));
  }
  return propertiesText(value, ([name, item]) => `${name}: ${inner(item, fieldType(type, name))}`);
}

/** What no property tells (an error, a pattern, a buffer, private fields) shows as Node shows it. */
function propertiesText(value: object, text: (property: [string, unknown]) => string): string {
  if (types.isPromise(value)) throw promiseHeld(null);
  if (value instanceof Error || value instanceof RegExp) return oneLine(String(value));
  const properties = Object.entries(value);
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = prototype === Object.prototype || prototype === null;
  if (properties.length === 0 && !isPlain) return oneLine(inspect(value, { depth: 0, customInspect: false }));
  return listText("{", properties, "}", text);
}

function oneLine(text: string): string {
  const line = text.replace(/\s*\n\s*/g, " ");
  return line.length > LENGTH_MAX ? `${line.slice(0, LENGTH_MAX)}…` : line;
}

function listText<T>(open: string, items: readonly T[], close: string, text: (item: T) => string): string {
  const shown = items.slice(0, ITEMS_MAX).map(text);
  if (items.length > ITEMS_MAX) shown.push("…");
  if (shown.length === 0) return `${open}${close}`;
  return open.endsWith("[") ? `${open}${shown.join(", ")}${close}` : `${open} ${shown.join(", ")} ${close}`;
}

/** Signs that terminals obey, as escapes. */
export function withoutControls(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

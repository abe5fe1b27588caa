// The narrowest spec of one value, for learning the types of undeclared records.
//
//   L1. `shapeOf(v)` admits v exactly, under the rules of "exact"; what no codec can carry becomes "any", which refuses
//       it by name.
//   L2. It looks DEPTH_MAX levels deep and at objects of up to FIELDS_MAX fields: beyond lies "any".

import { types } from "node:util";
import { isTypedArrayOf } from "../bytes/typed-array-bytes.ts";
import type { TypedArrayName, TypeSpec } from "../spec/type-spec.ts";
import { ANY, NEVER, widenShape } from "./shape-widen.ts";

const DEPTH_MAX = 8;
const FIELDS_MAX = 256;

export function shapeOf(value: unknown): TypeSpec {
  return hasCycle(value, []) ? ANY : shape(value, 0);
}

/** The spec with every NEVER made a type that codecs know. */
export function closeShape(spec: TypeSpec): TypeSpec {
  switch (spec.kind) {
    case "list":
    case "set":
      return { kind: spec.kind, item: closeShape(spec.item) };
    case "map":
      return { kind: "map", key: closeShape(spec.key), value: closeShape(spec.value) };
    case "nullable":
      return { kind: "nullable", inner: closeShape(spec.inner) };
    case "struct":
      return { kind: "struct", fields: spec.fields.map((field) => ({ ...field, type: closeShape(field.type) })) };
    case "union":
      return spec.members.length === 0 ? { kind: "null" } : { kind: "union", members: spec.members.map(closeShape) };
    default:
      return spec;
  }
}

function shape(value: unknown, depth: number): TypeSpec {
  switch (typeof value) {
    case "number":
      return { kind: "f64" };
    case "string":
      return { kind: "string" };
    case "boolean":
      return { kind: "bool" };
    case "bigint":
      return { kind: "bigint" };
    case "undefined":
      return { kind: "undefined" };
    case "object":
      return value === null ? { kind: "null" } : objectShape(value, depth);
    default:
      return ANY;
  }
}

function objectShape(value: object, depth: number): TypeSpec {
  if (depth >= DEPTH_MAX || types.isProxy(value)) return ANY;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype) return structShape(value as Readonly<Record<string, unknown>>, depth);
  if (prototype === Array.prototype) return listShape(value as readonly unknown[], depth);
  if (types.isTypedArray(value)) return typedArrayShape(value);
  if (Object.keys(value).length > 0) return ANY;
  if (prototype === Date.prototype && types.isDate(value))
    return Number.isNaN(value.getTime()) ? ANY : { kind: "date" };
  if (prototype === Set.prototype && types.isSet(value)) return { kind: "set", item: itemShape(value, depth) };
  if (prototype !== Map.prototype || !types.isMap(value)) return ANY;
  return { kind: "map", key: itemShape(value.keys(), depth), value: itemShape(value.values(), depth) };
}

function structShape(value: Readonly<Record<string, unknown>>, depth: number): TypeSpec {
  const names = Object.keys(value);
  if (names.length > FIELDS_MAX || Object.getOwnPropertySymbols(value).length > 0) return ANY;
  return {
    kind: "struct",
    fields: names.map((name) => ({
      name,
      type: shape(value[name], depth + 1),
      optional: value[name] === undefined,
    })),
  };
}

function listShape(value: readonly unknown[], depth: number): TypeSpec {
  if (Object.keys(value).length !== value.length) return ANY;
  return value.every((_, index) => Object.hasOwn(value, index)) ? { kind: "list", item: itemShape(value, depth) } : ANY;
}

function itemShape(items: Iterable<unknown>, depth: number): TypeSpec {
  let item = NEVER;
  for (const value of items) item = widenShape(item, shape(value, depth + 1), false);
  return item;
}

function typedArrayShape(value: NodeJS.TypedArray): TypeSpec {
  const array = value[Symbol.toStringTag] as TypedArrayName;
  const known = array !== ("Float16Array" as string) && isTypedArrayOf(array, value);
  return known ? { kind: "bytes", array } : ANY;
}

/** Whether an object lies inside itself, as far down as shapes look. */
function hasCycle(value: unknown, ancestors: object[]): boolean {
  if (typeof value !== "object" || value === null || types.isProxy(value)) return false;
  if (ancestors.includes(value)) return true;
  if (ancestors.length > DEPTH_MAX) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  ancestors.push(value);
  let found = false;
  if (prototype === Object.prototype || prototype === Array.prototype) {
    found = Object.keys(value).some((key) => hasCycle((value as Record<string, unknown>)[key], ancestors));
  } else if (types.isMap(value)) {
    found = [...value].some(([key, item]) => hasCycle(key, ancestors) || hasCycle(item, ancestors));
  } else if (types.isSet(value)) {
    found = [...value].some((item) => hasCycle(item, ancestors));
  }
  ancestors.pop();
  return found;
}

// Whether a value fits a spec, and if not, where and why. The slow, explaining counterpart of the generated codecs:
// what this finds no fault with, they take, and what they refuse, this explains (property-tested).

import { types } from "node:util";
import { AnyWriter } from "../any/any-writer.ts";
import { ByteSink } from "../bytes/byte-buffer.ts";
import type { Mismatch, Strictness } from "../bytes/codec.ts";
import { isTypedArrayOf } from "../bytes/typed-array-bytes.ts";
import { describe, foreignClass } from "../spec/describe.ts";
import { keyOrder } from "../spec/field-order.ts";
import { scalarFits } from "../spec/source-value.ts";
import { fieldPath, specText } from "../spec/spec-text.ts";
import type { StructSpec, TypeSpec } from "../spec/type-spec.ts";

/** A mismatch with its path in parts, as Standard Schema wants it. */
export type Issue = Mismatch & { readonly keys: readonly PropertyKey[] };

/** The first fault found, null when the value fits. */
export function specMismatch(spec: TypeSpec, value: unknown, strictness: Strictness = "refuse"): Mismatch | null {
  const found = specIssues(spec, value, strictness, 1)[0];
  if (found === undefined) return null;
  return { path: found.path, expected: found.expected, actual: found.actual, unsupported: found.unsupported };
}

/** Up to `limit` faults. */
export function specIssues(spec: TypeSpec, value: unknown, strictness: Strictness, limit: number): readonly Issue[] {
  const walk: Walk = { strictness, limit, found: [] };
  check(walk, spec, value);
  return walk.found.map((fault) => ({ ...fault, path: pathText(fault.path) }));
}

/** Longer texts of types are cut off: a message is for reading. */
const EXPECTED_MAX = 200;

/** Longer paths keep this much of both ends: where they begin, and what does not fit. */
const PATH_END = 80;

type Fault = { path: string; keys: PropertyKey[]; expected: string; actual: string; unsupported: boolean };
type Walk = { readonly strictness: Strictness; readonly limit: number; readonly found: Fault[] };

function check(walk: Walk, spec: TypeSpec, value: unknown): void {
  switch (spec.kind) {
    case "nullable":
      if (value !== null) check(walk, spec.inner, value);
      return;
    case "union":
      if (!spec.members.some((member) => fits(walk, member, value))) fault(walk, spec, value);
      return;
    case "any":
      checkAny(walk, value);
      return;
    case "list":
      checkList(walk, spec, value);
      return;
    case "set":
      checkSet(walk, spec, value);
      return;
    case "map":
      checkMap(walk, spec, value);
      return;
    case "struct":
      checkStruct(walk, spec, value);
      return;
    default:
      if (!leafFits(walk, spec, value)) fault(walk, spec, value);
  }
}

type Leaf = Exclude<TypeSpec, { kind: "nullable" | "union" | "any" | "list" | "set" | "map" | "struct" }>;

function leafFits(walk: Walk, spec: Leaf, value: unknown): boolean {
  switch (spec.kind) {
    case "null":
      return value === null;
    case "undefined":
      return value === undefined;
    case "date":
      return types.isDate(value) && !Number.isNaN(value.getTime()) && isBare(walk, value, Date.prototype);
    case "bytes":
      return isTypedArrayOf(spec.array, value);
    default:
      return scalarFits(spec, value);
  }
}

function checkStruct(walk: Walk, spec: StructSpec, value: unknown): void {
  if (!isRecord(walk, value)) {
    fault(walk, spec, value);
    return;
  }
  for (const field of spec.fields) {
    if (walk.found.length >= walk.limit) return;
    const before = walk.found.length;
    const item = Object.hasOwn(value, field.name) ? value[field.name] : undefined;
    if (!Object.hasOwn(value, field.name)) {
      if (!field.optional) walk.found.push(absent(field.type));
    } else if (item !== undefined || !field.optional) check(walk, field.type, item);
    within(walk, before, fieldPath("", field.name), field.name);
  }
  if (walk.strictness !== "ignore") checkExtraFields(walk, spec, value);
}

function checkExtraFields(walk: Walk, spec: StructSpec, value: Readonly<Record<string, unknown>>): void {
  const names = new Set(spec.fields.map((field) => field.name));
  for (const key of Object.keys(value)) {
    if (walk.found.length >= walk.limit) return;
    if (names.has(key)) continue;
    const before = walk.found.length;
    walk.found.push({ ...absent(spec), expected: "a field of the type", actual: describe(value[key]) });
    within(walk, before, fieldPath("", key), key);
  }
  if (walk.found.length > 0) return;
  if (Object.getOwnPropertySymbols(value).length > 0) {
    walk.found.push({ ...absent(spec), actual: "an object with a symbol as a key", unsupported: true });
  }
  const order = keyOrder(spec).filter((name) => Object.hasOwn(value, name));
  if (walk.strictness === "exact" && Object.keys(value).join() !== order.join()) {
    walk.found.push({ ...absent(spec), actual: `the fields in the order ${Object.keys(value).join(", ")}` });
  }
}

function checkList(walk: Walk, spec: Extract<TypeSpec, { kind: "list" }>, value: unknown): void {
  if (!Array.isArray(value) || Object.getPrototypeOf(value) !== Array.prototype || types.isProxy(value)) {
    fault(walk, spec, value);
    return;
  }
  for (let i = 0; i < value.length && walk.found.length < walk.limit; i++) {
    const before = walk.found.length;
    if (!Object.hasOwn(value, i)) walk.found.push({ ...absent(spec.item), actual: "a hole" });
    else check(walk, spec.item, value[i]);
    within(walk, before, `[${i}]`, i);
  }
  if (walk.strictness !== "exact" || walk.found.length > 0 || Object.keys(value).length === value.length) return;
  walk.found.push({ ...absent(spec), actual: "an array with properties beside its elements" });
}

function checkSet(walk: Walk, spec: Extract<TypeSpec, { kind: "set" }>, value: unknown): void {
  if (!types.isSet(value) || !isBare(walk, value, Set.prototype)) {
    fault(walk, spec, value);
    return;
  }
  let index = 0;
  for (const item of value) {
    if (walk.found.length >= walk.limit) return;
    const before = walk.found.length;
    check(walk, spec.item, item);
    within(walk, before, `{${index}}`, index);
    index++;
  }
}

function checkMap(walk: Walk, spec: Extract<TypeSpec, { kind: "map" }>, value: unknown): void {
  if (!types.isMap(value) || !isBare(walk, value, Map.prototype)) {
    fault(walk, spec, value);
    return;
  }
  let index = 0;
  for (const [key, item] of value) {
    if (walk.found.length >= walk.limit) return;
    const before = walk.found.length;
    check(walk, spec.key, key);
    within(walk, before, `{${index}}.key`, index);
    const middle = walk.found.length;
    check(walk, spec.value, item);
    within(walk, middle, `{${index}}.value`, index);
    index++;
  }
}

function checkAny(walk: Walk, value: unknown): void {
  const writer = new AnyWriter();
  if (writer.write(value, new ByteSink())) return;
  const { path, actual } = writer.failure ?? { path: "", actual: describe(value) };
  walk.found.push({ path, keys: [], expected: "any", actual, unsupported: true });
}

function fits(walk: Walk, spec: TypeSpec, value: unknown): boolean {
  const attempt: Walk = { strictness: walk.strictness, limit: 1, found: [] };
  check(attempt, spec, value);
  return attempt.found.length === 0;
}

/** A plain object. The codecs look no further than the prototype: a Proxy of a plain object reads like one. */
function isRecord(walk: Walk, value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || (prototype === null && walk.strictness !== "exact");
}

function isBare(walk: Walk, value: object, prototype: object): boolean {
  if (Object.getPrototypeOf(value) !== prototype) return false;
  return walk.strictness !== "exact" || Object.keys(value).length === 0;
}

function absent(spec: TypeSpec): Fault {
  return { path: "", keys: [], expected: expected(spec), actual: "nothing", unsupported: false };
}

function fault(walk: Walk, spec: TypeSpec, value: unknown): void {
  const foreign = typeof value === "object" && value !== null && foreignClass(value) !== null;
  const unsupported = foreign || typeof value === "function" || typeof value === "symbol";
  walk.found.push({ path: "", keys: [], expected: expected(spec), actual: describe(value), unsupported });
}

function pathText(path: string): string {
  const text = path.replace(/^\./, "");
  return text.length > 2 * PATH_END ? `${text.slice(0, PATH_END)}…${text.slice(-PATH_END)}` : text;
}

function expected(spec: TypeSpec): string {
  const text = specText(spec);
  return text.length > EXPECTED_MAX ? `${text.slice(0, EXPECTED_MAX)}…` : text;
}

/** The faults since `before` lie in this part. */
function within(walk: Walk, before: number, text: string, key: PropertyKey): void {
  for (let i = before; i < walk.found.length; i++) {
    const found = walk.found[i]!;
    found.path = `${text.startsWith("[") || text.startsWith("{") ? "" : "."}${text}${found.path}`;
    found.keys.unshift(key);
  }
}

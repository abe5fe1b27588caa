// Which field a path names: the one rule for types, columns, records and generated code.
//
//   P1. The field whose name is the whole path, where the record has it; else the one that the names between the dots
//       lead to. What is undefined is not there.
//   P2. Code decides it for each record by itself, so that both sides of an exchange read the same key whatever came
//       before it. A type decides it for all records, or says that it depends on them.
//   P3. A field is the object's own: what every object inherits (`constructor`, `toString`, `__proto__`) is none.

import type { StructSpec, TypeSpec } from "./type-spec.ts";

/** The names between the dots. */
export const pathNames = (path: string): readonly string[] => path.split(".");

/** Fields of the record itself that a path may read. */
export function pathRoots(path: string): readonly string[] {
  return [...new Set([path, pathNames(path)[0] ?? path])];
}

/** The names that lead to the field in records of this type; null when each record decides. */
export function pathSteps(type: TypeSpec | null, path: string): readonly string[] | null {
  const names = pathNames(path);
  if (names.length === 1) return names;
  const record = structOf(type);
  if (record === null) return null;
  const whole = record.fields.find((field) => field.name === path);
  if (whole === undefined) return names;
  const isThere = !whole.optional && !mayBeUndefined(whole.type);
  return isThere || record.fields.every((field) => field.name !== names[0]) ? [path] : null;
}

/** Reads the field of the record in the variable `record`. `step` is "?." where a parent may be missing, else "". */
export function fieldCode(record: string, path: string, step: "?." | ""): string {
  const [first = path, ...rest] = pathNames(path);
  const nested = rest.reduce((parent, name) => partCode(parent, name, step), ownFieldCode(record, first));
  if (rest.length === 0) return nested;
  const whole = `${record}[${JSON.stringify(path)}]`;
  return `(${whole} !== undefined ? ${whole} : ${nested})`;
}

/** Reads a field of the plain object in `object` (P3). Only names that it inherits something for take a test. */
export function ownFieldCode(object: string, name: string): string {
  const key = JSON.stringify(name);
  return name in Object.prototype
    ? `(Object.hasOwn(${object}, ${key}) ? ${object}[${key}] : undefined)`
    : `${object}[${key}]`;
}

/** Reads a field of whatever a record holds: texts and lists inherit much more than plain objects do. */
function partCode(part: string, name: string, step: "?." | ""): string {
  const key = JSON.stringify(name);
  if (!INHERITED.has(name)) return `${part}${step}[${key}]`;
  const isThere = step === "" ? "" : `${part} != null && `;
  return `(${isThere}Object.hasOwn(${part}, ${key}) ? ${part}[${key}] : undefined)`;
}

/** Methods of what records hold. Their other properties (`length`, `size`) are data. */
const INHERITED: ReadonlySet<string> = new Set(
  [
    Object,
    Array,
    String,
    Number,
    Boolean,
    BigInt,
    Date,
    Map,
    Set,
    Object.getPrototypeOf(Uint8Array) as typeof Object,
  ].flatMap(({ prototype }) =>
    Object.entries(Object.getOwnPropertyDescriptors(prototype as object))
      .filter(([name, { value }]) => typeof value === "function" || name in Object.prototype)
      .map(([name]) => name),
  ),
);

/** A field of a plain object, undefined when it has none of its own (P3). */
export function ownField(object: unknown, name: string): unknown {
  return Object.hasOwn(object as object, name) ? (object as Readonly<Record<string, unknown>>)[name] : undefined;
}

/** Sets a field of the record in the variable `object`, whatever its name (P3). */
export function setFieldCode(object: string, name: string, value: string): string {
  if (name !== "__proto__") return `${object}[${JSON.stringify(name)}] = ${value}`;
  return `Object.defineProperty(${object}, "__proto__", { value: ${value}, enumerable: true, writable: true, configurable: true })`;
}

/** Sets a field whose name is `__proto__`: assigned to, it would be none (P3). */
export function defineField(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true });
}

/** Whether `value` has something under the name of a field. */
export function hasField(value: unknown, name: string): boolean {
  return (
    typeof value === "object" && value !== null && (INHERITED.has(name) ? Object.hasOwn(value, name) : name in value)
  );
}

/** What the code of `fieldCode` reads. */
export function fieldOf(record: unknown, path: string): unknown {
  const whole = ownField(record, path);
  if (whole !== undefined) return whole;
  let at: unknown = record;
  for (const name of pathNames(path))
    at = hasField(at, name) ? (at as Readonly<Record<string, unknown>>)[name] : undefined;
  return at;
}

function structOf(type: TypeSpec | null): StructSpec | null {
  let at = type;
  while (at?.kind === "nullable") at = at.inner;
  return at?.kind === "struct" ? at : null;
}

function mayBeUndefined(type: TypeSpec): boolean {
  if (type.kind === "nullable") return mayBeUndefined(type.inner);
  return (
    type.kind === "any" || type.kind === "undefined" || (type.kind === "union" && type.members.some(mayBeUndefined))
  );
}

// Which types and values can be keys (types/keys/key-hash.ts, H3), and the error for those that cannot.

import { type ErrorDetail, UserError } from "../../base/errors.ts";
import { ownField } from "../spec/field-path.ts";
import { scalarFits } from "../spec/source-value.ts";
import { specText } from "../spec/spec-text.ts";
import type { StructField, StructSpec, TypeSpec } from "../spec/type-spec.ts";

/** Tags of the canonical form of keys; also the seeds of their hash. */
export const KEY_TAG = { null: 0, string: 1, number: 2, boolean: 3, bigint: 4, date: 5, struct: 6 } as const;

/** Fields of a struct key in canonical order. */
export function keyFields(spec: StructSpec): readonly StructField[] {
  return spec.fields.toSorted((left, right) => (left.name < right.name ? -1 : 1));
}

/** Why values of this type cannot be keys, or null when they can. */
export function keySpecProblem(spec: TypeSpec): string | null {
  switch (spec.kind) {
    case "bytes":
    case "list":
    case "set":
    case "map":
    case "null":
    case "undefined":
      return `a key cannot be of type ${spec.kind}`;
    case "nullable":
      return keySpecProblem(spec.inner);
    case "union":
      return firstProblem(
        spec.members.map((member) =>
          member.kind === "struct" ? "a key cannot be a union of structs" : keySpecProblem(member),
        ),
      );
    case "struct":
      if (spec.fields.length === 0) return "a key needs at least one field";
      return firstProblem(
        spec.fields.map((field) => {
          if (field.optional)
            return `field ${JSON.stringify(field.name)} of a key cannot be optional; declare it nullable`;
          return field.type.kind === "any" ? null : keySpecProblem(field.type);
        }),
      );
    default:
      return null;
  }
}

function firstProblem(problems: readonly (string | null)[]): string | null {
  return problems.find((problem) => problem !== null) ?? null;
}

/** Whether every key of this type is a number: tables keep those inline as f64. */
export function isNumberKey(spec: TypeSpec): boolean {
  if (spec.kind === "nullable") return isNumberKey(spec.inner);
  return spec.kind === "f64" || spec.kind === "f32" || spec.kind === "i32" || spec.kind === "timestamp";
}

/** What is wrong with a key, for the message of KEY_INVALID; null when nothing is. */
export function keyProblem(spec: TypeSpec, key: unknown): string | null {
  if (spec.kind === "struct") return structProblem(spec, key);
  if (spec.kind === "nullable") return keyProblem(spec.inner, key);
  if (keyFits(spec, key)) return null;
  const what = describeKey(key);
  if (spec.kind === "any") return what === "an object" ? `${what} without a declared key type` : what;
  return key === null || NO_KEYS.includes(what) ? what : `${what}, where the key's type is ${specText(spec)}`;
}

function structProblem(spec: StructSpec, key: unknown): string | null {
  if (typeof key !== "object" || key === null) return `${describeKey(key)}, where the key's type is struct`;
  for (const field of spec.fields) {
    const value = ownField(key, field.name);
    if (value === null && field.type.kind === "nullable") continue;
    const problem = keyProblem(field.type, value);
    if (problem !== null) return `an object whose ${JSON.stringify(field.name)} is ${problem}`;
  }
  return null;
}

/** What is no key of any type. */
const NO_KEYS: readonly string[] = ["NaN", "undefined", "an invalid Date", "a promise"];

function describeKey(key: unknown): string {
  if (typeof key === "number") return Number.isNaN(key) ? "NaN" : `the number ${key}`;
  if (key === null || key === undefined) return String(key);
  if (typeof key === "function" || typeof key === "symbol") return `a ${typeof key}`;
  if (key instanceof Date) return Number.isNaN(key.getTime()) ? "an invalid Date" : "a Date";
  if (Array.isArray(key)) return "an array";
  if (key instanceof Promise) return "a promise";
  return typeof key === "object" ? "an object" : `the ${typeof key} ${JSON.stringify(String(key))}`;
}

/** The error a caller raises for a key that `keyProblem` complained about. `where`: "for the record …". */
export function keyInvalidError(problem: string, detail: ErrorDetail, where = ""): UserError {
  const operator = detail.operator === undefined ? "" : ` of operator ${JSON.stringify(detail.operator)}`;
  return new UserError("KEY_INVALID", `the key${operator} is ${problem}${where === "" ? "" : `, ${where}`}`, {
    fix: "return what the key's type says: a string, a number but NaN, a boolean, a bigint, a Date, or a struct that is declared; filter other records out first",
    ...detail,
  });
}

/** Tag of a value that is not a struct, -1 when it cannot be a key. */
export function keyTag(key: unknown): number {
  switch (typeof key) {
    case "string":
      return KEY_TAG.string;
    case "number":
      return Number.isNaN(key) ? -1 : KEY_TAG.number;
    case "boolean":
      return KEY_TAG.boolean;
    case "bigint":
      return KEY_TAG.bigint;
    default:
      if (key === null) return KEY_TAG.null;
      return key instanceof Date && !Number.isNaN(key.getTime()) ? KEY_TAG.date : -1;
  }
}

/** Whether a value that is no struct is a key of its type: one that the type takes, and neither null nor NaN. */
export function keyFits(spec: TypeSpec, key: unknown): boolean {
  switch (spec.kind) {
    case "any":
      return keyTag(key) > KEY_TAG.null;
    case "f64":
    case "f32":
    case "i32":
    case "timestamp":
    case "i64":
    case "bigint":
    case "bool":
    case "string":
    case "enum":
      return !Number.isNaN(key) && scalarFits(spec, key);
    case "date":
      return keyTag(key) === KEY_TAG.date;
    case "union":
      return spec.members.some((member) => keyFits(member, key));
    case "nullable":
      return keyFits(spec.inner, key);
    default:
      return false;
  }
}

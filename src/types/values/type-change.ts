// Whether each value of one type has one place in another: for what was stored under a type that has changed since.
//
//   W1. What is taken loses nothing that is still asked for, and nothing is made up: numbers and texts are the same,
//       fields that are new have no value or null, and fields that are gone are left out. Everything else is refused
//       with the place and the reason.
//   W2. A bigint beyond 2⁵³ has no number: it stays as it is, and whoever writes the result refuses it.

import { canonicalJson } from "../../base/canonical-json.ts";
import { fieldPath, specText } from "../spec/spec-text.ts";
import type { StructField, StructSpec, TypeSpec } from "../spec/type-spec.ts";

type Convert = (value: unknown) => unknown;

export type TypeChange =
  /** `convert` null: values are the same under both, though the types may be told apart. */
  | { readonly kind: "taken"; readonly convert: Convert | null }
  /** `path`: of the part that differs, "" for all of it. */
  | { readonly kind: "refused"; readonly path: string; readonly reason: string };

const SAME: TypeChange = { kind: "taken", convert: null };

export function isSameType(left: TypeSpec, right: TypeSpec): boolean {
  return canonicalJson(left) === canonicalJson(right);
}

/** From what was stored to what is asked for. */
export function typeChange(from: TypeSpec, to: TypeSpec, path = ""): TypeChange {
  if (isSameType(from, to) || to.kind === "any") return SAME;
  if (to.kind === "nullable") return toNullable(from, to.inner, path);
  if (to.kind === "union") return toUnion(from, to.members, path);
  switch (from.kind) {
    case "struct":
      return to.kind === "struct" ? structChange(from, to, path) : refused(path, from, to);
    case "list":
      if (to.kind !== "list") return refused(path, from, to);
      return inner(
        typeChange(from.item, to.item, `${path}[]`),
        (convert) => (list) => (list as unknown[]).map(convert),
      );
    case "set":
      if (to.kind !== "set") return refused(path, from, to);
      return inner(
        typeChange(from.item, to.item, `${path}[]`),
        (convert) => (set) => new Set(Array.from(set as Set<unknown>, convert)),
      );
    case "map":
      if (to.kind !== "map" || !isSameType(from.key, to.key)) return refused(path, from, to);
      return inner(
        typeChange(from.value, to.value, `${path}[]`),
        (convert) => (map) =>
          new Map(Array.from(map as Map<unknown, unknown>, ([key, value]) => [key, convert(value)])),
      );
    case "enum":
      return enumChange(from.values, to, () => refused(path, from, to));
    case "nullable":
      return { kind: "refused", path, reason: `it was ${specText(from)}, and null has no place in ${specText(to)}` };
    default:
      return leafChange(from, to) ?? refused(path, from, to);
  }
}

/** Why it was refused, as people read it. */
export function refusalText({ path, reason }: Extract<TypeChange, { kind: "refused" }>): string {
  return path === "" ? reason : `${path}: ${reason}`;
}

function toNullable(from: TypeSpec, to: TypeSpec, path: string): TypeChange {
  if (from.kind === "null") return SAME;
  const change = typeChange(from.kind === "nullable" ? from.inner : from, to, path);
  return inner(change, (convert) => (value) => (value === null ? null : convert(value)));
}

/** Which member a value is of, nobody has kept: each of them has to be there as it was. */
function toUnion(from: TypeSpec, members: readonly TypeSpec[], path: string): TypeChange {
  const gone = membersOf(from).find((each) => !members.some((member) => isSameType(each, member)));
  if (gone === undefined) return SAME;
  return { kind: "refused", path, reason: `${specText(gone)} is no longer among its types` };
}

function membersOf(spec: TypeSpec): readonly TypeSpec[] {
  if (spec.kind === "nullable") return [...membersOf(spec.inner), { kind: "null" }];
  return spec.kind === "union" ? spec.members.flatMap(membersOf) : [spec];
}

type Part = { readonly name: string; readonly isNew: boolean; readonly convert: Convert | null };

function structChange(from: StructSpec, to: StructSpec, path: string): TypeChange {
  const before = new Map(from.fields.map((field) => [field.name, field]));
  const parts: Part[] = [];
  for (const field of to.fields) {
    const part = partOf(before.get(field.name), field, fieldPath(path, field.name));
    if ("kind" in part) return part;
    parts.push(part);
  }
  return { kind: "taken", convert: (value) => structOf(value as Record<string, unknown>, parts) };
}

function partOf(before: StructField | undefined, now: StructField, path: string): Part | TypeChange {
  const { name } = now;
  if (before === undefined) {
    if (now.optional || now.type.kind === "nullable") return { name, isNew: !now.optional, convert: null };
    return { kind: "refused", path, reason: "it is new, and neither optional nor nullable" };
  }
  if (before.optional && !now.optional) {
    return { kind: "refused", path, reason: "it was optional, and is not any more" };
  }
  const change = typeChange(before.type, now.type, path);
  if (change.kind === "refused") return change;
  return { name, isNew: false, convert: change.convert };
}

function structOf(value: Readonly<Record<string, unknown>>, parts: readonly Part[]): object {
  const fields: [string, unknown][] = [];
  for (const { name, isNew, convert } of parts) {
    if (isNew) fields.push([name, null]);
    else if (Object.hasOwn(value, name)) {
      const field = value[name];
      fields.push([name, convert === null || field === undefined ? field : convert(field)]);
    }
  }
  return Object.fromEntries(fields);
}

function enumChange(values: readonly string[], to: TypeSpec, refuse: () => TypeChange): TypeChange {
  if (to.kind === "string" && to.form === undefined) return SAME;
  return to.kind === "enum" && values.every((value) => to.values.includes(value)) ? SAME : refuse();
}

const SAFE = BigInt(Number.MAX_SAFE_INTEGER);
const toBigint: Convert = (value) => BigInt(value as number);
/** W2 */
const toNumber: Convert = (value) => {
  const bigint = value as bigint;
  return bigint <= SAFE && bigint >= -SAFE ? Number(bigint) : bigint;
};

/** By kind, the kinds that have each of its values, and how they have them. */
const WIDER: Readonly<Partial<Record<TypeSpec["kind"], Readonly<Partial<Record<TypeSpec["kind"], Convert | null>>>>>> =
  {
    i32: { i64: toBigint, bigint: toBigint, f64: null },
    i64: { bigint: null, f64: toNumber },
    f32: { f64: null },
    timestamp: { f64: null },
  };

function leafChange(from: TypeSpec, to: TypeSpec): TypeChange | null {
  if (from.kind === "string" && to.kind === "string") return to.form === undefined ? SAME : null;
  const convert = WIDER[from.kind]?.[to.kind];
  return convert === undefined ? null : { kind: "taken", convert };
}

function inner(change: TypeChange, outer: (convert: Convert) => Convert): TypeChange {
  return change.kind === "refused" || change.convert === null
    ? change
    : { kind: "taken", convert: outer(change.convert) };
}

function refused(path: string, from: TypeSpec, to: TypeSpec): TypeChange {
  return { kind: "refused", path, reason: `it was ${specText(from)}, and is ${specText(to)}` };
}

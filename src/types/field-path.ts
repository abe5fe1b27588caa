// Which field a path names: the one rule for types, columns, records and generated code.
//
//   P1. The field whose name is the whole path, where the record has it; else the one that the names between the dots
//       lead to. What is undefined is not there.
//   P2. Code decides it for each record by itself, so that both sides of an exchange read the same key whatever came
//       before it. A type decides it for all records, or says that it depends on them.

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
  const [first, ...rest] = pathNames(path).map((name) => `[${JSON.stringify(name)}]`);
  const nested = `${record}${first}${rest.map((name) => step + name).join("")}`;
  if (rest.length === 0) return nested;
  const whole = `${record}[${JSON.stringify(path)}]`;
  return `(${whole} !== undefined ? ${whole} : ${nested})`;
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

// Whether records have the fields that an operator reads: by their declared type when the job is built, else by the
// first record that reaches the operator.
//
// A misspelt field would be missing in every record, and missing values are skipped: the job would run and give
// nothing.

import { UserError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { hasField, pathNames, pathSteps } from "../../types/spec/field-path.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import type { ExprSpec } from "./expr-spec.ts";

/** What stands where `path` leads nowhere: the paths that exist there; null when the path may lead somewhere. */
export type KnownPaths = readonly string[] | null;

/** By type: only structs say which fields they have. */
export function pathsBeside(type: TypeSpec | null, path: string): KnownPaths {
  let at = type;
  let parent = "";
  for (const name of pathSteps(type, path) ?? []) {
    while (at?.kind === "nullable") at = at.inner;
    if (at?.kind !== "struct") return null;
    const { fields }: { fields: readonly { name: string; type: TypeSpec }[] } = at;
    const field = fields.find((each) => each.name === name);
    if (field === undefined) return fields.map((each) => `${parent}${each.name}`);
    at = field.type;
    parent = `${parent}${name}.`;
  }
  return null;
}

/** By one record. What is null, undefined or no object says nothing about its fields. */
export function pathsBesideIn(record: unknown, path: string): KnownPaths {
  let at = record;
  let parent = "";
  if (hasField(record, path)) return null;
  for (const name of pathNames(path)) {
    if (typeof at !== "object" || at === null) return null;
    if (!hasField(at, name)) return Object.keys(at).map((known) => `${parent}${known}`);
    at = (at as Readonly<Record<string, unknown>>)[name];
    parent = `${parent}${name}.`;
  }
  return null;
}

/** 'did you mean "price"? The records have price, qty', or only the latter. */
export function fieldAdvice(path: string, known: readonly string[]): string {
  const meant = nearest(
    path,
    known.filter((each) => each !== path),
  );
  const all = known.join(", ") || "no fields";
  return meant === null ? `use one of ${all}` : `did you mean "${meant}"? The records have ${all}`;
}

/** Paths of the fields that an expression takes to be there: it does not ask for missing ones. */
export function takenFields(spec: ExprSpec): readonly string[] {
  switch (spec.kind) {
    case "field":
      return [spec.path];
    case "literal":
    case "orElse":
      return [];
    case "binary":
      return [...takenFields(spec.left), ...takenFields(spec.right)];
    case "unary":
      return spec.op === "isNull" || spec.op === "isNotNull" ? [] : takenFields(spec.arg);
    case "in":
      return takenFields(spec.arg);
  }
}

/** Looks at the first record that reaches an operator whose records have no declared type. */
export class FieldProbe {
  /** A plain field: loops test it once per record. */
  unseen = true;
  readonly #operator: string;
  readonly #paths: readonly string[];

  constructor(operator: string, paths: readonly string[]) {
    this.#operator = operator;
    this.#paths = paths;
  }

  /** Throws FIELD_UNKNOWN. */
  see(record: unknown): void {
    this.unseen = false;
    for (const path of this.#paths) {
      const known = pathsBesideIn(record, path);
      if (known !== null) throw fieldAbsent(this.#operator, path, known);
    }
  }
}

export function fieldAbsent(operator: string, path: string, known: readonly string[]): UserError {
  const message = `"${operator}" reads the field "${path}", which its first record does not have`;
  const optional = `if it is optional, declare the type of the records, or ask for it: col("${path}").orElse(…)`;
  return new UserError("FIELD_UNKNOWN", message, { fix: `${fieldAdvice(path, known)}; ${optional}`, operator });
}

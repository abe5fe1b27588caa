// Types of fields and expressions, as far as the record's type is known.

import { pathSteps } from "../../types/spec/field-path.ts";
import type { StructSpec, TypeSpec } from "../../types/spec/type-spec.ts";
import { type ExprSpec, exprFields } from "./expr-spec.ts";

/** Type of the field at a path; null when it is only known from the records. */
export type FieldTypes = (path: string) => TypeSpec | null;

const UNDEFINED: TypeSpec = { kind: "undefined" };

/**
 * Fields of a record type; an unknown one gives unknown fields. A field that the type does not have is always missing.
 */
export function fieldTypes(record: TypeSpec | null): FieldTypes {
  return (path) => pathSteps(record, path)?.reduce<TypeSpec | null>(fieldOf, record) ?? null;
}

function fieldOf(parent: TypeSpec | null, name: string): TypeSpec | null {
  if (parent?.kind === "nullable") {
    const field = fieldOf(parent.inner, name);
    return field === null || mayMiss(field) ? field : { kind: "nullable", inner: field };
  }
  if (parent?.kind !== "struct") return null;
  const field = (parent as StructSpec).fields.find((each) => each.name === name);
  if (field === undefined) return UNDEFINED;
  return field.optional && !mayMiss(field.type) ? { kind: "nullable", inner: field.type } : field.type;
}

/** Whether a value of the type can be missing: null or undefined. */
export function mayMiss(type: TypeSpec | null): boolean {
  switch (type?.kind) {
    case undefined:
    case "any":
    case "null":
    case "undefined":
    case "nullable":
      return true;
    case "union":
      return (type as Extract<TypeSpec, { kind: "union" }>).members.some(mayMiss);
    default:
      return false;
  }
}

/** Whether an expression can be missing. */
export function exprMayMiss(spec: ExprSpec, fields: FieldTypes): boolean {
  return spec.kind !== "orElse" && exprFields(spec).some((path) => mayMiss(fields(path)));
}

/** Type of an expression's values that are not missing; null when it is only known from the records. */
export function exprType(spec: ExprSpec, fields: FieldTypes): TypeSpec | null {
  switch (spec.kind) {
    case "field": {
      const type = fields(spec.path);
      return type?.kind === "nullable" ? type.inner : type;
    }
    case "literal":
      return literalType(spec.value);
    case "orElse":
      return exprType(spec.arg, fields);
    case "in":
      return { kind: "bool" };
    case "unary":
      if (spec.op === "neg" || spec.op === "abs" || spec.op === "length") return { kind: "f64" };
      return { kind: spec.op === "lower" || spec.op === "upper" ? "string" : "bool" };
    case "binary":
      return { kind: ["add", "sub", "mul", "div", "mod"].includes(spec.op) ? "f64" : "bool" };
  }
}

function literalType(value: number | string | boolean): TypeSpec {
  if (typeof value === "number") return { kind: "f64" };
  return { kind: typeof value === "string" ? "string" : "bool" };
}

export function isNumber(type: TypeSpec | null): boolean {
  return type?.kind === "f64" || type?.kind === "f32" || type?.kind === "i32" || type?.kind === "timestamp";
}

// The text of a spec as people read it, in `explain` and in messages: `{ symbol: string, price: f64 | null }`.

import { unreachable } from "../../base/errors.ts";
import type { StructField, TypeSpec } from "./type-spec.ts";

export function specText(spec: TypeSpec): string {
  switch (spec.kind) {
    case "f64":
    case "f32":
    case "i32":
    case "i64":
    case "bigint":
    case "bool":
    case "timestamp":
    case "date":
    case "null":
    case "undefined":
    case "any":
      return spec.kind;
    case "string":
      return spec.form ?? "string";
    case "enum":
      return spec.values.map((value) => JSON.stringify(value)).join(" | ");
    case "bytes":
      return spec.array;
    case "list":
      return `list<${specText(spec.item)}>`;
    case "set":
      return `set<${specText(spec.item)}>`;
    case "map":
      return `map<${specText(spec.key)}, ${specText(spec.value)}>`;
    case "struct":
      return spec.fields.length === 0 ? "{}" : `{ ${spec.fields.map(fieldText).join(", ")} }`;
    case "nullable":
      return `${specText(spec.inner)} | null`;
    case "union":
      return spec.members.map(specText).join(" | ");
    default:
      return unreachable(spec);
  }
}

/** A path such as `user.tags[3]` grown by a field; names that are no identifiers are quoted. */
export function fieldPath(parent: string, name: string): string {
  if (!IDENTIFIER.test(name)) return `${parent}[${JSON.stringify(name)}]`;
  return parent === "" ? name : `${parent}.${name}`;
}

const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

function fieldText(field: StructField): string {
  const name = IDENTIFIER.test(field.name) ? field.name : JSON.stringify(field.name);
  return `${name}${field.optional ? "?" : ""}: ${specText(field.type)}`;
}

import type { StructSpec } from "./type-spec.ts";

/** The order in which the engine enumerates the fields: integer-like names first. */
export function keyOrder(spec: StructSpec): readonly string[] {
  return Object.keys(Object.fromEntries(spec.fields.map((field) => [field.name, true])));
}

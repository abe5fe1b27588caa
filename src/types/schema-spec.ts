// The record layout behind a schema: exact for our own types, "any" for foreign Standard Schemas.

import type { StandardSchema } from "./standard-schema.ts";
import type { TypeSpec } from "./type-spec.ts";

/** Null when the schema does not say how its values look; they are then learned, or stored as any value. */
export function layoutOf(schema: StandardSchema): TypeSpec | null {
  return "spec" in schema ? (schema.spec as TypeSpec) : null;
}

export function specOf(schema: StandardSchema): TypeSpec {
  return layoutOf(schema) ?? { kind: "any" };
}

// The record layout behind a schema: exact for our own types, unknown for foreign Standard Schemas.

import { UserError } from "../../base/errors.ts";
import { describe } from "./describe.ts";
import type { StandardSchema } from "./standard-schema.ts";
import type { TypeSpec } from "./type-spec.ts";

/** Null when the schema does not say how its values look. */
export function layoutOf(schema: StandardSchema): TypeSpec | null {
  return isOwn(schema) ? schema.spec : null;
}

/** A schema of any library, where records or parameters are validated by it. Throws SCHEMA_EXPECTED. */
export function checkSchema(schema: unknown, what: string): void {
  if (isSchema(schema)) return;
  throw new UserError("SCHEMA_EXPECTED", `${what} takes a type, not ${describe(schema)}`, {
    fix: `${typeFix(schema) ?? "give a t.* type, for example t.struct({ … })"}, or a Standard Schema, for example of zod`,
  });
}

/**
 * The layout of a type, where values are stored and sent but not validated: a schema of another library would be
 * without effect. Throws SCHEMA_EXPECTED.
 */
export function checkedLayout(type: unknown, what: string): TypeSpec {
  if (isSchema(type) && isOwn(type)) return type.spec;
  const foreign = isSchema(type);
  const given = foreign ? `a schema of ${String(type["~standard"].vendor)}` : describe(type);
  throw new UserError("SCHEMA_EXPECTED", `${what} takes a type, not ${given}`, {
    fix: `${typeFix(type) ?? "say by t.* how the values look, for example t.struct({ … })"}${foreign ? "; to validate records by another schema, use .parse(schema)" : ""}`,
  });
}

/** What somebody meant who gave what is no type; null: hard to say. */
function typeFix(given: unknown): string | null {
  if (given === undefined) return "give one of the t.* types, such as t.string or t.bool";
  const fields = typeof given === "object" && given !== null ? Object.entries(given) : [];
  if (fields.length === 0 || !fields.every(([, value]) => isSchema(value))) return null;
  return `make a type of the fields: t.struct({ ${fields.map(([name]) => `${name}: …`).join(", ")} })`;
}

function isSchema(value: unknown): value is StandardSchema {
  const props = (typeof value === "object" && value !== null) || typeof value === "function" ? value : {};
  return typeof (props as Partial<StandardSchema>)["~standard"]?.validate === "function";
}

/** Other libraries, too, have schemas with a `spec`. */
function isOwn(schema: StandardSchema): schema is StandardSchema & { readonly spec: TypeSpec } {
  return schema["~standard"].vendor === "millrace" && "spec" in schema;
}

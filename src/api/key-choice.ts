// The key of a keyed stream: checked where the user names it, and what follows from it.

import { UserError } from "../base/errors.ts";
import type { KeySpec } from "../graph/plan.ts";
import { exprType, fieldTypes } from "../operators/expressions/field-types.ts";
import { pathRoots, pathSteps } from "../types/field-path.ts";
import { keySpecProblem } from "../types/key-spec.ts";
import { checkedLayout } from "../types/schema-spec.ts";
import type { StandardSchema } from "../types/standard-schema.ts";
import type { TypeSpec } from "../types/type-spec.ts";
import { callSite } from "./call-site.ts";
import { checkFields } from "./field-check.ts";

export function keySpecOf(by: unknown, type: StandardSchema | undefined, record: TypeSpec | null): KeySpec {
  if (typeof by === "string") {
    if (record?.kind !== "struct") return { field: by, type: null };
    checkFields("keyBy", record, [by]);
    return { field: by, type: checkKeyType(exprType({ kind: "field", path: by }, fieldTypes(record))) };
  }
  return { field: null, type: type === undefined ? null : checkKeyType(checkedLayout(type, "keyBy")) };
}

function checkKeyType(type: TypeSpec | null): TypeSpec | null {
  const problem = type === null ? null : keySpecProblem(type);
  if (problem === null) return type;
  const location = callSite();
  throw new UserError("KEY_TYPE", `values of this type cannot be keys: ${problem}`, {
    fix: "key by a string, a number, a boolean, a bigint, a date, or a struct of those",
    ...(location && { location }),
  });
}

/** Names that the key takes in result rows. */
export function keyColumns(key: KeySpec): string[] {
  return [key.field ?? "key"];
}

export const keyText = (key: KeySpec): string => key.field ?? "key()";

export type Shipped = {
  readonly key: KeySpec;
  /** Fields that the receiver reads besides; null: whole records. */
  readonly inputs: readonly string[] | null;
  readonly record: TypeSpec | null;
};

/** Top-level fields to ship: those of the key and of the aggregates; null when whole records are needed. */
export function shippedFields({ key, inputs, record }: Shipped): readonly string[] | null {
  if (key.field === null || inputs === null) return null;
  const fields = new Set([key.field, ...inputs].flatMap((path) => pathSteps(record, path)?.[0] ?? pathRoots(path)));
  return [...fields].sort();
}

// The key of a keyed stream: checked where the user names it, and what follows from it.

import { UserError } from "../../base/errors.ts";
import { type KeySpec, keyFields } from "../../graph/plan.ts";
import { exprType, fieldTypes } from "../../operators/expressions/field-types.ts";
import { GeneratedCode, objectLiteral } from "../../types/bytes/generated-code.ts";
import { keySpecProblem } from "../../types/keys/key-spec.ts";
import { describe } from "../../types/spec/describe.ts";
import { fieldCode, pathRoots, pathSteps } from "../../types/spec/field-path.ts";
import { checkedLayout } from "../../types/spec/schema-spec.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { callSite } from "../checks/call-site.ts";
import { checkFunction } from "../checks/check-function.ts";
import { checkFields } from "../checks/field-check.ts";

/** The key of `keyBy(…)`, and the function that finds it where it is no field. */
export function keyChoice(by: readonly unknown[], record: TypeSpec | null): { key: KeySpec; of: unknown } {
  const [first, second] = by;
  if (Array.isArray(first)) return compositeKey(first, record);
  if (by.length > 1 && typeof first === "string") return compositeKey(by, record);
  if (typeof first === "string") return { key: { field: first, type: fieldType(first, record) }, of: null };
  const of = checkFunction(first, "keyBy");
  const type = second === undefined ? null : checkKeyType(checkedLayout(second, "keyBy"));
  return { key: { field: null, type }, of };
}

/** A struct of these fields, sorted by name: so in whatever order they are named, equal parts are one key. */
function compositeKey(names: readonly unknown[], record: TypeSpec | null): { key: KeySpec; of: unknown } {
  const fields = names.filter((name): name is string => typeof name === "string");
  const location = callSite();
  if (fields.length !== names.length || new Set(fields).size !== names.length || names.length === 0) {
    throw new UserError("KEY_FIELDS", `keyBy takes names of fields, each once, not ${names.map(describe).join(", ")}`, {
      fix: 'name the fields whose values make up the key: keyBy("symbol", "venue")',
      ...(location && { location }),
    });
  }
  const parts = fields.toSorted().map((name) => ({ name, type: fieldType(name, record) ?? ANY, optional: false }));
  const code = new GeneratedCode({});
  const literal = objectLiteral(
    code,
    parts.map(({ name }) => ({ name, value: fieldCode("record", name, "?."), present: null })),
  );
  const of = code.build(`key ${fields.join(" ")}`, `(record) => (${literal})`);
  return { key: { field: null, type: { kind: "struct", fields: parts }, fields }, of };
}

const ANY: TypeSpec = { kind: "any" };

function fieldType(name: string, record: TypeSpec | null): TypeSpec | null {
  if (record?.kind !== "struct") return null;
  checkFields("keyBy", record, [name]);
  return checkKeyType(exprType({ kind: "field", path: name }, fieldTypes(record)));
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
export function keyColumns(key: KeySpec): readonly string[] {
  return keyFields(key) ?? [keyName(key)];
}

/** The name that the key has as one value. */
export const keyName = (key: KeySpec): string => key.field ?? "key";

export const keyText = (key: KeySpec): string => key.field ?? key.fields?.join("+") ?? "key()";

export type Shipped = {
  readonly key: KeySpec;
  /** Fields that the receiver reads besides; null: whole records. */
  readonly inputs: readonly string[] | null;
  readonly record: TypeSpec | null;
};

/** Top-level fields to ship: those of the key and of the aggregates; null when whole records are needed. */
export function shippedFields({ key, inputs, record }: Shipped): readonly string[] | null {
  const named = key.field === null ? key.fields : [key.field];
  if (named === undefined || inputs === null) return null;
  const fields = new Set([...named, ...inputs].flatMap((path) => pathSteps(record, path)?.[0] ?? pathRoots(path)));
  return [...fields].sort();
}

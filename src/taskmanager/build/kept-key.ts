// A reduce whose rows are kept by key behind it leaves the key as it is: a row of another key would replace that one's.

import { UserError } from "../../base/errors.ts";
import { keyFields, type PlanOperator } from "../../graph/plan.ts";
import { GeneratedCode } from "../../types/bytes/generated-code.ts";
import { compileKeyHash } from "../../types/keys/key-hash.ts";
import { fieldCode } from "../../types/spec/field-path.ts";
import { recordText } from "../failures/user-failure.ts";

export type Reduce = (left: unknown, right: unknown) => unknown;

/** The function with a check of what it gives; as it is where the key is no field. */
export function keepingKey(reduce: Reduce, { uid, name, key }: PlanOperator, ofFields: unknown): Reduce {
  const fields = key === null ? null : keyFields(key);
  if (key === null || fields === null) return reduce;
  const keyOf = key.field === null ? (ofFields as KeyOf) : fieldKey(uid, key.field);
  const hash = compileKeyHash(key.type ?? { kind: "any" }, `${uid} kept key`);
  return (left, right) => {
    const reduced = reduce(left, right);
    if (reduced == null || hash(keyOf(reduced)) === hash(keyOf(right))) return reduced;
    const names = fields.map((field) => JSON.stringify(field)).join(", ");
    throw new UserError("REDUCE_KEY_CHANGED", `reduce "${name}" gives rows of another key: ${recordText(reduced)}`, {
      fix: `leave ${names} as it is in the records: a sink behind it keeps one row per key`,
      operator: uid,
    });
  };
}

type KeyOf = (record: unknown) => unknown;

function fieldKey(uid: string, field: string): KeyOf {
  return new GeneratedCode({}).build(`${uid} kept key`, `(record) => ${fieldCode("record", field, "?.")}`) as KeyOf;
}

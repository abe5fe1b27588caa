// How a keyed operator, and the exchange before it, find the key of a record.

import { type ErrorDetail, type SourceLocation, UserError } from "../../base/errors.ts";
import type { KeySpec } from "../../graph/plan.ts";
import { compileKeyHash } from "../../types/keys/key-hash.ts";
import { keyInvalidError, keyProblem } from "../../types/keys/key-spec.ts";
import { recordText } from "../failures/user-failure.ts";
import type { KeyedInput } from "./chain.ts";

export type KeyedInputOptions = {
  /** Makes the generated hash function unique. */
  readonly id: string;
  readonly operator: string;
  /** Where the stream was keyed, if that is known: a `SourceLocation`. */
  readonly location?: unknown;
};

/** `key` is the user's function for keys that are no field. */
export function keyedInput(spec: KeySpec, key: unknown, options: KeyedInputOptions): KeyedInput {
  const type = spec.type ?? { kind: "any" };
  const doubtful = (value: unknown, record: unknown): void => {
    const problem = keyProblem(type, value);
    if (problem === null) return;
    const where = `${spec.field === null ? "for" : `in the field ${JSON.stringify(spec.field)} of`} the record`;
    throw keyInvalidError(problem, keyErrorDetail(options), `${where} ${recordText(record)}`);
  };
  if (spec.field === null && typeof key !== "function") {
    throw new UserError(
      "KEY_FUNCTION_MISSING",
      `operator "${options.operator}" has neither a key field nor a key function`,
      { operator: options.operator },
    );
  }
  return { field: spec.field, key, hash: compileKeyHash(type, options.id), doubtful };
}

/** The operator, and the place of its `keyBy`. */
function keyErrorDetail(options: Pick<KeyedInputOptions, "operator" | "location">): ErrorDetail {
  const location = options.location as SourceLocation | null | undefined;
  return { operator: options.operator, ...(location && { location }) };
}

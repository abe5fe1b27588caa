// How a keyed operator, and the exchange before it, find the key of a record.

import { UserError } from "../base/errors.ts";
import type { KeySpec } from "../graph/plan.ts";
import { compileKeyHash } from "../types/key-hash.ts";
import { keyInvalidError, keyProblem } from "../types/key-spec.ts";
import type { KeyedInput } from "./chain.ts";

/** `id` makes the generated hash function unique; `key` is the user's function for keys that are no field. */
export function keyedInput(spec: KeySpec, key: unknown, options: { id: string; operator: string }): KeyedInput {
  const type = spec.type ?? { kind: "any" };
  const doubtful = (value: unknown): void => {
    const problem = keyProblem(type, value);
    if (problem !== null) throw keyInvalidError(problem, { operator: options.operator });
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

// Numbers of subtasks, checked at the call that gives them.

import { MAX_PARALLELISM_LIMIT } from "../../state/keys/key-groups.ts";
import { checkValue, type OptionKind, wholeNumberFrom } from "../../types/check-options.ts";

/** What `.parallelism(n)` takes. */
export function checkedParallelism(value: number): number {
  checkValue({ what: "the parallelism", value, kind: wholeNumberFrom(1), code: "PARALLELISM_INVALID" });
  return value;
}

/** What `.maxParallelism(n)` takes. */
export function checkedMaxParallelism(value: number): number {
  checkValue({ what: "the maximum parallelism", value, kind: KEY_GROUPS, code: "MAX_PARALLELISM_INVALID" });
  return value;
}

const KEY_GROUPS: OptionKind = {
  takes: `a whole number from 1 to ${MAX_PARALLELISM_LIMIT}`,
  accepts: (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX_PARALLELISM_LIMIT,
};

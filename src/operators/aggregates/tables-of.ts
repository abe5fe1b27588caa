// The tables of a keyed operator, from its context.

import { assert } from "../../base/errors.ts";
import type { KeyedTables } from "../../state/contract/keyed-tables.ts";
import type { OperatorContext } from "../operator.ts";

export function tablesOf(context: OperatorContext): KeyedTables {
  const { state } = context;
  assert(state !== null, `operator ${context.uid} has a key, and so a state store`);
  return state.tables;
}

// What the plan tells of an operator that aggregates, beyond what it was given: its rows and its state.

import type { KeySpec } from "../graph/plan.ts";
import type { AggregateSet } from "../operators/aggregates/aggregate.ts";
import { aggregateLayout } from "../operators/aggregates/aggregate-layout.ts";
import { accumulatorType, resultType } from "../operators/aggregates/result-type.ts";
import { fieldTypes } from "../operators/expressions/field-types.ts";
import type { StateSpec } from "../state/keyed-state.ts";
import type { TypeSpec } from "../types/type-spec.ts";
import { keyColumns } from "./key-choice.ts";

export type Aggregation = {
  readonly set: AggregateSet;
  readonly key: KeySpec;
  /** Type of the records, null when it is not declared. */
  readonly record: TypeSpec | null;
  readonly state: "aggregates" | "windows" | "sessions";
};

export function aggregationTypes({ set, key, record, state }: Aggregation): {
  readonly output: TypeSpec | null;
  readonly state: readonly StateSpec[];
} {
  const accumulator = accumulatorType(aggregateLayout(set, fieldTypes(record), true));
  const output = resultType({
    specs: set.specs,
    record,
    keyName: keyColumns(key)[0] ?? "",
    keyType: key.type,
    bounds: state !== "aggregates",
  });
  return { output, state: [{ kind: "aggregating", name: state, accumulator, ttlMs: null }] };
}

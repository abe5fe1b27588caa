// What the plan tells of an operator that aggregates, beyond what it was given: its rows and its state.

import type { KeySpec } from "../../graph/plan.ts";
import type { AggregateSet } from "../../operators/aggregates/aggregate.ts";
import { aggregateLayout } from "../../operators/aggregates/aggregate-layout.ts";
import { accumulatorType, resultType } from "../../operators/aggregates/result-type.ts";
import { fieldTypes } from "../../operators/expressions/field-types.ts";
import type { StateSpec } from "../../state/contract/keyed-state.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { keyColumns } from "./key-choice.ts";

export type Aggregation = {
  readonly set: AggregateSet;
  readonly key: KeySpec;
  /** Type of the records, null when it is not declared. */
  readonly record: TypeSpec | null;
  readonly state: "aggregates" | "windows" | "sessions";
};

function keyColumnType({ type, fields }: KeySpec, name: string): TypeSpec | null {
  if (fields === undefined || type?.kind !== "struct") return type;
  const part = type.fields.find((field) => field.name === name)?.type;
  return part === undefined || part.kind === "any" ? null : part;
}

export function aggregationTypes({ set, key, record, state }: Aggregation): {
  readonly output: TypeSpec | null;
  readonly state: readonly StateSpec[];
} {
  const accumulator = accumulatorType(aggregateLayout(set, fieldTypes(record), true));
  const output = resultType({
    specs: set.specs,
    record,
    keys: keyColumns(key).map((name) => [name, keyColumnType(key, name)]),
    bounds: state !== "aggregates",
  });
  return { output, state: [{ kind: "aggregating", name: state, accumulator, ttlMs: null }] };
}

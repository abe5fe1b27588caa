// When records are pre-aggregated before an exchange, and what travels then. The plan decides by it.

import type { TypeSpec } from "../../types/type-spec.ts";
import type { AggregateSet } from "../aggregates/aggregate.ts";
import { aggregateLayout } from "../aggregates/aggregate-layout.ts";
import type { FieldTypes } from "../expressions/field-types.ts";
import { partialType } from "./partial-rows.ts";
import type { WindowSpec } from "./window-spec.ts";

export type Combination = {
  /** Null: results at the end of the input, without windows. */
  readonly window: WindowSpec | null;
  /** Whether somebody reads the late records. */
  readonly lateOutput: boolean;
  readonly keyName: string;
  readonly set: AggregateSet;
  /** Types of the records' fields. */
  readonly fields: FieldTypes;
};

/**
 * Whether a combiner can stand before the exchange: windows are made of panes, late records are counted only, because
 * they would have to be sent as they are, and all accumulators are small. Lists and whole records would only be copied
 * about.
 */
export function canCombine({ window, lateOutput, keyName, set, fields }: Combination): boolean {
  if (window?.kind === "session" || lateOutput || keyName.startsWith("#") || set.custom.size > 0) return false;
  const sketches = set.specs.filter(({ spec }) => spec.kind === "quantile" || spec.kind === "distinctCount").length;
  return aggregateLayout(set, fields, true).heaps.length === sketches;
}

/** Type of the rows that a combiner sends. */
export function combinedType({ set, fields, keyName }: Combination, keyType: TypeSpec): TypeSpec {
  return partialType(aggregateLayout(set, fields, true), keyName, keyType);
}

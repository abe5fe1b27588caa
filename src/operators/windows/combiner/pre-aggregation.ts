// When records are pre-aggregated before an exchange, and what travels then. The plan decides by it.

import type { StructField, TypeSpec } from "../../../types/spec/type-spec.ts";
import type { AggregateSet } from "../../aggregates/aggregate.ts";
import { aggregateLayout } from "../../aggregates/aggregate-layout.ts";
import type { FieldTypes } from "../../expressions/field-types.ts";
import { partialType } from "../rows/partial-rows.ts";
import type { WindowSpec } from "../time/window-spec.ts";

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

/**
 * Type of what a combiner sends: partial rows, or, where records can go between them as they are, one of the two.
 * `records`: the fields of a record that the operator needs (sendsRecords).
 */
export function combinedType(
  { set, fields, keyName }: Combination,
  keyType: TypeSpec,
  records: readonly StructField[] | null = null,
): TypeSpec {
  const partial = partialType(aggregateLayout(set, fields, true), keyName, keyType);
  return records === null ? partial : { kind: "union", members: [partial, { kind: "struct", fields: records }] };
}

export type KnownRecords = {
  readonly keyField: string | null;
  readonly type: TypeSpec | null;
  /** Names of the fields that the operator needs; null: nobody knows. */
  readonly needed: readonly string[] | null;
};

/**
 * The fields of records that a combiner can send between partial rows; null: it makes a partial row of each. The key
 * has to be found in both alike.
 */
export function sendsRecords(
  { window, keyName }: Combination,
  { keyField, type, needed }: KnownRecords,
): readonly StructField[] | null {
  if (window === null || keyField !== keyName || type?.kind !== "struct" || needed === null) return null;
  const fields = type.fields.filter(({ name }) => needed.includes(name));
  const key = fields.find(({ name }) => name === keyName);
  // By its pane a partial row is told from a record, which by reference travels whole.
  const isClear = key !== undefined && !key.optional && !type.fields.some(({ name }) => name.startsWith("#"));
  return isClear ? fields : null;
}

// Aggregates as plain data: what plans carry. Custom ones have no data but their name: their functions are found by the
// name of the result in the rebuilt job.

import { type ExprSpec, exprFields, exprText } from "../expressions/expr-spec.ts";

export type AggregateSpec =
  /** `input` null counts records, else its values that are not missing. */
  | { readonly kind: "count"; readonly input: ExprSpec | null }
  | { readonly kind: "sum" | "min" | "max" | "mean" | "variance" | "stddev"; readonly input: ExprSpec }
  | { readonly kind: "weightedMean"; readonly input: ExprSpec; readonly weight: ExprSpec }
  /** `input` null takes whole records. */
  | { readonly kind: "first" | "last"; readonly input: ExprSpec | null }
  /** `pick` null takes whole records. */
  | { readonly kind: "minBy" | "maxBy"; readonly input: ExprSpec; readonly pick: ExprSpec | null }
  | { readonly kind: "collect"; readonly input: ExprSpec | null; readonly limit: number | null }
  /** `single`: the result is one number instead of one per quantile. */
  | {
      readonly kind: "quantile";
      readonly input: ExprSpec;
      readonly quantiles: readonly number[];
      readonly single: boolean;
      readonly error: number;
    }
  | { readonly kind: "distinctCount"; readonly input: ExprSpec; readonly error: number }
  | { readonly kind: "custom" };

export type NamedAggregate = { readonly name: string; readonly spec: AggregateSpec };

/** Expressions that an aggregate reads; null when it reads whole records. */
function aggregateInputs(spec: AggregateSpec): readonly ExprSpec[] | null {
  switch (spec.kind) {
    case "custom":
      return null;
    case "count":
      return spec.input === null ? [] : [spec.input];
    case "weightedMean":
      return [spec.input, spec.weight];
    case "minBy":
    case "maxBy":
      return spec.pick === null ? null : [spec.input, spec.pick];
    case "first":
    case "last":
    case "collect":
      return spec.input === null ? null : [spec.input];
    default:
      return [spec.input];
  }
}

/** Fields that a set of aggregates reads; null when one of them needs whole records. */
export function aggregateFields(aggregates: readonly NamedAggregate[]): readonly string[] | null {
  const paths = new Set<string>();
  for (const { spec } of aggregates) {
    const inputs = aggregateInputs(spec);
    if (inputs === null) return null;
    for (const input of inputs) for (const path of exprFields(input)) paths.add(path);
  }
  return [...paths];
}

/** What an aggregate computes from records, whether or not it also takes them as a whole. */
export function aggregateExpressions(spec: AggregateSpec): readonly ExprSpec[] {
  const inputs: readonly (ExprSpec | null)[] =
    spec.kind === "minBy" || spec.kind === "maxBy" ? [spec.input, spec.pick] : (aggregateInputs(spec) ?? []);
  return inputs.filter((input) => input !== null);
}

/** For `explain`: "vwap = weightedMean(price, qty)". */
export function aggregateText({ name, spec }: NamedAggregate): string {
  const inputs = aggregateInputs(spec);
  const args = inputs === null ? (spec.kind === "custom" ? "" : "record") : inputs.map(exprText).join(", ");
  return `${name} = ${spec.kind}(${args})`;
}

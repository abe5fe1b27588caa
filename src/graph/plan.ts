// The plan: what a job does, as plain data.
//
// The client builds it by running the job's builder; every worker runs the same builder from the same bundle and must
// come to the same hash. It holds no closure and names no engine: the embedded runtime, a cluster, and later an
// existing Flink cluster execute the same plan. User functions are found by (operator uid, function name) in the
// rebuilt job.
//
//   P1. Uids are unique, and depend on what an operator does or on what the user wrote, never on memory or time.
//   P2. Operators are in topological order, edges in the order of their targets: equal jobs give equal bytes.
//   P3. `locations` is for people; it is not part of the hash.

import type { SourceLocation } from "../base/errors.ts";
import type { Json } from "../operators/source.ts";
import type { DeclaredState } from "../state/contract/keyed-state.ts";
import type { TypeSpec } from "../types/spec/type-spec.ts";

export const PLAN_VERSION = 1;

export type OperatorKind =
  | "source"
  | "map"
  | "filter"
  | "flatMap"
  | "parse"
  | "eventTime"
  | "process"
  | "reduce"
  | "aggregate"
  | "preAggregate"
  | "window"
  | "sink";

/**
 * How a keyed operator finds its key: a field, or the function "key" with a declared type. That is the user's, or one
 * that makes a struct of several `fields`, which are columns of result rows then.
 */
export type KeySpec = {
  readonly field: string | null;
  readonly type: TypeSpec | null;
  readonly fields?: readonly string[];
};

/** Fields of the record that make up the key; null: a function of the user's gives it. */
export function keyFields({ field, fields }: KeySpec): readonly string[] | null {
  return fields ?? (field === null ? null : [field]);
}

export type PartitionerSpec =
  | { readonly kind: "forward" | "rebalance" | "rescale" | "broadcast" | "global" }
  /** By a user function of the edge's target operator. */
  | { readonly kind: "custom"; readonly function: string }
  | { readonly kind: "hash"; readonly key: KeySpec };

/** "always": chained when possible. "head": starts a chain. "never": alone. */
export type ChainingHint = "always" | "head" | "never";

/** What happens to a record on which a user function throws. */
export type ErrorPolicy = "fail" | "skip" | "side";

export type PlanOperator = {
  readonly uid: string;
  readonly name: string;
  readonly kind: OperatorKind;
  /** Kind-specific options as plain data: the connector's description, an expression, window and aggregate specs, … */
  readonly options: Json;
  /** Layout of the records it emits; null when it is only learned from them. */
  readonly output: TypeSpec | null;
  /** Side outputs in order of name. */
  readonly sides: readonly { readonly name: string; readonly type: TypeSpec | null }[];
  readonly key: KeySpec | null;
  readonly state: readonly DeclaredState[];
  readonly parallelism: number;
  readonly maxParallelism: number;
  readonly slotGroup: string;
  readonly chaining: ChainingHint;
  readonly onError: ErrorPolicy;
};

export type PlanEdge = {
  readonly from: string;
  /** "" for the main output, else the name of a side output. */
  readonly output: string;
  readonly to: string;
  readonly input: 0 | 1;
  readonly partitioner: PartitionerSpec;
  /** Fields that the receiver reads; null for whole records. */
  readonly fields: readonly string[] | null;
};

export type Plan = {
  readonly version: typeof PLAN_VERSION;
  readonly name: string;
  readonly mode: "stream" | "batch";
  readonly params: Json;
  readonly operators: readonly PlanOperator[];
  readonly edges: readonly PlanEdge[];
  /** SHA-256 over everything above in canonical form, hex. */
  readonly hash: string;
  /** Where each operator was declared, by uid. */
  readonly locations: Readonly<Record<string, SourceLocation>>;
};

const OBEY_ON_ERROR: ReadonlySet<OperatorKind> = new Set([
  "map",
  "filter",
  "flatMap",
  "eventTime",
  "process",
  "reduce",
]);

/** Whether `onError` can have an effect on an operator: it runs a function of the user's, for one record at a time. */
export function obeysOnError({ kind, options }: Pick<PlanOperator, "kind" | "options">): boolean {
  const isExpression = kind === "filter" && (options as { expression?: unknown } | null)?.expression !== undefined;
  return OBEY_ON_ERROR.has(kind) && !isExpression;
}

/** Options of an operator as an object; plans hold plain data. */
export function optionsOf<T extends object>({ options }: Pick<PlanOperator, "options">): T {
  return (options ?? {}) as Json as unknown as T;
}

/** Side output of records that come too late: of windows, and of operators in the order of event time. */
export const SIDE_LATE = "late";

/** Whether an operator gets its records in the order of event time. */
export function isInOrder(operator: Pick<PlanOperator, "options">): boolean {
  return optionsOf<{ inOrder?: unknown }>(operator).inOrder === true;
}

/** Whether records can come too late for an operator. */
export function canBeLate(operator: Pick<PlanOperator, "kind" | "options">): boolean {
  return operator.kind === "window" || isInOrder(operator);
}

/** Whether every source has an end. */
export function isBounded({ operators }: Pick<Plan, "operators">): boolean {
  return operators.every((operator) => {
    return operator.kind !== "source" || optionsOf<{ bounded?: unknown }>(operator).bounded === true;
  });
}

/** The edges that enter an operator, in the order of the plan. */
export function edgesInto(plan: Pick<Plan, "edges">, uid: string): readonly PlanEdge[] {
  return plan.edges.filter((edge) => edge.to === uid);
}

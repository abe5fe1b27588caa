// What the builder knows of one declared operator, before the plan is made.

import type { SourceLocation } from "../../base/errors.ts";
import type { ChainingHint, ErrorPolicy, KeySpec, OperatorKind, PartitionerSpec } from "../../graph/plan.ts";
import type { Json } from "../../operators/source.ts";
import type { DeclaredState } from "../../state/contract/keyed-state.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";

/**
 * User functions and objects of one operator, by role ("map", "key", "source", …), and the places of its `keyBy`
 * ("keyLocation", "rightKeyLocation").
 */
export type OperatorFunctions = Readonly<Record<string, unknown>>;

export type NodeInput = {
  readonly from: PlanNode;
  readonly output: string;
  readonly input: 0 | 1;
  readonly partitioner: PartitionerSpec;
  readonly fields: readonly string[] | null;
};

/** One declared operator. Settings are filled in by the fluent calls that follow the declaration. */
export type PlanNode = {
  readonly kind: OperatorKind;
  /** What the user wrote; null: derived. */
  explicitUid: string | null;
  /** What a stateful operator does, the stable part of its derived uid; null for stateless ones. */
  readonly signature: string | null;
  name: string | null;
  readonly options: Json;
  output: TypeSpec | null;
  sides: readonly { readonly name: string; readonly type: TypeSpec | null }[];
  readonly key: KeySpec | null;
  readonly state: readonly DeclaredState[];
  readonly inputs: readonly NodeInput[];
  functions: OperatorFunctions;
  parallelism: number | null;
  maxParallelism: number | null;
  slotGroup: string | null;
  chaining: ChainingHint;
  onError: ErrorPolicy;
  readonly location: SourceLocation | null;
};

export type NodeDeclaration = Pick<PlanNode, "kind"> & Partial<Omit<PlanNode, "kind" | "location">>;

/** A call on a stream that makes no operator by itself: one more has to follow. */
export type KeyedStep = {
  readonly kind: "keyBy" | "window" | "inOrder" | "connect";
  readonly inputs: readonly { readonly from: PlanNode }[];
  readonly location: SourceLocation | null;
  isRead: boolean;
};

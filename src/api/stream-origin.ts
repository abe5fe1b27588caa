// Where streams come from, and the edges that connect them to new operators. Untyped: no generics here.

import type { KeySpec, PartitionerSpec } from "../graph/plan.ts";
import type { TypeSpec } from "../types/type-spec.ts";
import type { PlanBuilder } from "./plan-builder.ts";
import type { NodeInput, PlanNode } from "./plan-node.ts";

export const FORWARD: PartitionerSpec = { kind: "forward" };

/** Where a stream comes from: one output of one operator, or several that were united. */
export type StreamOrigin = {
  readonly builder: PlanBuilder;
  readonly outputs: readonly { readonly node: PlanNode; readonly output: string }[];
  readonly partitioner: PartitionerSpec;
  /** Functions that go with the partitioner, by role. */
  readonly partitionFunctions: Readonly<Record<string, unknown>>;
  readonly type: TypeSpec | null;
  /** Whether event times have been assigned. */
  readonly timed: boolean;
};

/** The edges that connect a stream to a new operator's input. */
export function edgesOf(
  origin: StreamOrigin,
  input: 0 | 1,
  partitioner: PartitionerSpec = origin.partitioner,
): NodeInput[] {
  return origin.outputs.map(({ node, output }) => ({ from: node, output, input, partitioner, fields: null }));
}

/** As `edgesOf`, by key; `fields`: what the receiver reads of the records. */
export function keyedEdges(
  origin: StreamOrigin,
  key: KeySpec,
  input: 0 | 1,
  fields: readonly string[] | null = null,
): NodeInput[] {
  return edgesOf(origin, input, { kind: "hash", key }).map((edge) => ({ ...edge, fields }));
}

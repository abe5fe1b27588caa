// Where streams come from, and the edges that connect them to new operators. Untyped: no generics here.

import { UserError } from "../../base/errors.ts";
import type { KeySpec, PartitionerSpec } from "../../graph/plan.ts";
import { withoutEffect } from "../../types/check-options.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { callSite } from "../checks/call-site.ts";
import type { PlanBuilder } from "./plan-builder.ts";
import type { NodeInput, OperatorFunctions, PlanNode } from "./plan-node.ts";

/** How the records of an output are distributed: by one of the engine's ways, or by the user's function. */
export type Partitioning =
  | { readonly kind: Exclude<PartitionerSpec["kind"], "hash" | "custom"> }
  | { readonly kind: "custom"; readonly partition: unknown };

/** One output of one operator. */
export type StreamOutput = { readonly node: PlanNode; readonly output: string; readonly partitioning: Partitioning };

/** Where a stream comes from: one output, or several that were united, each distributed in its own way. */
export type StreamOrigin = {
  readonly builder: PlanBuilder;
  readonly outputs: readonly StreamOutput[];
  readonly type: TypeSpec | null;
  /** Whether event times have been assigned. */
  readonly timed: boolean;
};

/** An operator's output as it is, distributed only as parallelism demands. */
export function outputOf(node: PlanNode, output = ""): StreamOutput {
  return { node, output, partitioning: { kind: "forward" } };
}

/** All records of these streams, at least one. */
export function unitedOrigin(origins: readonly [StreamOrigin, ...StreamOrigin[]]): StreamOrigin {
  const [first] = origins;
  const type = JSON.stringify(first.type);
  return {
    ...first,
    outputs: origins.flatMap((origin) => origin.outputs),
    type: origins.every((origin) => JSON.stringify(origin.type) === type) ? first.type : null,
    timed: origins.every((origin) => origin.timed),
  };
}

/** The operator that settings on the stream concern; a union has none. */
export function operatorOf({ outputs }: StreamOrigin): PlanNode {
  const [first] = outputs;
  if (first !== undefined && outputs.length === 1) return first.node;
  const location = callSite();
  throw new UserError(
    "SETTING_WITHOUT_OPERATOR",
    "a union is no operator: it has no uid, name or parallelism of its own",
    {
      fix: "set them on the streams before, or on the operator after it",
      ...(location && { location }),
    },
  );
}

/** The edges that connect a stream to the first input of a new operator. */
export function edgesOf(origin: StreamOrigin): NodeInput[] {
  const functions = partitionFunctions(origin);
  return origin.outputs.map(({ node, output, partitioning }) => {
    const partitioner: PartitionerSpec =
      partitioning.kind === "custom"
        ? { kind: "custom", function: roleOf(functions.indexOf(partitioning.partition)) }
        : { kind: partitioning.kind };
    return { from: node, output, input: 0, partitioner, fields: null };
  });
}

/** The same stream, distributed this way. */
export function partitioned(origin: StreamOrigin, partitioning: Partitioning): StreamOrigin {
  checkUnpartitioned(origin, methodOf(partitioning));
  return { ...origin, outputs: origin.outputs.map((output) => ({ ...output, partitioning })) };
}

const methodOf = ({ kind }: Partitioning): string => (kind === "custom" ? "partitionBy" : kind);

/** Refuses what a call that says itself where records go would make void. */
export function checkUnpartitioned({ outputs }: StreamOrigin, method: string): void {
  const made = outputs.find(({ partitioning }) => partitioning.kind !== "forward")?.partitioning;
  if (made === undefined) return;
  throw withoutEffect(
    `${methodOf(made)}(…)`,
    `before ${method}, which says itself where each record goes`,
    `leave .${methodOf(made)}(…) out, or put an operator between them`,
  );
}

/** The functions that these edges need, by the roles that they name. */
export function edgeFunctions(origin: StreamOrigin): OperatorFunctions {
  return Object.fromEntries(partitionFunctions(origin).map((partition, index) => [roleOf(index), partition]));
}

/** The edges that connect a stream by key; `fields`: what the receiver reads of the records. */
export function keyedEdges(
  origin: StreamOrigin,
  key: KeySpec,
  input: 0 | 1,
  fields: readonly string[] | null = null,
): NodeInput[] {
  const partitioner: PartitionerSpec = { kind: "hash", key };
  return origin.outputs.map(({ node, output }) => ({ from: node, output, input, partitioner, fields }));
}

/** Each once. */
function partitionFunctions({ outputs }: StreamOrigin): readonly unknown[] {
  const all = outputs.flatMap(({ partitioning }) => (partitioning.kind === "custom" ? [partitioning.partition] : []));
  return [...new Set(all)];
}

const roleOf = (index: number): string => (index === 0 ? "partition" : `partition${index + 1}`);

// What an exchange needs beyond its links: how records are shipped, and who gets which.

import { assert, UserError } from "../../base/errors.ts";
import type { JobEdge, JobGraph, JobVertex } from "../../graph/job-graph.ts";
import type { PlanEdge, PlanOperator } from "../../graph/plan.ts";
import { outputType } from "../../graph/record-type.ts";
import {
  type ChannelSelector,
  selectAll,
  selectByKey,
  selectCustom,
  selectFirst,
  selectRoundRobin,
} from "../../network/channel-selector.ts";
import { PANE } from "../../operators/windows/rows/partial-rows.ts";
import { subtaskOf } from "../../state/keys/key-groups.ts";
import { compileBatchCodec } from "../../types/batch/batch-codec.ts";
import type { BatchCodec, CodecPair, Strictness } from "../../types/bytes/codec.ts";
import { ShapeLearner } from "../../types/shapes/shape-learner.ts";
import { describe } from "../../types/spec/describe.ts";
import { fieldCode } from "../../types/spec/field-path.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { keyedInput } from "../chain/keyed-input.ts";
import { keyFailure, partitionFailure } from "../failures/user-failure.ts";

/** Layout of what travels over an edge, known from the plan; null when it is learned. */
export function shippedSpec({ edge }: Pick<JobEdge, "edge">, from: PlanOperator): TypeSpec | null {
  const { output, fields } = edge;
  const whole = outputType(from, output);
  if (whole === null || fields === null || whole.kind !== "struct") return whole;
  return { kind: "struct", fields: whole.fields.filter((field) => fields.includes(field.name)) };
}

/** A projection passes over fields that do not travel. */
export function shippedStrictness({ fields }: PlanEdge): Strictness {
  return fields === null ? "refuse" : "ignore";
}

/** Whether an edge may bring other rows than inserts. */
export function hasChanges({ changelogs }: JobGraph, { edge }: JobEdge): boolean {
  return changelogs.get(edge)?.kind !== "append";
}

/** The codecs of an edge on either side, or the learner of its shapes. `label` is unique per use. */
export function exchangeShape(graph: JobGraph, edge: JobEdge, label: string): BatchCodec | CodecPair | ShapeLearner {
  const from = graph.plan.operators.find(({ uid }) => uid === edge.edge.from);
  assert(from !== undefined, `no operator ${edge.edge.from}`);
  const spec = shippedSpec(edge, from);
  const options = { timestamps: true, kinds: hasChanges(graph, edge) };
  if (spec === null) return new ShapeLearner(options, label);
  const extraFields = shippedStrictness(edge.edge);
  if (from.kind !== "preAggregate" || spec.kind !== "union")
    return compileBatchCodec(spec, { ...options, extraFields }, label);
  const codec = (member: number): BatchCodec =>
    compileBatchCodec(spec.members[member]!, { timestamps: true, extraFields: "ignore" }, `${label} ${member}`);
  return { field: PANE, with: codec(0), without: codec(1) };
}

/** What the receiver of a shape begins with, other layouts are announced; null: all are. */
export function codecAtFirst(shape: ReturnType<typeof exchangeShape>): BatchCodec | null {
  if ("without" in shape) return shape.with;
  return "createReader" in shape ? shape : null;
}

export type SelectorOptions = {
  readonly edge: JobEdge;
  readonly to: JobVertex;
  /** Functions of the receiving operator. */
  readonly functions: Readonly<Record<string, unknown>>;
  readonly channels: number;
  readonly subtask: number;
  readonly name: string;
};

export function exchangeSelector(options: SelectorOptions): ChannelSelector {
  const { edge, to, functions, channels, subtask, name } = options;
  const { partitioner, input } = edge.edge;
  switch (partitioner.kind) {
    case "forward":
    case "rebalance":
    case "rescale":
      return channels === 1 ? selectFirst : selectRoundRobin(channels, subtask % channels);
    case "broadcast":
      return selectAll;
    case "global":
      return selectFirst;
    case "custom":
      return selectCustom({
        partition: functions[partitioner.function],
        channels,
        outOfRange: (channel) => partitionOutOfRange(channel, channels, edge.edge.to),
        threw: (error, record) => partitionFailure(edge.edge.to, error, record),
      });
    default: {
      const key = keyedInput(partitioner.key, input === 0 ? functions.key : functions.rightKey, {
        id: name,
        operator: edge.edge.to,
        location: input === 0 ? functions.keyLocation : functions.rightKeyLocation,
      });
      const keyCode = key.field === null ? "key(record)" : fieldCode("record", key.field, "?.");
      return selectByKey({
        keyCode,
        key,
        subtask: subtaskOf,
        channels,
        maxParallelism: to.maxParallelism,
        threw: (error, record) => keyFailure(edge.edge.to, error, record),
      });
    }
  }
}

function partitionOutOfRange(channel: unknown, channels: number, operator: string): UserError {
  return new UserError(
    "PARTITION_OUT_OF_RANGE",
    `the function of partitionBy gave ${describe(channel)} for ${channels} subtasks`,
    {
      fix: `return a whole number from 0 to ${channels - 1}; the second argument is the number of subtasks`,
      operator,
    },
  );
}

// What a plan comes to when it is deployed: tasks, exchanges between them, slots. Pure; `explain-text.ts` puts it into
// words.

import type { SourceLocation } from "../../base/errors.ts";
import type { Configuration } from "../../config/configuration.ts";
import { OPTIONS } from "../../config/options.ts";
import type { EdgeChangelog } from "../../graph/changelog.ts";
import type { JobEdge, JobGraph, JobVertex } from "../../graph/job-graph.ts";
import { isBounded, type PartitionerSpec, type Plan, type PlanOperator } from "../../graph/plan.ts";
import { type TimeOrder, timeOrder } from "../../graph/time-order.ts";
import { channelTargets, slotAssignment } from "../../jobmanager/topology.ts";
import { shippedSpec } from "../../taskmanager/build/exchange-build.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { callText } from "./call-text.ts";
import { guaranteeText } from "./guarantee-text.ts";

export const EXPLANATION_VERSION = 1;

export type Explanation = {
  readonly version: typeof EXPLANATION_VERSION;
  readonly plan: Plan;
  readonly tasks: readonly ExplainedTask[];
  readonly exchanges: readonly ExplainedExchange[];
  /** Kinds of the rows on each edge of the plan, in its order. */
  readonly changelogs: readonly EdgeChangelog[];
  /** Of operators with a function: the call that declares it, as its file has it, by uid. Left out where not known. */
  readonly calls: Readonly<Record<string, string>>;
  /** What the watermarks of each `eventTime` wait for, by its uid. */
  readonly timeOrders: Readonly<Record<string, TimeOrder>>;
  /** Null: the job takes none. */
  readonly checkpoints: { readonly directory: string; readonly intervalMs: number } | null;
  /** What a crash can do to the output, by uid of the sink. */
  readonly guarantees: Readonly<Record<string, string>>;
  readonly slots: {
    readonly needed: number;
    readonly groups: readonly { readonly name: string; readonly slots: number; readonly tasks: readonly number[] }[];
  };
};

/** A chain of operators; numbered from 1 in the order of the graph. */
export type ExplainedTask = {
  readonly number: number;
  readonly id: string;
  readonly name: string;
  readonly parallelism: number;
  readonly maxParallelism: number;
  readonly slotGroup: string;
  /** Uids, head first. */
  readonly operators: readonly string[];
};

export type ExplainedExchange = {
  readonly fromTask: number;
  readonly toTask: number;
  readonly from: string;
  /** "" for the main output, else the name of a side output. */
  readonly output: string;
  readonly to: string;
  readonly input: 0 | 1;
  readonly partitioner: PartitionerSpec;
  /** Connections between subtasks. */
  readonly channels: number;
  /** Fields that travel; null for whole records. */
  readonly fields: readonly string[] | null;
  /** Layout of what travels; null when it is learned from the first records. */
  readonly codec: TypeSpec | null;
  readonly whyNotChained: string;
};

export type ExplainOptions = {
  /** Maps places of the plan to the user's files. */
  readonly locate: (location: SourceLocation) => SourceLocation;
  /** Text of one of the user's files; null when it cannot be had. */
  readonly text: (file: string) => string | null;
  readonly configuration: Configuration;
};

export function explain(graph: JobGraph, { locate, text, configuration }: ExplainOptions): Explanation {
  const { vertices } = graph;
  const directory = configuration.get(OPTIONS.checkpointDirectory);
  const sinks = graph.plan.operators.filter(({ kind }) => kind === "sink");
  const { groups, slots } = slotAssignment(graph);
  const locations = Object.entries(graph.plan.locations).map(([uid, location]) => [uid, locate(location)] as const);
  return {
    version: EXPLANATION_VERSION,
    plan: { ...graph.plan, locations: Object.fromEntries(locations) },
    tasks: vertices.map((vertex, index) => ({
      number: index + 1,
      id: vertex.id,
      name: vertex.name,
      parallelism: vertex.parallelism,
      maxParallelism: vertex.maxParallelism,
      slotGroup: vertex.slotGroup,
      operators: vertex.operators.map((operator) => operator.uid),
    })),
    exchanges: graph.edges.map((edge) => exchangeOf(graph, edge)),
    changelogs: graph.plan.edges.map((edge) => graph.changelogs.get(edge) ?? { kind: "append" }),
    calls: Object.fromEntries(
      graph.plan.operators.filter(hasFunction).flatMap(({ uid }) => {
        const { file = "", line = 0, column = 1 } = locations.find(([of]) => of === uid)?.[1] ?? {};
        const written = text(file)?.split("\n")[line - 1];
        return written === undefined ? [] : [[uid, callText(written, column)]];
      }),
    ),
    timeOrders: Object.fromEntries(
      graph.plan.operators
        .filter(({ kind }) => kind === "eventTime")
        .map((operator) => [operator.uid, timeOrder(graph, operator)]),
    ),
    checkpoints:
      directory === null ? null : { directory, intervalMs: configuration.get(OPTIONS.checkpointingInterval) },
    guarantees: Object.fromEntries(
      sinks.map((sink) => [
        sink.uid,
        guaranteeText(sink, { bounded: isBounded(graph.plan), checkpoints: directory !== null }),
      ]),
    ),
    slots: {
      needed: slots,
      groups: groups.map(({ name, slots: ofGroup }) => ({
        name,
        slots: ofGroup,
        tasks: vertices.flatMap((vertex, index) => (vertex.slotGroup === name ? [index + 1] : [])),
      })),
    },
  };
}

function hasFunction({ kind, options }: PlanOperator): boolean {
  const isExpression = (options as { expression?: unknown } | null)?.expression !== undefined;
  return ["map", "flatMap", "reduce"].includes(kind) || (kind === "filter" && !isExpression);
}

function exchangeOf(graph: JobGraph, jobEdge: JobEdge): ExplainedExchange {
  const { edge, fromVertex, toVertex, obstacle } = jobEdge;
  const from = graph.vertices[fromVertex]!;
  const to = graph.vertices[toVertex]!;
  const sender = from.operators.find((operator) => operator.uid === edge.from)!;
  const { output, input, partitioner, fields } = edge;
  return {
    fromTask: fromVertex + 1,
    toTask: toVertex + 1,
    from: edge.from,
    output,
    to: edge.to,
    input,
    partitioner,
    channels: channels(jobEdge, from, to),
    fields,
    codec: shippedSpec(jobEdge, sender),
    whyNotChained: obstacle,
  };
}

function channels(edge: JobEdge, from: JobVertex, to: JobVertex): number {
  const senders = Array.from({ length: from.parallelism }, (_, subtask) => subtask);
  return senders.reduce((count, subtask) => count + channelTargets(edge, from, to, subtask).length, 0);
}

// Where tasks go and which are connected: pure arithmetic over the job graph.
//
//   T1. Subtask i of every vertex of a slot-sharing group goes to slot i of the group, so that a job needs as many
//       slots as its groups' greatest parallelisms add up to.
//   T2. Channels of an input are ordered by edge and sending subtask, those of an output by receiving subtask.

import type { JobEdge, JobGraph, JobVertex } from "../graph/job-graph.ts";

export type SlotAssignment = {
  /** Slot-sharing groups in order of first appearance, with their first slot and size. */
  readonly groups: readonly { readonly name: string; readonly first: number; readonly slots: number }[];
  readonly slots: number;
  slotOf(vertex: number, subtask: number): number;
};

export function slotAssignment(graph: JobGraph): SlotAssignment {
  const sizes = new Map<string, number>();
  for (const vertex of graph.vertices)
    sizes.set(vertex.slotGroup, Math.max(sizes.get(vertex.slotGroup) ?? 0, vertex.parallelism));
  let slots = 0;
  const groups = [...sizes].map(([name, size]) => {
    const group = { name, first: slots, slots: size };
    slots += size;
    return group;
  });
  const firstOf = new Map(groups.map((group) => [group.name, group.first]));
  return {
    groups,
    slots,
    slotOf: (vertex, subtask) => (firstOf.get(graph.vertices[vertex]?.slotGroup ?? "") ?? 0) + subtask,
  };
}

/** Receiving subtasks of a sending one, in ascending order. */
export function channelTargets(edge: JobEdge, from: JobVertex, to: JobVertex, subtask: number): number[] {
  const all = Array.from({ length: to.parallelism }, (_, index) => index);
  if (!isPointwise(edge, from, to)) return all;
  return all.filter((target) => connected(subtask, from.parallelism, target, to.parallelism));
}

/** Sending subtasks of a receiving one, in ascending order. */
export function channelOrigins(edge: JobEdge, from: JobVertex, to: JobVertex, subtask: number): number[] {
  const all = Array.from({ length: from.parallelism }, (_, index) => index);
  if (!isPointwise(edge, from, to)) return all;
  return all.filter((origin) => connected(origin, from.parallelism, subtask, to.parallelism));
}

/**
 * Forward between equal parallelisms, and rescale. Forward between different ones spreads records like rebalance, as in
 * Flink.
 */
export function isPointwise(edge: JobEdge, from: JobVertex, to: JobVertex): boolean {
  const { kind } = edge.edge.partitioner;
  return kind === "rescale" || (kind === "forward" && from.parallelism === to.parallelism);
}

function connected(origin: number, origins: number, target: number, targets: number): boolean {
  if (origins >= targets) return Math.floor((origin * targets) / origins) === target;
  return Math.floor((target * origins) / targets) === origin;
}

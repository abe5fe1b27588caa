// From job graph to task descriptors: which tasks there are, in which slots, and over which channels they talk. Pure:
// channels are names, which each TaskManager makes links of.

import { assert, UserError } from "../base/errors.ts";
import { OPTIONS, SLOTS_MAX } from "../config/options.ts";
import type { JobEdge, JobGraph, JobVertex } from "../graph/job-graph.ts";
import { type TaskDescriptor, type TaskInput, type TaskOutput, taskIdOf } from "../protocol/slot-messages.ts";
import { channelOrigins, channelTargets, type SlotAssignment, slotAssignment } from "./topology.ts";

export type Deployment = {
  readonly assignment: SlotAssignment;
  /** Tasks by slot. */
  readonly tasks: readonly (readonly TaskDescriptor[])[];
};

/** Refuses a job that needs more slots than there are; `available` null: nobody has said how many there are. */
export function checkSlots(graph: JobGraph, available: number | null): SlotAssignment {
  const assignment = slotAssignment(graph);
  const { slots, groups } = assignment;
  const most = available ?? SLOTS_MAX;
  if (slots <= most) return assignment;
  const each = groups.map((group) => `"${group.name}" ${group.slots}`).join(", ");
  const { key } = OPTIONS.numberOfTaskSlots;
  const there = available === null ? `there are ${SLOTS_MAX} at most` : `${key} says ${available}`;
  const more = `set ${key} to ${slots}, or leave it out: there are then as many as the job needs; or `;
  throw new UserError(
    "SLOTS_MISSING",
    `the job needs ${slots} slots, one for each subtask of a slot-sharing group (${each}), and ${there}`,
    {
      fix:
        `${slots <= SLOTS_MAX ? more : ""}run with --parallelism ${Math.max(1, Math.floor(most / groups.length))}, and ` +
        "operators that say .parallelism(n) with no more",
    },
  );
}

export function deploymentOf(graph: JobGraph, attempt: number): Deployment {
  const assignment = slotAssignment(graph);
  const tasks: TaskDescriptor[][] = Array.from({ length: assignment.slots }, () => []);
  const inputOf = (edge: JobEdge, to: number): TaskInput => {
    const channels = channelOrigins(edge, ...ends(graph, edge), to).map((from) => {
      return { edge: edge.index, from, to, attempt, peer: assignment.slotOf(edge.fromVertex, from) };
    });
    return { edge: edge.index, channels };
  };
  const outputOf = (edge: JobEdge, from: number): TaskOutput => {
    const channels = channelTargets(edge, ...ends(graph, edge), from).map((to) => {
      return { edge: edge.index, from, to, attempt, peer: assignment.slotOf(edge.toVertex, to) };
    });
    return { edge: edge.index, channels };
  };
  graph.vertices.forEach(({ name, parallelism }, vertex) => {
    const inputs = graph.edges.filter((edge) => edge.toVertex === vertex);
    const outputs = graph.edges.filter((edge) => edge.fromVertex === vertex);
    for (let subtask = 0; subtask < parallelism; subtask += 1) {
      tasks[assignment.slotOf(vertex, subtask)]?.push({
        id: taskIdOf(vertex, subtask, attempt),
        name: `${name} (${subtask + 1}/${parallelism})`,
        vertex,
        subtask,
        attempt,
        inputs: inputs.map((edge) => inputOf(edge, subtask)),
        outputs: outputs.map((edge) => outputOf(edge, subtask)),
      });
    }
  });
  return { assignment, tasks };
}

function ends({ vertices }: JobGraph, edge: JobEdge): [from: JobVertex, to: JobVertex] {
  const from = vertices[edge.fromVertex];
  const to = vertices[edge.toVertex];
  assert(from !== undefined && to !== undefined, `edge ${edge.index} has no ends`);
  return [from, to];
}

// From what tasks and coordinators have said of a checkpoint to its metadata: pure.

import type { CheckpointId } from "../../base/ids.ts";
import type { CheckpointMetadata, OperatorState, SubtaskState } from "../../checkpoint/format/metadata.ts";
import type { WrittenState } from "../../checkpoint/format/subtask-state.ts";
import type { JobGraph, JobVertex } from "../../graph/job-graph.ts";
import type { Json } from "../../operators/source.ts";
import type { TaskDescriptor, TaskId } from "../../protocol/slot-messages.ts";
import type { Committables } from "./committables.ts";

/** What is known of one checkpoint. */
export type CheckpointParts = {
  /** By task; those that have come to their end have said nothing. */
  readonly acknowledged: ReadonlyMap<TaskId, WrittenState>;
  /** By uid of the source. */
  readonly coordinators: ReadonlyMap<string, Json>;
  readonly committables: Committables;
};

/** Of all operators of the job, in the order of the plan. */
export function operatorStates(
  graph: JobGraph,
  tasks: readonly TaskDescriptor[],
  parts: CheckpointParts & { readonly id: CheckpointId },
): OperatorState[] {
  return graph.vertices.flatMap((vertex, index) => {
    const own = tasks.filter((task) => task.vertex === index);
    return vertex.operators.map(({ uid }) => operatorState(vertex, uid, own, parts));
  });
}

function operatorState(
  { operators }: JobVertex,
  uid: string,
  tasks: readonly TaskDescriptor[],
  parts: CheckpointParts & { readonly id: CheckpointId },
): OperatorState {
  const { parallelism, maxParallelism } = operators.find((operator) => operator.uid === uid)!;
  return {
    ...{ uid, parallelism, maxParallelism },
    coordinator: parts.coordinators.get(uid) ?? null,
    subtasks: tasks.map((task) => subtaskState(uid, task, parts)),
  };
}

function subtaskState(
  uid: string,
  { id, subtask }: TaskDescriptor,
  parts: CheckpointParts & { readonly id: CheckpointId },
): SubtaskState {
  const written = parts.acknowledged.get(id);
  const before = parts.committables.of(uid, subtask, parts.id);
  if (written === undefined) return { ...empty(subtask), finished: true, committables: before };
  const state = written.states.find((each) => each.uid === uid)?.state ?? empty(subtask);
  return { ...state, committables: before };
}

function empty(subtask: number): SubtaskState {
  return { subtask, finished: false, parts: {}, keyed: null, splits: [], committables: [] };
}

/** Names and sizes of all files, by which what is missing or cut is found. */
export function filesOf({ acknowledged }: CheckpointParts): CheckpointMetadata["files"] {
  const files: Record<string, number> = {};
  for (const written of acknowledged.values()) for (const { name, bytes } of written.files) files[name] = bytes;
  return files;
}

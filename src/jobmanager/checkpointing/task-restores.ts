// From a checkpoint to what each task of a deployment starts from: pure.

import { UserError } from "../../base/errors.ts";
import { type OperatorState, operatorStateOf } from "../../checkpoint/format/metadata.ts";
import { type RestorePlan, sourceRestoreOf, subtaskRestoreOf } from "../../checkpoint/restore.ts";
import type { JobGraph, JobVertex } from "../../graph/job-graph.ts";
import { isBounded } from "../../graph/plan.ts";
import type { PreparedSink, TaskDescriptor, TaskRestore } from "../../protocol/slot-messages.ts";
import { Committables } from "./committables.ts";

/** The tasks with what they start from. Where checkpoints commit, what was prepared is committed first. */
export function tasksRestored(graph: JobGraph, tasks: readonly TaskDescriptor[], plan: RestorePlan): TaskDescriptor[] {
  const commits = !isBounded(graph.plan) && plan.metadata.settled !== true;
  return tasks.map((task) => ({ ...task, restore: taskRestore(graph.vertices[task.vertex]!, task, plan, commits) }));
}

/** What a checkpoint holds for its sinks and no task commits as it begins: of bounded jobs alone. */
export function uncommittedOf(graph: JobGraph, plan: RestorePlan): Committables {
  let all = Committables.none;
  if (!isBounded(graph.plan) || plan.metadata.settled === true) return all;
  for (const { operators, parallelism } of graph.vertices) {
    for (let subtask = 0; subtask < parallelism; subtask += 1) {
      const prepared = operators.flatMap(({ uid }) => preparedOf(plan, uid, subtask, parallelism));
      all = all.with(plan.metadata.id, subtask, prepared);
    }
  }
  return all;
}

function taskRestore(vertex: JobVertex, { subtask }: TaskDescriptor, plan: RestorePlan, commits: boolean): TaskRestore {
  const { operators, parallelism } = vertex;
  const [head] = operators;
  const source = head?.kind === "source" && subtask === 0 ? sourceRestoreOf(plan, head.uid) : null;
  return {
    checkpoint: plan.metadata.id,
    place: plan.place,
    finished: isFinished(vertex, subtask, plan),
    states: Object.fromEntries(operators.map((operator) => [operator.uid, subtaskRestoreOf(plan, operator, subtask)])),
    source,
    recommit: commits ? operators.flatMap(({ uid }) => preparedOf(plan, uid, subtask, parallelism)) : [],
    uncommitted: operators.flatMap(({ uid }) => preparedOf(plan, uid, 0, 1)),
  };
}

/** Of the same subtask; the first one also has those of subtasks that are no more. */
function preparedOf({ metadata }: RestorePlan, uid: string, subtask: number, parallelism: number): PreparedSink[] {
  const subtasks = operatorStateOf(metadata, uid)?.subtasks ?? [];
  const own = subtasks.filter((before) => (before.subtask < parallelism ? before.subtask : 0) === subtask);
  const committables = own.flatMap((before) => before.committables);
  return committables.length === 0 ? [] : [{ sink: uid, committables }];
}

/**
 * A task has come to its end when all its operators have: with as many subtasks as before, each by itself. With others,
 * all of them, or none.
 */
function isFinished({ operators, parallelism, name }: JobVertex, subtask: number, { metadata }: RestorePlan): boolean {
  const states = operators.flatMap(({ uid }) => operatorStateOf(metadata, uid) ?? []);
  if (states.length < operators.length || states.length === 0) return false;
  const finished = states.map((state) => finishedOf(state, { subtask, parallelism }));
  // A reader that had no split left keeps nothing that its end would do again.
  if (finished.includes("partly") && operators[0]?.kind === "source") return false;
  if (finished.includes("partly")) {
    throw new UserError(
      "CHECKPOINT_PARTLY_FINISHED",
      `some subtasks of "${name}" had come to their end when checkpoint ${metadata.id} was taken, and others not`,
      { fix: "start with the parallelism that the job had then" },
    );
  }
  return finished.every((each) => each === "yes");
}

function finishedOf(
  { subtasks, parallelism: before }: OperatorState,
  { subtask, parallelism }: { readonly subtask: number; readonly parallelism: number },
): "yes" | "no" | "partly" {
  const counted = before === parallelism ? subtasks.filter((each) => each.subtask === subtask) : subtasks;
  const count = counted.filter(({ finished }) => finished).length;
  if (count === 0) return "no";
  return count === counted.length ? "yes" : "partly";
}

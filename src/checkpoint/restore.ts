// What of a checkpoint goes where: pure. The job may have changed meanwhile, and may run with another parallelism.
//
//   V1. Operators are found by uid. Each key group, each split, each committable and each other part of their state
//       goes to exactly one place, or the restore is refused before any task starts.
//   V2. State of an operator that the job does not have any more is dropped only when the user says so. The same holds
//       for state that an operator does not declare any more (state-check.ts).

import { UserError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import type { Plan, PlanOperator } from "../graph/plan.ts";
import type { Json, SourceSplit } from "../operators/source.ts";
import { keyGroupRangeOf } from "../state/keys/key-groups.ts";
import {
  type CheckpointMetadata,
  type OperatorState,
  operatorStateOf,
  type StateHandle,
  type SubtaskState,
} from "./format/metadata.ts";
import { operatorChanged, stateCheck } from "./state-check.ts";

/** What one subtask of an operator starts from. */
export type SubtaskRestore = {
  /** Of its own key groups; those without a handle begin empty. */
  readonly keyed: readonly { readonly group: number; readonly handle: StateHandle }[];
  /** By part: of all subtasks there were, in their order. */
  readonly parts: Readonly<Record<string, readonly StateHandle[]>>;
};

/** What the coordinator of a source starts from. */
export type SourceRestore = { readonly coordinator: Json; readonly splits: readonly SourceSplit[] };

export type RestorePlan = {
  readonly metadata: CheckpointMetadata;
  /** What the names of its files are relative to; null: the job's own checkpoint directory. */
  readonly place: string | null;
  /** Uids of operators whose state is dropped, as the user said. */
  readonly dropped: readonly string[];
  /** States that an operator has no more, dropped as the user said. */
  readonly droppedStates: readonly { readonly uid: string; readonly state: string }[];
};

/** V1, V2. */
export function restorePlanOf(
  metadata: CheckpointMetadata,
  plan: Pick<Plan, "name" | "operators">,
  {
    allowNonRestored = false,
    place = null,
  }: { readonly allowNonRestored?: boolean; readonly place?: string | null } = {},
): RestorePlan {
  const before = JSON.parse(metadata.planText) as Plan;
  const where = nameOf(metadata);
  const known = new Map(plan.operators.map((operator) => [operator.uid, operator]));
  const dropped: string[] = [];
  const droppedStates: { uid: string; state: string }[] = [];
  for (const state of metadata.operators) {
    const operator = known.get(state.uid);
    if (operator !== undefined) {
      const same = { before: operatorOf(before, state.uid), now: operator, state };
      checkSame(metadata, same);
      if (same.before === null || !hasState(state)) continue;
      const gone = stateCheck({ where, before: same.before, now: operator }, allowNonRestored);
      droppedStates.push(...gone.map((name) => ({ uid: state.uid, state: name })));
    } else if (hasState(state)) {
      if (!allowNonRestored) throw leftOver(metadata, state.uid, plan.operators, before);
      dropped.push(state.uid);
    }
  }
  return { metadata, place, dropped, droppedStates };
}

export function subtaskRestoreOf(
  { metadata }: RestorePlan,
  operator: Pick<PlanOperator, "uid" | "parallelism" | "maxParallelism">,
  subtask: number,
): SubtaskRestore {
  const { uid, parallelism, maxParallelism } = operator;
  const subtasks = operatorStateOf(metadata, uid)?.subtasks ?? [];
  const { first, last } = keyGroupRangeOf(subtask, parallelism, maxParallelism);
  const groups = subtasks.flatMap(({ keyed }) =>
    (keyed?.groups ?? []).map((handle, index) => ({ group: keyed!.first + index, handle })),
  );
  const names = new Set(subtasks.flatMap(({ parts }) => Object.keys(parts)));
  const ofPart = (name: string): StateHandle[] => subtasks.flatMap(({ parts }) => parts[name] ?? []);
  const parts = Object.fromEntries([...names].map((name) => [name, ofPart(name)]));
  return { keyed: groups.filter(({ group }) => group >= first && group <= last), parts };
}

export function sourceRestoreOf({ metadata }: RestorePlan, uid: string): SourceRestore | null {
  const state = operatorStateOf(metadata, uid);
  if (state === null) return null;
  return { coordinator: state.coordinator, splits: state.subtasks.flatMap(({ splits }) => splits) };
}

function operatorOf({ operators }: Plan, uid: string): PlanOperator | null {
  return operators.find((operator) => operator.uid === uid) ?? null;
}

function hasState({ coordinator, subtasks }: OperatorState): boolean {
  const isKept = ({ parts, keyed, splits, committables }: SubtaskState): boolean =>
    keyed !== null || splits.length > 0 || committables.length > 0 || Object.keys(parts).length > 0;
  return coordinator !== null || subtasks.some(isKept);
}

type Same = { readonly before: PlanOperator | null; readonly now: PlanOperator; readonly state: OperatorState };

function checkSame(metadata: CheckpointMetadata, { before, now, state }: Same): void {
  const { uid } = now;
  if (before !== null && before.kind !== now.kind) {
    throw operatorChanged({ where: nameOf(metadata), now }, `is a ${now.kind} now, and was a ${before.kind}`);
  }
  const isKeyed = state.subtasks.some(({ keyed }) => keyed !== null);
  if (isKeyed && state.maxParallelism !== now.maxParallelism) {
    throw new UserError(
      "CHECKPOINT_MAX_PARALLELISM_CHANGED",
      `"${uid}" has ${now.maxParallelism} key groups now, and had ${state.maxParallelism} when ${nameOf(metadata)} was taken`,
      { operator: uid, fix: `set pipeline.max-parallelism to ${state.maxParallelism}, as it was` },
    );
  }
}

function leftOver(
  metadata: CheckpointMetadata,
  uid: string,
  operators: readonly PlanOperator[],
  before: Plan,
): UserError {
  const had = new Set(before.operators.map((operator) => operator.uid));
  const unknown = operators.map((operator) => operator.uid).filter((each) => !had.has(each));
  const near = nearest(uid, unknown);
  const renamed = near === null ? "" : `; was it renamed to "${near}"?`;
  return new UserError(
    "CHECKPOINT_STATE_LEFT_OVER",
    `${nameOf(metadata)} has state of "${uid}", which is no operator of the job${renamed}`,
    {
      operator: uid,
      fix: "give the operator its uid back, or start with --allow-non-restored, which drops that state",
    },
  );
}

function nameOf({ kind, id, jobName }: CheckpointMetadata): string {
  return `${kind} ${id} of "${jobName}"`;
}

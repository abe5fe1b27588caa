// Which checkpoint is taken when, and which one counts: facts in, decisions out, no I/O. Flink's CheckpointCoordinator.
// The driver (checkpoint-driver.ts) reports what happened and does what is decided.
//
//   asked ─▶ coordinating ─▶ taking ─▶ storing ─▶ completed
//                └────────────┴──────────┴─────▶ aborted (declined, too late, overtaken, could not be stored)
//
//   C1. Ids rise and are never used twice, whatever fails (I5); a restored job goes on above those it knows.
//   C2. Coordinators of sources are snapshotted before any barrier leaves, and hand out splits again only when every
//       reader has made its snapshot, or the checkpoint is given up: each split is in exactly one place (I15). They do
//       so before a periodic one is begun, however quickly these follow each other.
//   C3. A checkpoint is completed only when each task has acknowledged it and it was stored, which includes that the
//       pointer names it; only then is anybody told (I6).
//   C4. Checkpoints are completed in the order of their ids: one that is completed, or is being stored, overtakes those
//       that were asked for before it. The one that is taken for a savepoint is one of them, begun at once, and none
//       that is periodic begins beside it.
//   C5. An aborted checkpoint is told to all tasks, so that none waits for its barriers, and what was written for it is
//       removed; also what comes in for it later (I7, I4).
//   C6. A task that has come to its end counts as one that has acknowledged what it had not taken: all that it had to
//       say came before, and whoever it sends to finds the end in place of the barrier. What it had taken, or passed
//       over for a later one, has nothing of what it did afterwards, and is not told by its end.
//   C7. What is being stored is not aborted by time: whether the pointer names it is known only from the answer.
//   C8. A periodic one begins only while coordinators hand out splits: between two of them sources go on, however short
//       the interval and however many are under way.

import { assert, unreachable } from "../../base/errors.ts";
import type { CheckpointId } from "../../base/ids.ts";
import type { KnownCheckpoints } from "../../checkpoint/completed-store.ts";
import type { TaskId } from "../../protocol/slot-messages.ts";

export type CheckpointingOptions = {
  /** Between the starts of two periodic checkpoints; null: none are taken. */
  readonly intervalMs: number | null;
  /** Between the end of one periodic checkpoint and the start of the next, at least. */
  readonly minPauseMs: number;
  /** From its start until all tasks have acknowledged it. */
  readonly timeoutMs: number;
  /** Periodic ones under way at once. */
  readonly maxConcurrent: number;
  /** Failures of periodic checkpoints in a row that the job goes on after. Those of savepoints are their owner's. */
  readonly tolerableFailures: number;
  /** Completed checkpoints that are kept. */
  readonly retained: number;
};

/**
 * "savepoint": taken to be written out once more, for its owner (checkpoint/savepoint.ts). "final": of a job whose
 * input has ended, or which was asked to stop; nothing is taken after it.
 */
export type CheckpointKind = "periodic" | "savepoint" | "final";

type Pending = {
  readonly id: CheckpointId;
  readonly kind: CheckpointKind;
  readonly startedMs: number;
  readonly phase: "coordinating" | "taking" | "storing";
  /** Vertices whose coordinators have not been snapshotted. */
  readonly coordinators: ReadonlySet<number>;
  /** Subtasks of sources whose readers have not been snapshotted. */
  readonly readers: ReadonlySet<TaskId>;
  /** Tasks that have not acknowledged it. */
  readonly waiting: ReadonlySet<TaskId>;
};

/** The tasks of an attempt, as far as checkpoints go. */
export type CheckpointedTasks = {
  /** Those nearest to the sources first. */
  readonly tasks: readonly TaskId[];
  /** For people. Default: as in `tasks`. */
  readonly names?: ReadonlyMap<TaskId, string>;
  /** Those of them that read sources. */
  readonly readers: readonly TaskId[];
  /** Vertices of sources. */
  readonly coordinators: readonly number[];
};

export type CheckpointingState = {
  readonly options: CheckpointingOptions;
  readonly nextId: number;
  /** Null while not all tasks of the job run, and after its final checkpoint was asked for. */
  readonly running: CheckpointedTasks | null;
  /** By id. */
  readonly pending: readonly Pending[];
  /** The last checkpoint that each task has made its snapshot for. */
  readonly taken: ReadonlyMap<TaskId, CheckpointId>;
  /** Ids that are kept, by age. */
  readonly completed: readonly CheckpointId[];
  /** When the next periodic one is due; Infinity: never. */
  readonly dueMs: number;
  /** Before it none starts, for the pause. */
  readonly pausedUntilMs: number;
  readonly failuresInARow: number;
  /** Coordinators were told to hand out nothing, and not to go on (C2). */
  readonly holds: boolean;
};

export type CheckpointFact =
  /** All tasks run. */
  | { readonly kind: "running"; readonly nowMs: number; readonly tasks: CheckpointedTasks }
  /** The tasks run no more: some have failed, or the job is being cancelled. */
  | { readonly kind: "stopped" }
  /** Time has come so far. */
  | { readonly kind: "time"; readonly nowMs: number }
  /** Somebody wants one, now. */
  | { readonly kind: "asked"; readonly nowMs: number; readonly what: CheckpointKind }
  | { readonly kind: "coordinated"; readonly id: CheckpointId; readonly vertex: number }
  /** The task has made its snapshot: what it does now, and what its reader is given, belongs behind the checkpoint. */
  | { readonly kind: "taken"; readonly id: CheckpointId; readonly task: TaskId }
  | { readonly kind: "acknowledged"; readonly id: CheckpointId; readonly task: TaskId }
  /** The task has come to its end: what it kept then counts for every checkpoint after the last that it has taken. */
  | { readonly kind: "finished"; readonly task: TaskId }
  | { readonly kind: "declined"; readonly id: CheckpointId; readonly nowMs: number; readonly reason: string }
  | { readonly kind: "stored"; readonly id: CheckpointId; readonly nowMs: number }
  | { readonly kind: "notStored"; readonly id: CheckpointId; readonly nowMs: number; readonly reason: string };

export type CheckpointDecision =
  /** Snapshot the coordinators of sources, which hand out nothing from then on. */
  | { readonly kind: "coordinate"; readonly id: CheckpointId; readonly what: CheckpointKind }
  /** Readers make their snapshots and send barriers. */
  | { readonly kind: "trigger"; readonly id: CheckpointId; readonly what: CheckpointKind }
  /** Coordinators hand out splits again. */
  | { readonly kind: "goOn" }
  /** Write the metadata, then the pointer. */
  | { readonly kind: "store"; readonly id: CheckpointId; readonly what: CheckpointKind }
  /** Tell all tasks and coordinators: what they prepared for it is committed. */
  | { readonly kind: "complete"; readonly id: CheckpointId; readonly what: CheckpointKind }
  /** Tell all tasks and coordinators. */
  | { readonly kind: "abort"; readonly id: CheckpointId; readonly what: CheckpointKind; readonly reason: string }
  /** Remove what was written for it, and for nothing else. */
  | { readonly kind: "discard"; readonly id: CheckpointId }
  /** Too many in a row have failed. */
  | { readonly kind: "fail"; readonly reason: string };

/** Why checkpoints are given up that were under way when their job ended or failed: nothing is wrong with them. */
export const TASKS_ENDED = "the tasks of the job have ended";
/** Tasks that a late checkpoint names one by one. */
const LATE_NAMED_MAX = 3;

export type CheckpointingStep = {
  readonly state: CheckpointingState;
  readonly decisions: readonly CheckpointDecision[];
};

/** From what an earlier attempt or process has left. */
export function checkpointingStateOf(
  options: CheckpointingOptions,
  { completed, greatest }: KnownCheckpoints = { completed: [], greatest: 0 },
): CheckpointingState {
  return {
    options,
    nextId: Math.max(greatest, ...completed) + 1,
    running: null,
    pending: [],
    taken: new Map(),
    completed,
    dueMs: Infinity,
    pausedUntilMs: -Infinity,
    failuresInARow: 0,
    holds: false,
  };
}

/** When `time` has to be told next; Infinity: nothing falls due. */
export function nextCheckpointTimeMs(state: CheckpointingState): number {
  const { pending, options, dueMs, pausedUntilMs, running } = state;
  const late = pending.filter(({ phase }) => phase !== "storing").map(({ startedMs }) => startedMs + options.timeoutMs);
  const isPossible = running !== null && mayBegin(state);
  return Math.min(...late, isPossible ? Math.max(dueMs, pausedUntilMs) : Infinity);
}

export function checkpointingNext(state: CheckpointingState, fact: CheckpointFact): CheckpointingStep {
  return then(stepOf(state, fact), goneOn);
}

/** C2 */
function goneOn(state: CheckpointingState): CheckpointingStep {
  if (!state.holds || areHeld(state)) return unchanged(state); // Also when tasks have ended: those of others go on.
  return { state: { ...state, holds: false }, decisions: [{ kind: "goOn" }] };
}

/** Whether a checkpoint is under way that coordinators are to hand out nothing for (C2). */
function areHeld({ pending }: Pick<CheckpointingState, "pending">): boolean {
  return pending.some(({ phase, readers }) => phase === "coordinating" || (phase === "taking" && readers.size > 0));
}

function stepOf(state: CheckpointingState, fact: CheckpointFact): CheckpointingStep {
  switch (fact.kind) {
    case "running":
      return started(state, fact.tasks, fact.nowMs);
    case "stopped":
      return stopped(state);
    case "time":
      return timePassed(state, fact.nowMs);
    case "asked":
      return asked(state, fact.what, fact.nowMs);
    case "coordinated":
      return coordinated(state, fact.id, fact.vertex);
    case "taken":
      return taken(state, fact.id, fact.task);
    case "acknowledged":
      return acknowledged(state, fact.id, fact.task);
    case "finished":
      return finished(state, fact.task);
    case "declined":
      return failed(state, fact.id, fact.nowMs, fact.reason);
    case "stored":
      return stored(state, fact.id, fact.nowMs);
    case "notStored":
      return failed(state, fact.id, fact.nowMs, fact.reason);
    default:
      return unreachable(fact);
  }
}

const unchanged = (state: CheckpointingState): CheckpointingStep => ({ state, decisions: [] });

function started(state: CheckpointingState, running: CheckpointedTasks, nowMs: number): CheckpointingStep {
  assert(state.pending.length === 0, "checkpoints of an attempt that has ended");
  const { intervalMs } = state.options;
  const fresh = { ...state, running, taken: new Map(), holds: false };
  return unchanged({ ...fresh, dueMs: intervalMs === null ? Infinity : nowMs + intervalMs });
}

/** Those that are being stored may be completed all the same (C7). */
function stopped(state: CheckpointingState): CheckpointingStep {
  const given = state.pending.filter(({ phase }) => phase !== "storing");
  return {
    state: { ...without(state, given), running: null, dueMs: Infinity },
    decisions: given.flatMap((each) => abortOf(each, TASKS_ENDED)),
  };
}

function timePassed(state: CheckpointingState, nowMs: number): CheckpointingStep {
  const { timeoutMs } = state.options;
  const late = state.pending.find(({ phase, startedMs }) => phase !== "storing" && nowMs >= startedMs + timeoutMs);
  if (late !== undefined) {
    const step = failed(state, late.id, nowMs, lateText(late, state));
    return then(step, (next) => timePassed(next, nowMs));
  }
  return periodic(state, nowMs);
}

/** Whom it waits for: few by name, of many the ends, for a slow task holds up those before it and those behind. */
function lateText({ waiting }: Pending, { options, running }: CheckpointingState): string {
  const what = `not all tasks acknowledged it within ${options.timeoutMs} ms`;
  const late = (running?.tasks ?? []).filter((task) => waiting.has(task));
  const names = late.map((task) => running?.names?.get(task) ?? task);
  if (names.length <= LATE_NAMED_MAX) return `${what}: ${names.join(", ")} ${names.length === 1 ? "has" : "have"} not`;
  return `${what}: ${names.length} of ${running?.tasks.length} have not, from ${names[0]} to ${names.at(-1)}`;
}

function periodic(state: CheckpointingState, nowMs: number): CheckpointingStep {
  const { options, dueMs, pausedUntilMs } = state;
  if (nowMs < Math.max(dueMs, pausedUntilMs) || !mayBegin(state)) return unchanged(state);
  // One that was held up is taken once, and the next ones come in the old rhythm.
  const intervalMs = options.intervalMs ?? Infinity;
  const missed = Math.floor((nowMs - dueMs) / intervalMs);
  const due = { ...state, dueMs: dueMs + (missed + 1) * intervalMs };
  return then(goneOn(due), (next) => begin(next, "periodic", nowMs));
}

function asked(state: CheckpointingState, what: CheckpointKind, nowMs: number): CheckpointingStep {
  const step = begin(state, what, nowMs);
  if (what !== "final") return step;
  return { ...step, state: { ...step.state, dueMs: Infinity } };
}

function begin(state: CheckpointingState, kind: CheckpointKind, nowMs: number): CheckpointingStep {
  if (state.running === null) return unchanged(state);
  const { tasks, readers, coordinators } = state.running;
  const id = state.nextId as CheckpointId;
  const pending: Pending = {
    ...{ id, kind, startedMs: nowMs },
    phase: "coordinating",
    coordinators: new Set(coordinators),
    readers: new Set(readers),
    waiting: new Set(tasks),
  };
  const next = { ...state, nextId: id + 1, pending: [...state.pending, pending], holds: true };
  const coordinate: CheckpointDecision = { kind: "coordinate", id, what: kind };
  return then({ state: next, decisions: [coordinate] }, (each) => triggered(each, pending));
}

function coordinated(state: CheckpointingState, id: CheckpointId, vertex: number): CheckpointingStep {
  const pending = find(state, id);
  if (pending?.phase !== "coordinating") return late(state, id);
  const next = { ...pending, coordinators: less(pending.coordinators, vertex) };
  return triggered(replaced(state, next), next);
}

/** C2 */
function triggered(state: CheckpointingState, pending: Pending): CheckpointingStep {
  if (pending.coordinators.size > 0) return unchanged(state);
  const trigger: CheckpointDecision = { kind: "trigger", id: pending.id, what: pending.kind };
  const taking: Pending = { ...pending, phase: "taking" };
  return then({ state: replaced(state, taking), decisions: [trigger] }, (next) => storedWhenAcknowledged(next, taking));
}

function taken(before: CheckpointingState, id: CheckpointId, task: TaskId): CheckpointingStep {
  const state = before.running === null ? before : { ...before, taken: new Map(before.taken).set(task, id) };
  const pending = find(state, id);
  if (pending?.phase !== "taking") return late(state, id);
  return unchanged(replaced(state, { ...pending, readers: less(pending.readers, task) }));
}

function acknowledged(state: CheckpointingState, id: CheckpointId, task: TaskId): CheckpointingStep {
  const pending = find(state, id);
  if (pending?.phase !== "taking") return late(state, id);
  return storedWhenAcknowledged(state, { ...pending, waiting: less(pending.waiting, task) });
}

function storedWhenAcknowledged(state: CheckpointingState, pending: Pending): CheckpointingStep {
  if (pending.phase !== "taking" || pending.waiting.size > 0) return unchanged(replaced(state, pending));
  const later = state.pending.find(({ id, phase }) => id > pending.id && phase === "storing");
  if (later !== undefined) {
    const reason = `checkpoint ${later.id}, which came after it, is being stored`;
    return { state: without(state, [pending]), decisions: abortOf(pending, reason) };
  }
  assert(pending.readers.size === 0, "a reader acknowledges what it has read");
  return {
    state: replaced(state, { ...pending, phase: "storing" }),
    decisions: [{ kind: "store", id: pending.id, what: pending.kind }],
  };
}

/** C6 */
function finished(state: CheckpointingState, task: TaskId): CheckpointingStep {
  if (state.running === null) return unchanged(state);
  const { tasks, readers } = state.running;
  const isOther = (each: TaskId): boolean => each !== task;
  const running = { ...state.running, tasks: tasks.filter(isOther), readers: readers.filter(isOther) };
  let step = unchanged({ ...state, running });
  for (const each of state.pending) {
    const counts = each.id > (state.taken.get(task) ?? 0);
    const waiting = counts ? less(each.waiting, task) : each.waiting;
    const pending = { ...each, readers: less(each.readers, task), waiting };
    step = then(step, (next) => (each.phase === "storing" ? unchanged(next) : storedWhenAcknowledged(next, pending)));
  }
  return step;
}

/** C3, C4 */
function stored(state: CheckpointingState, id: CheckpointId, nowMs: number): CheckpointingStep {
  const pending = find(state, id);
  assert(pending?.phase === "storing", `checkpoint ${id} was stored unasked`);
  const complete: CheckpointDecision = { kind: "complete", id, what: pending.kind };
  const rest = without(state, [pending]);
  const isOvertaken = (each: Pending): boolean => each.id < id && each.phase !== "storing";
  const overtaken = rest.pending.filter(isOvertaken);
  const { retained, minPauseMs } = state.options;
  const known = [...state.completed, id].sort((left, right) => left - right);
  const kept = known.slice(-retained);
  const next: CheckpointingState = {
    ...without(rest, overtaken),
    completed: kept,
    failuresInARow: 0,
    pausedUntilMs: nowMs + minPauseMs,
  };
  const decisions: CheckpointDecision[] = [
    complete,
    ...overtaken.flatMap((each) => abortOf(each, `checkpoint ${id} was completed before it`)),
    ...known.slice(0, -retained).map((old) => ({ kind: "discard", id: old }) as const),
  ];
  return then({ state: next, decisions }, (after) => periodic(after, nowMs));
}

function failed(state: CheckpointingState, id: CheckpointId, nowMs: number, reason: string): CheckpointingStep {
  const pending = find(state, id);
  if (pending === null) return late(state, id);
  const decisions: CheckpointDecision[] = [...abortOf(pending, reason)];
  if (pending.kind === "savepoint") return { state: without(state, [pending]), decisions };
  const failuresInARow = state.failuresInARow + 1;
  const next = { ...without(state, [pending]), failuresInARow, pausedUntilMs: nowMs + state.options.minPauseMs };
  if (pending.kind === "final" || failuresInARow > state.options.tolerableFailures) {
    decisions.push({ kind: "fail", reason: `checkpoint ${id}: ${reason}` });
  }
  return { state: next, decisions };
}

/** C5. What comes for a checkpoint that nobody takes any more may have left files. */
function late(state: CheckpointingState, id: CheckpointId): CheckpointingStep {
  const isOver = find(state, id) === null && !state.completed.includes(id) && id < state.nextId;
  return { state, decisions: isOver ? [{ kind: "discard", id }] : [] };
}

function abortOf({ id, kind }: Pending, reason: string): CheckpointDecision[] {
  return [
    { kind: "abort", id, what: kind, reason },
    { kind: "discard", id },
  ];
}

function then(step: CheckpointingStep, more: (state: CheckpointingState) => CheckpointingStep): CheckpointingStep {
  const { state, decisions } = more(step.state);
  return { state, decisions: [...step.decisions, ...decisions] };
}

/** C4, C8 */
function mayBegin(state: CheckpointingState): boolean {
  const { pending, options } = state;
  if (pending.some(({ kind }) => kind === "savepoint")) return false;
  return pending.length < options.maxConcurrent && !areHeld(state);
}

function find({ pending }: CheckpointingState, id: CheckpointId): Pending | null {
  return pending.find((each) => each.id === id) ?? null;
}

function replaced(state: CheckpointingState, pending: Pending): CheckpointingState {
  return { ...state, pending: state.pending.map((each) => (each.id === pending.id ? pending : each)) };
}

function without(state: CheckpointingState, gone: readonly Pending[]): CheckpointingState {
  return { ...state, pending: state.pending.filter((each) => !gone.some(({ id }) => id === each.id)) };
}

function less<T>(set: ReadonlySet<T>, item: T): ReadonlySet<T> {
  const rest = new Set(set);
  rest.delete(item);
  return rest;
}

// The life of a job as facts and decisions: pure, no I/O. The driver (job-master.ts) reports what happened and does
// what is decided.
//
//            ┌────────── failed ──────────┐
//            ▼                            │
//   deploying ─▶ running ─▶ committing ─▶ closing ─▶ finished | failed | cancelled
//            └────── cancel (user) ───────┘
//
//   J1. Sinks commit only after every task has finished, so that a bounded job shows all of its output or none.
//   J2. The first failure decides; what fails afterwards is a consequence and only counted.
//   J3. A terminal state is reached only when every slot is closed; then nothing changes it, whatever arrives late or
//       twice.
//   J4. A job is "finished" only after its sinks were told to commit.

import { InternalError, unreachable } from "../base/errors.ts";
import { type EngineErrorData, errorData } from "../protocol/error-data.ts";
import type { TaskId } from "../protocol/slot-messages.ts";

export type JobPhase = "deploying" | "running" | "committing" | "closing" | "done";
export type JobOutcome = "finished" | "failed" | "cancelled";

export type JobState = {
  readonly phase: JobPhase;
  readonly tasks: number;
  readonly finished: ReadonlySet<TaskId>;
  readonly slots: number;
  readonly deployed: number;
  /** Slots that have closed. */
  readonly closed: ReadonlySet<number>;
  readonly outcome: JobOutcome;
  readonly error: EngineErrorData | null;
  /** Sinks were told to commit: what they wrote may be visible. */
  readonly commits: boolean;
};

export type JobEvent =
  | { readonly kind: "deployed" }
  | { readonly kind: "finished"; readonly task: TaskId }
  | { readonly kind: "failed"; readonly error: EngineErrorData }
  | { readonly kind: "cancel"; readonly commit: boolean }
  | { readonly kind: "closed"; readonly slot: number; readonly error: EngineErrorData | null };

export type JobAction =
  | { readonly kind: "commit" }
  | { readonly kind: "cancelSlots"; readonly commit: boolean }
  | { readonly kind: "done"; readonly outcome: JobOutcome };

export type JobStep = { readonly state: JobState; readonly actions: readonly JobAction[] };

export function jobStateOf(counts: { tasks: number; slots: number }): JobState {
  return {
    phase: "deploying",
    ...counts,
    finished: new Set(),
    deployed: 0,
    closed: new Set(),
    outcome: "finished",
    error: null,
    commits: false,
  };
}

export function jobNext(state: JobState, event: JobEvent): JobStep {
  if (state.phase === "done") return { state, actions: [] };
  switch (event.kind) {
    case "deployed": {
      const deployed = state.deployed + 1;
      const phase = state.phase === "deploying" && deployed === state.slots ? "running" : state.phase;
      return { state: { ...state, deployed, phase }, actions: [] };
    }
    case "finished":
      return finished(state, event.task);
    case "failed":
      return failed(state, event.error);
    case "cancel":
      if (!isUnderWay(state)) return { state, actions: [] };
      return {
        state: { ...state, phase: "closing", outcome: "cancelled", commits: event.commit },
        actions: [{ kind: "cancelSlots", commit: event.commit }],
      };
    case "closed":
      return closed(state, event.slot, event.error);
    default:
      return unreachable(event);
  }
}

function finished(state: JobState, task: TaskId): JobStep {
  const done = new Set(state.finished).add(task);
  const next = { ...state, finished: done };
  if (done.size < state.tasks || !isUnderWay(state)) return { state: next, actions: [] };
  return { state: { ...next, phase: "committing", commits: true }, actions: [{ kind: "commit" }] };
}

function failed(state: JobState, error: EngineErrorData): JobStep {
  if (state.phase === "closing") return { state: { ...state, error: state.error ?? error }, actions: [] };
  return {
    state: { ...state, phase: "closing", outcome: "failed", error },
    actions: [{ kind: "cancelSlots", commit: false }],
  };
}

function closed(state: JobState, slot: number, error: EngineErrorData | null): JobStep {
  const slots = new Set(state.closed).add(slot);
  let next: JobState = { ...state, closed: slots };
  const actions: JobAction[] = [];
  const cause = error ?? (isUnderWay(state) ? closedEarly(slot) : null);
  if (cause !== null && state.error === null) {
    const step = failed(next, cause);
    next = { ...step.state, outcome: "failed" };
    actions.push(...step.actions);
  }
  if (slots.size === state.slots) {
    next = { ...next, phase: "done" };
    actions.push({ kind: "done", outcome: next.outcome });
  }
  return { state: next, actions };
}

/** Tasks run, or will: nobody has asked a slot to close. */
function isUnderWay(state: JobState): boolean {
  return state.phase === "deploying" || state.phase === "running";
}

function closedEarly(slot: number): EngineErrorData {
  return errorData(new InternalError("SLOT_CLOSED_EARLY", `slot ${slot} closed before the job's tasks had finished`));
}

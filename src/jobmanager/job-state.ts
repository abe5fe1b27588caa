// The life of a job as facts and decisions: pure, no I/O. The driver (job-master.ts) reports what happened and does
// what is decided.
//
//   deploying ─▶ running ───────────────▶ committing ─▶ closing ─▶ finished | failed | cancelled
//     ▲ │           │ stop (user)           ▲              ▲
//     │ ├───────────┴───────────▶ stopping ─┘              │
//     │ ├─────────────── failure, cancel (user) ───────────┤
//     │ │ regions begin anew                               │
//     └─┴───── restarting ─────── failure, cancel, stop ───┘
//
// The first three phases are what its regions are: "restarting" as long as one of them has not been deployed again.
//
//   J1. Nothing is committed before every task has said that its sinks have prepared: a job shows all of its output or
//       none. What was prepared by then is discarded when the job fails or is cancelled.
//   J2. The first failure decides; what fails afterwards is a consequence.
//   J3. A terminal state is reached only when every slot is closed; then nothing changes it, whatever arrives late or
//       twice.
//   J4. A job is "finished", or stopped with its output, only when each commit was acknowledged.
//   J5. Once commits have begun nothing keeps the others from being tried. A slot that is lost then takes no output
//       with it: another one commits what it had prepared. What is not committed in the end is named, and the job has
//       failed.
//   J6. Tasks of a new attempt of a region are deployed only when all those before them are closed, and what these had
//       prepared counts no more: it is discarded, or in the checkpoint that the next ones begin from. Other regions are
//       not touched.

import { InternalError, unreachable } from "../base/errors.ts";
import { type EngineErrorData, errorData, errorFromData } from "../protocol/error-data.ts";
import type { PreparedSink, TaskId } from "../protocol/slot-messages.ts";
import {
  type Commit,
  type Commits,
  type CommitTry,
  commitAfterFailure,
  commitKey,
  commitsText,
  commitsWith,
  isSettled,
} from "./commits/job-commits.ts";
import {
  isTaskUp,
  isUp,
  type RegionState,
  regionCancelled,
  regionClosed,
  regionDeployed,
  regionOf,
} from "./recovery/regions.ts";

export type JobPhase = "deploying" | "running" | "restarting" | "stopping" | "committing" | "closing" | "done";
export type JobOutcome = "finished" | "failed" | "cancelled";

export type JobState = {
  readonly phase: JobPhase;
  readonly regions: readonly RegionState[];
  /** Times that a commit is tried again. */
  readonly commitRetries: number;
  readonly prepared: ReadonlySet<TaskId>;
  readonly commits: Commits;
  /** Sinks were told to commit: what they wrote may be visible. */
  readonly commitsBegan: boolean;
  readonly slots: number;
  /** Slots that have closed, or were lost for good. */
  readonly closed: ReadonlySet<number>;
  readonly outcome: JobOutcome;
  readonly error: EngineErrorData | null;
};

export type JobEvent =
  | { readonly kind: "deployed"; readonly tasks: readonly TaskId[] }
  | {
      readonly kind: "prepared";
      readonly task: TaskId;
      readonly slot: number;
      readonly sinks: readonly PreparedSink[];
    }
  | { readonly kind: "committed"; readonly task: TaskId; readonly sink: string }
  | {
      readonly kind: "commitFailed";
      readonly task: TaskId;
      readonly sink: string;
      readonly slot: number;
      readonly error: EngineErrorData;
    }
  | { readonly kind: "failed"; readonly error: EngineErrorData }
  /** The user ends the job, and keeps what it has written. */
  | { readonly kind: "stop" }
  /** The user ends the job, and nothing of it is to stay. */
  | { readonly kind: "cancel" }
  /** The tasks of these regions are to end, and to begin anew. `discard`: what they have prepared goes. */
  | { readonly kind: "recover"; readonly regions: readonly number[]; readonly discard: boolean }
  /** Nothing of the task is left. */
  | { readonly kind: "taskClosed"; readonly task: TaskId }
  /** The next tasks of a region of which nothing is left. */
  | { readonly kind: "redeploy"; readonly regions: ReadonlyMap<number, readonly TaskId[]> }
  /** They have ended without closing their tasks. */
  | { readonly kind: "lost"; readonly slots: readonly number[]; readonly error: EngineErrorData }
  | { readonly kind: "closed"; readonly slot: number; readonly error: EngineErrorData | null };

export type JobAction =
  /** To all slots: stop where you are, and prepare. */
  | { readonly kind: "prepare" }
  | ({ readonly kind: "commit" } & CommitTry)
  /** What a slot that is lost had prepared is to be dropped by another one. */
  | { readonly kind: "discard"; readonly slot: number; readonly prepared: PreparedSink }
  /** To all slots: everything is committed, give all back. */
  | { readonly kind: "close" }
  /** To all slots: stop. `discard`: what was prepared goes as well. */
  | { readonly kind: "cancel"; readonly discard: boolean }
  /** The same to some tasks, and to what they have prepared. */
  | { readonly kind: "cancelTasks"; readonly tasks: readonly TaskId[]; readonly discard: boolean }
  /** Nothing is left of the tasks of this region. */
  | { readonly kind: "emptied"; readonly region: number }
  | { readonly kind: "deploy"; readonly regions: readonly number[] }
  | { readonly kind: "done"; readonly outcome: JobOutcome };

export type JobStep = { readonly state: JobState; readonly actions: readonly JobAction[] };

export function jobStateOf(given: {
  readonly regions: readonly (readonly TaskId[])[];
  readonly slots: number;
  readonly commitRetries: number;
}): JobState {
  return {
    phase: "deploying",
    ...{ slots: given.slots, commitRetries: given.commitRetries, regions: given.regions.map(regionOf) },
    prepared: new Set(),
    commits: new Map(),
    commitsBegan: false,
    closed: new Set(),
    outcome: "finished",
    error: null,
  };
}

export function jobNext(state: JobState, event: JobEvent): JobStep {
  if (state.phase === "done") return stay(state);
  const step = decided(state, event);
  const { phase, closed, slots, outcome } = step.state;
  if (phase !== "closing" || closed.size < slots) return step;
  return { state: { ...step.state, phase: "done" }, actions: [...step.actions, { kind: "done", outcome }] };
}

function decided(state: JobState, event: JobEvent): JobStep {
  switch (event.kind) {
    case "deployed":
      return stay(withRegions(state, (region) => regionDeployed(region, event.tasks)));
    case "prepared":
      return prepared(state, event);
    case "committed":
      return committed(state, event);
    case "commitFailed":
      return commitFailed(state, event);
    case "failed":
      return failed(state, event.error);
    case "stop":
      if (state.phase === "restarting") return ended({ ...state, outcome: "cancelled" }); // A part would be missing.
      if (!runs(state)) return stay(state);
      return { state: { ...state, phase: "stopping", outcome: "cancelled" }, actions: [{ kind: "prepare" }] };
    case "cancel":
      return isUnderWay(state) ? ended({ ...state, outcome: "cancelled" }) : stay(state);
    case "recover":
      return recovered(state, event.regions, event.discard);
    case "taskClosed":
      return taskClosed(state, event.task);
    case "redeploy":
      return redeployed(state, event.regions);
    case "lost":
      return lost(state, event.slots, event.error);
    case "closed":
      return closed(state, event.slot, event.error);
    default:
      return unreachable(event);
  }
}

/** J6 */
function recovered(before: JobState, regions: readonly number[], discard: boolean): JobStep {
  if (!canRecover(before)) return stay(before);
  const meant = before.regions.filter((region, index) => regions.includes(index) && isUp(region));
  if (meant.length === 0) return stay(before);
  const isMeant = (task: TaskId): boolean => meant.some(({ tasks }) => tasks.has(task));
  const state: JobState = {
    ...withRegions(before, (region) => (meant.includes(region) ? regionCancelled(region) : region)),
    prepared: new Set([...before.prepared].filter((task) => !isMeant(task))),
    commits: new Map([...before.commits].filter(([, { task }]) => !isMeant(task))),
  };
  const tasks = meant.flatMap(({ open }) => [...open]);
  return { state, actions: [{ kind: "cancelTasks", tasks, discard }, ...emptiedIn(before, state)] };
}

/** J6 */
function taskClosed(before: JobState, task: TaskId): JobStep {
  const state = withRegions(before, (region) => (region.open.has(task) ? regionClosed(region, task) : region));
  return { state, actions: canRecover(state) ? emptiedIn(before, state) : [] };
}

function emptiedIn(before: JobState, { regions }: JobState): JobAction[] {
  return regions.flatMap(({ phase }, region) => {
    return phase === "closed" && before.regions[region]!.phase !== "closed" ? [{ kind: "emptied", region }] : [];
  });
}

/** J6 */
function redeployed(before: JobState, tasks: ReadonlyMap<number, readonly TaskId[]>): JobStep {
  const regions = [...tasks.keys()].filter((region) => before.regions[region]?.phase === "closed");
  if (before.phase !== "restarting" || regions.length === 0) return stay(before);
  const state = withRegions(before, (region, index) =>
    regions.includes(index) ? regionOf(tasks.get(index)!) : region,
  );
  return { state, actions: [{ kind: "deploy", regions }] };
}

/** With the phase that the job has by its regions, unless somebody has ended it. */
function withRegions(state: JobState, map: (region: RegionState, index: number) => RegionState): JobState {
  const regions = state.regions.map(map);
  if (!canRecover(state)) return { ...state, regions };
  const isDown = regions.some((region) => !isUp(region));
  const phase = isDown ? "restarting" : regions.every((each) => each.phase === "running") ? "running" : "deploying";
  return { ...state, regions, phase };
}

/** J1 */
function prepared(state: JobState, event: Extract<JobEvent, { readonly kind: "prepared" }>): JobStep {
  const { task, slot, sinks } = event;
  if (!isUnderWay(state) || !isTaskUp(state.regions, task)) return stay(state);
  let { commits } = state;
  for (const sink of sinks) commits = commitsWith(commits, { task, prepared: sink, slot, tries: 0, phase: "prepared" });
  const next = { ...state, commits, prepared: new Set(state.prepared).add(task) };
  return next.prepared.size < taskCount(state) ? stay(next) : commitsBegin(next);
}

function commitsBegin(state: JobState): JobStep {
  let { commits } = state;
  const actions: JobAction[] = [];
  for (const before of state.commits.values()) {
    const commit: Commit = { ...before, tries: 1, phase: "tried" };
    commits = commitsWith(commits, commit);
    actions.push({ kind: "commit", commit, delayMs: 0 });
  }
  return followed(
    { state: { ...state, phase: "committing", commits, commitsBegan: true }, actions },
    closedWhenSettled,
  );
}

function committed(state: JobState, { task, sink }: { readonly task: TaskId; readonly sink: string }): JobStep {
  const commit = state.commits.get(commitKey(task, sink));
  if (state.phase !== "committing" || commit === undefined || isSettled(commit)) return stay(state);
  return closedWhenSettled({ ...state, commits: commitsWith(state.commits, { ...commit, phase: "committed" }) });
}

function commitFailed(state: JobState, event: Extract<JobEvent, { readonly kind: "commitFailed" }>): JobStep {
  const { task, sink, slot, error } = event;
  const commit = state.commits.get(commitKey(task, sink));
  if (state.phase !== "committing" || commit?.slot !== slot || isSettled(commit)) return stay(state);
  const after = errorFromData(error).retryable
    ? triedAgain(state, commit, error)
    : givenUp(state, { ...commit, phase: "lost" }, error);
  return followed(after, closedWhenSettled);
}

/** J5 */
function triedAgain(state: JobState, before: Commit, error: EngineErrorData): JobStep {
  const { commitRetries: retries } = state;
  const { commit, retry } = commitAfterFailure(before, { slots: openSlots(state), retries });
  if (retry === null) return givenUp(state, commit, error);
  const commits = commitsWith(state.commits, commit);
  return { state: { ...state, commits }, actions: [{ kind: "commit", ...retry }] };
}

function givenUp(state: JobState, commit: Commit, error: EngineErrorData): JobStep {
  return stay({ ...state, commits: commitsWith(state.commits, commit), error: state.error ?? error });
}

/** J4 */
function closedWhenSettled(state: JobState): JobStep {
  if (![...state.commits.values()].every(isSettled)) return stay(state);
  if (state.error === null) return { state: { ...state, phase: "closing" }, actions: [{ kind: "close" }] };
  return ended({ ...state, outcome: "failed", error: withCommits(state, state.error) });
}

function failed(state: JobState, error: EngineErrorData): JobStep {
  if (isUnderWay(state)) return ended({ ...state, outcome: "failed", error });
  if (state.error !== null) return stay(state);
  if (state.phase === "committing") return stay({ ...state, error });
  if (state.commitsBegan) return stay({ ...state, outcome: "failed", error: withCommits(state, error) });
  return stay({ ...state, error });
}

/** All slots are to end without a further commit. */
function ended(state: JobState): JobStep {
  const discard = !state.commitsBegan;
  const [slot] = openSlots(state);
  const actions: JobAction[] = [];
  for (const commit of state.commits.values()) {
    if (!discard || slot === undefined || !state.closed.has(commit.slot)) continue; // Open slots know what is theirs.
    actions.push({ kind: "discard", slot, prepared: commit.prepared });
  }
  return { state: { ...state, phase: "closing" }, actions: [...actions, { kind: "cancel", discard }] };
}

function lost(before: JobState, slots: readonly number[], error: EngineErrorData): JobStep {
  const gone = slots.filter((slot) => !before.closed.has(slot));
  const state: JobState = { ...before, closed: new Set([...before.closed, ...gone]) };
  if (gone.length === 0) return stay(before);
  if (state.phase !== "committing") return state.commitsBegan ? stay(state) : failed(state, error);
  let step = stay(state);
  for (const commit of state.commits.values()) {
    if (!gone.includes(commit.slot) || isSettled(commit)) continue;
    step = followed(step, (now) => triedAgain(now, commit, error));
  }
  return followed(step, closedWhenSettled);
}

function closed(state: JobState, slot: number, error: EngineErrorData | null): JobStep {
  if (state.closed.has(slot)) return stay(state);
  if (state.phase !== "closing") return lost(state, [slot], error ?? closedEarly(slot));
  const next = { ...state, closed: new Set(state.closed).add(slot) };
  if (error === null || state.error !== null) return stay(next);
  return stay({ ...failed(next, error).state, outcome: "failed" });
}

function withCommits({ commits, commitsBegan }: JobState, error: EngineErrorData): EngineErrorData {
  if (!commitsBegan || commits.size === 0) return error;
  return { ...error, message: `${error.message}; ${commitsText(commits)}` };
}

/** What is decided in the state that a step leads to, too. */
function followed(step: JobStep, next: (state: JobState) => JobStep): JobStep {
  const { state, actions } = next(step.state);
  return { state, actions: [...step.actions, ...actions] };
}

function stay(state: JobState): JobStep {
  return { state, actions: [] };
}

function openSlots({ slots, closed }: JobState): readonly number[] {
  return Array.from({ length: slots }, (_, slot) => slot).filter((slot) => !closed.has(slot));
}

export function taskCount({ regions }: JobState): number {
  return regions.reduce((count, { tasks }) => count + tasks.size, 0);
}

/** Regions of it can begin anew: nobody has ended it, and nothing is committed. */
export function canRecover(state: JobState): boolean {
  return runs(state) || state.phase === "restarting";
}

/** Tasks run, or will: nobody has asked a slot to do otherwise. */
function runs({ phase }: JobState): boolean {
  return phase === "deploying" || phase === "running";
}

/** Nothing is committed yet, and may never be. */
function isUnderWay(state: JobState): boolean {
  return canRecover(state) || state.phase === "stopping";
}

function closedEarly(slot: number): EngineErrorData {
  return errorData(new InternalError("SLOT_CLOSED_EARLY", `slot ${slot} closed before the job's tasks had finished`));
}

// Runs one job on one TaskManager: carries out what job-state.ts decides, and reports how the job ended.
//
// Owns: deployment, the job's life, routing between its slots. Never runs user code.
//
//   M1. A failure ends the tasks of its pipelined region, and no others; they begin anew from the newest checkpoint, in
//       the slots that they had (A1: when nothing is left of the tasks before them).
//   M2. Without checkpoints, or once its user has ended it, the first failure is the job's.

import type { Env, TimerHandle } from "../base/env.ts";
import { assert, type EngineError, ExternalError, unreachable } from "../base/errors.ts";
import type { Attempt } from "../base/ids.ts";
import type { RestorePlan } from "../checkpoint/restore.ts";
import type { Configuration } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import type { JobGraph } from "../graph/job-graph.ts";
import { isBounded } from "../graph/plan.ts";
import type { Transport } from "../network/transport.ts";
import { type EngineErrorData, errorData, errorFromData } from "../protocol/error-data.ts";
import type { DropCounts, Fence } from "../protocol/fence.ts";
import type { JobExceptions } from "../protocol/job-messages.ts";
import { DialedSession, type Session } from "../protocol/session.ts";
import { sessionTiming } from "../protocol/session-timing.ts";
import type { FromSlot, JobDescriptor, TaskId, ToSlot } from "../protocol/slot-messages.ts";
import type { FromTaskManager, ToTaskManager } from "../protocol/task-manager-messages.ts";
import type { HeldCheckpoint } from "./checkpointing/checkpoint-driver.ts";
import type { CheckpointingState } from "./checkpointing/coordinator.ts";
import { JobCheckpointing, type JobCheckpoints } from "./checkpointing/job-checkpoints.ts";
import type { CommitTry } from "./commits/job-commits.ts";
import {
  canRecover,
  type JobAction,
  type JobEvent,
  type JobOutcome,
  type JobState,
  jobNext,
  jobStateOf,
  taskCount,
} from "./job-state.ts";
import { JobTasks } from "./job-tasks.ts";
import { JobFailures, type RecoveryOptions } from "./recovery/job-failures.ts";
import { Recoveries } from "./recovery/recoveries.ts";
import { isTaskUp, isUp } from "./recovery/regions.ts";

type SlotMessage = Extract<ToTaskManager, { readonly kind: "toSlot" }>["message"];

export type JobMasterOptions = {
  readonly env: Env;
  readonly configuration: Configuration;
  readonly graph: JobGraph;
  readonly job: JobDescriptor;
  readonly transport: Transport;
  /** Where its TaskManager listens. */
  readonly taskManager: string;
  /** Of the first session with it. */
  readonly fence: Fence;
  readonly dropped: DropCounts;
  readonly print: (lines: string) => void;
  /** Rows for whoever started the job; `rowsRead` says when they were read. */
  readonly onRows: (rows: RowsMessage) => void;
  readonly log: (line: string) => void;
  /** Null: the job takes no checkpoints. */
  readonly checkpoints: JobCheckpoints | null;
  /** Null: the first failure is the job's. */
  readonly recovery: RecoveryOptions | null;
};

export type RowsMessage = Extract<FromSlot, { readonly kind: "rows" }>;

type RowsRead = Extract<ToSlot, { readonly kind: "rowsRead" }>;

export type JobResult = { readonly outcome: JobOutcome; readonly error: EngineError | null };

/** Tasks that have failed by one failure; `slot` null: it is of no slot. */
type Failed = { readonly tasks: readonly TaskId[]; readonly slot: number | null; readonly error: EngineErrorData };

export class JobMaster {
  readonly result: Promise<JobResult>;
  readonly #options: JobMasterOptions;
  #fence: Fence;
  #session: Session<ToTaskManager>;
  readonly #tasks: JobTasks;
  /** The first of each slot, of its tasks as they closed. */
  readonly #closeErrors = new Map<number, EngineErrorData>();
  #state: JobState;
  #resolve: (result: JobResult) => void = () => undefined;
  readonly #running = Promise.withResolvers<void>();
  #cancellation: TimerHandle | null = null;
  /** Of commits that are tried again after a pause, and of a stop. */
  readonly #timers = new Set<TimerHandle>();
  readonly #checkpoints: JobCheckpointing | null;
  readonly #failures: JobFailures;
  readonly #recoveries: Recoveries;
  /** Its user ends the job. */
  #isEnding = false;

  constructor(options: JobMasterOptions) {
    const { env, configuration, graph, fence, checkpoints, recovery } = options;
    this.#options = options;
    this.#fence = fence;
    const restored = checkpoints?.restored ?? null;
    this.#tasks = new JobTasks(graph, { attempt: fence.attempt, restored, isOneRegion: recovery === null });
    this.#failures = new JobFailures(env, recovery);
    const commitRetries = configuration.get(OPTIONS.committerRetries);
    this.#state = jobStateOf({ regions: this.#tasks.regionTasks, slots: this.#tasks.slots, commitRetries });
    this.result = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#recoveries = new Recoveries(
      {
        env,
        stored: async () => this.#checkpoints?.stored(),
        newest: async () => (await recovery?.newest()) ?? null,
        deploy: (regions, restore, attempt) => this.#beginAnew(regions, restore, attempt),
        onRecovered: (recovered) => recovery?.onRecovered(recovered),
        fail: (error) => this.fail(error),
      },
      fence.attempt,
    );
    this.#checkpoints = this.#checkpointing(commitRetries);
    this.#session = this.#dialled();
  }

  get state(): JobState {
    return this.#state;
  }

  /** Of the session that there is, or was last. */
  get fence(): Fence {
    return this.#fence;
  }

  /** What of the job has failed so far. */
  get exceptions(): JobExceptions {
    return this.#failures.exceptions;
  }

  /** Restarts, and how long the job has run and not run, by Flink's names. `nowMs`: monotonic. */
  restartMetrics(nowMs: number): Readonly<Record<string, number>> {
    return this.#failures.metrics(nowMs);
  }

  start(): void {
    this.#deploy([...this.#state.regions.keys()]);
  }

  /** Resolves once every task runs, for the first time. */
  running(): Promise<void> {
    return this.#running.promise;
  }

  /**
   * All tasks begin anew, from the start, in the same slots; what they have written is dropped. Does nothing once the
   * job comes to its end. For jobs without checkpoints: those go on from one.
   */
  restart(): void {
    assert(this.#options.checkpoints === null, "a job with checkpoints does not begin anew from its start");
    if (this.#state.phase !== "deploying" && this.#state.phase !== "running") return;
    const regions = [...this.#state.regions.keys()];
    this.#recoveries.begin(regions, null, 0);
    this.#on({ kind: "recover", regions, discard: true });
  }

  /** Ends the job. What its sinks have written becomes visible, all of it or nothing (endless jobs). */
  stop(): void {
    const { phase } = this.#state;
    if (this.#checkpoints?.isStopping === true) return;
    this.#isEnding = true;
    if (this.#checkpoints !== null && phase === "running") this.#checkpoints.stop();
    else {
      // What tasks have done while not all of them ran is in no checkpoint: shown, it would come again.
      const isInNone = this.#checkpoints !== null && canRecover(this.#state);
      this.#on({ kind: isInNone ? "cancel" : "stop" });
      if (this.#state.phase === phase) return;
    }
    const timeoutMs = this.#options.configuration.get(OPTIONS.cancellationTimeout);
    this.#after(timeoutMs, { background: true }, () => {
      const isStopping = this.#checkpoints?.isStopping === true || this.#state.phase === "stopping";
      if (isStopping) this.fail(this.#notPrepared());
    });
  }

  /** Takes a checkpoint now, beside those that are taken by themselves; does nothing while not all tasks run. */
  checkpoint(): void {
    this.#checkpoints?.checkpoint();
  }

  /** All tasks run, and nobody has asked them to end. */
  get isRunning(): boolean {
    return this.#state.phase === "running" && this.#checkpoints?.isStopping !== true;
  }

  /** Somebody has ended the job. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /**
   * Ends the input where it is: windows fire, what sinks have written becomes visible, and the job has finished. While
   * all tasks run (`isRunning`).
   */
  drain(): void {
    assert(this.isRunning, "a job is drained while it runs");
    this.#isEnding = true;
    this.#checkpoints?.drain();
    this.#postAll({ kind: "drain" });
  }

  /** What the job comes to is to be a savepoint: its final checkpoint needs nothing but itself. */
  keepFinal(): void {
    this.#checkpoints?.keepFinal();
  }

  /** As `JobCheckpointing.take`; while all tasks run. */
  takeCheckpoint(): Promise<HeldCheckpoint> {
    assert(this.#checkpoints !== null, "a job that takes checkpoints");
    return this.#checkpoints.take();
  }

  /** How its checkpoints stand; null: it takes none. */
  get checkpointing(): CheckpointingState | null {
    return this.#checkpoints?.state ?? null;
  }

  /** Ends the job; nothing of it becomes visible, unless its commits have begun. */
  cancel(): void {
    this.#isEnding = true;
    this.#on({ kind: "cancel" });
  }

  /** Ends the job for a reason that no slot has seen. */
  fail(error: EngineError): void {
    this.#isEnding = true;
    this.#onFailed({ tasks: [], slot: null, error: errorData(error) });
  }

  /** Makes room for more rows. */
  rowsRead({ task, sink, bytes }: Omit<RowsRead, "kind">): void {
    const slot = this.#tasks.slotOf(task);
    if (slot !== undefined) this.#post(slot, { kind: "rowsRead", task, sink, bytes });
  }

  #dialled(): Session<ToTaskManager> {
    const { env, transport, taskManager, dropped, configuration } = this.#options;
    return new DialedSession<ToTaskManager, FromTaskManager>({
      ...{ env, transport, address: taskManager, fence: this.#fence, dropped, timing: sessionTiming(configuration) },
      receive: (message) => this.#onMessage(message),
      lost: (error) => this.#onTaskManagerLost(error),
    });
  }

  #checkpointing(commitRetries: number): JobCheckpointing | null {
    const { env, graph, job, checkpoints } = this.#options;
    if (checkpoints === null) return null;
    return new JobCheckpointing({
      ...{ env, graph, job, checkpoints, commitRetries, tasks: this.#tasks.all },
      slotOf: (task) => this.#tasks.slotOf(task) ?? 0,
      isUp: (task) => this.#isUp(task),
      postAll: (message) => this.#postAll(message),
      commit: (commit) => this.#commit(commit),
      onLastPrepared: (last) => this.#on({ kind: "prepared", ...last }),
      // What a bounded job has written is in the checkpoint, and shown when a later run has come to the end.
      onStopped: () => this.#on({ kind: isBounded(graph.plan) ? "cancel" : "stop" }),
      fail: (error) => this.#onFailed({ tasks: this.#tasks.ids, slot: null, error: errorData(error) }),
    });
  }

  #onMessage(message: FromTaskManager): void {
    switch (message.kind) {
      case "fromSlot":
        if (this.#isOfToday(message.message)) this.#onSlotMessage(message.slot, message.message);
        else this.#options.dropped.add("late");
        break;
      case "slotLost":
        this.#onSlotLost(message.slot, message.tasks, message.error);
        break;
      default:
        this.#onReleased(message.slot, message.error);
    }
  }

  /** Whether it is of no task, or of those that count. */
  #isOfToday(message: FromSlot): boolean {
    const isKnown = (task: TaskId): boolean => this.#tasks.slotOf(task) !== undefined;
    if ("task" in message) return isKnown(message.task);
    return !("tasks" in message) || message.tasks.every(isKnown);
  }

  #onSlotMessage(slot: number, message: FromSlot): void {
    switch (message.kind) {
      case "ready":
        this.#recoveries.onThread();
        break;
      case "metrics": // The TaskManager reads them,
      case "spoilt": // and gives the slot another thread.
        break;
      case "deployed":
        this.#on(message);
        break;
      case "prepared":
        this.#onPrepared(slot, message);
        break;
      case "commitFailed":
        if (this.#checkpoints?.commitFailed(message.task, message.sink, message.error) !== true)
          this.#on({ ...message, slot });
        break;
      case "committed":
        if (this.#checkpoints?.committed(message.task, message.sink) !== true) this.#on(message);
        break;
      case "coordinated":
      case "checkpointTaken":
      case "checkpointAcknowledged":
      case "checkpointDeclined":
        this.#checkpoints?.onReport(message);
        break;
      case "failed":
        this.#onFailed({ ...message, slot });
        break;
      case "closed":
        this.#onTaskClosed(slot, message.task, message.error);
        break;
      case "splitRequest":
        this.#post(this.#tasks.coordinatorSlot(message.vertex), message);
        break;
      case "splits":
      case "splitsFollow":
        this.#post(this.#tasks.slotOf(message.task) ?? slot, message);
        break;
      case "print":
        this.#options.print(message.lines);
        this.rowsRead({ task: message.task, sink: message.sink, bytes: message.lines.length });
        break;
      case "rows":
        this.#options.onRows(message);
        break;
      default:
        this.#options.log(message.line);
    }
  }

  /** With checkpoints, what all tasks have prepared is in the last one before any of it is committed. */
  #onPrepared(slot: number, message: Extract<FromSlot, { readonly kind: "prepared" }>): void {
    const { phase, prepared } = this.#state;
    if (this.#checkpoints === null || phase === "stopping") {
      this.#on({ ...message, slot });
      return;
    }
    if (!this.#isUp(message.task)) return;
    const isLast = prepared.size + 1 === taskCount(this.#state);
    const sinks = this.#checkpoints.prepared({ ...message, slot }, isLast);
    if (sinks !== null) this.#on({ ...message, slot, sinks });
  }

  #isUp(task: TaskId): boolean {
    return isTaskUp(this.#state.regions, task);
  }

  /** Regions of these tasks that have not been told to end. */
  #upRegionsOf(tasks: readonly TaskId[]): readonly number[] {
    return [...this.#state.regions.entries()].flatMap(([index, region]) =>
      isUp(region) && tasks.some((task) => region.tasks.has(task)) ? [index] : [],
    );
  }

  #onFailed(failed: Failed): void {
    if (!this.#goesOn(failed)) this.#on({ kind: "failed", error: failed.error });
  }

  /** M1, M2. False: it is the job's failure. */
  #goesOn(failed: Failed): boolean {
    const { tasks, slot, error } = failed;
    const happened = { error: errorFromData(error), slot, tasks: this.#tasks.named(tasks) };
    const regions = this.#upRegionsOf(tasks);
    if (tasks.length > 0 && regions.length === 0 && this.#state.phase === "restarting") {
      this.#failures.note(happened, this.#tasks.origin(happened.tasks)); // They begin anew already.
      return true;
    }
    if (this.#state.phase === "closing" || this.#state.phase === "done") return false; // By what failed before.
    const mayGoOn = !this.#isEnding && canRecover(this.#state) && regions.length > 0;
    const again = this.#failures.failed(happened, this.#tasks.origin(happened.tasks), mayGoOn);
    if (again === null) return false;
    const ending = new Set(regions.flatMap((region) => [...this.#state.regions[region]!.tasks]));
    const last = this.#checkpoints?.pause(ending) ?? null;
    this.#recoveries.begin(regions, again.failed, again.dueMs);
    this.#on({ kind: "recover", regions, discard: false });
    if (last !== null) this.#on({ kind: "prepared", ...last });
    return true;
  }

  /** Nothing is heard of its slots any more: it ends them itself. */
  #onTaskManagerLost(error: EngineError): void {
    const slots = [...Array(this.#tasks.slots).keys()];
    const open = slots.flatMap((slot) => this.#tasks.openIn(slot).map((task) => [slot, task] as const));
    const isOver = this.#options.recovery === null || !canRecover(this.#state);
    if (isOver || !this.#goesOn({ tasks: this.#tasks.ids, slot: null, error: errorData(error) })) {
      this.#on({ kind: "lost", slots, error: errorData(error) });
      return;
    }
    this.#fence = { ...this.#fence, attempt: (this.#fence.attempt + 1) as Attempt };
    this.#session = this.#dialled();
    for (const [slot, task] of open) this.#onTaskClosed(slot, task, null);
  }

  #onTaskClosed(slot: number, task: TaskId, error: EngineErrorData | null): void {
    if (!this.#tasks.closed(task)) return;
    const isRestart = this.#state.phase === "restarting";
    if (error !== null && !this.#closeErrors.has(slot)) this.#closeErrors.set(slot, error);
    this.#on({ kind: "taskClosed", task });
    // Of what it has written a part may still be there; with checkpoints the next attempt sweeps it.
    if (error !== null && isRestart && this.#checkpoints === null) this.#on({ kind: "failed", error });
    else if (!isRestart && this.#tasks.openIn(slot).length === 0) this.#release(slot);
  }

  /** Other tasks go on, or begin anew there. */
  #onSlotLost(slot: number, tasks: readonly TaskId[], error: EngineErrorData): void {
    const isOfNone = tasks.length === 0 && canRecover(this.#state) && this.#options.recovery !== null;
    const isRestart = this.#state.phase === "restarting" && this.#upRegionsOf(tasks).length === 0;
    if (isOfNone || isRestart || this.#goesOn({ tasks, slot, error })) {
      for (const task of tasks) this.#onTaskClosed(slot, task, null);
      return;
    }
    this.#on({ kind: "lost", slots: [slot], error });
    if (this.#state.error === null) this.#options.log(`slot ${slot} was lost: ${error.message}`);
  }

  #release(slot: number): void {
    this.#session.send({ kind: "release", slot });
  }

  /** One whose tasks were to end and begin anew is taken again then. */
  #onReleased(slot: number, error: EngineErrorData | null): void {
    const tasks = this.#tasks.openIn(slot);
    if (this.#state.phase === "restarting" && error === null) {
      if (this.#upRegionsOf(tasks).length === 0 || this.#goesOn({ tasks, slot, error: errorData(slotEnded(slot)) })) {
        for (const task of tasks) this.#onTaskClosed(slot, task, null);
        return;
      }
    }
    this.#on({ kind: "closed", slot, error: this.#closeErrors.get(slot) ?? error });
  }

  #post(slot: number, message: SlotMessage): void {
    this.#session.send({ kind: "toSlot", slot, message });
  }

  #on(event: JobEvent): void {
    const before = this.#state;
    const { state, actions } = jobNext(before, event);
    this.#state = state;
    if (state.phase !== "deploying") this.#running.resolve();
    if (state.phase === "restarting") this.#failures.onRuns(false);
    if (state.phase === "running" && before.phase !== "running") {
      this.#failures.onRuns(true);
      this.#checkpoints?.start();
    }
    for (const action of actions) this.#carryOut(action);
    const running = [...state.regions.keys()].filter((region) => state.regions[region]!.phase === "running");
    if (event.kind === "deployed") this.#recoveries.onRunning(running);
  }

  #carryOut(action: JobAction): void {
    switch (action.kind) {
      case "prepare":
        this.#postAll(action);
        break;
      case "close":
        this.#close(action);
        break;
      case "cancel":
        // What a checkpoint holds stays; the rest is swept by whoever opens the sink next.
        this.#close({ ...action, tasks: null, discard: action.discard && this.#checkpoints === null });
        break;
      case "cancelTasks":
        this.#cancel(action.tasks, action.discard);
        break;
      case "emptied":
        this.#recoveries.onClosed(action.region);
        break;
      case "deploy":
        this.#deploy(action.regions);
        break;
      case "commit":
        this.#commit(action);
        break;
      case "discard":
        if (this.#checkpoints === null) this.#post(action.slot, { kind: "discard", prepared: action.prepared });
        break;
      case "done":
        this.#done(action.outcome);
        break;
      default:
        unreachable(action);
    }
  }

  /** Slots without tasks have nothing to close. */
  #close(how: SlotMessage): void {
    this.#recoveries.stop();
    this.#postAll(how);
    this.#awaitClosing();
    for (let slot = 0; slot < this.#tasks.slots; slot += 1)
      if (this.#tasks.openIn(slot).length === 0) this.#release(slot);
  }

  #cancel(tasks: readonly TaskId[], discard: boolean): void {
    for (let slot = 0; slot < this.#tasks.slots; slot += 1) {
      const own = tasks.filter((task) => this.#tasks.slotOf(task) === slot);
      if (own.length > 0) this.#post(slot, { kind: "cancel", tasks: own, discard });
    }
    this.#awaitClosing();
  }

  #beginAnew(regions: readonly number[], restore: RestorePlan | null, attempt: number): void {
    const again = this.#tasks.replace(regions, attempt, restore);
    this.#checkpoints?.restart(again, restore);
    if (restore !== null) this.#options.recovery?.onRestored(restore);
    if (!this.#state.regions.some(({ phase }) => phase === "closing")) this.#cancellation?.cancel();
    for (const { id } of again) this.#closeErrors.delete(this.#tasks.slotOf(id)!);
    this.#on({ kind: "redeploy", regions: this.#tasks.idsOf(regions) });
  }

  #deploy(regions: readonly number[]): void {
    const { job } = this.#options;
    for (const { slot, tasks } of this.#tasks.deployments(regions))
      this.#session.send({ kind: "deploy", slot, job, tasks });
  }

  /** What belongs to tasks that end meanwhile is committed by those that follow. */
  #commit({ commit: { slot, task, prepared }, delayMs }: CommitTry): void {
    const post = (): void => {
      if (canRecover(this.#state) && !this.#isUp(task)) return;
      this.#post(slot, { kind: "commit", task, prepared });
    };
    if (delayMs === 0) post();
    else this.#after(delayMs, {}, post);
  }

  #after(delayMs: number, options: { readonly background?: boolean }, run: () => void): void {
    const timer = this.#options.env.timers.after(
      delayMs,
      () => {
        this.#timers.delete(timer);
        run();
      },
      options,
    );
    this.#timers.add(timer);
  }

  #notPrepared(): EngineError {
    const late = this.#tasks.all.filter(({ id }) => !this.#state.prepared.has(id));
    const names = late.map(({ name }) => name).join(", ");
    const what = `the job was stopped, and what it has written could not be prepared in time by ${names}`;
    return new ExternalError("STOP_TIMEOUT", `${what}: nothing of it is committed`, {
      fix: `look why its sinks do not take what was written, or raise ${OPTIONS.cancellationTimeout.key}`,
    });
  }

  #awaitClosing(): void {
    const { env, configuration } = this.#options;
    const timeoutMs = configuration.get(OPTIONS.cancellationTimeout);
    this.#cancellation?.cancel();
    this.#cancellation = env.timers.after(timeoutMs, () => this.#endSlots(), { background: true });
  }

  /** Slots that have not closed in time, because something in them never settles. */
  #endSlots(): void {
    const isClosing = (task: TaskId): boolean => !canRecover(this.#state) || !this.#isUp(task);
    const open = [...Array(this.#tasks.slots).keys()].filter(
      (slot) => this.#tasks.openIn(slot).some(isClosing) && !this.#state.closed.has(slot),
    );
    if (open.length === 0) return;
    this.#options.log(`slots ${open.join(", ")} did not close in time, and are stopped`);
    for (const slot of open) this.#release(slot);
  }

  #postAll(message: SlotMessage): void {
    for (let slot = 0; slot < this.#tasks.slots; slot += 1) this.#post(slot, message);
  }

  #done(outcome: JobOutcome): void {
    this.#recoveries.stop();
    this.#cancellation?.cancel();
    for (const timer of this.#timers) timer.cancel();
    this.#session.close();
    const { error } = this.#state;
    const result = { outcome, error: error === null ? null : errorFromData(error) };
    if (this.#checkpoints === null) this.#resolve(result);
    else void this.#checkpoints.end().then(() => this.#resolve(result));
  }
}

function slotEnded(slot: number): ExternalError {
  return new ExternalError("SLOT_CLOSE_TIMEOUT", `slot ${slot} was ended, because other tasks in it did not close`, {
    fix: `look what keeps them, or raise ${OPTIONS.cancellationTimeout.key}`,
  });
}

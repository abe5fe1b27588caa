// Runs one job on one TaskManager: carries out what job-state.ts decides, and reports how the job ended.
//
// Owns: deployment, the job's life, routing between its slots. Never runs user code.

import type { Env, TimerHandle } from "../base/env.ts";
import { assert, type EngineError, ExternalError, unreachable } from "../base/errors.ts";
import type { CheckpointId } from "../base/ids.ts";
import type { CompletedCheckpointStore } from "../checkpoint/completed-store.ts";
import type { RestorePlan } from "../checkpoint/restore.ts";
import type { Configuration } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import type { JobGraph } from "../graph/job-graph.ts";
import { isBounded } from "../graph/plan.ts";
import type { Transport } from "../network/transport.ts";
import { type EngineErrorData, errorData, errorFromData } from "../protocol/error-data.ts";
import type { DropCounts, Fence } from "../protocol/fence.ts";
import { DialedSession, type Session } from "../protocol/session.ts";
import { sessionTiming } from "../protocol/session-timing.ts";
import type { FromSlot, JobDescriptor, TaskId, ToSlot } from "../protocol/slot-messages.ts";
import type { FromTaskManager, ToTaskManager } from "../protocol/task-manager-messages.ts";
import { CheckpointCommits, type TaskPrepared } from "./checkpointing/checkpoint-commits.ts";
import { CheckpointDriver, type CompletedCheckpoint } from "./checkpointing/checkpoint-driver.ts";
import type { CheckpointingState } from "./checkpointing/coordinator.ts";
import { tasksRestored } from "./checkpointing/task-restores.ts";
import type { CommitTry } from "./commits/job-commits.ts";
import { type Deployment, deploymentOf } from "./deployment.ts";
import { type JobAction, type JobEvent, type JobOutcome, type JobState, jobNext, jobStateOf } from "./job-state.ts";

type SlotMessage = Extract<ToTaskManager, { readonly kind: "toSlot" }>["message"];

export type JobMasterOptions = {
  readonly env: Env;
  readonly configuration: Configuration;
  readonly graph: JobGraph;
  readonly job: JobDescriptor;
  readonly transport: Transport;
  /** Where its TaskManager listens. */
  readonly taskManager: string;
  readonly fence: Fence;
  readonly dropped: DropCounts;
  readonly print: (lines: string) => void;
  /** Rows for whoever started the job; `rowsRead` says when they were read. */
  readonly onRows: (rows: RowsMessage) => void;
  readonly log: (line: string) => void;
  /** Null: the job takes no checkpoints. */
  readonly checkpoints: JobCheckpoints | null;
};

export type JobCheckpoints = {
  readonly store: CompletedCheckpointStore;
  /** As the attempt before has left it. */
  readonly state: CheckpointingState;
  readonly restored: RestorePlan | null;
  readonly onCompleted: (checkpoint: CompletedCheckpoint) => void;
  readonly onFailed: (id: CheckpointId, reason: string) => void;
};

export type RowsMessage = Extract<FromSlot, { readonly kind: "rows" }>;

type RowsRead = Extract<ToSlot, { readonly kind: "rowsRead" }>;

export type JobResult = { readonly outcome: JobOutcome; readonly error: EngineError | null };

export class JobMaster {
  readonly result: Promise<JobResult>;
  readonly #options: JobMasterOptions;
  readonly #session: Session<ToTaskManager>;
  /** Of the tasks that count. */
  #attempt: number;
  #deployment: Deployment;
  /** Their slots, by their ids. */
  #slots: ReadonlyMap<TaskId, number>;
  /** Those that have not closed, by slot. */
  #open: readonly Set<TaskId>[];
  /** The first of each slot, of its tasks as they closed. */
  readonly #closeErrors = new Map<number, EngineErrorData>();
  #state: JobState;
  #resolve: (result: JobResult) => void = () => undefined;
  readonly #running = Promise.withResolvers<void>();
  #runningSinceMs: number | null = null;
  #failedMs: number | null = null;
  #cancellation: TimerHandle | null = null;
  /** Of commits that are tried again after a pause, and of a stop. */
  readonly #timers = new Set<TimerHandle>();
  readonly #checkpoints: CheckpointDriver | null;
  readonly #checkpointCommits: CheckpointCommits;
  /** All tasks have come to their end: told once the last checkpoint is completed. */
  #lastPrepared: JobEvent | null = null;
  /** The user ends the job with a last checkpoint. */
  #isStopping = false;

  constructor(options: JobMasterOptions) {
    const { env, configuration, graph, transport, taskManager, fence, dropped } = options;
    this.#options = options;
    this.#attempt = fence.attempt;
    this.#deployment = this.#restored(deploymentOf(graph, this.#attempt));
    this.#slots = slotsOf(this.#deployment);
    this.#open = openOf(this.#deployment);
    const tasks = this.#deployment.tasks.reduce((count, ofSlot) => count + ofSlot.length, 0);
    const commitRetries = configuration.get(OPTIONS.committerRetries);
    this.#state = jobStateOf({ tasks, slots: this.#deployment.tasks.length, commitRetries });
    this.result = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#checkpointCommits = new CheckpointCommits({
      retries: commitRetries,
      slotOf: (task) => this.#slots.get(task) ?? 0,
      post: (commit) => this.#commit(commit),
      onCommitted: (task, sink, upTo) => this.#checkpoints?.committed(task, sink, upTo),
      onSettled: () => this.#onCommitsSettled(),
      fail: (error) => this.fail(error),
    });
    this.#checkpoints = this.#driver();
    this.#session = new DialedSession<ToTaskManager, FromTaskManager>({
      ...{ env, transport, address: taskManager, fence, dropped, timing: sessionTiming(configuration) },
      receive: (message) => this.#onMessage(message),
      lost: (error) => this.#onTaskManagerLost(error),
    });
  }

  get state(): JobState {
    return this.#state;
  }

  /** Monotonic; null: there was no time yet at which all tasks ran. */
  get runningSinceMs(): number | null {
    return this.#runningSinceMs;
  }

  /** Monotonic; null: nothing has failed. */
  get failedMs(): number | null {
    return this.#failedMs;
  }

  start(): void {
    this.#deploy();
  }

  #deploy(): void {
    const { job } = this.#options;
    for (const [slot, tasks] of this.#deployment.tasks.entries()) {
      this.#session.send({ kind: "deploy", slot, job, tasks });
    }
  }

  /** Resolves once every task runs. */
  running(): Promise<void> {
    return this.#running.promise;
  }

  /**
   * All tasks begin anew, from the start, in the same slots; what they have written is dropped. Does nothing once the
   * job comes to its end. For jobs without checkpoints: those go on from one, which the next job master knows.
   */
  restart(): void {
    assert(this.#options.checkpoints === null, "a job with checkpoints does not begin anew from its start");
    this.#on({ kind: "restart" });
  }

  /** Ends the job. What its sinks have written becomes visible, all of it or nothing (endless jobs). */
  stop(): void {
    const { phase } = this.#state;
    if (this.#isStopping) return;
    if (this.#checkpoints !== null && phase === "running") {
      this.#isStopping = true;
      this.#checkpoints.ask("final");
    } else {
      // What tasks have done before all of them ran is in no checkpoint: shown, it would come again.
      const isBeforeAll = this.#checkpoints !== null && phase === "deploying";
      this.#on({ kind: isBeforeAll ? "cancel" : "stop" });
      if (this.#state.phase === phase) return;
    }
    const timeoutMs = this.#options.configuration.get(OPTIONS.cancellationTimeout);
    this.#after(timeoutMs, { background: true }, () => {
      if (this.#isStopping || this.#state.phase === "stopping") this.fail(this.#notPrepared());
    });
  }

  /** Takes a checkpoint now, beside those that are taken by themselves; does nothing while not all tasks run. */
  checkpoint(): void {
    this.#checkpoints?.ask("periodic");
  }

  /** For the attempt that follows. */
  get checkpointing(): CheckpointingState | null {
    return this.#checkpoints?.state ?? null;
  }

  /** Ends the job; nothing of it becomes visible, unless its commits have begun. */
  cancel(): void {
    this.#on({ kind: "cancel" });
  }

  /** Ends the job for a reason that no slot has seen. */
  fail(error: EngineError): void {
    this.#on({ kind: "failed", error: errorData(error) });
  }

  /** Makes room for more rows. */
  rowsRead({ task, sink, bytes }: Omit<RowsRead, "kind">): void {
    const slot = this.#slots.get(task);
    if (slot !== undefined) this.#post(slot, { kind: "rowsRead", task, sink, bytes });
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

  /** Whether it is of no task, or of one of the attempt that counts. */
  #isOfToday(message: FromSlot): boolean {
    if ("task" in message) return this.#slots.has(message.task);
    return !("tasks" in message) || message.tasks.every((task) => this.#slots.has(task));
  }

  #onSlotMessage(slot: number, message: FromSlot): void {
    switch (message.kind) {
      case "ready":
      case "metrics": // The TaskManager reads them,
      case "spoilt": // and gives the slot another thread.
        break;
      case "deployed":
        this.#on({ kind: "deployed" });
        break;
      case "prepared":
        this.#onPrepared(slot, message);
        break;
      case "commitFailed":
        if (!this.#checkpointCommits.failed(message.task, message.sink, message.error)) this.#on({ ...message, slot });
        break;
      case "committed":
        if (!this.#checkpointCommits.committed(message.task, message.sink)) this.#on(message);
        break;
      case "coordinated":
      case "checkpointTaken":
      case "checkpointAcknowledged":
      case "checkpointDeclined":
        this.#checkpoints?.onReport(message);
        break;
      case "failed":
        this.#on({ kind: "failed", error: message.error });
        break;
      case "closed":
        this.#onTaskClosed(slot, message.task, message.error);
        break;
      case "splitRequest":
        this.#post(this.#deployment.assignment.slotOf(message.vertex, 0), message);
        break;
      case "split":
      case "splitsFollow":
        this.#post(this.#slots.get(message.task) ?? slot, message);
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

  #restored(deployment: Deployment): Deployment {
    const { graph, checkpoints } = this.#options;
    const restored = checkpoints?.restored ?? null;
    if (restored === null) return deployment;
    return { ...deployment, tasks: deployment.tasks.map((tasks) => tasksRestored(graph, tasks, restored)) };
  }

  #driver(): CheckpointDriver | null {
    const { env, graph, job, checkpoints } = this.#options;
    if (checkpoints === null) return null;
    return new CheckpointDriver({
      ...{ env, graph, job, tasks: this.#deployment.tasks.flat(), ...checkpoints },
      postAll: (message) => this.#postAll(message),
      onCompleted: (checkpoint, prepared) => {
        checkpoints.onCompleted(checkpoint);
        this.#onCheckpoint(checkpoint, prepared);
      },
      fail: (error) => this.fail(error),
    });
  }

  #onCheckpoint({ id, kind }: CompletedCheckpoint, prepared: readonly TaskPrepared[]): void {
    if (prepared.length > 0) this.#checkpointCommits.add(id, prepared);
    if (kind !== "final") return;
    const last = this.#lastPrepared;
    this.#lastPrepared = null;
    if (last !== null) this.#on(last);
    else if (this.#checkpointCommits.isSettled) this.#onCommitsSettled();
  }

  /** The last checkpoint is completed, and all of it is committed. */
  #onCommitsSettled(): void {
    const { state } = this.#checkpoints ?? {};
    if (!this.#isStopping || state?.pending.some(({ kind }) => kind === "final") === true) return;
    this.#isStopping = false;
    // What a bounded job has written is in the checkpoint, and shown when a later run has come to the end.
    this.#on({ kind: isBounded(this.#options.graph.plan) ? "cancel" : "stop" });
  }

  /** With checkpoints, what all tasks have prepared is in the last one before any of it is committed. */
  #onPrepared(slot: number, message: Extract<FromSlot, { readonly kind: "prepared" }>): void {
    if (this.#checkpoints === null || this.#state.phase === "stopping") {
      this.#on({ ...message, slot });
      return;
    }
    this.#checkpoints.finished(message.task, message.sinks);
    const event: JobEvent = { ...message, slot, sinks: this.#checkpoints.uncommitted(message.task) };
    if (this.#state.prepared.size + 1 < this.#state.tasks) {
      this.#on(event);
      return;
    }
    this.#lastPrepared = event;
    this.#checkpoints.ask("final");
  }

  /** Nothing is heard of its slots any more: it ends them itself. */
  #onTaskManagerLost(error: EngineError): void {
    this.#on({ kind: "lost", slots: [...this.#deployment.tasks.keys()], error: errorData(error) });
  }

  #onTaskClosed(slot: number, task: TaskId, error: EngineErrorData | null): void {
    const open = this.#open[slot];
    if (open?.delete(task) !== true) return;
    if (error !== null && !this.#closeErrors.has(slot)) this.#closeErrors.set(slot, error);
    if (open.size > 0) return;
    if (this.#state.phase === "restarting" && !this.#closeErrors.has(slot)) this.#on({ kind: "emptied", slot });
    else this.#release(slot);
  }

  /** A slot that is to begin anew has no tasks then, as it was to have. */
  #onSlotLost(slot: number, tasks: readonly TaskId[], error: EngineErrorData): void {
    if (this.#state.phase === "restarting") {
      for (const task of tasks) this.#onTaskClosed(slot, task, null);
      return;
    }
    this.#on({ kind: "lost", slots: [slot], error });
    if (this.#state.error === null) this.#options.log(`slot ${slot} was lost: ${error.message}`);
  }

  #release(slot: number): void {
    this.#session.send({ kind: "release", slot });
  }

  /** One that has begun to begin anew is taken again then. */
  #onReleased(slot: number, error: EngineErrorData | null): void {
    const cause = this.#closeErrors.get(slot) ?? error;
    if (this.#state.phase === "restarting" && cause === null) this.#on({ kind: "emptied", slot });
    else this.#on({ kind: "closed", slot, error: cause });
  }

  #post(slot: number, message: SlotMessage): void {
    this.#session.send({ kind: "toSlot", slot, message });
  }

  #on(event: JobEvent): void {
    const before = this.#state;
    const { state, actions } = jobNext(before, event);
    this.#state = state;
    if (state.phase === "running") this.#runningSinceMs ??= this.#options.env.clock.monotonicMs();
    if (state.error !== null) this.#failedMs ??= this.#options.env.clock.monotonicMs();
    if (state.phase !== "deploying") this.#running.resolve();
    if (state.phase === "running" && before.phase === "deploying") this.#checkpoints?.start();
    for (const action of actions) this.#carryOut(action);
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
      case "deploy":
        this.#deployNext();
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
    this.#postAll(how);
    this.#awaitClosing();
    if (this.#state.phase !== "closing") return;
    for (const [slot, open] of this.#open.entries()) if (open.size === 0) this.#release(slot);
  }

  #deployNext(): void {
    this.#cancellation?.cancel();
    this.#attempt += 1;
    this.#deployment = deploymentOf(this.#options.graph, this.#attempt);
    this.#slots = slotsOf(this.#deployment);
    this.#open = openOf(this.#deployment);
    this.#deploy();
  }

  #commit({ commit: { slot, task, prepared }, delayMs }: CommitTry): void {
    const message = { kind: "commit", task, prepared } as const;
    if (delayMs === 0) this.#post(slot, message);
    else this.#after(delayMs, {}, () => this.#post(slot, message));
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
    const late = this.#deployment.tasks.flat().filter(({ id }) => !this.#state.prepared.has(id));
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
    const open = [...this.#open.keys()].filter((slot) => this.#open[slot]!.size > 0 && !this.#state.closed.has(slot));
    if (open.length === 0) return;
    this.#options.log(`slots ${open.join(", ")} did not close in time, and are stopped`);
    for (const slot of open) this.#release(slot);
  }

  #postAll(message: SlotMessage): void {
    for (const slot of this.#deployment.tasks.keys()) this.#post(slot, message);
  }

  #done(outcome: JobOutcome): void {
    this.#cancellation?.cancel();
    for (const timer of this.#timers) timer.cancel();
    this.#session.close();
    const { error } = this.#state;
    const result = { outcome, error: error === null ? null : errorFromData(error) };
    if (this.#checkpoints === null) this.#resolve(result);
    else void this.#checkpoints.stop().then(() => this.#resolve(result));
  }
}

function slotsOf({ tasks }: Deployment): ReadonlyMap<TaskId, number> {
  const slots = new Map<TaskId, number>();
  for (const [slot, ofSlot] of tasks.entries()) for (const { id } of ofSlot) slots.set(id, slot);
  return slots;
}

function openOf({ tasks }: Deployment): Set<TaskId>[] {
  return tasks.map((ofSlot) => new Set(ofSlot.map(({ id }) => id)));
}

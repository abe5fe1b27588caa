// Runs one job on one TaskManager: carries out what job-state.ts decides, and reports how the job ended.
//
// Owns: deployment, the job's life, routing between its slots. Never runs user code.

import type { Env, TimerHandle } from "../base/env.ts";
import { type EngineError, ExternalError, unreachable } from "../base/errors.ts";
import type { Configuration } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import type { JobGraph } from "../graph/job-graph.ts";
import type { Transport } from "../network/transport.ts";
import { type EngineErrorData, errorData, errorFromData } from "../protocol/error-data.ts";
import type { DropCounts, Fence } from "../protocol/fence.ts";
import { DialedSession, type Session } from "../protocol/session.ts";
import { sessionTiming } from "../protocol/session-timing.ts";
import type { FromSlot, JobDescriptor, TaskId, ToSlot } from "../protocol/slot-messages.ts";
import type { FromTaskManager, ToTaskManager } from "../protocol/task-manager-messages.ts";
import { type Deployment, deploymentOf } from "./deployment.ts";
import type { CommitTry } from "./job-commits.ts";
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
  #cancellation: TimerHandle | null = null;
  /** Of commits that are tried again after a pause, and of a stop. */
  readonly #timers = new Set<TimerHandle>();

  constructor(options: JobMasterOptions) {
    const { env, configuration, graph, transport, taskManager, fence, dropped } = options;
    this.#options = options;
    this.#attempt = fence.attempt;
    this.#deployment = deploymentOf(graph, this.#attempt);
    this.#slots = slotsOf(this.#deployment);
    this.#open = openOf(this.#deployment);
    const tasks = this.#deployment.tasks.reduce((count, ofSlot) => count + ofSlot.length, 0);
    const commitRetries = configuration.get(OPTIONS.committerRetries);
    this.#state = jobStateOf({ tasks, slots: this.#deployment.tasks.length, commitRetries });
    this.result = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#session = new DialedSession<ToTaskManager, FromTaskManager>({
      ...{ env, transport, address: taskManager, fence, dropped, timing: sessionTiming(configuration) },
      receive: (message) => this.#onMessage(message),
      lost: (error) => this.#onTaskManagerLost(error),
    });
  }

  get state(): JobState {
    return this.#state;
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
   * job comes to its end.
   */
  restart(): void {
    this.#on({ kind: "restart" });
  }

  /** Ends the job. What its sinks have written becomes visible, all of it or nothing (endless jobs). */
  stop(): void {
    const { phase } = this.#state;
    this.#on({ kind: "stop" });
    if (this.#state.phase === phase) return;
    const timeoutMs = this.#options.configuration.get(OPTIONS.cancellationTimeout);
    this.#after(timeoutMs, { background: true }, () => {
      if (this.#state.phase === "stopping") this.fail(this.#notPrepared());
    });
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
      case "commitFailed":
        this.#on({ ...message, slot });
        break;
      case "committed":
        this.#on(message);
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
    const { state, actions } = jobNext(this.#state, event);
    this.#state = state;
    if (state.phase !== "deploying") this.#running.resolve();
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
        this.#close({ ...action, tasks: null });
        break;
      case "deploy":
        this.#deployNext();
        break;
      case "commit":
        this.#commit(action);
        break;
      case "discard":
        this.#post(action.slot, { kind: "discard", prepared: action.prepared });
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
    this.#resolve({ outcome, error: error === null ? null : errorFromData(error) });
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

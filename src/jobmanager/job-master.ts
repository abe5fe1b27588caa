// Runs one job on one TaskManager: carries out what job-state.ts decides, and reports how the job ended.
//
// Owns: deployment, the job's life, routing between its slots. Never runs user code.

import type { Env, TimerHandle } from "../base/env.ts";
import type { EngineError } from "../base/errors.ts";
import type { Configuration } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import type { JobGraph } from "../graph/job-graph.ts";
import type { Transport } from "../network/transport.ts";
import { type EngineErrorData, errorData, errorFromData } from "../protocol/error-data.ts";
import type { DropCounts, Fence } from "../protocol/fence.ts";
import { DialedSession, type Session } from "../protocol/session.ts";
import { sessionTiming } from "../protocol/session-timing.ts";
import type { FromSlot, JobDescriptor, ToSlot } from "../protocol/slot-messages.ts";
import type { FromTaskManager, ToTaskManager } from "../protocol/task-manager-messages.ts";
import { type Deployment, deploymentOf } from "./deployment.ts";
import { type JobEvent, type JobOutcome, type JobState, jobNext, jobStateOf } from "./job-state.ts";

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
  readonly #deployment: Deployment;
  readonly #session: Session<ToTaskManager>;
  /** Of slots that are being released after they have closed. */
  readonly #closeErrors = new Map<number, EngineErrorData>();
  #state: JobState;
  #resolve: (result: JobResult) => void = () => undefined;
  readonly #running = Promise.withResolvers<void>();
  #cancellation: TimerHandle | null = null;

  constructor(options: JobMasterOptions) {
    const { env, configuration, graph, transport, taskManager, fence, dropped } = options;
    this.#options = options;
    this.#deployment = deploymentOf(graph, fence.attempt);
    const tasks = this.#deployment.tasks.reduce((count, ofSlot) => count + ofSlot.length, 0);
    this.#state = jobStateOf({ tasks, slots: this.#deployment.tasks.length });
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
    const { job } = this.#options;
    for (const [slot, tasks] of this.#deployment.tasks.entries()) {
      this.#session.send({ kind: "deploy", slot, job, tasks });
    }
  }

  /** Resolves once every task runs. */
  running(): Promise<void> {
    return this.#running.promise;
  }

  /** Stops the job. `commit`: what its sinks have written becomes visible (endless jobs). */
  cancel(commit: boolean): void {
    this.#on({ kind: "cancel", commit });
  }

  /** Ends the job for a reason that no slot has seen. */
  fail(error: EngineError): void {
    this.#on({ kind: "failed", error: errorData(error) });
  }

  /** Makes room for more rows. */
  rowsRead({ task, sink, bytes }: Omit<RowsRead, "kind">): void {
    this.#post(this.#slotOfTask(task), { kind: "rowsRead", task, sink, bytes });
  }

  #onMessage(message: FromTaskManager): void {
    switch (message.kind) {
      case "fromSlot":
        this.#onSlotMessage(message.slot, message.message);
        break;
      case "slotLost":
        this.#on({ kind: "failed", error: message.error });
        this.#on({ kind: "closed", slot: message.slot, error: null });
        break;
      default:
        this.#on({
          kind: "closed",
          slot: message.slot,
          error: this.#closeErrors.get(message.slot) ?? message.error,
        });
    }
  }

  #onSlotMessage(slot: number, message: FromSlot): void {
    switch (message.kind) {
      case "ready":
      case "metrics": // The TaskManager reads them.
        break;
      case "deployed":
        this.#on({ kind: "deployed" });
        break;
      case "finished":
        this.#on({ kind: "finished", task: message.task });
        break;
      case "failed":
        this.#on({ kind: "failed", error: message.error });
        break;
      case "closed":
        this.#onClosed(slot, message.error);
        break;
      case "splitRequest":
        this.#post(this.#deployment.assignment.slotOf(message.vertex, 0), message);
        break;
      case "split":
      case "splitsFollow":
        this.#post(this.#slotOfTask(message.task), message);
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
    this.fail(error);
    for (const slot of this.#deployment.tasks.keys()) this.#on({ kind: "closed", slot, error: null });
  }

  #onClosed(slot: number, error: EngineErrorData | null): void {
    if (error !== null) this.#closeErrors.set(slot, error);
    this.#session.send({ kind: "release", slot });
  }

  #post(slot: number, message: SlotMessage): void {
    this.#session.send({ kind: "toSlot", slot, message });
  }

  #slotOfTask(task: string): number {
    const [vertex, subtask] = task.split("/").map(Number);
    return this.#deployment.assignment.slotOf(vertex ?? -1, subtask ?? -1);
  }

  #on(event: JobEvent): void {
    const { state, actions } = jobNext(this.#state, event);
    this.#state = state;
    if (state.phase !== "deploying") this.#running.resolve();
    for (const action of actions) {
      if (action.kind === "commit") this.#postAll({ kind: "commit" });
      else if (action.kind === "cancelSlots") this.#cancelSlots(action.commit);
      else this.#done(action.outcome);
    }
  }

  #cancelSlots(commit: boolean): void {
    const { env, configuration } = this.#options;
    this.#postAll({ kind: "cancel", commit });
    const timeoutMs = configuration.get(OPTIONS.cancellationTimeout);
    this.#cancellation = env.timers.after(timeoutMs, () => this.#endSlots(), { background: true });
  }

  /** Slots that have not closed in time, because something in them never settles. */
  #endSlots(): void {
    const open = [...this.#deployment.tasks.keys()].filter((slot) => !this.#state.closed.has(slot));
    this.#options.log(`slots ${open.join(", ")} did not end in time after they were cancelled, and are stopped`);
    for (const slot of open) this.#onClosed(slot, null);
  }

  #postAll(message: SlotMessage): void {
    for (const slot of this.#deployment.tasks.keys()) this.#post(slot, message);
  }

  #done(outcome: JobOutcome): void {
    this.#cancellation?.cancel();
    this.#session.close();
    const { error } = this.#state;
    this.#resolve({ outcome, error: error === null ? null : errorFromData(error) });
  }
}

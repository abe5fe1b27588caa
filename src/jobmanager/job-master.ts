// Runs one job on one TaskManager: carries out what job-state.ts decides, and reports how the job ended.
//
// Owns: deployment, the job's life, routing between its slots. Never runs user code.

import type { Env, TimerHandle } from "../base/env.ts";
import { type EngineError, InternalError } from "../base/errors.ts";
import type { Configuration } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import type { JobGraph, JobVertex } from "../graph/job-graph.ts";
import { MetricRates } from "../metrics/metric-rates.ts";
import { MetricStore } from "../metrics/metric-store.ts";
import { type EngineErrorData, errorData, errorFromData } from "../protocol/error-data.ts";
import type { FromSlot, JobDescriptor, TaskDescriptor, ToSlot } from "../protocol/slot-messages.ts";
import { type Deployment, deploymentOf } from "./deployment.ts";
import { type JobEvent, type JobOutcome, type JobState, jobNext, jobStateOf } from "./job-state.ts";

/** What a job master needs of its TaskManager. */
export interface SlotGateway {
  start(slot: number): void;
  /** Gives tasks to a slot that was started. What it has no memory for is told as a failure. */
  deploy(slot: number, job: JobDescriptor, tasks: readonly TaskDescriptor[]): void;
  post(slot: number, message: Exclude<ToSlot, { readonly kind: "deploy" }>): void;
  /** Ends the slot's thread and takes back what it held. */
  end(slot: number): Promise<void>;
  metricMemories(): readonly SharedArrayBuffer[];
}

export type JobMasterOptions = {
  readonly env: Env;
  readonly configuration: Configuration;
  readonly graph: JobGraph;
  readonly job: JobDescriptor;
  readonly slots: SlotGateway;
  readonly print: (lines: string) => void;
  /** Rows for whoever started the job; `rowsRead` says when they were read. */
  readonly onRows: (rows: RowsMessage) => void;
  readonly log: (line: string) => void;
};

export type RowsMessage = Extract<FromSlot, { readonly kind: "rows" }>;

type RowsRead = Extract<ToSlot, { readonly kind: "rowsRead" }>;

export type JobResult = { readonly outcome: JobOutcome; readonly error: EngineError | null };

export class JobMaster {
  readonly metrics: MetricStore;
  readonly rates: MetricRates;
  readonly result: Promise<JobResult>;
  readonly #options: JobMasterOptions;
  readonly #deployment: Deployment;
  #state: JobState;
  #resolve: (result: JobResult) => void = () => undefined;
  #firstRunning: (() => void) | null = null;
  #cancellation: TimerHandle | null = null;

  constructor(options: JobMasterOptions) {
    const { graph } = options;
    this.#options = options;
    this.metrics = new MetricStore(options.env.clock);
    this.rates = new MetricRates(this.metrics);
    this.#deployment = deploymentOf(graph, 0);
    const tasks = this.#deployment.tasks.reduce((count, ofSlot) => count + ofSlot.length, 0);
    this.#state = jobStateOf({ tasks, slots: this.#deployment.tasks.length });
    this.result = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get state(): JobState {
    return this.#state;
  }

  /** What runs in a slot: of one vertex, or all. */
  chains(slot: number, vertex: number | null): readonly JobVertex[] {
    const { vertices } = this.#options.graph;
    const tasks = this.#deployment.tasks[slot] ?? [];
    return vertices.filter((_, index) => index === (vertex ?? index) && tasks.some((task) => task.vertex === index));
  }

  start(): void {
    const { slots, job } = this.#options;
    for (const index of this.#deployment.tasks.keys()) slots.start(index);
    this.#deployment.tasks.forEach((tasks, index) => {
      slots.deploy(index, job, tasks);
    });
  }

  /** Resolves once every task runs. */
  running(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#state.phase !== "deploying") resolve();
      else this.#firstRunning = resolve;
    });
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
    this.#options.slots.post(this.#slotOfTask(task), { kind: "rowsRead", task, sink, bytes });
  }

  onMessage(slot: number, message: FromSlot): void {
    switch (message.kind) {
      case "ready":
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
        this.#options.slots.post(this.#deployment.assignment.slotOf(message.vertex, 0), message);
        break;
      case "split":
      case "splitsFollow":
        this.#options.slots.post(this.#slotOfTask(message.task), message);
        break;
      case "metrics":
        this.metrics.define(slot, this.#options.slots.metricMemories()[slot], message.definitions);
        break;
      case "print":
        this.#options.print(message.lines);
        break;
      case "rows":
        this.#options.onRows(message);
        break;
      default:
        this.#options.log(message.line);
    }
  }

  /** A slot's thread is gone: its tasks have failed. */
  onSlotLost(slot: number, error: EngineError): void {
    this.fail(error);
    this.#on({ kind: "closed", slot, error: null });
  }

  #onClosed(slot: number, error: EngineErrorData | null): void {
    this.#options.slots.end(slot).then(
      () => this.#on({ kind: "closed", slot, error }),
      (cause: unknown) =>
        this.#on({
          kind: "closed",
          slot,
          error: errorData(new InternalError("SLOT_END", `slot ${slot} did not end`, { cause })),
        }),
    );
  }

  #slotOfTask(task: string): number {
    const [vertex, subtask] = task.split("/").map(Number);
    return this.#deployment.assignment.slotOf(vertex ?? -1, subtask ?? -1);
  }

  #on(event: JobEvent): void {
    const { state, actions } = jobNext(this.#state, event);
    this.#state = state;
    if (state.phase === "running") this.rates.start();
    if (state.phase !== "deploying") {
      this.#firstRunning?.();
      this.#firstRunning = null;
    }
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

  #postAll(message: Parameters<SlotGateway["post"]>[1]): void {
    for (const index of this.#deployment.tasks.keys()) this.#options.slots.post(index, message);
  }

  #done(outcome: JobOutcome): void {
    this.#cancellation?.cancel();
    this.metrics.freeze();
    const { error } = this.#state;
    this.#resolve({ outcome, error: error === null ? null : errorFromData(error) });
  }
}

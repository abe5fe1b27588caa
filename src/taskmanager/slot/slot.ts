// A slot: runs the tasks of one slot-sharing group cooperatively, answers control requests between their turns.
//
// Owns: its tasks, the sources' split coordinators, the accounting of time. Does not own: its thread (slot runners),
// memory pools, the decision what to run (job master).
//
//   S1. User code runs inside `turn`, `onMessage("deploy")` and asynchronous callbacks of sources and sinks, nowhere
//       else.
//   S2. The first failure stops all tasks of the slot: they share a thread, and the job master cancels the job anyway.
//       They are closed when it does so and not before, since what some of them have prepared may have to be committed.
//   S3. After "closed" nothing is left: no task, file, timer or segment of the slot.

import type { Env } from "../../base/env.ts";
import type { JobVertex } from "../../graph/job-graph.ts";
import { errorData } from "../../protocol/error-data.ts";
import type {
  FromSlot,
  JobDescriptor,
  SlotWiring,
  TaskDescriptor,
  TaskId,
  ToSlot,
} from "../../protocol/slot-messages.ts";
import type { RowOutlets } from "../drivers/row-outlet.ts";
import type { SinkCommitters } from "../drivers/sink-committers.ts";
import type { SourceCoordinator } from "../drivers/source-coordinator.ts";
import type { Task } from "../task/task.ts";

export type SlotTask = { readonly descriptor: TaskDescriptor; readonly task: Task };

/** Rebuilds the job and makes its tasks; the real one imports the bundle. */
export interface TaskFactory {
  deploy(
    job: JobDescriptor,
    tasks: readonly TaskDescriptor[],
    wiring: SlotWiring,
  ): Promise<{
    readonly tasks: readonly SlotTask[];
    /** Coordinators of the sources whose first subtask is here, by vertex. */
    readonly coordinators: ReadonlyMap<number, SourceCoordinator>;
    readonly committers: SinkCommitters;
    /** Of sinks whose rows go to whoever started the job. */
    readonly outlets: RowOutlets;
    /** Gives back what tasks do not own themselves. */
    release(): Promise<void>;
  }>;
}

export type SlotOptions = {
  readonly env: Env;
  readonly factory: TaskFactory;
  readonly send: (message: FromSlot) => void;
  /** Gives the slot a turn soon: what it was rung for while it was deployed would otherwise stay undone. */
  readonly wake: () => void;
  readonly turnBudgetMs: number;
  /** Called whenever the slot looks for work, so that a watchdog can tell one that sleeps from one that hangs. */
  readonly onLook: () => void;
  /**
   * Called at the start of each turn of a task, with its vertex, and at the end, with null: so that a watchdog can see
   * that time passes inside one, and whose.
   */
  readonly onTurn: (vertex: number | null) => void;
};

type Running = SlotTask & { finished: boolean };

type Deploy = Extract<ToSlot, { readonly kind: "deploy" }>;

/** What becomes of what sinks have written, and of what they have prepared. */
type Closing = { readonly outcome: "committed" | "abort"; readonly discard: boolean };

type SplitMessage = Extract<ToSlot, { readonly kind: "split" | "splitsFollow" | "splitRequest" }>;

export type SlotTurn = {
  /** Something was done, or can be done at once. */
  readonly busy: boolean;
  /** Milliseconds until the slot wants a turn without being rung; Infinity for never. */
  readonly sleepMs: number;
};

/** What a task was between two turns, by how the first of them ended. */
const SINCE_TURN = { more: "busy", idle: "idle", blocked: "backPressured" } as const;

const IDLE: SlotTurn = { busy: false, sleepMs: Infinity };

export class Slot {
  readonly #options: SlotOptions;
  #tasks: Running[] = [];
  #coordinators: ReadonlyMap<number, SourceCoordinator> = new Map();
  #committers: SinkCommitters | null = null;
  #outlets: RowOutlets | null = null;
  #release: () => Promise<void> = async () => undefined;
  #state: "empty" | "deploying" | "running" | "closing" | "closed" = "empty";
  /** What other slots, deployed before this one, wanted of its coordinators meanwhile. */
  readonly #early: SplitMessage[] = [];
  /** Failed or cancelled before its tasks ran. */
  #unwanted = false;
  /** No task gets a further turn: one has failed, or the user has stopped the job. */
  #stopped: "failed" | "asked" | null = null;

  constructor(options: SlotOptions) {
    this.#options = options;
  }

  get closed(): boolean {
    return this.#state === "closed";
  }

  /** Of its tasks. */
  get chains(): readonly JobVertex[] {
    return this.#tasks.map(({ task }) => task.parts.chain.options.vertex);
  }

  onMessage(message: ToSlot): void {
    switch (message.kind) {
      case "deploy":
        void this.#deploy(message);
        break;
      case "prepare":
        this.#stop();
        break;
      case "commit":
        this.#commit(message);
        break;
      case "discard":
        this.#committers?.discard(message.prepared).catch((error: unknown) => this.#log(error));
        break;
      case "close":
        this.#close({ outcome: "committed", discard: false });
        break;
      case "cancel":
        if (this.#state === "deploying") this.#unwanted = true;
        else this.#close({ outcome: "abort", discard: message.discard });
        break;
      case "rowsRead":
        this.#outlets?.of(message.task, message.sink).read(message.bytes);
        break;
      default:
        if (this.#state === "deploying") this.#early.push(message);
        else if (this.#state === "running") this.#onSplitMessage(message);
    }
  }

  #onSplitMessage(message: SplitMessage): void {
    if (message.kind === "splitRequest") {
      this.#answerSplit(message.vertex, message.subtask, message.task);
      return;
    }
    const source = this.#taskOf(message.task)?.parts.source;
    if (message.kind === "split") source?.onSplit(message.split);
    else {
      source?.release();
      this.#options.wake(); // For the watermark.
    }
  }

  /** One turn of every task. */
  turn(): SlotTurn {
    this.#options.onLook();
    if (this.#state !== "running" || this.#stopped !== null) return IDLE;
    const { clock } = this.#options.env;
    let busy = false;
    let atMs = clock.monotonicMs();
    for (const running of this.#tasks) {
      if (running.finished) continue;
      const { metrics } = running.task.parts;
      metrics.mark("busy", atMs);
      const result = this.#turnOf(running, atMs + this.#options.turnBudgetMs);
      if (result === null) return IDLE;
      const endMs = clock.monotonicMs();
      const was = result === "blocked" ? "backPressured" : "busy";
      metrics.mark(running.finished ? "ended" : SINCE_TURN[result], endMs, was);
      atMs = endMs;
      if (result === "more") busy = true;
    }
    return busy ? { busy, sleepMs: 0 } : { busy, sleepMs: this.#sleepMs() };
  }

  /** Something outside a turn failed: a late rejection, a coordinator, the deployment. */
  fail(task: TaskId | null, error: unknown): void {
    if (this.#state === "closing" || this.#state === "closed" || this.#stopped === "failed") return;
    this.#options.send({ kind: "failed", task, error: errorData(error) });
    this.#stopped = "failed";
    this.#markAll("ended");
  }

  #turnOf(running: Running, deadlineMs: number): "more" | "idle" | "blocked" | null {
    try {
      this.#options.onTurn(running.descriptor.vertex);
      const result = running.task.turn(deadlineMs);
      this.#options.onTurn(null);
      if (result !== "finished") return result;
      running.finished = true;
      void this.#prepare(running);
      return "idle";
    } catch (error) {
      this.#options.onTurn(null);
      this.fail(running.descriptor.id, error);
      return null;
    }
  }

  async #prepare({ task, descriptor }: Running): Promise<void> {
    try {
      const sinks = await task.prepare();
      if (this.#state === "running") this.#options.send({ kind: "prepared", task: descriptor.id, sinks });
    } catch (error) {
      this.fail(descriptor.id, error);
    }
  }

  /** All tasks stop where they are, and prepare. */
  #stop(): void {
    if (this.#stopped !== null) return;
    this.#stopped = "asked";
    if (this.#state === "running") this.#prepareAll();
  }

  #prepareAll(): void {
    this.#markAll("ended");
    this.#outlets?.release();
    for (const running of this.#tasks) if (!running.finished) void this.#prepare(running);
  }

  #commit({ task, prepared }: Extract<ToSlot, { readonly kind: "commit" }>): void {
    const { sink } = prepared;
    this.#committers?.commit(prepared).then(
      () => this.#options.send({ kind: "committed", task, sink }),
      (error: unknown) => this.#options.send({ kind: "commitFailed", task, sink, error: errorData(error) }),
    );
  }

  #sleepMs(): number {
    const { clock } = this.#options.env;
    const nowMs = clock.nowMs();
    const monotonicMs = clock.monotonicMs();
    let sleepMs = Infinity;
    for (const { task, finished } of this.#tasks) {
      if (finished) continue;
      sleepMs = Math.min(sleepMs, task.nextProcessingTimeMs() - nowMs, task.nextMonotonicMs() - monotonicMs);
    }
    return Math.max(0, sleepMs);
  }

  async #deploy(deploy: Deploy): Promise<void> {
    this.#state = "deploying";
    try {
      await this.#open(deploy);
    } catch (error) {
      this.fail(null, error);
    }
    this.#state = "running";
    if (this.#unwanted) this.#close({ outcome: "abort", discard: true });
    if (this.#unwanted || this.#stopped === "failed") return;
    this.#options.send({ kind: "deployed" });
    if (this.#stopped === "asked") {
      this.#prepareAll();
      return;
    }
    this.#markAll("idle");
    for (const { task } of this.#tasks) task.parts.source?.start();
    for (const message of this.#early.splice(0)) this.#onSplitMessage(message);
    this.#options.wake();
  }

  async #open({ job, tasks, wiring }: Deploy): Promise<void> {
    const deployed = await this.#options.factory.deploy(job, tasks, wiring);
    this.#coordinators = deployed.coordinators;
    this.#committers = deployed.committers;
    this.#outlets = deployed.outlets;
    this.#release = deployed.release;
    this.#tasks = deployed.tasks.map((task) => ({ ...task, finished: false }));
    for (const { task } of this.#tasks) for (const sink of task.parts.sinks) await sink.open();
    for (const coordinator of this.#coordinators.values()) await coordinator.start();
  }

  #taskOf(id: TaskId): Task | null {
    return this.#tasks.find(({ descriptor }) => descriptor.id === id)?.task ?? null;
  }

  #answerSplit(vertex: number, subtask: number, task: TaskId): void {
    this.#coordinators.get(vertex)?.request({
      subtask,
      answer: (split) => this.#options.send({ kind: "split", task, split }),
      release: () => this.#options.send({ kind: "splitsFollow", task }),
    });
  }

  #log(error: unknown): void {
    const line = `what is discarded may still be there: ${errorData(error).message}`;
    this.#options.send({ kind: "log", line });
  }

  #close(how: Closing): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#state = "closing";
    this.#markAll("ended");
    this.#outlets?.release();
    this.#closeAll(how).then(
      () => this.#closed(null),
      (error: unknown) => this.#closed(error),
    );
  }

  #markAll(activity: "idle" | "ended"): void {
    const atMs = this.#options.env.clock.monotonicMs();
    for (const { task, finished } of this.#tasks) if (!finished) task.parts.metrics.mark(activity, atMs);
  }

  #closed(error: unknown): void {
    this.#state = "closed";
    this.#tasks = [];
    this.#options.send({ kind: "closed", error: error === null ? null : errorData(error) });
    this.#options.wake();
  }

  async #closeAll({ outcome, discard }: Closing): Promise<void> {
    const failures: unknown[] = [];
    const attempt = async (step: () => Promise<void> | undefined): Promise<void> => {
      try {
        await step();
      } catch (error) {
        failures.push(error); // The other tasks must close all the same; reported with "closed".
      }
    };
    for (const { task } of this.#tasks) {
      await attempt(() => task.close(outcome));
      if (!discard) continue;
      for (const prepared of await task.prepared()) await attempt(() => this.#committers?.discard(prepared));
    }
    await attempt(() => this.#committers?.close());
    for (const coordinator of this.#coordinators.values()) await attempt(() => coordinator.close());
    await attempt(() => this.#release());
    if (failures.length > 0) throw failures[0];
  }
}

// A slot: runs the tasks of one slot-sharing group cooperatively, answers control requests between their turns.
//
// Owns: its tasks, the sources' split coordinators, the accounting of time. Does not own: its thread (slot runners),
// memory pools, the decision what to run (job master).
//
//   S1. User code runs inside `turn`, `onMessage("deploy")` and asynchronous callbacks of sources and sinks, nowhere
//       else.
//   S2. The first failure ends all tasks of the slot: they share a thread, and the job master cancels the job anyway.
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
  #outlets: RowOutlets | null = null;
  #release: () => Promise<void> = async () => undefined;
  #state: "empty" | "deploying" | "running" | "closing" | "closed" = "empty";
  /** What other slots, deployed before this one, wanted of its coordinators meanwhile. */
  readonly #early: SplitMessage[] = [];
  /** Failed or cancelled before its tasks ran. */
  #unwanted = false;

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
      case "commit":
        this.#close("commit");
        break;
      case "cancel":
        if (this.#state === "deploying") this.#unwanted = true;
        else this.#close(message.commit ? "stop" : "abort");
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
    if (this.#state !== "running") return IDLE;
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
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#options.send({ kind: "failed", task, error: errorData(error) });
    if (this.#state === "deploying")
      this.#unwanted = true; // What is being opened must be open before it can be closed.
    else this.#close("abort");
  }

  #turnOf(running: Running, deadlineMs: number): "more" | "idle" | "blocked" | null {
    try {
      this.#options.onTurn(running.descriptor.vertex);
      const result = running.task.turn(deadlineMs);
      this.#options.onTurn(null);
      if (result !== "finished") return result;
      running.finished = true;
      this.#options.send({ kind: "finished", task: running.descriptor.id });
      return "idle";
    } catch (error) {
      this.#options.onTurn(null);
      this.fail(running.descriptor.id, error);
      return null;
    }
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
    if (this.#unwanted) {
      this.#close("abort");
      return;
    }
    this.#options.send({ kind: "deployed" });
    this.#markAll("idle");
    for (const { task } of this.#tasks) task.parts.source?.start();
    for (const message of this.#early.splice(0)) this.#onSplitMessage(message);
    this.#options.wake();
  }

  async #open({ job, tasks, wiring }: Deploy): Promise<void> {
    const deployed = await this.#options.factory.deploy(job, tasks, wiring);
    this.#coordinators = deployed.coordinators;
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

  #close(how: "commit" | "stop" | "abort"): void {
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

  async #closeAll(how: "commit" | "stop" | "abort"): Promise<void> {
    const failures: unknown[] = [];
    const attempt = async (step: () => Promise<void>): Promise<boolean> => {
      try {
        await step();
        return true;
      } catch (error) {
        failures.push(error); // The other tasks must close all the same; reported with "closed".
        return false;
      }
    };
    for (const { task } of this.#tasks) {
      const committed = how === "abort" ? false : await attempt(() => (how === "commit" ? task.commit() : task.stop()));
      await attempt(() => task.close(committed ? "committed" : "abort"));
    }
    for (const coordinator of this.#coordinators.values()) await attempt(() => coordinator.close());
    await attempt(() => this.#release());
    if (failures.length > 0) throw failures[0];
  }
}

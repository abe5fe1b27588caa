// A slot: runs the tasks of one job that it is given, cooperatively, and answers control requests between their turns.
//
//   empty ─▶ (deploy | cancel | fail, of single tasks)* ─▶ empty ─▶ …
//
// Owns: its tasks, the sources' split coordinators, the accounting of time. Does not own: its thread (slot runners),
// memory pools, the decision what to run (job master).
//
//   S1. User code runs inside `turn`, `onMessage("deploy")` and asynchronous callbacks of sources and sinks, nowhere
//       else.
//   S2. A task that fails stops alone, others go on. What cannot be laid to one task (a late rejection, the heap)
//       stops all of them: they share a thread. They are closed when the slot is told to and not before, since what
//       some of them have prepared may have to be committed.
//   S3. After "closed" nothing is left of a task: no file, timer or segment. What tasks that were deployed together
//       share goes with the last of them.
//   S4. A task is closed once, and once it is open: what is stopped or cancelled while it is being opened waits for
//       that.
//   S5. Once it is abandoned it touches nothing any more: what it held is others'.

import type { Env } from "../../base/env.ts";
import type { JobVertex } from "../../graph/job-graph.ts";
import { errorData } from "../../protocol/error-data.ts";
import type {
  CheckpointMessage,
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
import type { Task, TurnResult } from "../task/task.ts";
import type { SlotCheckpoints } from "./slot-checkpoints.ts";

export type SlotTask = {
  readonly descriptor: TaskDescriptor;
  readonly task: Task;
  /** Of a source's first subtask: that of the source. */
  readonly coordinator: SourceCoordinator | null;
  /** Of sinks whose rows go to whoever started the job. */
  readonly outlets: RowOutlets;
};

/** Tasks that were made together. */
export type DeployedTasks = {
  readonly tasks: readonly SlotTask[];
  /** Of all sinks of the job. */
  readonly committers: SinkCommitters;
  /** Null: the job takes no checkpoints. */
  readonly checkpoints: SlotCheckpoints | null;
  /** Gives back what tasks do not own themselves. */
  release(): Promise<void>;
};

/** Rebuilds the job and makes its tasks; the real one imports the bundle. */
export interface TaskFactory {
  deploy(job: JobDescriptor, tasks: readonly TaskDescriptor[], wiring: SlotWiring): Promise<DeployedTasks>;
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

/** A task that the slot was given and that is not closed. */
type Given = {
  readonly descriptor: TaskDescriptor;
  readonly deployment: Deployment;
  /** Null: it is not made yet, or could not be. */
  made: SlotTask | null;
  /** "over": it gets no further turn, and waits to be closed. */
  phase: "opening" | "running" | "over" | "closing";
  failed: boolean;
  /** What is to become of it once it is open (S4). */
  wish: "prepare" | Closing | null;
};

/** What tasks that were given together share. */
type Deployment = {
  deployed: DeployedTasks | null;
  /** Tasks that are not closed yet. */
  open: number;
};

/** What becomes of what sinks have written, and of what they have prepared. */
type Closing = { readonly outcome: "committed" | "abort"; readonly discard: boolean };

const CLOSED: Closing = { outcome: "committed", discard: false };

type Deploy = Extract<ToSlot, { readonly kind: "deploy" }>;

type SplitMessage = Extract<ToSlot, { readonly kind: "splits" | "splitsFollow" | "splitRequest" }>;

export type SlotTurn = {
  /** Something was done, or can be done at once. */
  readonly busy: boolean;
  /** Milliseconds until the slot wants a turn without being rung; Infinity for never. */
  readonly sleepMs: number;
};

/** What a task was between two turns, by how the first of them ended. */
const SINCE_TURN = { more: "busy", idle: "idle", blocked: "backPressured" } as const;
const WITHIN_TURN = { more: "busy", idle: "busy", blocked: "backPressured", finished: "busy" } as const;

export class Slot {
  readonly #options: SlotOptions;
  readonly #tasks = new Map<TaskId, Given>();
  /** Those that get turns. */
  #running: readonly Given[] = [];
  /** What others, deployed before, wanted of tasks that are being opened. */
  #early: SplitMessage[] = [];
  #abandoned = false;

  constructor(options: SlotOptions) {
    this.#options = options;
  }

  /** Nothing is left of the tasks that it was given. */
  get isEmpty(): boolean {
    return this.#tasks.size === 0;
  }

  get isAbandoned(): boolean {
    return this.#abandoned;
  }

  /** Its thread counts as ended, though it goes on with other things (S5). */
  abandon(): void {
    this.#abandoned = true;
    this.#running = [];
  }

  /** Of its tasks. */
  get chains(): readonly JobVertex[] {
    return [...this.#tasks.values()].flatMap(({ made }) => made?.task.parts.chain.options.vertex ?? []);
  }

  onMessage(message: ToSlot): void {
    switch (message.kind) {
      case "deploy":
        void this.#deploy(message);
        break;
      case "prepare":
        for (const given of this.#tasks.values()) this.#stop(given);
        break;
      case "drain":
        for (const { made } of this.#tasks.values()) made?.task.drain();
        this.#options.wake();
        break;
      case "commit":
        this.#commit(message);
        break;
      case "discard":
        this.#deployed()
          ?.committers.discard(message.prepared)
          .catch((error: unknown) => this.#log(error));
        break;
      case "close":
        this.#close(null, CLOSED);
        break;
      case "cancel":
        this.#close(message.tasks, { outcome: "abort", discard: message.discard });
        break;
      case "coordinate":
      case "goOn":
      case "checkpoint":
      case "checkpointAborted":
      case "checkpointCompleted":
        this.#onCheckpointMessage(message);
        break;
      case "rowsRead":
        this.#tasks.get(message.task)?.made?.outlets.of(message.sink).read(message.bytes);
        break;
      default:
        if (!this.#onSplitMessage(message) && this.#isOpening()) this.#early.push(message);
    }
  }

  #onCheckpointMessage(message: CheckpointMessage): void {
    const given = [...this.#tasks.values()];
    const tasks = given.flatMap(({ phase, made }) => (phase === "running" && made !== null ? [made.task] : []));
    const coordinators = given.flatMap(({ descriptor, made, phase, failed }) => {
      const coordinator = made?.coordinator ?? null;
      if (coordinator === null || failed || phase === "opening" || phase === "closing") return [];
      return [{ vertex: descriptor.vertex, uid: coordinator.uid, coordinator }];
    });
    this.#deployed()?.checkpoints?.onMessage(message, tasks, coordinators);
    this.#options.wake();
  }

  /** False: there is no such task. */
  #onSplitMessage(message: SplitMessage): boolean {
    if (message.kind === "splitRequest") return this.#answerSplit(message.vertex, message.subtask, message.task);
    const given = this.#tasks.get(message.task);
    if (given === undefined || given.phase === "opening") return false;
    const source = given.made?.task.parts.source;
    if (message.kind === "splits") source?.onSplits(message.splits);
    else {
      source?.release();
      this.#options.wake(); // For the watermark.
    }
    return true;
  }

  /** One turn of every task. */
  turn(): SlotTurn {
    this.#options.onLook();
    const { clock } = this.#options.env;
    let busy = false;
    let atMs = clock.monotonicMs();
    for (const given of this.#running) {
      const { made, descriptor, phase } = given;
      if (made === null || phase !== "running") continue; // By what user code did in the turn of another one.
      const { metrics } = made.task.parts;
      metrics.mark("busy", atMs);
      const result = this.#turnOf(given, made, atMs + this.#options.turnBudgetMs);
      atMs = clock.monotonicMs();
      if (result === null) continue;
      metrics.mark(result === "finished" ? "ended" : SINCE_TURN[result], atMs, WITHIN_TURN[result]);
      if (result === "more") busy = true;
      if (result === "finished") this.#finished(descriptor.id);
    }
    return busy ? { busy, sleepMs: 0 } : { busy, sleepMs: this.#sleepMs() };
  }

  /** Something outside a turn failed: a late rejection, a coordinator. `task` null: any may have done it (S2). */
  fail(task: TaskId | null, error: unknown): void {
    const all = [...this.#tasks.values()].filter(({ phase, failed }) => phase !== "closing" && !failed);
    const failed = task === null ? all : all.filter(({ descriptor }) => descriptor.id === task);
    if (failed.length === 0) return;
    for (const given of failed) {
      given.failed = true;
      this.#endTurns(given);
    }
    this.#options.send({
      kind: "failed",
      tasks: failed.map(({ descriptor }) => descriptor.id),
      error: errorData(error),
    });
  }

  /** Null: it has failed, or was stopped by what user code did in it. */
  #turnOf(given: Given, { task }: SlotTask, deadlineMs: number): TurnResult | null {
    try {
      this.#options.onTurn(given.descriptor.vertex);
      const result = task.turn(deadlineMs);
      this.#options.onTurn(null);
      return given.phase === "running" ? result : null;
    } catch (error) {
      this.#options.onTurn(null);
      this.fail(given.descriptor.id, error);
      return null;
    }
  }

  #finished(id: TaskId): void {
    const given = this.#tasks.get(id);
    if (given === undefined) return;
    given.phase = "over";
    this.#tasksChanged();
    void this.#prepare(given);
  }

  async #prepare({ descriptor, made }: Given): Promise<void> {
    const { id } = descriptor;
    try {
      const sinks = (await made?.task.prepare()) ?? [];
      if (this.#tasks.get(id)?.phase === "over") this.#options.send({ kind: "prepared", task: id, sinks });
    } catch (error) {
      this.fail(id, error);
    }
  }

  /** Where it is, to prepare. */
  #stop(given: Given): void {
    if (given.phase === "opening") given.wish ??= "prepare";
    if (given.phase !== "running") return;
    this.#endTurns(given);
    given.made?.outlets.release();
    void this.#prepare(given);
  }

  #endTurns(given: Given): void {
    if (given.phase !== "running") return;
    this.#mark(given, "ended");
    given.phase = "over";
    this.#tasksChanged();
  }

  #tasksChanged(): void {
    this.#running = [...this.#tasks.values()].filter(({ phase }) => phase === "running");
  }

  /** With what the task was deployed with, if it is here: it closes once that is through. */
  #commit({ task, prepared }: Extract<ToSlot, { readonly kind: "commit" }>): void {
    const { sink } = prepared;
    const deployed = this.#tasks.get(task)?.deployment.deployed ?? this.#deployed();
    deployed?.committers.commit(prepared).then(
      () => this.#options.send({ kind: "committed", task, sink }),
      (error: unknown) => this.#options.send({ kind: "commitFailed", task, sink, error: errorData(error) }),
    );
  }

  /** With any of its tasks: all are of one job. */
  #deployed(): DeployedTasks | null {
    for (const { deployment } of this.#tasks.values()) if (deployment.deployed !== null) return deployment.deployed;
    return null;
  }

  #log(error: unknown): void {
    const line = `what is discarded may still be there: ${errorData(error).message}`;
    this.#options.send({ kind: "log", line });
  }

  #sleepMs(): number {
    if (this.#running.length === 0) return Infinity;
    const { clock } = this.#options.env;
    const nowMs = clock.nowMs();
    const monotonicMs = clock.monotonicMs();
    let sleepMs = Infinity;
    for (const { made } of this.#running) {
      if (made === null) continue;
      const { task } = made;
      sleepMs = Math.min(sleepMs, task.nextProcessingTimeMs() - nowMs, task.nextMonotonicMs() - monotonicMs);
    }
    return Math.max(0, sleepMs);
  }

  async #deploy(deploy: Deploy): Promise<void> {
    const deployment: Deployment = { deployed: null, open: deploy.tasks.length };
    const given = deploy.tasks.map((descriptor): Given => {
      return { descriptor, deployment, made: null, phase: "opening", failed: false, wish: null };
    });
    for (const task of given) this.#tasks.set(task.descriptor.id, task);
    let failure: { readonly error: unknown } | null = null;
    try {
      await this.#open(deploy, given, deployment);
    } catch (error) {
      failure = { error };
    }
    if (this.#abandoned) return;
    for (const task of given) task.phase = "over";
    const ids = given.filter(({ failed, wish }) => !failed && !isClosing(wish)).map(({ descriptor }) => descriptor.id);
    if (failure === null) this.#opened(given);
    else if (ids.length > 0) this.#notOpened(given, failure.error, ids);
    for (const { descriptor, wish } of given) if (isClosing(wish)) this.#close([descriptor.id], wish);
    for (const message of this.#early.splice(0)) this.onMessage(message);
    this.#options.wake();
  }

  async #open({ job, tasks, wiring }: Deploy, given: readonly Given[], deployment: Deployment): Promise<void> {
    const deployed = await this.#options.factory.deploy(job, tasks, wiring);
    deployment.deployed = deployed;
    for (const [index, made] of deployed.tasks.entries()) given[index]!.made = made;
    for (const made of deployed.tasks) if (!this.#abandoned) await openSinks(made, deployed.committers);
    for (const { coordinator, descriptor } of deployed.tasks) {
      const { restore } = descriptor;
      const source = restore?.source ?? null;
      if (this.#abandoned) return;
      await coordinator?.start(source === null ? null : { ...source, checkpoint: restore!.checkpoint });
    }
  }

  #opened(given: readonly Given[]): void {
    const wanted = given.filter(({ failed, wish }) => !failed && !isClosing(wish));
    if (wanted.length === 0) return;
    this.#options.send({ kind: "deployed", tasks: wanted.map(({ descriptor }) => descriptor.id) });
    for (const task of wanted) {
      task.phase = "running";
      this.#mark(task, "idle");
    }
    this.#tasksChanged();
    for (const task of wanted) {
      if (task.wish === "prepare") this.#stop(task);
      else if (task.made?.task.parts.finished !== true) task.made?.task.parts.source?.start();
    }
  }

  #notOpened(given: readonly Given[], error: unknown, ids: readonly TaskId[]): void {
    for (const task of given) task.failed = true;
    this.#options.send({ kind: "failed", tasks: ids, error: errorData(error) });
  }

  #isOpening(): boolean {
    return [...this.#tasks.values()].some(({ phase }) => phase === "opening");
  }

  /** False: the coordinator is not here. */
  #answerSplit(vertex: number, subtask: number, task: TaskId): boolean {
    for (const { descriptor, made, phase } of this.#tasks.values()) {
      const coordinator = made?.coordinator ?? null;
      if (coordinator === null || descriptor.vertex !== vertex || phase === "opening" || phase === "closing") continue;
      coordinator.request({
        subtask,
        answer: (splits) => this.#options.send({ kind: "splits", task, splits }),
        release: () => this.#options.send({ kind: "splitsFollow", task }),
      });
      return true;
    }
    return false;
  }

  /** Closes these of its tasks, null for all. */
  #close(ids: readonly TaskId[] | null, how: Closing): void {
    const meant = [...this.#tasks.values()].filter(({ descriptor }) => ids === null || ids.includes(descriptor.id));
    for (const given of meant) if (given.phase === "opening" && !isClosing(given.wish)) given.wish = how;
    const closing = meant.filter(({ phase }) => phase === "running" || phase === "over");
    for (const given of closing) {
      if (given.phase === "running") this.#mark(given, "ended");
      given.phase = "closing";
      given.made?.outlets.release();
    }
    this.#tasksChanged();
    void this.#closeAll(closing, how);
  }

  #mark({ made }: Given, activity: "idle" | "ended"): void {
    made?.task.parts.metrics.mark(activity, this.#options.env.clock.monotonicMs());
  }

  /** One after the other; never rejects. */
  async #closeAll(closing: readonly Given[], how: Closing): Promise<void> {
    for (const { descriptor, deployment, made } of closing) {
      const { deployed } = deployment;
      const steps = made === null || deployed === null ? [] : closingSteps(made, deployed.committers, how);
      deployment.open -= 1;
      if (deployment.open === 0 && deployed !== null) steps.push(...releaseSteps(deployed));
      const failures = await this.#failuresOf(steps);
      if (this.#abandoned) return;
      this.#tasks.delete(descriptor.id);
      const error = failures.length === 0 ? null : errorData(failures[0]);
      this.#options.send({ kind: "closed", task: descriptor.id, error });
    }
    if (closing.length > 0) this.#options.wake();
  }

  /** The rest is done all the same after a failure. */
  async #failuresOf(steps: readonly Step[]): Promise<unknown[]> {
    const failures: unknown[] = [];
    for (const step of steps) {
      if (this.#abandoned) break;
      try {
        await step();
      } catch (error) {
        failures.push(error); // Reported with "closed".
      }
    }
    return failures;
  }
}

type Step = () => Promise<void>;

/** What was prepared before the restored checkpoint is committed first. */
async function openSinks({ task, descriptor }: SlotTask, committers: SinkCommitters): Promise<void> {
  const { restore } = descriptor;
  for (const prepared of restore?.recommit ?? []) await committers.commit(prepared);
  for (const sink of task.parts.sinks) await sink.open();
}

function isClosing(wish: Given["wish"]): wish is Closing {
  return wish !== null && wish !== "prepare";
}

function closingSteps({ task, coordinator }: SlotTask, committers: SinkCommitters, how: Closing): Step[] {
  const discard = async (): Promise<void> => {
    if (how.discard) await discardAll(task, committers);
  };
  return [() => task.close(how.outcome), discard, async () => coordinator?.close()];
}

async function discardAll(task: Task, committers: SinkCommitters): Promise<void> {
  const failures: unknown[] = [];
  for (const prepared of await task.prepared())
    await committers.discard(prepared).catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

function releaseSteps(deployed: DeployedTasks): Step[] {
  return [() => deployed.committers.close(), () => deployed.release()];
}

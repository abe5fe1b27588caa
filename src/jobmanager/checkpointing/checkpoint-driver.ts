// Takes the checkpoints of a job: does what coordinator.ts decides, and tells it what became of it.
//
// Owns: timers, what was said of checkpoints under way, the store's writes. Does not own: the job's life, the slots.
//
//   K1. Checkpoints are taken while all tasks of the job run; between `pause` and `start` none is.
//   K2. Tasks that begin anew from a checkpoint have prepared what it says, whatever those before them had prepared
//       since: the rows behind that come again.

import type { Env, TimerHandle } from "../../base/env.ts";
import { assert, EngineError, ExternalError, unreachable } from "../../base/errors.ts";
import type { CheckpointId } from "../../base/ids.ts";
import type { CompletedCheckpointStore } from "../../checkpoint/completed-store.ts";
import { type CheckpointMetadata, stateBytes } from "../../checkpoint/format/metadata.ts";
import type { WrittenState } from "../../checkpoint/format/subtask-state.ts";
import type { RestorePlan } from "../../checkpoint/restore.ts";
import { writtenBytes } from "../../checkpoint/shared-files.ts";
import type { JobGraph, JobVertex } from "../../graph/job-graph.ts";
import { isBounded } from "../../graph/plan.ts";
import type { Json } from "../../operators/source.ts";
import { errorFromData } from "../../protocol/error-data.ts";
import type {
  CheckpointMessage,
  CheckpointTiming,
  FromSlot,
  JobDescriptor,
  PreparedSink,
  TaskDescriptor,
  TaskId,
} from "../../protocol/slot-messages.ts";
import { filesOf, operatorStates } from "./assembly.ts";
import type { TaskPrepared } from "./checkpoint-commits.ts";
import { Committables } from "./committables.ts";
import {
  type CheckpointDecision,
  type CheckpointFact,
  type CheckpointingState,
  type CheckpointKind,
  checkpointingNext,
  nextCheckpointTimeMs,
} from "./coordinator.ts";
import { uncommittedOf } from "./task-restores.ts";

/** A checkpoint that was completed, as people see it. */
export type CompletedCheckpoint = {
  readonly id: CheckpointId;
  readonly kind: CheckpointKind;
  /** Wall clock. */
  readonly atMs: number;
  readonly durationMs: number;
  /** Of its files and its metadata's state. */
  readonly fullBytes: number;
  /** Of them, what was written for it: the rest is in files of older ones. */
  readonly bytes: number;
  /** The longest of any task. */
  readonly timing: CheckpointTiming;
};

export type CheckpointDriverOptions = {
  readonly env: Env;
  readonly graph: JobGraph;
  readonly job: Pick<JobDescriptor, "jobId" | "planHash" | "planText">;
  readonly store: CompletedCheckpointStore;
  /** As it was left by the process before. */
  readonly state: CheckpointingState;
  /** What the tasks have begun from; null: they begin anew. */
  readonly restored: RestorePlan | null;
  /** The first of the job. */
  readonly tasks: readonly TaskDescriptor[];
  readonly postAll: (message: CheckpointMessage) => void;
  /** What was prepared for it can be committed. */
  readonly onCompleted: (checkpoint: CompletedCheckpoint, prepared: readonly TaskPrepared[]) => void;
  readonly onFailed: (id: CheckpointId, reason: string) => void;
  /** The job cannot go on without checkpoints. */
  readonly fail: (error: EngineError) => void;
};

export type CheckpointReport = Extract<
  FromSlot,
  {
    readonly kind: "coordinated" | "checkpointTaken" | "checkpointAcknowledged" | "checkpointDeclined";
  }
>;

/** What was said of one that is under way. */
type UnderWay = {
  readonly startedMs: number;
  readonly acknowledged: Map<TaskId, WrittenState>;
  readonly coordinators: Map<string, Json>;
  timing: CheckpointTiming;
  /** Null: it was not stored yet. */
  metadata: CheckpointMetadata | null;
};

/** A checkpoint that was asked for by itself, and is there until it is let go of. */
export type HeldCheckpoint = { readonly metadata: CheckpointMetadata; readonly release: () => Promise<void> };

/** Who waits for one. */
type Waiter = PromiseWithResolvers<HeldCheckpoint>;

/** What is known of a task before it runs. */
type TaskPlace = { readonly subtask: number; readonly isReader: boolean; readonly sinks: readonly string[] };

export class CheckpointDriver {
  readonly #options: CheckpointDriverOptions;
  /** What is prepared becomes visible with each checkpoint; else at the end of the job alone. */
  readonly #commits: boolean;
  readonly #underWay = new Map<CheckpointId, UnderWay>();
  readonly #finished = new Set<TaskId>();
  /** Those that count. */
  #tasks: readonly TaskDescriptor[];
  #places: ReadonlyMap<TaskId, TaskPlace>;
  #committables: Committables;
  /** The checkpoint up to which what was prepared is being committed, or is committed. */
  #committedUpTo = 0;
  #state: CheckpointingState;
  #timer: TimerHandle | null = null;
  #storing: Promise<void> = Promise.resolve();
  readonly #waiters = new Map<CheckpointId, Waiter>();
  /** "asked": its sources are told to end ahead of their end. "over": it began from where they had. */
  #drained: "asked" | "over" | null;
  #isFinalKept = false;

  constructor(options: CheckpointDriverOptions) {
    this.#options = options;
    this.#state = options.state;
    const { tasks, graph, restored } = options;
    this.#commits = !isBounded(graph.plan);
    this.#drained = restored?.metadata.drained === true ? "over" : null;
    this.#committables = restored === null ? Committables.none : uncommittedOf(graph, restored);
    this.#tasks = tasks;
    this.#places = this.#placesOf(tasks);
  }

  get state(): CheckpointingState {
    return this.#state;
  }

  /** All tasks run. */
  start(): void {
    const { graph } = this.#options;
    const tasks = this.#tasks;
    this.#tell({
      kind: "running",
      nowMs: this.#nowMs(),
      tasks: {
        tasks: tasks.toSorted((left, right) => left.vertex - right.vertex).map(({ id }) => id),
        names: new Map(tasks.map(({ id, name }) => [id, name])),
        readers: tasks.filter(({ id }) => this.#place(id).isReader).map(({ id }) => id),
        coordinators: [...graph.vertices.keys()].filter((vertex) => isSource(graph.vertices[vertex]!)),
      },
    });
    for (const task of this.#finished) this.#tell({ kind: "finished", task });
  }

  /** Not all tasks run any more. What is being stored may be completed all the same. */
  pause(): void {
    this.#tell({ kind: "stopped" });
  }

  /** Resolves when nothing is being stored any more. */
  async stored(): Promise<void> {
    await this.#storing;
  }

  /** These tasks begin anew, in place of those of the same subtasks (K2). `restored` null: from nothing. */
  restart(again: readonly TaskDescriptor[], restored: RestorePlan | null): void {
    const { graph } = this.#options;
    const isBefore = (task: TaskDescriptor): boolean =>
      again.some(({ vertex, subtask }) => vertex === task.vertex && subtask === task.subtask);
    for (const { id } of this.#tasks.filter(isBefore)) this.#finished.delete(id);
    this.#tasks = [...this.#tasks.filter((task) => !isBefore(task)), ...again];
    this.#places = this.#placesOf(this.#tasks);
    const sinks = new Set(again.flatMap(({ id }) => this.#place(id).sinks));
    const prepared = restored === null ? Committables.none : uncommittedOf(graph, restored);
    this.#committables = this.#committables.replaced(sinks, prepared);
    this.#drained = restored?.metadata.drained === true ? "over" : null; // An older one may not be.
  }

  ask(what: CheckpointKind): void {
    this.#tell({ kind: "asked", nowMs: this.#nowMs(), what });
  }

  /** The final checkpoint is written out as a savepoint. */
  keepFinal(): void {
    this.#isFinalKept = true;
  }

  /** Checkpoints say so once all tasks have come to their end. */
  drain(): void {
    this.#drained ??= "asked";
  }

  /** Takes one now. Rejects with SAVEPOINT_ABORTED when it is given up. */
  take(): Promise<HeldCheckpoint> {
    const { running, pending, nextId } = this.#state;
    const waiter = Promise.withResolvers<HeldCheckpoint>();
    if (running === null || pending.some(({ kind }) => kind === "final")) {
      waiter.reject(notTaken("not all tasks of the job run"));
      return waiter.promise;
    }
    this.#waiters.set(nextId as CheckpointId, waiter);
    this.#tell({ kind: "asked", nowMs: this.#nowMs(), what: "savepoint" });
    return waiter.promise;
  }

  /** A task has come to its end; its sinks have prepared this. */
  finished(task: TaskId, prepared: readonly PreparedSink[]): void {
    // It is part of the first checkpoint in which the task counts as one that has come to its end.
    const { pending, taken, nextId } = this.#state;
    const first = pending.find(({ id }) => id > (taken.get(task) ?? 0))?.id ?? (nextId as CheckpointId);
    this.#committables = this.#committables.with(first, this.#place(task).subtask, prepared);
    this.#finished.add(task);
    this.#tell({ kind: "finished", task });
  }

  /** All that the sinks of a task have prepared and nobody has committed. */
  uncommitted(task: TaskId): readonly PreparedSink[] {
    const { sinks, subtask } = this.#place(task);
    return sinks
      .map((sink) => ({ sink, committables: this.#committables.of(sink, subtask) }))
      .filter(({ committables }) => committables.length > 0);
  }

  /** What a sink of a task has prepared up to a checkpoint is committed. */
  committed(task: TaskId, sink: string, upTo: CheckpointId): void {
    this.#committables = this.#committables.without(sink, this.#place(task).subtask, upTo);
  }

  onReport(report: CheckpointReport): void {
    const { checkpoint: id } = report;
    const underWay = this.#underWay.get(id);
    switch (report.kind) {
      case "coordinated":
        underWay?.coordinators.set(report.uid, report.state);
        this.#tell({ kind: "coordinated", id, vertex: report.vertex });
        break;
      case "checkpointTaken":
        this.#committables = this.#committables.with(id, this.#place(report.task).subtask, report.prepared);
        this.#tell({ kind: "taken", id, task: report.task });
        break;
      case "checkpointAcknowledged":
        if (underWay !== undefined) {
          underWay.acknowledged.set(report.task, report.written);
          underWay.timing = longest(underWay.timing, report.timing);
        }
        this.#tell({ kind: "acknowledged", id, task: report.task });
        break;
      case "checkpointDeclined":
        this.#tell({ kind: "declined", id, nowMs: this.#nowMs(), reason: errorFromData(report.error).message });
        break;
      default:
        unreachable(report);
    }
  }

  #tell(fact: CheckpointFact): void {
    const { state, decisions } = checkpointingNext(this.#state, fact);
    this.#state = state;
    for (const decision of decisions) this.#do(decision);
    this.#setTimer();
  }

  #do(decision: CheckpointDecision): void {
    const { postAll, store, fail, onFailed } = this.#options;
    switch (decision.kind) {
      case "coordinate":
        this.#underWay.set(decision.id, {
          ...{ startedMs: this.#nowMs(), acknowledged: new Map(), coordinators: new Map() },
          ...{ timing: { alignment: 0, sync: 0, async: 0 }, metadata: null },
        });
        postAll({ kind: "coordinate", checkpoint: decision.id });
        break;
      case "trigger":
        postAll({
          ...{ kind: "checkpoint", checkpoint: decision.id },
          isFinal: decision.what === "final",
          canonical: decision.what === "savepoint" || (decision.what === "final" && this.#isFinalKept),
        });
        break;
      case "goOn":
        postAll({ kind: "goOn" });
        break;
      case "store":
        this.#storing = this.#storing.then(() => this.#store(decision.id));
        break;
      case "complete":
        this.#complete(decision.id, decision.what);
        break;
      case "abort":
        this.#underWay.delete(decision.id);
        postAll({ kind: "checkpointAborted", checkpoint: decision.id });
        this.#waiters.get(decision.id)?.reject(notTaken(decision.reason));
        this.#waiters.delete(decision.id);
        onFailed(decision.id, decision.reason);
        break;
      case "discard":
        // What cannot be removed is swept at the next start.
        this.#storing = this.#storing.then(() => store.discard(decision.id)).catch(() => undefined);
        break;
      case "fail":
        fail(notCheckpointed(decision.reason));
        break;
      default:
        unreachable(decision);
    }
  }

  async #store(id: CheckpointId): Promise<void> {
    const { store } = this.#options;
    try {
      const metadata = this.#metadata(id);
      this.#underWay.get(id)!.metadata = metadata;
      await store.complete(metadata);
      this.#tell({ kind: "stored", id, nowMs: this.#nowMs() });
    } catch (error) {
      const reason = error instanceof EngineError ? error.message : String(error);
      this.#tell({ kind: "notStored", id, nowMs: this.#nowMs(), reason });
    }
  }

  #metadata(id: CheckpointId): CheckpointMetadata {
    const { graph, job, env } = this.#options;
    const underWay = this.#underWay.get(id)!;
    const parts = { ...underWay, id, committables: this.#committables };
    const operators = operatorStates(graph, this.#tasks, parts);
    const isAtEnd = operators.every(({ subtasks }) => subtasks.every(({ finished }) => finished));
    return {
      ...{ id, jobId: job.jobId, jobName: graph.plan.name },
      kind: "checkpoint",
      ...((this.#drained === "over" || (this.#drained === "asked" && isAtEnd)) && { drained: true }),
      completedAt: new Date(env.clock.nowMs()).toISOString(),
      ...{ planHash: job.planHash, planText: job.planText },
      operators,
      files: filesOf(parts),
    };
  }

  #complete(id: CheckpointId, kind: CheckpointKind): void {
    const { onCompleted, postAll, env, store } = this.#options;
    const { startedMs, timing, metadata } = this.#underWay.get(id)!;
    assert(metadata !== null, "what is complete was stored");
    this.#underWay.delete(id);
    this.#waiters.get(id)?.resolve({ metadata, release: store.hold(id) });
    this.#waiters.delete(id);
    postAll({ kind: "checkpointCompleted", checkpoint: id });
    const due = this.#commits ? this.#committables.between(this.#committedUpTo, id) : [];
    const prepared = due.map((each) => this.#withTask(each));
    this.#committedUpTo = Math.max(this.#committedUpTo, id);
    const durationMs = this.#nowMs() - startedMs;
    const size = { fullBytes: stateBytes(metadata), bytes: writtenBytes(metadata) };
    onCompleted({ id, kind, atMs: env.clock.nowMs(), durationMs, ...size, timing }, prepared);
  }

  #withTask({ subtask, prepared }: ReturnType<Committables["between"]>[number]): TaskPrepared {
    const task = this.#tasks.find(
      ({ id, subtask: own }) => own === subtask && this.#place(id).sinks.includes(prepared.sink),
    );
    assert(task !== undefined, `nobody has subtask ${subtask} of the sink ${prepared.sink}`);
    return { task: task.id, prepared };
  }

  #setTimer(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const dueMs = nextCheckpointTimeMs(this.#state);
    if (dueMs === Infinity) return;
    const tell = (): void => this.#tell({ kind: "time", nowMs: this.#nowMs() });
    this.#timer = this.#options.env.timers.after(Math.max(0, dueMs - this.#nowMs()), tell, { background: true });
  }

  #placesOf(tasks: readonly TaskDescriptor[]): ReadonlyMap<TaskId, TaskPlace> {
    return new Map(tasks.map((task) => [task.id, placeOf(this.#options.graph, task)]));
  }

  #place(task: TaskId): TaskPlace {
    const place = this.#places.get(task);
    assert(place !== undefined, `${task} is none of the tasks that count`);
    return place;
  }

  #nowMs(): number {
    return this.#options.env.clock.monotonicMs();
  }
}

function placeOf({ vertices }: JobGraph, { vertex, subtask }: TaskDescriptor): TaskPlace {
  const { operators } = vertices[vertex]!;
  const sinks = operators.filter(({ kind }) => kind === "sink").map(({ uid }) => uid);
  return { subtask, isReader: isSource(vertices[vertex]!), sinks };
}

function isSource({ operators }: JobVertex): boolean {
  return operators[0]?.kind === "source";
}

function longest(left: CheckpointTiming, right: CheckpointTiming): CheckpointTiming {
  return {
    alignment: Math.max(left.alignment, right.alignment),
    sync: Math.max(left.sync, right.sync),
    async: Math.max(left.async, right.async),
  };
}

function notTaken(reason: string): ExternalError {
  return new ExternalError("SAVEPOINT_ABORTED", `the checkpoint for the savepoint was given up: ${reason}`, {
    fix: "ask for it again",
  });
}

function notCheckpointed(reason: string): ExternalError {
  return new ExternalError("CHECKPOINT_FAILED", reason, {
    fix: "look at what failed; execution.checkpointing.tolerable-failed-checkpoints says how many may fail in a row",
  });
}

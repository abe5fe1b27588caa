// Takes the checkpoints of one attempt of a job: does what coordinator.ts decides, and tells it what became of it.
//
// Owns: timers, what was said of checkpoints under way, the store's writes. Does not own: the job's life, the slots.

import type { Env, TimerHandle } from "../../base/env.ts";
import { assert, EngineError, ExternalError, unreachable } from "../../base/errors.ts";
import type { CheckpointId, JobId } from "../../base/ids.ts";
import type { CompletedCheckpointStore } from "../../checkpoint/completed-store.ts";
import type { CheckpointMetadata } from "../../checkpoint/format/metadata.ts";
import type { WrittenState } from "../../checkpoint/format/subtask-state.ts";
import type { JobGraph } from "../../graph/job-graph.ts";
import type { Json } from "../../operators/source.ts";
import { errorFromData } from "../../protocol/error-data.ts";
import type {
  CheckpointTiming,
  FromSlot,
  PreparedSink,
  TaskDescriptor,
  TaskId,
  ToSlot,
} from "../../protocol/slot-messages.ts";
import { filesOf, operatorStates } from "./assembly.ts";
import type { TaskPrepared } from "./checkpoint-commits.ts";
import type { Committables } from "./committables.ts";
import {
  type CheckpointDecision,
  type CheckpointFact,
  type CheckpointingState,
  type CheckpointKind,
  checkpointingNext,
  nextCheckpointTimeMs,
} from "./coordinator.ts";

/** A checkpoint that was completed, as people see it. */
export type CompletedCheckpoint = {
  readonly id: CheckpointId;
  readonly kind: CheckpointKind;
  /** Wall clock. */
  readonly atMs: number;
  readonly durationMs: number;
  /** Of its files and its metadata's state. */
  readonly bytes: number;
  /** The longest of any task. */
  readonly timing: CheckpointTiming;
};

export type CheckpointDriverOptions = {
  readonly env: Env;
  readonly graph: JobGraph;
  readonly jobId: JobId;
  readonly store: CompletedCheckpointStore;
  /** As it was left by the attempt before. */
  readonly state: CheckpointingState;
  /** Those of the restored checkpoint that nobody has committed. */
  readonly committables: Committables;
  /** What is prepared becomes visible with each checkpoint; else at the end of the job alone. */
  readonly commits: boolean;
  readonly tasks: readonly TaskDescriptor[];
  readonly postAll: (message: CheckpointMessage) => void;
  /** What was prepared for it can be committed. */
  readonly onCompleted: (checkpoint: CompletedCheckpoint, prepared: readonly TaskPrepared[]) => void;
  readonly onFailed: (id: CheckpointId, reason: string) => void;
  /** The job cannot go on without checkpoints. */
  readonly fail: (error: EngineError) => void;
};

type CheckpointMessage = Extract<
  ToSlot,
  { readonly kind: "coordinate" | "goOn" | "checkpoint" | "checkpointAborted" | "checkpointCompleted" }
>;

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
};

export class CheckpointDriver {
  readonly #options: CheckpointDriverOptions;
  readonly #underWay = new Map<CheckpointId, UnderWay>();
  readonly #finished = new Set<TaskId>();
  readonly #subtasks: ReadonlyMap<TaskId, number>;
  readonly #readers: ReadonlySet<TaskId>;
  #committables: Committables;
  /** The checkpoint up to which what was prepared is being committed, or is committed. */
  #committedUpTo = 0;
  #state: CheckpointingState;
  #timer: TimerHandle | null = null;
  #storing: Promise<void> = Promise.resolve();

  constructor(options: CheckpointDriverOptions) {
    this.#options = options;
    this.#state = options.state;
    this.#committables = options.committables;
    const { tasks, graph } = options;
    this.#subtasks = new Map(tasks.map(({ id, subtask }) => [id, subtask]));
    this.#readers = new Set(tasks.filter(({ vertex }) => isSource(graph, vertex)).map(({ id }) => id));
  }

  /** For the attempt that follows. */
  get state(): CheckpointingState {
    return this.#state;
  }

  /** All tasks run. */
  start(): void {
    const { graph, tasks } = this.#options;
    this.#tell({
      kind: "running",
      nowMs: this.#nowMs(),
      tasks: {
        tasks: tasks.map(({ id }) => id),
        readers: [...this.#readers],
        coordinators: [...graph.vertices.keys()].filter((vertex) => isSource(graph, vertex)),
      },
    });
    for (const task of this.#finished) this.#tell({ kind: "finished", task });
  }

  /** The tasks end. Resolves when nothing is being stored any more. */
  async stop(): Promise<void> {
    this.#tell({ kind: "stopped" });
    this.#timer?.cancel();
    await this.#storing;
  }

  ask(what: "savepoint" | "final"): void {
    this.#tell({ kind: "asked", nowMs: this.#nowMs(), what });
  }

  /** A task has come to its end; its sinks have prepared this. */
  finished(task: TaskId, prepared: readonly PreparedSink[]): void {
    // It is part of the first checkpoint in which the task counts as one that has come to its end.
    const { pending, taken, nextId } = this.#state;
    const first = pending.find(({ id }) => id > (taken.get(task) ?? 0))?.id ?? (nextId as CheckpointId);
    this.#committables = this.#committables.with(first, this.#subtaskOf(task), prepared);
    this.#finished.add(task);
    this.#tell({ kind: "finished", task });
  }

  /** All that the sinks of a task have prepared and nobody has committed. */
  uncommitted(task: TaskId): readonly PreparedSink[] {
    return this.#sinksOf(task)
      .map((sink) => ({ sink, committables: this.#committables.of(sink, this.#subtaskOf(task)) }))
      .filter(({ committables }) => committables.length > 0);
  }

  /** What a sink of a task has prepared up to a checkpoint is committed. */
  committed(task: TaskId, sink: string, upTo: CheckpointId): void {
    this.#committables = this.#committables.without(sink, this.#subtaskOf(task), upTo);
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
        this.#committables = this.#committables.with(id, this.#subtaskOf(report.task), report.prepared);
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
          timing: { alignment: 0, sync: 0, async: 0 },
        });
        postAll({ kind: "coordinate", checkpoint: decision.id });
        break;
      case "trigger":
        postAll({ kind: "checkpoint", checkpoint: decision.id, isFinal: decision.what === "final" });
        break;
      case "goOn":
        postAll({ kind: "goOn" });
        break;
      case "store":
        this.#storing = this.#storing.then(() => this.#store(decision.id, decision.what));
        break;
      case "complete":
        this.#complete(decision.id, decision.what);
        break;
      case "abort":
        this.#underWay.delete(decision.id);
        postAll({ kind: "checkpointAborted", checkpoint: decision.id });
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

  async #store(id: CheckpointId, what: CheckpointKind): Promise<void> {
    const { store } = this.#options;
    try {
      await store.complete(this.#metadata(id, what));
      this.#tell({ kind: "stored", id, nowMs: this.#nowMs() });
    } catch (error) {
      const reason = error instanceof EngineError ? error.message : String(error);
      this.#tell({ kind: "notStored", id, nowMs: this.#nowMs(), reason });
    }
  }

  #metadata(id: CheckpointId, what: CheckpointKind): CheckpointMetadata {
    const { graph, jobId, tasks, env } = this.#options;
    const underWay = this.#underWay.get(id)!;
    const parts = { ...underWay, id, committables: this.#committables };
    return {
      ...{ id, jobId, jobName: graph.plan.name },
      kind: what === "savepoint" ? "savepoint" : "checkpoint",
      completedAt: new Date(env.clock.nowMs()).toISOString(),
      planHash: graph.plan.hash,
      planText: JSON.stringify(graph.plan),
      operators: operatorStates(graph, tasks, parts),
      files: filesOf(parts),
    };
  }

  #complete(id: CheckpointId, kind: CheckpointKind): void {
    const { commits, onCompleted, postAll, env } = this.#options;
    const { acknowledged, startedMs, timing } = this.#underWay.get(id)!;
    this.#underWay.delete(id);
    postAll({ kind: "checkpointCompleted", checkpoint: id });
    const due = commits ? this.#committables.between(this.#committedUpTo, id) : [];
    const prepared = due.map((each) => this.#withTask(each));
    this.#committedUpTo = Math.max(this.#committedUpTo, id);
    const bytes = [...acknowledged.values()].reduce((sum, written) => sum + sizeOf(written), 0);
    const durationMs = this.#nowMs() - startedMs;
    onCompleted({ id, kind, atMs: env.clock.nowMs(), durationMs, bytes, timing }, prepared);
  }

  #withTask({ subtask, prepared }: ReturnType<Committables["between"]>[number]): TaskPrepared {
    const { tasks } = this.#options;
    const task = tasks.find(({ id, subtask: own }) => own === subtask && this.#sinksOf(id).includes(prepared.sink));
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

  #subtaskOf(task: TaskId): number {
    return this.#subtasks.get(task) ?? -1;
  }

  #sinksOf(task: TaskId): readonly string[] {
    const { graph, tasks } = this.#options;
    const vertex = graph.vertices[tasks.find(({ id }) => id === task)?.vertex ?? -1];
    return (vertex?.operators ?? []).filter(({ kind }) => kind === "sink").map(({ uid }) => uid);
  }

  #nowMs(): number {
    return this.#options.env.clock.monotonicMs();
  }
}

function isSource({ vertices }: JobGraph, vertex: number): boolean {
  return vertices[vertex]?.operators[0]?.kind === "source";
}

function sizeOf({ states, file }: WrittenState): number {
  if (file !== null) return file.bytes;
  const handles = states.flatMap(({ state }) => [...Object.values(state.parts), ...(state.keyed?.groups ?? [])]);
  return handles.reduce((sum, handle) => sum + ("inline" in handle ? (handle.inline.length * 3) / 4 : 0), 0);
}

function longest(left: CheckpointTiming, right: CheckpointTiming): CheckpointTiming {
  return {
    alignment: Math.max(left.alignment, right.alignment),
    sync: Math.max(left.sync, right.sync),
    async: Math.max(left.async, right.async),
  };
}

function notCheckpointed(reason: string): ExternalError {
  return new ExternalError("CHECKPOINT_FAILED", reason, {
    fix: "look at what failed; execution.checkpointing.tolerable-failed-checkpoints says how many may fail in a row",
  });
}

// Control messages between a TaskManager and its slots. Plain data: they cross a message port between threads.
//
// A slot is given tasks many times: some are added, some end, others go on meanwhile. Every message about a task
// carries its id, which contains the attempt: what comes late from an earlier attempt is dropped.

import type { CheckpointId, JobId } from "../base/ids.ts";
import type { WrittenState } from "../checkpoint/format/subtask-state.ts";
import type { SourceRestore, SubtaskRestore } from "../checkpoint/restore.ts";
import type { ConfigLayer } from "../config/configuration.ts";
import type { MetricDefinition } from "../metrics/metric-registry.ts";
import type { Connection } from "../network/transport.ts";
import type { Committable } from "../operators/sink.ts";
import type { Json, SourceSplit } from "../operators/source.ts";
import type { EngineErrorData } from "./error-data.ts";
import type { FencedSays } from "./fenced-connection.ts";

/** `vertex/subtask/attempt`: unique within a job. */
export type TaskId = string;

export function taskIdOf(vertex: number, subtask: number, attempt: number): TaskId {
  return `${vertex}/${subtask}/${attempt}`;
}

/** A channel between two tasks, as the task at either end gets it: a name, whatever carries it. */
export type TaskChannel = {
  readonly edge: number;
  /** Sending and receiving subtask. */
  readonly from: number;
  readonly to: number;
  /** Of the sending task. */
  readonly attempt: number;
  /** The slot of the job that the task at the other end is in. */
  readonly peer: number;
};

/** Unique within a job. */
export function channelName({ edge, from, to, attempt }: TaskChannel): string {
  return `${edge}/${from}/${to}/${attempt}`;
}

export type TaskInput = { readonly edge: number; readonly channels: readonly TaskChannel[] };
export type TaskOutput = { readonly edge: number; readonly channels: readonly TaskChannel[] };

/** Unique within a job. */
export function outputName(task: TaskId, { edge }: TaskOutput): string {
  return `${task}/${edge}`;
}

/** Carries a channel to another slot of the same TaskManager. */
export type Ring = { readonly memory: SharedArrayBuffer; readonly peer: number };

/** What carries the channels of the tasks in a slot, as its TaskManager made it. Stays within the process. */
export type SlotWiring = {
  /** By the names of channels; those without a ring lead to tasks in the slot itself. */
  readonly rings: ReadonlyMap<string, Ring>;
  /** Network segments of the outputs that lead there, by the names of the outputs. */
  readonly segments: ReadonlyMap<string, readonly number[]>;
};

export type TaskDescriptor = {
  readonly id: TaskId;
  /** For people: "numbers -> map (1/2)". */
  readonly name: string;
  readonly vertex: number;
  readonly subtask: number;
  readonly attempt: number;
  readonly inputs: readonly TaskInput[];
  readonly outputs: readonly TaskOutput[];
  /** Default: it starts from nothing. */
  readonly restore?: TaskRestore;
};

/** What a task starts from. */
export type TaskRestore = {
  readonly checkpoint: CheckpointId;
  /** What the names of its files are relative to; null: where the job's own checkpoints lie. */
  readonly place: string | null;
  /** It had come to its end, and has nothing more to do. */
  readonly finished: boolean;
  /** By uid of the operator. */
  readonly states: Readonly<Record<string, SubtaskRestore>>;
  /** Of the source whose first subtask it is: for its coordinator. */
  readonly source: SourceRestore | null;
  /** What was prepared before, is not known to be committed, and is to be before the task's sinks are opened. */
  readonly recommit: readonly PreparedSink[];
  /** The same of all subtasks that its sinks had, which others may have got, or which waits for the end of the job. */
  readonly uncommitted: readonly PreparedSink[];
};

/** What one subtask of a sink has prepared. Any slot of the job can commit it. */
export type PreparedSink = { readonly sink: string; readonly committables: readonly Committable[] };

/** What a slot needs to rebuild the job. */
export type JobDescriptor = {
  readonly jobId: JobId;
  /** URL of the bundle; null: the job is already in this thread. */
  readonly bundle: string | null;
  readonly params: Readonly<Record<string, string>>;
  readonly defaults: {
    readonly parallelism: number;
    readonly maxParallelism: number | null;
    readonly preAggregation: boolean;
  };
  readonly planHash: string;
  /** The client's plan, for the readable difference when hashes differ. */
  readonly planText: string;
  readonly config: readonly ConfigLayer[];
  readonly checks: boolean;
  /** Where its checkpoints lie. Default: it takes none. */
  readonly checkpoints?: string;
};

export type ToSlot =
  /** Further tasks. */
  | {
      readonly kind: "deploy";
      readonly job: JobDescriptor;
      readonly tasks: readonly TaskDescriptor[];
      readonly wiring: SlotWiring;
    }
  /** Stop where you are, and prepare what sinks have written so far (an endless job that its user has stopped). */
  | { readonly kind: "prepare" }
  /** Sources end where they are, as if there were no more: all tasks come to their end by it. */
  | { readonly kind: "drain" }
  /** Every task of the job has prepared: make this visible, whoever has prepared it; "committed" or "commitFailed". */
  | { readonly kind: "commit"; readonly task: TaskId; readonly prepared: PreparedSink }
  /** Nobody will commit this, and whoever has prepared it is gone. */
  | { readonly kind: "discard"; readonly prepared: PreparedSink }
  /** Everything is committed: give all back. */
  | { readonly kind: "close" }
  /**
   * Stop these tasks, null for all, drop what is not prepared, give all back. `discard`: drop what is prepared as well,
   * for nobody will commit it.
   */
  | { readonly kind: "cancel"; readonly tasks: readonly TaskId[] | null; readonly discard: boolean }
  /** Snapshot the coordinators of sources, which hand out nothing until "goOn"; "coordinated" for each. */
  | { readonly kind: "coordinate"; readonly checkpoint: CheckpointId }
  /** They hand out splits again. */
  | { readonly kind: "goOn" }
  /**
   * Sources make their snapshots and send barriers. `isFinal`: all tasks stop behind it. `canonical`: all state is to
   * be complete in itself, and readable without the job.
   */
  | {
      readonly kind: "checkpoint";
      readonly checkpoint: CheckpointId;
      readonly isFinal: boolean;
      readonly canonical: boolean;
    }
  | { readonly kind: "checkpointAborted"; readonly checkpoint: CheckpointId }
  | { readonly kind: "checkpointCompleted"; readonly checkpoint: CheckpointId }
  /** A subtask of a source, somewhere, asks the coordinator in this slot for a split. */
  | { readonly kind: "splitRequest"; readonly vertex: number; readonly subtask: number; readonly task: TaskId }
  /** All of an answer; null: there will be no more. */
  | { readonly kind: "splits"; readonly task: TaskId; readonly splits: readonly SourceSplit[] | null }
  /** A subtask of a source: what it may still get only goes on where it is, so its watermark need not wait. */
  | { readonly kind: "splitsFollow"; readonly task: TaskId }
  /** Whoever started the job has read so much of what this sink sent: bytes of rows, characters of lines. */
  | { readonly kind: "rowsRead"; readonly task: TaskId; readonly sink: string; readonly bytes: number };

/** Milliseconds. */
export type CheckpointTiming = {
  /** From the first barrier to the last. */
  readonly alignment: number;
  /** In which the task did nothing else. */
  readonly sync: number;
  /** Until the state was durable, beside the work. */
  readonly async: number;
};

/** The end of a TaskManager, and that of one of its slots. */
export type SlotControl = Connection<FencedSays<ToSlot>, FencedSays<FromSlot>>;
export type SlotSide = Connection<FencedSays<FromSlot>, FencedSays<ToSlot>>;

/** To all slots, of checkpoints. */
export type CheckpointMessage = Extract<
  ToSlot,
  { readonly kind: "coordinate" | "goOn" | "checkpoint" | "checkpointAborted" | "checkpointCompleted" }
>;

export type FromSlot =
  /** The thread is up. */
  | { readonly kind: "ready" }
  /** Tasks that were given together run. */
  | { readonly kind: "deployed"; readonly tasks: readonly TaskId[] }
  /** The task has come to its end, or was told to stop there; its part of each sink waits for the commit. */
  | { readonly kind: "prepared"; readonly task: TaskId; readonly sinks: readonly PreparedSink[] }
  | { readonly kind: "committed"; readonly task: TaskId; readonly sink: string }
  | {
      readonly kind: "commitFailed";
      readonly task: TaskId;
      readonly sink: string;
      readonly error: EngineErrorData;
    }
  /** These have stopped by it: one, or all of the slot when it cannot be laid to one. They wait to be closed. */
  | { readonly kind: "failed"; readonly tasks: readonly TaskId[]; readonly error: EngineErrorData }
  /** Nothing of the task is left: it reads and writes nothing any more, and nothing follows. */
  | { readonly kind: "closed"; readonly task: TaskId; readonly error: EngineErrorData | null }
  /** The thread may hold what tasks to come would suffer from; those there are may go on. */
  | { readonly kind: "spoilt"; readonly reason: string }
  | { readonly kind: "splitRequest"; readonly vertex: number; readonly subtask: number; readonly task: TaskId }
  | { readonly kind: "splits"; readonly task: TaskId; readonly splits: readonly SourceSplit[] | null }
  | { readonly kind: "splitsFollow"; readonly task: TaskId }
  /** What a coordinator has not handed out. */
  | {
      readonly kind: "coordinated";
      readonly checkpoint: CheckpointId;
      readonly vertex: number;
      readonly uid: string;
      readonly state: Json;
    }
  /** The task has made its snapshot; its sinks wait with this, whatever becomes of the checkpoint. */
  | {
      readonly kind: "checkpointTaken";
      readonly checkpoint: CheckpointId;
      readonly task: TaskId;
      readonly prepared: readonly PreparedSink[];
    }
  | {
      readonly kind: "checkpointAcknowledged";
      readonly checkpoint: CheckpointId;
      readonly task: TaskId;
      readonly written: WrittenState;
      readonly timing: CheckpointTiming;
    }
  | {
      readonly kind: "checkpointDeclined";
      readonly checkpoint: CheckpointId;
      readonly task: TaskId;
      readonly error: EngineErrorData;
    }
  | { readonly kind: "metrics"; readonly definitions: readonly MetricDefinition[] }
  /** For the user's terminal. */
  | { readonly kind: "print"; readonly task: TaskId; readonly sink: string; readonly lines: string }
  /** For whoever started the job. */
  | { readonly kind: "rows"; readonly task: TaskId; readonly sink: string; readonly rows: Uint8Array }
  | { readonly kind: "log"; readonly line: string };

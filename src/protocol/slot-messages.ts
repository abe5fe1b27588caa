// Control messages between a TaskManager and its slots. Plain data: they cross a message port between threads.
//
// Every message about a task carries its id, which contains the attempt: what comes late from an earlier attempt is
// dropped.

import type { ConfigLayer } from "../config/configuration.ts";
import type { MetricDefinition } from "../metrics/metric-registry.ts";
import type { Connection, Says } from "../network/transport.ts";
import type { SourceSplit } from "../operators/source.ts";
import type { EngineErrorData } from "./error-data.ts";

/** `vertex/subtask/attempt`: unique within a job. */
export type TaskId = string;

export function taskIdOf(vertex: number, subtask: number, attempt: number): TaskId {
  return `${vertex}/${subtask}/${attempt}`;
}

/** How two tasks are connected, as each end gets it. */
export type LinkSpec =
  /** Both ends in this slot; `id` names the queue. */
  | { readonly kind: "local"; readonly id: string }
  /** The other end is in the slot `peer` of the same process. */
  | { readonly kind: "ring"; readonly id: string; readonly memory: SharedArrayBuffer; readonly peer: number };

export type TaskInput = { readonly edge: number; readonly links: readonly LinkSpec[] };
export type TaskOutput = {
  readonly edge: number;
  readonly links: readonly LinkSpec[];
  /** Network segments that this output owns for its life. */
  readonly segments: readonly number[];
};

export type TaskDescriptor = {
  readonly id: TaskId;
  readonly vertex: number;
  readonly subtask: number;
  readonly attempt: number;
  readonly inputs: readonly TaskInput[];
  readonly outputs: readonly TaskOutput[];
};

/** What a slot needs to rebuild the job. */
export type JobDescriptor = {
  readonly jobId: string;
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
};

export type ToSlot =
  | { readonly kind: "deploy"; readonly job: JobDescriptor; readonly tasks: readonly TaskDescriptor[] }
  /** All tasks of the job have finished: make the sinks' work visible. */
  | { readonly kind: "commit" }
  /** Stop. `commit`: what sinks have written so far becomes visible (an endless job stopped by its user). */
  | { readonly kind: "cancel"; readonly commit: boolean }
  /** A subtask of a source, somewhere, asks the coordinator in this slot for a split. */
  | { readonly kind: "splitRequest"; readonly vertex: number; readonly subtask: number; readonly task: TaskId }
  | { readonly kind: "split"; readonly task: TaskId; readonly split: SourceSplit | null }
  /** A subtask of a source: what it may still get only goes on where it is, so its watermark need not wait. */
  | { readonly kind: "splitsFollow"; readonly task: TaskId }
  /** Whoever started the job has read so much of what this sink sent. */
  | { readonly kind: "rowsRead"; readonly task: TaskId; readonly sink: string; readonly bytes: number };

/** The end of a TaskManager, and that of one of its slots. */
export type SlotControl = Connection<Says<ToSlot>, Says<FromSlot>>;
export type SlotSide = Connection<Says<FromSlot>, Says<ToSlot>>;

export type FromSlot =
  /** The thread is up. */
  | { readonly kind: "ready" }
  | { readonly kind: "deployed" }
  | { readonly kind: "finished"; readonly task: TaskId }
  | { readonly kind: "failed"; readonly task: TaskId | null; readonly error: EngineErrorData }
  /** Everything is closed; nothing follows. */
  | { readonly kind: "closed"; readonly error: EngineErrorData | null }
  | { readonly kind: "splitRequest"; readonly vertex: number; readonly subtask: number; readonly task: TaskId }
  | { readonly kind: "split"; readonly task: TaskId; readonly split: SourceSplit | null }
  | { readonly kind: "splitsFollow"; readonly task: TaskId }
  | { readonly kind: "metrics"; readonly definitions: readonly MetricDefinition[] }
  | { readonly kind: "print"; readonly lines: string }
  /** For whoever started the job. */
  | { readonly kind: "rows"; readonly task: TaskId; readonly sink: string; readonly rows: Uint8Array }
  | { readonly kind: "log"; readonly line: string };

// The operator contract.
//
// Operators are synchronous and poll-style: a task hands them records, watermarks and the time; they answer at once and
// never wait. State is therefore never in the middle of an `await`, and a snapshot between two calls is always
// consistent.
//
//   O1. `Output.offer` always takes the record. False means: the output is full now. Finish the record at hand, return,
//       and the task calls again once there is room. A call may go over by what one record produces, no more.
//   O2. `onWatermark` and `onProcessingTime` return false when they stopped early, because an output was full or the
//       turn was over; the task calls them again with the same argument before anything else reaches the operator.
//   O3. Watermarks never go back; `Infinity` means the input is complete: what is left to give is given then, before
//       operators behind this one hear of it. A record with timestamp < watermark + 1 is late.
//   O4. `onIdle` tells that the input has fallen idle: from then on receivers do not wait for this task's watermarks,
//       so what an operator holds back until one comes has to go now. False as in O2.
//   O5. All that an operator goes on with is in its keyed store, which is snapshotted between two calls only, and never
//       between the calls that O2 repeats: what has stopped half-way is brought to its end first. What an operator
//       only holds back is asked for before that, by `onIdle`.
//   O6. Work whose amount has no bound (the rows of a window, timers that are due) is done bit by bit, and stops when
//       `pause` says so: a slot gives each of its tasks a few milliseconds at a time.
//
// Stateless operators (map, filter, flatMap, …) have no object: the chain compiler writes them straight into the loop
// of the task. This contract is for the others: process functions, windows, aggregates, joins.

import type { Env } from "../base/env.ts";
import type { KeyedStateStore } from "../state/contract/keyed-state.ts";
import type { KeyGroupRange } from "../state/keys/key-groups.ts";
import type { BatchReader } from "../types/bytes/codec.ts";
import type { RowKind } from "../types/bytes/row-kind.ts";

export interface Output {
  /**
   * Takes the record; false when the output is full now (O1). `timestampMs` is NaN for a record without event time.
   * `kind` is one that the plan has for the operator's output; without it the record is an insert.
   */
  offer(record: unknown, timestampMs: number, kind?: RowKind): boolean;
}

export interface OperatorMetrics {
  /** Adds to a counter; the name is Flink's where it has one, for example "numLateRecordsDropped". */
  count(name: string, by?: number): void;
  gauge(name: string, value: number): void;
  /** Adds to a counter that is read as a rate. */
  mark(name: string, by?: number): void;
  /** Records one observation of a distribution. */
  observe(name: string, value: number): void;
}

export interface OperatorContext {
  readonly env: Env;
  readonly uid: string;
  readonly subtaskIndex: number;
  readonly parallelism: number;
  readonly maxParallelism: number;
  readonly keyGroups: KeyGroupRange;
  readonly output: Output;
  /** Side outputs by name; records offered to one that nobody consumes are dropped at no cost. */
  side(name: string): Output;
  /** Null for operators without a key. */
  readonly state: KeyedStateStore | null;
  readonly metrics: OperatorMetrics;
  /** True from the moment any output of the chain is full until the task has made room. */
  full(): boolean;
  /**
   * Whether to stop here: an output is full, or the turn is over. To be asked after every few rows, with their number;
   * the clock is looked at now and then only. An operator that is called does some work before it stops.
   */
  pause(rows: number): boolean;
  /** The operator's current event time: its last watermark, -Infinity before the first. */
  watermark(): number;
  /** The task's input channel that the record at hand came by: the senders of an input are numbered as its subtasks. */
  channel(): number;
}

/** A run of records for a whole-batch operator: plain objects from the same slot, or columns from another one. */
export type RecordBatch = {
  readonly count: number;
  readonly rows: readonly unknown[] | null;
  /** Event times that go with `rows`; null when they have none. */
  readonly timestamps: Float64Array | null;
  readonly reader: BatchReader | null;
};

export interface Operator {
  open(context: OperatorContext): void;
  /**
   * One record of input 0 (or 1 for the second input of a connected operator). `key` and `hash` are undefined and 0
   * without keyBy.
   */
  onRecord(record: unknown, timestampMs: number, key: unknown, hash: number, input: 0 | 1): void;
  /** Optional: told the hashes of the keys whose records come next, to load their state into the processor's cache. */
  prefetch?(hashes: Int32Array, count: number): void;
  /** Optional faster form: consumes records from `from` on, returns the index of the first one not consumed. */
  onBatch?(batch: RecordBatch, from: number, input: 0 | 1): number;
  onWatermark(watermark: number): boolean;
  onIdle?(): boolean;
  /** Earliest time at which `onProcessingTime` wants to be called, Infinity for never. */
  nextProcessingTimeMs(): number;
  onProcessingTime(nowMs: number): boolean;
  close(): void;
}

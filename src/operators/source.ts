// The source contract: an enumerator finds splits and hands them out, one reader per subtask reads them.
//
// Kafka partitions, file ranges, database shards and generated ranges are all splits. A split's position says where to
// go on after a restore; it is plain data, so that it can be stored in a snapshot.
//
//   S1. `poll` never blocks and never awaits: it emits what is there, and says "wait" when there is nothing now.
//   S2. After "wait" the reader calls `wake` once there may be something again.
//   S3. The positions of `snapshot()` name exactly the records not yet emitted: restore + poll gives each of them once.
//   S4. A bounded source ends: after its last split `poll` says "end".
//   S5. What makes reading impossible (a missing file, a broken archive) is thrown by `poll` or `next` as an
//       EngineError; a record that is there but cannot be read goes to `SourceOutput.invalid`.

import type { Disk } from "../base/disk.ts";
import type { Env } from "../base/env.ts";
import type { TypeSpec } from "../types/type-spec.ts";
import type { OperatorMetrics } from "./operator.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** Part of a source's input. `id` is unique within the source; the rest is the source's own, plain data. */
export type SourceSplit = { readonly id: string; readonly position: Json };

export interface EnumeratorContext {
  readonly env: Env;
  readonly disk: Disk;
  readonly uid: string;
  readonly parallelism: number;
  /** Tells the coordinator that `next` may have something after it said "wait". Cheap; may be called at any time. */
  wake(): void;
}

export interface SplitEnumerator {
  /** Finds the first splits. Rejects with an EngineError when the input cannot be read. */
  start(): Promise<void>;
  /**
   * The next split for a subtask; "wait" when there may be more later (then call `wake`), null when there will be none.
   */
  next(subtaskIndex: number): SourceSplit | "wait" | null;
  /** Takes back splits of a reader that failed. */
  addBack(splits: readonly SourceSplit[]): void;
  /** Splits not handed out yet, and what is needed to find further ones. */
  snapshot(): Json;
  /** Called before `start`, which then finds only what the snapshot does not cover. */
  restore(state: Json): void;
  close(): Promise<void>;
}

export interface SourceReaderContext {
  readonly env: Env;
  readonly disk: Disk;
  readonly uid: string;
  readonly subtaskIndex: number;
  readonly parallelism: number;
  readonly metrics: OperatorMetrics;
  /** Tells the task that `poll` may have something. Cheap; may be called at any time. */
  wake(): void;
}

export interface SourceOutput<T> {
  /**
   * Takes the record; false when the task's outputs are full now: stop emitting and return "more". `timestampMs` NaN:
   * none.
   */
  offer(record: T, timestampMs: number): boolean;
  /**
   * A row that could not be read. The task applies the source's policy: fail (throws), skip or side output, and counts
   * the row. Always takes the row; false as for `offer`.
   */
  invalid(row: InvalidRow): boolean;
  /** Tells which split the following records belong to, for watermarks per split. */
  enterSplit(splitId: string): void;
  /** The split is finished: it no longer holds back the watermark. */
  leaveSplit(splitId: string): void;
}

/** What goes to `side.invalid`: the text as read, what is wrong with it, and where it came from. */
export type InvalidRow = {
  readonly raw: unknown;
  readonly issues: readonly string[];
  readonly file?: string;
  readonly line?: number;
};

export type PollResult = "more" | "wait" | "end";

export interface SourceReader<T> {
  /** Accepts a split, fresh or restored. */
  addSplit(split: SourceSplit): void;
  /** No further split will come. */
  noMoreSplits(): void;
  /** Emits at most `limit` records. "more": call again; "wait": nothing now; "end": nothing ever again. */
  poll(output: SourceOutput<T>, limit: number): PollResult;
  /**
   * Event time that the records emitted so far have reached, for readers that know it without looking at them; read
   * after each `poll`. Event-time operators make watermarks of their own from records.
   */
  watermark?(): number;
  /** Unfinished splits with their positions. */
  snapshot(): readonly SourceSplit[];
  close(): Promise<void>;
}

export type InvalidPolicy = "fail" | "skip" | "side";

export interface Source<T> {
  /** Short name for plans and `explain`, for example "csv". */
  readonly kind: string;
  /** Layout of the records; null when it is only learned from them. */
  readonly type: TypeSpec | null;
  readonly bounded: boolean;
  readonly invalid: InvalidPolicy;
  /** Options as plain data, without secrets; part of the plan and its hash. */
  describe(): Json;
  createEnumerator(context: EnumeratorContext): SplitEnumerator;
  createReader(context: SourceReaderContext): SourceReader<T>;
}

/**
 * Fast path for sources whose n-th record is a pure function of n: the chain compiler calls `generate` inside its loop.
 * Split k of p is `{ id: "k/p", position: next }` and owns the indexes k, k + p, k + 2p, … below `count`, of which
 * `next` is the first not yet emitted: event time that grows with the index grows evenly in all subtasks.
 */
export interface IndexedSource<T> extends Source<T> {
  readonly generate: (index: number) => T;
  /** Records in all, Infinity for an endless source. */
  readonly count: number;
  /** Records per second over all subtasks, Infinity for as fast as possible. */
  readonly ratePerSecond: number;
}

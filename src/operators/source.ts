// The source contract: an enumerator finds splits and hands them out, one reader per subtask reads them.
//
// Kafka partitions, file ranges, database shards and generated ranges are all splits. A split's position says where to
// go on after a restore; it is plain data, so that it can be stored in a snapshot.
//
//   S1. `poll` never blocks and never awaits: it emits what is there, and says "wait" when there is nothing now.
//   S2. After "wait" the reader calls `wake` once there may be something again. The task polls by itself after
//       `addSplit` and `noMoreSplits`.
//   S3. The positions of `snapshot()` name exactly the records not yet emitted: restore + poll gives each of them once.
//   S4. A bounded source ends: after its last split `poll` says "end".
//   S5. A split is left once its last record is emitted: that asks for the next one. A reader has one split at a time,
//       but for those that `next` gives together.
//   S6. What makes reading impossible (a missing file, a broken archive) is thrown by `poll` or `next` as an
//       EngineError; a record that is there but cannot be read goes to `SourceOutput.invalid`.
//   S7. Between a snapshot of the enumerator and those of its readers no split is handed out, so that these together
//       name each split that is left exactly once. What readers had goes to a restored enumerator by `addBack`, and
//       any reader may get it, where it goes on. It comes before what was never handed out, and what is one stream
//       comes in its order.

import type { Disk } from "../base/disk.ts";
import type { Env } from "../base/env.ts";
import type { RowKind } from "../types/bytes/row-kind.ts";
import type { TypeSpec } from "../types/spec/type-spec.ts";
import type { Changelog } from "./changelog.ts";
import type { OperatorMetrics } from "./operator.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/**
 * Part of a source's input, such as a file or a partition. `id` is unique within the source. `position` is the source's
 * own, plain data: where to begin, and in `snapshot()` where to go on.
 */
export type SourceSplit = { readonly id: string; readonly position: Json };

export interface EnumeratorContext {
  /** Clock, timers and randomness: use them in place of `Date.now()` and `setTimeout`, which tests cannot move. */
  readonly env: Env;
  readonly disk: Disk;
  readonly uid: string;
  /** Number of readers. */
  readonly parallelism: number;
  /** Tells the coordinator that `next` may have something after it said "wait". Cheap; may be called at any time. */
  wake(): void;
}

/** Finds the splits of a source and hands them out. One for all readers, in the slot of the first of them. */
export interface SplitEnumerator {
  /** Finds the first splits. Rejects with an EngineError when the input cannot be read. */
  start(): Promise<void>;
  /**
   * The next split for a subtask; "wait" when there may be more later (then call `wake`), null when there will be none.
   * Called once for each reader at the start, and again whenever the reader has left a split. Never waits. Several
   * splits are read side by side: a source whose splits do not end, or go through event time together, gives them so
   * when there are more of them than readers, as there may be after a restore.
   */
  next(subtaskIndex: number): SourceSplit | readonly SourceSplit[] | "wait" | null;
  /**
   * Whether all that `next` may still give goes on where this split ends: further ranges of the same file, for example,
   * or nothing. Until then the watermark of the bounded source's subtask that was given this split waits, because what
   * it may get next can be older. Without this method it waits until `next` says null. Not asked where `streams` is
   * "one".
   */
  onlyFollows?(split: SourceSplit): boolean;
  /** Takes back splits of readers that failed or are restored, each with where to go on. `next` gives them first. */
  addBack(splits: readonly SourceSplit[]): void;
  /** Splits not handed out now, and what is needed to find further ones. */
  snapshot(): Json;
  /**
   * Called before `start`, which then finds only what the snapshot does not cover, at any number of readers. What the
   * readers of that time had comes by `addBack` after `start`. Not yet: there are no checkpoints.
   */
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
  /**
   * Tells the task that `poll` may have something after it said "wait": when data has arrived, for example. Cheap; may
   * be called at any time.
   */
  wake(): void;
}

/** Where a reader puts its records during `poll`. */
export interface SourceOutput<T> {
  /**
   * Takes the record, always; false when the task's outputs are full now: stop emitting and return "more". Each record
   * is an object of its own: do not change or reuse it. `timestampMs` is NaN when the source knows no event time.
   * `kind` is one of the source's `changelog`; without it the record is an insert.
   */
  offer(record: T, timestampMs: number, kind?: RowKind): boolean;
  /**
   * A row that could not be read. The task applies the source's policy: fail (throws), skip or side output, and counts
   * the row. Always takes the row; false as for `offer`.
   */
  invalid(row: InvalidRow): boolean;
  /** Tells which split the following records belong to, for watermarks per split. */
  enterSplit(splitId: string): void;
  /**
   * The split is finished: its last record has been emitted. It no longer holds back the watermark, and the reader
   * gets the next split, or `noMoreSplits`. Each split is left once.
   */
  leaveSplit(splitId: string): void;
}

/** What goes to `side.invalid`: the text as read, what is wrong with it, and where it came from. */
export type InvalidRow = {
  readonly raw: unknown;
  readonly issues: readonly string[];
  readonly file?: string;
  readonly line?: number;
};

/**
 * "more": poll again. "wait": there is nothing now; poll again after `wake`, `addSplit` or `noMoreSplits`. "end": there
 * is nothing more in the splits given so far; after `noMoreSplits` it ends the source.
 */
export type PollResult = "more" | "wait" | "end";

/**
 * Reads splits, one at a time: `addSplit`, then `poll` until the reader calls `leaveSplit`, then the next `addSplit`,
 * and at last `noMoreSplits`. Each subtask has one reader.
 */
export interface SourceReader<T> {
  /** Accepts a split, fresh or restored. The task polls after it. */
  addSplit(split: SourceSplit): void;
  /** No further split will come. The task polls after it: say "end" when all splits have been left. */
  noMoreSplits(): void;
  /**
   * Emits at most `limit` records, in between `enterSplit` and `leaveSplit`. Synchronous, and never waits: what takes
   * time (a request, a file) is started here or in `addSplit`, and calls `wake` when it is there. What makes reading
   * impossible is thrown.
   */
  poll(output: SourceOutput<T>, limit: number): PollResult;
  /**
   * Event time that the records emitted so far have reached, for readers that know it without looking at them; read
   * after each `poll`. Event-time operators make watermarks of their own from records.
   */
  watermark?(): number;
  /**
   * The splits not left yet, each with the position of the first record not yet emitted. Called between polls, also to
   * tell a reader that waits for data from one that has forgotten to leave a split.
   */
  snapshot(): readonly SourceSplit[];
  /** Gives back what the reader has opened. Called once, whether the job finished, failed or was cancelled. */
  close(): Promise<void>;
}

/** What becomes of rows that cannot be read: the job fails, they are counted, or they go to `side.invalid` too. */
export type InvalidPolicy = "fail" | "skip" | "side";

/**
 * A source of records `T`, for `env.from(uid, source)`. An enumerator finds the splits of its input; readers, one per
 * subtask, read them.
 */
export interface Source<T> {
  /** Short name for plans and `explain`, for example "csv". */
  readonly kind: string;
  /** Layout of the records; null when it is only learned from them. */
  readonly type: TypeSpec | null;
  /** Whether it ends. */
  readonly bounded: boolean;
  /**
   * Of a bounded source: its records come in their own time, as those of standard input, so that its splits may fall
   * idle. Parts of what exists already never do: who gives nothing waits for a disk. Default: false.
   */
  readonly live?: boolean;
  /**
   * "one": the splits follow one another in event time, in the order in which they are handed out, as the parts of one
   * log do; watermarks go on while later ones wait. Default "several": each goes through time by itself, and the
   * watermark of a bounded source waits until all of them have been begun.
   */
  readonly streams?: "one" | "several";
  /**
   * What its records say of those before them. Default: nothing, each is an insert. Of an upsert all records of a key
   * are to be in one split, in order; a delete needs the fields that functions behind it read, beside the key.
   */
  readonly changelog?: Changelog;
  readonly invalid: InvalidPolicy;
  /** The readers make their records by `type`, so that all fit: they are not checked again. Default: they are. */
  readonly fits?: boolean;
  /** Options as plain data, without secrets; part of the plan and its hash, so the same each time. */
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

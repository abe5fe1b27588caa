// Keyed state: what user functions and operators see, and the contract both stores fulfil.
//
// State is addressed by (operator uid, state name, key group, key, namespace). The operator uid is implied by the
// store: each keyed operator of each subtask has its own. Two stores: `managed` (off-heap rows in pages of one key
// group, generated accessors) and `heap` (any JavaScript value, maps sharded by key group). One contract suite runs
// both (`state/suites/keyed-state.contract.ts`).
//
//   K1. Every call acts on the current key, set by `setKey`. Handles are made once, before the first record.
//   K2. A value read is never changed by a later write, and a value written is never changed by its writer: both stores
//       copy at the border. What is changed in place is not stored; functions that fold get a value of their own, may
//       change it, and give it back.
//   K3. State that outgrows its budget is refused with STATE_BUDGET_EXCEEDED: operator, state name, bytes, the key to
//       raise. The state stays as it was before the refused call.
//   K4. Snapshots are per key group: restoring any partition of the groups over any number of stores gives the same
//       state.

import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import type { FrozenState, PageFill } from "./frozen-state.ts";
import type { KeyedTables } from "./keyed-tables.ts";

/** Time-to-live in processing time, counted from the last write. */
export type TtlMs = number | null;

export type StateSpec =
  | { readonly kind: "value"; readonly name: string; readonly type: TypeSpec; readonly ttlMs: TtlMs }
  | { readonly kind: "list"; readonly name: string; readonly item: TypeSpec; readonly ttlMs: TtlMs }
  | {
      readonly kind: "map";
      readonly name: string;
      readonly key: TypeSpec;
      readonly value: TypeSpec;
      readonly ttlMs: TtlMs;
    }
  | { readonly kind: "reducing"; readonly name: string; readonly type: TypeSpec; readonly ttlMs: TtlMs }
  | { readonly kind: "aggregating"; readonly name: string; readonly accumulator: TypeSpec; readonly ttlMs: TtlMs };

/** As plans have it: with the older type that the state takes over by a function of the user's. */
export type DeclaredState = StateSpec & { readonly migratesFrom?: TypeSpec };

/** How values of an older type become values of the one that is declared. */
export type StateMigration = { readonly from: TypeSpec; readonly with: (old: unknown) => unknown };

export interface ValueState<T> {
  /** The value of the current key; the state's initial value, or null without one, when nothing is stored. */
  get(): T;
  set(value: T): void;
  clear(): void;
}

export interface ListState<T> {
  add(item: T): void;
  /** Items in the order they were added; a new array at each call. */
  get(): readonly T[];
  set(items: readonly T[]): void;
  clear(): void;
}

export interface MapState<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): void;
  has(key: K): boolean;
  delete(key: K): void;
  /** Order is not defined. */
  entries(): IterableIterator<[K, V]>;
  keys(): IterableIterator<K>;
  values(): IterableIterator<V>;
  readonly size: number;
  clear(): void;
}

/** Keeps one value per key; `add` folds a further one into it. */
export interface ReducingState<T> {
  add(value: T): void;
  get(): T | undefined;
  clear(): void;
}

/** The same for operators: `add` returns what is kept then. To users it gives nothing: `onRecord` may end with it. */
export interface ReducedState<T> extends ReducingState<T> {
  add(value: T): T;
}

export interface AggregatingState<In, Out> {
  add(value: In): void;
  get(): Out | undefined;
  clear(): void;
}

export type AggregateFunction<In, Acc, Out> = {
  create(): Acc;
  /** Returns the new accumulator; may be the same object. */
  add(accumulator: Acc, value: In): Acc;
  merge(left: Acc, right: Acc): Acc;
  result(accumulator: Acc): Out;
};

export interface TimerService {
  /** Named timer of the current key: the same name moves it. Event time, epoch milliseconds. */
  set(name: string, atMs: number): void;
  clear(name: string): void;
  get(name: string): number | undefined;
}

/** A timer that is due. Valid during the callback only: the object is reused. */
export type FiredTimer = { name: string; at: number; key: unknown; hash: number; domain: "event" | "processing" };

export interface KeyedTimers {
  /** Timers of the current key in event time. */
  readonly event: TimerService;
  /** Timers of the current key in processing time. */
  readonly processing: TimerService;
  /**
   * Fires due timers in order of time (equal times: in a deterministic order), each removed before its callback, with
   * its key current. The callback may set and clear timers; in event time up to Infinity, the end of the input, it may
   * not add any. Stops early when `stop()` is true: returns false, call again.
   */
  fire(
    domain: "event" | "processing",
    upToMs: number,
    onTimer: (timer: FiredTimer) => void,
    stop: () => boolean,
  ): boolean;
  /**
   * Earliest pending timer, Infinity for none. It may be an earlier time while many timers were moved to later ones:
   * `fire` then finds nothing that is due, and the next answer is better.
   */
  next(domain: "event" | "processing"): number;
  readonly count: number;
  /** Timers that callbacks would have added at the end of the input. */
  readonly dropped: number;
}

export type StateUsage = { readonly name: string; readonly entries: number; readonly bytes: number };

export interface KeyedStateStore {
  readonly kind: "managed" | "heap";
  /** Makes `key` current; `hash` is its canonical hash (types/keys/key-hash.ts). */
  setKey(key: unknown, hash: number): void;
  /**
   * Touches the memory of a run of keys, so that the calls that follow find it in the processor's cache. Optional work.
   */
  prefetch(hashes: Int32Array, count: number): void;
  value<T>(spec: Extract<StateSpec, { kind: "value" }>, initial: (() => T) | null): ValueState<T>;
  list<T>(spec: Extract<StateSpec, { kind: "list" }>): ListState<T>;
  map<K, V>(spec: Extract<StateSpec, { kind: "map" }>): MapState<K, V>;
  reducing<T>(spec: Extract<StateSpec, { kind: "reducing" }>, reduce: (left: T, right: T) => T): ReducedState<T>;
  aggregating<In, Acc, Out>(
    spec: Extract<StateSpec, { kind: "aggregating" }>,
    aggregate: AggregateFunction<In, Acc, Out>,
  ): AggregatingState<In, Out>;
  /** How the older type of a state becomes the one that it has; before the first restore. */
  migrate(state: string, migration: StateMigration): void;
  /** Tables that operators lay out themselves (docs/internals/state.md). */
  readonly tables: KeyedTables;
  readonly timers: KeyedTimers;
  usage(): readonly StateUsage[];
  /** Writes everything of one key group, timers included. */
  snapshot(keyGroup: number, out: ByteWriter): void;
  restore(keyGroup: number, input: ByteReader): void;
  /**
   * All key groups as they are now, to be written by pages while the store works on. Null: it holds little, or is no
   * store of pages; `snapshot` is to be used. `relieved`: whoever waits for it not to be pressed can go on.
   */
  freeze(checkpoint: number, relieved: () => void): FrozenState | null;
  /** What was frozen for a checkpoint is part of a completed one. */
  completed(checkpoint: number): void;
  /**
   * As `restore`, for a key group that was written by pages (table/page-form.ts): gives those that are to be filled;
   * `loaded` once they all are. `refers`: the next snapshot may refer to the same packs.
   */
  load(keyGroup: number, input: ByteReader, refers: boolean): readonly PageFill[];
  loaded(): void;
  /** Gives all memory back. Nothing may be called after it. */
  release(): void;
}

// What one declared state is inside a store: the operations on the current key, and what the store does with it as a
// whole.
//
// Both stores have a cell per kind of state; reducing and aggregating state are value cells with a function around them
// (state-handles.ts). Groups are counted from the operator's first key group.

import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import type { ManagedTable } from "../table/managed-table.ts";
import type { FreezableEntries } from "./frozen-state.ts";
import type { StateSpec, StateUsage } from "./keyed-state.ts";

/** What `get` gives when nothing is stored: any other value could be one. */
export const ABSENT: unique symbol = Symbol("absent");

export interface ValueCell {
  get(): unknown;
  set(value: unknown): void;
  clear(): void;
}

export interface ListCell {
  add(item: unknown): void;
  get(): unknown[];
  set(items: readonly unknown[]): void;
  clear(): void;
}

export interface MapCell {
  get(key: unknown): unknown;
  set(key: unknown, value: unknown): void;
  has(key: unknown): boolean;
  delete(key: unknown): void;
  /** A copy, in no order. */
  entries(): [unknown, unknown][];
  size(): number;
  clear(): void;
}

/** How the entries of a state lie in a snapshot, under the declaration that it had then. */
export type SavedForm = {
  /** When the next entry was written: it comes before what it holds, where it was kept. */
  readonly stamp: (input: ByteReader) => number;
  /** The next value, as the state has it now. */
  readonly read: (input: ByteReader) => unknown;
};

/** Entries of a group in the form of snapshots: state-snapshot.ts. */
export interface CellStorage {
  readonly spec: StateSpec;
  /** What it keeps as rows of managed memory. */
  readonly tables: readonly ManagedTable[];
  /** All that it keeps, when that lies on the heap. */
  readonly heap: FreezableEntries | null;
  usage(): StateUsage;
  snapshot(group: number, out: ByteWriter): void;
  /** The next entry, whose key was made current. */
  restoreEntry(input: ByteReader, saved: SavedForm): void;
  /** Brings what lookups of these keys need into the processor's cache. */
  prefetch(hashes: Int32Array, count: number): void;
  release(): void;
}

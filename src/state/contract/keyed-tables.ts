// Managed tables for operators that lay out their own rows (aggregates, windows): the way past the state handles of
// keyed-state.ts, with the same budget, the same key groups and the same snapshots.
//
//   T1. Tables and parts are made in `open`, before the first record and before any restore.
//   T2. The store snapshots and restores every attached part with each key group, by name. Tables are not snapshotted
//       for themselves: a part writes what cannot be derived, and derives the rest.
//   T3. Releasing the store releases the tables, and what the parts have charged to the heap.

import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import type { HeapBudget } from "../budget/heap-budget.ts";
import type { ManagedTable } from "../table/managed-table.ts";
import type { TableSpec } from "../table/row-layout.ts";
import type { SortedSpec, SortedTable } from "../table/sorted-table.ts";

/** A part most of which is rows of one table, so that its pages can be written in place of them. */
export interface PagedPart {
  readonly table: ManagedTable;
  /** Writes what of a key group is not in the rows. */
  snapshot(keyGroup: number, out: ByteWriter): void;
  /** The rows of a key group are there, as they were: reads what was beside them, and derives the rest. */
  restore(keyGroup: number, input: ByteReader): void;
}

/** What an operator keeps per key group in tables and objects of its own. */
export interface KeyedPart {
  readonly name: string;
  /** What it has charged to the heap for objects beside its tables. */
  readonly bytes: number;
  /** `keyGroup` is absolute. */
  snapshot(keyGroup: number, out: ByteWriter): void;
  restore(keyGroup: number, input: ByteReader): void;
  /** Default: in snapshots by pages it is as in others. */
  readonly paged?: PagedPart;
}

export interface KeyedTables {
  /** A table of this operator's own; a listed one comes with its heads. */
  table(spec: TableSpec): ManagedTable;
  /** A table of this operator's keys in the order of time, which is attached. */
  sorted(spec: SortedSpec): SortedTable;
  attach(part: KeyedPart): void;
  /** Heap that objects beside rows may take, shared with others; whoever takes of it counts it in `usedBytes`. */
  readonly heap: HeapBudget;
}

// The keyed state of one operator in one subtask: its declared states in one kind of cell, its timers, its tables.
//
// Both kinds of store are this class with other cells (managed-store.ts, heap-store.ts). Timers and tables lie in
// managed memory either way.
//
//   S1. A state of a name has one type for the life of the store; asking again with the same type gives the same state.
//   S2. A snapshot names the types of its states. States are made before it is restored, and take over what was stored
//       under another declaration as state-change.ts has it; what cannot be taken is refused with STATE_TYPE_CHANGED.
//       States that are no longer declared are left out: whoever restores has seen to it that the user wants so
//       (checkpoint/restore.ts).

import { canonicalJson } from "../../base/canonical-json.ts";
import type { Clock } from "../../base/env.ts";
import { UserError } from "../../base/errors.ts";
import {
  ByteCursor,
  ByteSink,
  corrupt,
  readString,
  readU32,
  writeByte,
  writeString,
  writeU32,
} from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import { compileKeyHash, type KeyHash } from "../../types/keys/key-hash.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import type { HeapBudget } from "../budget/heap-budget.ts";
import type { FrozenState, PageFill } from "../contract/frozen-state.ts";
import type {
  AggregateFunction,
  AggregatingState,
  KeyedStateStore,
  KeyedTimers,
  ListState,
  MapState,
  ReducedState,
  StateMigration,
  StateSpec,
  StateUsage,
  ValueState,
} from "../contract/keyed-state.ts";
import type { CellStorage, ListCell, MapCell, ValueCell } from "../contract/state-cell.ts";
import { readKeyBytes, readMore } from "../format/state-snapshot.ts";
import type { CurrentKey } from "../keys/current-key.ts";
import { type KeyGroupRange, keyGroupOf } from "../keys/key-groups.ts";
import type { MemoryOwner } from "../pages/memory-owner.ts";
import type { PageAllocator } from "../pages/page-allocator.ts";
import type { ManagedTable } from "../table/managed-table.ts";
import { ManagedTimers } from "../timers/managed-timers.ts";
import { OperatorTables } from "./operator-tables.ts";
import { headerOf, readHeaderText, type SavedHeader, writeHeader } from "./saved-header.ts";
import { SavedState } from "./saved-state.ts";
import { AggregatingHandle, ListHandle, MapHandle, ReducingHandle, ValueHandle } from "./state-handles.ts";
import { StorePages } from "./store-pages.ts";

export type KeyedStoreOptions = {
  /** The operator in its subtask; ends with the store. */
  readonly owner: MemoryOwner;
  /** Type of its key. */
  readonly key: TypeSpec;
  readonly maxParallelism: number;
  readonly keyGroups: KeyGroupRange;
  readonly allocator: PageAllocator;
  readonly clock: Clock;
  /** Any 32-bit integer: makes the tables' second hash unpredictable. */
  readonly seed: number;
  /** Heap of the slot for state: values of the heap store, and what operators keep beside their tables. */
  readonly heapBudget: HeapBudget;
  /** From so much memory on it is written by pages, which takes more room and less time. Default: always. */
  readonly pagedFromBytes?: number;
  /** Of entries on the heap that are written at once (store-pages.ts). */
  readonly bitSteps?: number;
};

/** Makes the cells of one kind of store. */
export interface CellFactory {
  readonly kind: "managed" | "heap";
  value(spec: StateSpec, type: TypeSpec): CellStorage & ValueCell;
  list(spec: Extract<StateSpec, { kind: "list" }>): CellStorage & ListCell;
  map(spec: Extract<StateSpec, { kind: "map" }>): CellStorage & MapCell;
}

/** Of a snapshot by pages: also what the tables are of, and how they are laid out. */
export type PagedHeader = SavedHeader & {
  /** States that follow, entry by entry as in the canonical form; version 1 has none. */
  readonly entries?: readonly StateSpec[];
  readonly parts: readonly string[];
  readonly tables: readonly unknown[];
};

/**
 * A state in a snapshot by pages, with the cell whose tables they go into. `saved`: that cell is under the declaration
 * that it had then, and what it holds is taken over from there; null: it is the store's own.
 */
type PagedState = { readonly cell: CellStorage; readonly saved: SavedState | null };

type Paged = {
  readonly text: string;
  readonly states: readonly PagedState[];
  readonly entries: readonly SavedState[];
  readonly tables: readonly ManagedTable[];
};

export class KeyedStore implements KeyedStateStore {
  readonly kind: "managed" | "heap";
  readonly tables: OperatorTables;
  readonly #options: KeyedStoreOptions;
  readonly #factory: CellFactory;
  readonly #current: CurrentKey;
  readonly #keyHash: KeyHash;
  readonly #cells = new Map<string, CellStorage>();
  readonly #timers: ManagedTimers;
  readonly #migrations = new Map<string, StateMigration>();
  /** Of the snapshot that was restored last: those of one job have one header. */
  #saved: { readonly header: string; readonly states: readonly SavedState[] } | null = null;
  readonly #pages: StorePages;
  /** Of the snapshot by pages that was loaded last, as `#saved`. */
  #paged: Paged | null = null;

  constructor(options: KeyedStoreOptions, current: CurrentKey, factory: CellFactory) {
    this.kind = factory.kind;
    this.#options = options;
    this.#factory = factory;
    this.#current = current;
    this.#keyHash = compileKeyHash(options.key, `${options.owner.operator}_restore`);
    this.#timers = new ManagedTimers(current, options);
    this.tables = new OperatorTables(options, options.heapBudget);
    this.#pages = new StorePages(options);
  }

  get timers(): KeyedTimers {
    return this.#timers;
  }

  setKey(key: unknown, hash: number): void {
    this.#current.set(key, hash);
  }

  prefetch(hashes: Int32Array, count: number): void {
    for (const cell of this.#cells.values()) cell.prefetch(hashes, count);
  }

  value<T>(spec: Extract<StateSpec, { kind: "value" }>, initial: (() => T) | null): ValueState<T> {
    return new ValueHandle(this.#cell(spec) as unknown as ValueCell, initial);
  }

  list<T>(spec: Extract<StateSpec, { kind: "list" }>): ListState<T> {
    return new ListHandle(this.#cell(spec) as unknown as ListCell);
  }

  map<K, V>(spec: Extract<StateSpec, { kind: "map" }>): MapState<K, V> {
    return new MapHandle(this.#cell(spec) as unknown as MapCell);
  }

  reducing<T>(spec: Extract<StateSpec, { kind: "reducing" }>, reduce: (left: T, right: T) => T): ReducedState<T> {
    return new ReducingHandle(this.#cell(spec) as unknown as ValueCell, reduce);
  }

  aggregating<In, Acc, Out>(
    spec: Extract<StateSpec, { kind: "aggregating" }>,
    aggregate: AggregateFunction<In, Acc, Out>,
  ): AggregatingState<In, Out> {
    return new AggregatingHandle(this.#cell(spec) as unknown as ValueCell, aggregate);
  }

  migrate(state: string, migration: StateMigration): void {
    this.#migrations.set(state, migration);
  }

  usage(): readonly StateUsage[] {
    return [...[...this.#cells.values()].map((cell) => cell.usage()), ...this.tables.usage(), this.#timers.usage()];
  }

  snapshot(keyGroup: number, out: ByteWriter): void {
    const group = keyGroup - this.#options.keyGroups.first;
    const cells = [...this.#cells.values()];
    writeHeader({ key: this.#options.key, states: cells.map((cell) => cell.spec) }, out);
    for (const cell of cells) {
      cell.snapshot(group, out);
      writeByte(out, 0);
    }
    this.#timers.snapshot(group, out);
    writeByte(out, 0);
    this.tables.snapshot(keyGroup, out);
  }

  restore(keyGroup: number, input: ByteReader): void {
    for (const state of this.#savedStates(input)) {
      this.#restoreEntries(keyGroup, input, (entry, key) => state.restoreEntry(entry, key));
    }
    this.#restoreEntries(keyGroup, input, (entry) => this.#timers.restoreEntry(entry));
    this.tables.restore(keyGroup, input);
  }

  freeze(checkpoint: number, relieved: () => void): FrozenState | null {
    const cells = [...this.#cells.values()];
    const { pagedFromBytes = 0, keyGroups } = this.#options;
    const names = this.#timers.pagedNames;
    if (names === null) return null;
    const tables = this.#pagedTables(cells, this.tables.paged);
    const entries = cells.flatMap(({ heap }) => heap ?? []);
    const bytes = [...tables.map(({ account }) => account.bytes), ...entries.map((each) => each.bytes)];
    if (bytes.reduce((sum, each) => sum + each, 0) < pagedFromBytes) return null;
    const specs = (isOnHeap: boolean): StateSpec[] =>
      cells.filter(({ heap }) => (heap !== null) === isOnHeap).map(({ spec }) => spec);
    const header: PagedHeader = {
      ...{ key: this.#options.key, states: specs(false), entries: specs(true), parts: this.tables.names },
      tables: tables.map(shapeOf),
    };
    const writeBeside = (keyGroup: number, out: ByteWriter): void => {
      const isUsed = this.#timers.table.nextGroup(keyGroup - keyGroups.first - 1) === keyGroup - keyGroups.first;
      writeU32(out, isUsed ? names.length : 0);
      for (const [id, name] of isUsed ? names : []) {
        writeU32(out, id);
        writeString(out, name);
      }
      this.tables.snapshotBeside(keyGroup, out);
    };
    return this.#pages.freeze({ header: canonicalJson(header), tables, writeBeside, entries }, checkpoint, relieved);
  }

  completed(checkpoint: number): void {
    this.#pages.completed(checkpoint);
  }

  load(keyGroup: number, input: ByteReader, refers: boolean): readonly PageFill[] {
    return this.#pages.load(keyGroup, input, (header) => this.#pagedOf(header).tables, refers);
  }

  loaded(): void {
    this.#pages.loaded((keyGroup, input, rest) => {
      for (const { cell, saved } of this.#paged?.states ?? [])
        if (saved !== null) this.#takeOver(keyGroup, cell, saved);
      const names = Array.from({ length: readU32(input) }, () => [readU32(input), readString(input)] as const);
      const timers = new ByteSink();
      this.#timers.unload(keyGroup - this.#options.keyGroups.first, new Map(names), timers);
      writeByte(timers, 0);
      this.#restoreEntries(keyGroup, new ByteCursor(timers.bytes), (entry) => this.#timers.restoreEntry(entry));
      this.tables.restoreBeside(keyGroup, input);
      for (const state of this.#paged?.entries ?? []) {
        this.#restoreEntries(keyGroup, rest, (entry, key) => state.restoreEntry(entry, key));
      }
    });
  }

  /** Entry by entry, out of a cell that is under the declaration that the state had then. */
  #takeOver(keyGroup: number, cell: CellStorage, saved: SavedState): void {
    const group = keyGroup - this.#options.keyGroups.first;
    const entries = new ByteSink();
    cell.snapshot(group, entries);
    writeByte(entries, 0);
    this.#restoreEntries(keyGroup, new ByteCursor(entries.bytes), (entry, key) => saved.restoreEntry(entry, key));
    for (const table of cell.tables) table.clearGroup(group);
  }

  #pagedTables(cells: readonly CellStorage[], ofParts: readonly ManagedTable[]): readonly ManagedTable[] {
    return [...cells.flatMap(({ tables }) => tables), this.#timers.table, ...ofParts];
  }

  /** What was written under a header. */
  #pagedOf(text: string): Paged {
    if (this.#paged?.text === text) return this.#paged;
    const header = JSON.parse(text) as PagedHeader;
    this.#expectSame("its key", header.key, this.#options.key);
    const states = header.states.map((spec) => this.#pagedState(spec));
    const tables = this.#pagedTables(
      states.map(({ cell }) => cell),
      this.tables.pagedOf(header.parts),
    );
    for (const [n, table] of tables.entries()) {
      this.#expectSame(`"${table.spec.name}"`, shapeOf(table), header.tables[n]);
    }
    const entries = (header.entries ?? []).map((spec) => this.#savedState(spec));
    this.#paged = { text, states, entries, tables };
    return this.#paged;
  }

  #pagedState(spec: StateSpec): PagedState {
    const own = this.#cells.get(spec.name);
    const isAsItWas = canonicalJson(own?.spec) === canonicalJson(spec) && !this.#migrations.has(spec.name);
    const cell = isAsItWas && own !== undefined ? own : this.#makeCell(spec);
    if (cell.heap !== null) throw backendChanged(this.#options.owner.operator);
    return { cell, saved: cell === own ? null : this.#savedState(spec) };
  }

  #savedState(spec: StateSpec): SavedState {
    const { clock, owner } = this.#options;
    const cell = this.#cells.get(spec.name) ?? null;
    const migration = this.#migrations.get(spec.name) ?? null;
    return new SavedState({ spec, cell, migration, clock, operator: owner.operator });
  }

  release(): void {
    this.#pages.release();
    for (const cell of this.#cells.values()) cell.release();
    for (const { cell, saved } of this.#paged?.states ?? []) if (saved !== null) cell.release();
    this.#timers.release();
    this.tables.release();
    const { allocator, owner } = this.#options;
    allocator.endOwner(owner);
  }

  /** S2 */
  #savedStates(input: ByteReader): readonly SavedState[] {
    const header = readHeaderText(input);
    if (this.#saved?.header === header) return this.#saved.states;
    const { key, states } = headerOf(header);
    this.#expectSame("its key", key, this.#options.key);
    const saved = states.map((spec) => this.#savedState(spec));
    this.#saved = { header, states: saved };
    return saved;
  }

  #restoreEntries(keyGroup: number, input: ByteReader, restoreEntry: (input: ByteReader, key: unknown) => void): void {
    const { maxParallelism } = this.#options;
    while (readMore(input)) {
      const key = readKeyBytes(input, this.#current.codec);
      const hash = this.#keyHash(key);
      if (keyGroupOf(hash, maxParallelism) !== keyGroup) corrupt(`a key of another group than ${keyGroup}`);
      this.#current.set(key, hash);
      restoreEntry(input, key);
    }
  }

  #cell(spec: StateSpec): CellStorage {
    const known = this.#cells.get(spec.name);
    if (known !== undefined) {
      this.#expectSame(`state "${spec.name}"`, known.spec, spec);
      return known;
    }
    const cell = this.#makeCell(spec);
    this.#cells.set(spec.name, cell);
    return cell;
  }

  #makeCell(spec: StateSpec): CellStorage {
    switch (spec.kind) {
      case "value":
      case "reducing":
        return this.#factory.value(spec, spec.type);
      case "aggregating":
        return this.#factory.value(spec, spec.accumulator);
      case "list":
        return this.#factory.list(spec);
      case "map":
        return this.#factory.map(spec);
    }
  }

  #expectSame(what: string, left: unknown, right: unknown): void {
    if (canonicalJson(left) === canonicalJson(right)) return;
    const { operator } = this.#options.owner;
    throw new UserError(
      "STATE_TYPE_CHANGED",
      `${what} of operator "${operator}" is declared as ${canonicalJson(right)}, but was ${canonicalJson(left)}`,
      { operator, fix: "Declare it as it was, or give the state another name." },
    );
  }
}

/** What has to be the same where pages of a table are to be read. */
function shapeOf({ spec }: ManagedTable): unknown {
  const { initial: _initial, ...shape } = spec;
  return shape;
}

function backendChanged(operator: string): UserError {
  return new UserError(
    "STATE_BACKEND_CHANGED",
    `the checkpoint has the state of operator "${operator}" as pages of managed memory, and it is to lie on the heap now`,
    { operator, fix: "set state.backend.type as it was, or start from a savepoint, which fits either" },
  );
}

// Timers of keys, in managed memory: a row per timer, found by key and name, and a heap of them per time domain.
//
//   row    │ key │ namespace: name × 2 + domain │ f64 time │ i32 index in the heap, i32 hash of the key │
//
//   M1. A key has at most one timer of a name and domain: setting it again moves it.
//   M2. Timers fire in order of time; at equal times by the hash of the key, then its canonical bytes, then the name.
//       So the order depends on what is set alone: not on when it was set, on addresses, or on a restore in between.
//   M3. A timer is removed before its callback, with its key current. A callback may set and clear any timers; those
//       that come due by it fire in the same run.
//   M4. When event time ends (it is fired up to Infinity), a callback cannot add timers in event time: they are dropped
//       and counted. It may still move and clear those that are left. So the last run ends.
//   M5. Rows of timers stay where they are: the heap holds their addresses. Their pages are not to be spilled.

import { UserError } from "../../base/errors.ts";
import {
  ByteCursor,
  ByteSink,
  readByte,
  readF64,
  readString,
  writeByte,
  writeF64,
  writeString,
} from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import type { HeapBudget } from "../budget/heap-budget.ts";
import type { FiredTimer, KeyedTimers, StateUsage, TimerService } from "../contract/keyed-state.ts";
import type { CurrentKey } from "../keys/current-key.ts";
import type { KeyBatch } from "../keys/key-batch.ts";
import { TimerHeap } from "../pages/timer-heap.ts";
import { ManagedTable, type TableOptions } from "../table/managed-table.ts";
import { forEachRow, writeRowKey } from "../table/table-snapshot.ts";
import { TimerNames } from "./timer-names.ts";

type Domain = FiredTimer["domain"];

const NONE = -1;
const EVENT = 0;
const PROCESSING = 1;
const ADVICE =
  "set fewer timers, and delete those that are done with (they lie in managed memory whatever state.backend.type says)";
/** More different names are not written down for each key group. */
const PAGED_NAMES_MAX = 256;
/** Timers moved to later times that a look at the next one puts right: there may be one for each key. */
const MOVED_PER_LOOK = 64;

export class ManagedTimers implements KeyedTimers {
  readonly event: TimerService;
  readonly processing: TimerService;
  dropped = 0;
  readonly #current: CurrentKey;
  readonly #table: ManagedTable;
  readonly #names: TimerNames;
  readonly #heaps: readonly [TimerHeap, TimerHeap];
  readonly #timeWord: number;
  readonly #indexAt: number;
  readonly #left = new ByteSink();
  readonly #right = new ByteSink();
  readonly #fired: FiredTimer = { name: "", at: 0, key: undefined, hash: 0, domain: "event" };
  #isLastRun = false;

  constructor(current: CurrentKey, options: TableOptions & { readonly heapBudget: HeapBudget }) {
    const { allocator } = options;
    this.#current = current;
    this.#names = new TimerNames(options.owner.operator, options.heapBudget);
    const account = options.owner.account("timers", ADVICE);
    this.#table = new ManagedTable(
      {
        name: "timers",
        key: current.isNumber ? "number" : "bytes",
        namespaced: true,
        listed: false,
        blob: false,
        valueWords: 2,
        initial: null,
      },
      { ...options, account },
    );
    this.#timeWord = this.#table.layout.valueWord;
    this.#indexAt = (this.#timeWord + 1) * 2;
    const heap = () =>
      new TimerHeap({
        allocator,
        account: this.#table.account,
        timeWord: this.#timeWord,
        indexAt: this.#indexAt,
        tie: (left, right) => this.#tie(left, right),
      });
    this.#heaps = [heap(), heap()];
    this.event = this.#service(EVENT);
    this.processing = this.#service(PROCESSING);
  }

  get count(): number {
    return this.#table.size;
  }

  next(domain: Domain): number {
    const heap = this.#heapOf(domain);
    heap.top(MOVED_PER_LOOK);
    return heap.leastMs();
  }

  fire(domain: Domain, upToMs: number, onTimer: (timer: FiredTimer) => void, stop: () => boolean): boolean {
    this.#isLastRun = domain === "event" && upToMs === Infinity;
    try {
      return this.#fireDue(domain, upToMs, onTimer, stop);
    } finally {
      this.#isLastRun = false;
    }
  }

  #fireDue(domain: Domain, upToMs: number, onTimer: (timer: FiredTimer) => void, stop: () => boolean): boolean {
    const heap = this.#heapOf(domain);
    const fired = this.#fired;
    while (heap.size > 0 && heap.leastMs() <= upToMs) {
      if (stop()) return false;
      const row = heap.top(1);
      const at = row === NONE ? Infinity : this.#table.f64[row + this.#timeWord]!;
      if (row === NONE || at > upToMs) continue; // Those that came first were moved to later times.
      fired.name = this.#names.name(this.#nameId(row));
      fired.at = at;
      fired.key = this.#keyOf(row);
      fired.hash = this.#table.i32[row * 2 + this.#indexAt + 1]!;
      fired.domain = domain;
      this.#remove(row);
      this.#current.set(fired.key, fired.hash);
      onTimer(fired);
    }
    return true;
  }

  usage(): StateUsage {
    return { name: "timers", entries: this.#table.size, bytes: this.#table.account.bytes + this.#names.bytes };
  }

  snapshot(group: number, out: ByteWriter): void {
    this.#write(group, (id) => this.#names.name(id), out);
  }

  /** Names by the numbers that rows have for them; null: there are too many for snapshots by pages. */
  get pagedNames(): readonly (readonly [number, string])[] | null {
    return this.#names.all(PAGED_NAMES_MAX);
  }

  get table(): ManagedTable {
    return this.#table;
  }

  /**
   * The rows of a group are there, with numbers for names as another subtask gave them: writes them as `snapshot` does,
   * to be restored one by one, and removes them.
   */
  unload(group: number, names: ReadonlyMap<number, string>, out: ByteWriter): void {
    this.#write(group, (id) => names.get(id)!, out);
    this.#table.clearGroup(group);
  }

  #write(group: number, nameOf: (id: number) => string, out: ByteWriter): void {
    forEachRow(this.#table, group, (row) => {
      writeRowKey(this.#table, row, out);
      writeByte(out, this.#table.namespace(row) & 1);
      writeString(out, nameOf(this.#nameId(row)));
      writeF64(out, this.#table.f64[row + this.#timeWord]!);
    });
  }

  /** Sets the next timer of a snapshot, whose key was made current. */
  restoreEntry(input: ByteReader): void {
    const domain = readByte(input);
    const name = readString(input);
    this.#set(domain, name, readF64(input));
  }

  release(): void {
    this.#table.release();
    for (const heap of this.#heaps) heap.release();
    this.#names.clear();
  }

  #service(domain: number): TimerService {
    return {
      set: (name, atMs) => this.#set(domain, name, atMs),
      clear: (name) => {
        const row = this.#find(domain, name);
        if (row !== NONE) this.#remove(row);
      },
      get: (name) => {
        const row = this.#find(domain, name);
        return row === NONE ? undefined : this.#table.f64[row + this.#timeWord]!;
      },
    };
  }

  #set(domain: number, name: string, atMs: number): void {
    if (typeof atMs !== "number" || Number.isNaN(atMs)) throw this.#timeInvalid(name, atMs);
    const { f64 } = this.#table;
    const row = this.#find(domain, name);
    if (row === NONE) {
      if (this.#isLastRun && domain === EVENT) this.dropped += 1;
      else this.#add(domain, name, atMs);
      return;
    }
    const before = f64[row + this.#timeWord]!;
    f64[this.#table.writable(row) + this.#timeWord] = atMs;
    if (atMs < before) this.#heaps[domain as 0 | 1].advance(row);
  }

  #add(domain: number, name: string, atMs: number): void {
    const heap = this.#heaps[domain as 0 | 1];
    const id = this.#names.retain(name);
    const row = heap.reserve() ? this.#table.resolveIn(this.#current.group, this.#stage(domain, id), 0) : NONE;
    if (row === NONE) {
      this.#names.release(id);
      throw this.#table.exceeded();
    }
    this.#table.f64[row + this.#timeWord] = atMs;
    this.#table.i32[row * 2 + this.#indexAt + 1] = this.#current.hash;
    heap.push(row, this.#current.hash);
  }

  /** Row of the current key's timer, -1 for none. */
  #find(domain: number, name: string): number {
    const id = this.#names.find(name);
    return id === NONE ? NONE : this.#table.findIn(this.#current.group, this.#stage(domain, id), 0);
  }

  #stage(domain: number, id: number): KeyBatch {
    const batch = this.#current.stage();
    batch.namespaces[0] = id * 2 + domain;
    return batch;
  }

  #remove(row: number): void {
    const domain = this.#table.namespace(row) & 1;
    const id = this.#nameId(row);
    this.#heaps[domain as 0 | 1].remove(row);
    this.#table.remove(row);
    this.#names.release(id);
  }

  #nameId(row: number): number {
    return this.#table.namespace(row) >>> 1;
  }

  #heapOf(domain: Domain): TimerHeap {
    return this.#heaps[domain === "event" ? EVENT : PROCESSING];
  }

  #keyOf(row: number): unknown {
    if (this.#current.isNumber) return this.#table.f64[row]!;
    const sink = this.#left;
    sink.position = 0;
    this.#table.readKey(row, sink);
    return this.#current.codec.read(new ByteCursor(sink.bytes, 0, sink.position));
  }

  /** Order of two timers of one time and hash: of one key, or of two that collide. */
  #tie(left: number, right: number): number {
    const [one, other] = [this.#left, this.#right];
    one.position = 0;
    other.position = 0;
    this.#table.readKey(left, one);
    this.#table.readKey(right, other);
    const order = Buffer.compare(one.bytes.subarray(0, one.position), other.bytes.subarray(0, other.position));
    if (order !== 0) return order;
    return this.#names.name(this.#nameId(left)) < this.#names.name(this.#nameId(right)) ? -1 : 1;
  }

  #timeInvalid(name: string, atMs: unknown): UserError {
    const { operator } = this.#table.account;
    return new UserError("TIMER_TIME_INVALID", `timer "${name}" of operator "${operator}" was set to ${String(atMs)}`, {
      operator,
      fix: "Give the time as epoch milliseconds.",
    });
  }
}

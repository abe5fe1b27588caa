// A hash table in managed memory: rows of fixed stride by (key group, key, namespace), for aggregates, windows, timers
// and state.
//
//   group ──▶ index pages   row-index.ts    i32 entries, linear probing
//         ──▶ row pages     row-layout.ts   rows of one stride: key, namespace, links, blob, value
//         ──▶ log pages     blob-log.ts     long keys and variable-size parts
//
// The way in is `resolve`, for a whole batch of keys: it works in passes, so that the cache misses of different keys
// overlap (at 1 M keys three dependent misses of 150 ns each when done one by one). It gives the address of each key's
// row, and the caller reads and writes `f64[address + layout.valueWord + n]` itself, in generated code.
//
// Owns: pages, index, rows, keys. Does not own: the meaning of a row's fixed and variable parts.
//
//   T1. Every page belongs to one key group of one table. Whatever is needed to rebuild the index is in the rows.
//   T2. An address is valid until the next call that can add or remove rows. Today it stays valid as long as the row
//       lives, but rows of spilled pages will move: `resolve`, `find` and the scans are the only places that make
//       addresses. Who keeps addresses for longer (timers) keeps its pages from being spilled.
//   T3. A call that the budget refuses changes nothing for that key; those before it in the batch are done.
//   T4. The order of rows in scans depends on the history of the group alone, that of groups in a namespace on the
//       history of the table; never on addresses or on the seed.
//   T5. More than COMPARES_MAX keys of one group with equal hashes switch its index to a second, seeded hash: whoever
//       chooses keys that collide gets no quadratic cost.

import { assert, UserError } from "../../base/errors.ts";
import { ByteSink } from "../../types/bytes/byte-buffer.ts";
import type { ByteWriter } from "../../types/bytes/codec.ts";
import { KeyBatch } from "../keys/key-batch.ts";
import { type KeyGroupRange, murmurStep } from "../keys/key-groups.ts";
import type { MemoryAccount, PageAllocator } from "../pages/page-allocator.ts";
import { BatchLookup, LOOKUP_MAX } from "./batch-lookup.ts";
import { BlobLog, PART_BLOB, PART_KEY } from "./blob-log.ts";
import { ROW_BITS, RowIndex } from "./row-index.ts";
import { LONG_KEY_REF, RowKeys } from "./row-keys.ts";
import { type RowLayout, rowLayout, type TableSpec } from "./row-layout.ts";
import { type RowCursor, RowPages } from "./row-pages.ts";

export type TableOptions = {
  readonly allocator: PageAllocator;
  /** Uid of the operator, for accounts and errors. */
  readonly operator: string;
  readonly maxParallelism: number;
  readonly keyGroups: KeyGroupRange;
  /** Makes the second hash unpredictable (T5): any 32-bit integer. */
  readonly seed: number;
  /** Who pays; an account of the table's own by default. */
  readonly account?: MemoryAccount;
};

/**
 * Where the first row of each namespace is kept, for tables whose rows are listed. Groups are counted from the table's
 * first.
 */
export interface NamespaceHeads {
  /** Row number, -1 for none. */
  get(group: number, namespace: number): number;
  /**
   * Makes a row the first one. Returns the one that was, -1 for none, HEAD_REFUSED when the budget has no room for one
   * more namespace of the group; never where it has rows.
   */
  put(group: number, namespace: number, row: number): number;
  /** The group has no more rows of the namespace. */
  remove(group: number, namespace: number): void;
  /** The group with rows of the namespace that comes after `group`, the first one for -1; -1 for none. */
  next(group: number, namespace: number): number;
}

export const HEAD_REFUSED = -2;

const NONE = -1;
const COMPARES_MAX = 64;

export class ManagedTable {
  readonly spec: TableSpec;
  readonly layout: RowLayout;
  readonly keyGroups: KeyGroupRange;
  readonly groupCount: number;
  /** Over the whole region of managed memory: addresses index `f64`, and twice the address indexes `i32`. */
  readonly f64: Float64Array;
  readonly i32: Int32Array;
  readonly account: MemoryAccount;
  /** Rows in all. */
  size = 0;

  readonly #allocator: PageAllocator;
  readonly #maxParallelism: number;
  readonly #index: RowIndex;
  readonly #rows: RowPages;
  readonly #log: BlobLog;
  readonly #keys: RowKeys;
  readonly #lookup: BatchLookup;
  readonly #heads: NamespaceHeads | null;
  /** Rows that the last search compared in vain. */
  #compares = 0;
  #refusedGroup = 0;
  readonly #scanned = new Int32Array(LOOKUP_MAX);
  readonly #own = new KeyBatch(1);
  readonly #sink = new ByteSink(64);

  /** `heads` for listed tables only. */
  constructor(spec: TableSpec, options: TableOptions, heads: NamespaceHeads | null = null) {
    const { allocator, keyGroups, operator, maxParallelism, seed } = options;
    assert(spec.listed === (heads !== null), `table ${spec.name}: listed rows need heads, others have none`);
    const { view, zeroPage } = allocator;
    const groups = keyGroups.last - keyGroups.first + 1;
    const layout = rowLayout(spec);
    const account = options.account ?? { operator, state: spec.name, bytes: 0 };
    const index = new RowIndex(allocator, account, groups, (group) => this.#refillIndex(group));
    const rows = new RowPages(allocator, account, groups, layout, spec.key === "number");
    const log = new BlobLog(allocator, account, groups, (group, row, part, ref) => this.#moved(group, row, part, ref));
    const keys = new RowKeys(view, log, spec, layout, groups, seed);
    this.spec = spec;
    this.layout = layout;
    this.keyGroups = keyGroups;
    this.f64 = view.f64;
    this.i32 = view.i32;
    this.account = account;
    this.#allocator = allocator;
    this.#maxParallelism = maxParallelism;
    this.groupCount = groups;
    this.#index = index;
    this.#rows = rows;
    this.#log = log;
    this.#keys = keys;
    this.#lookup = new BatchLookup({
      view,
      spec,
      layout,
      index,
      rows,
      keys,
      keyGroups,
      maxParallelism,
      zero: zeroPage,
    });
    this.#heads = heads;
  }

  // -------------------------------------------------------------- rows by key

  /**
   * Writes the address of the row of each of the first `count` keys to `rows`; rows that are not there are added, with
   * the spec's initial value. Returns how many were resolved: less than `count` when the budget refused that key, see
   * `exceeded`.
   */
  resolve(batch: KeyBatch, count: number, rows: Int32Array): number {
    const { missed } = this.#lookup;
    for (let from = 0; from < count; from += LOOKUP_MAX) {
      const misses = this.#lookup.find(batch, from, Math.min(count, from + LOOKUP_MAX), rows);
      for (let n = 0; n < misses; n += 1) {
        const i = missed[n]!;
        const address = this.resolveIn(this.groupOf(batch.hashes[i]!), batch, i);
        if (address === NONE) return i;
        rows[i] = address;
      }
    }
    return count;
  }

  /** As `resolve`, but adds nothing: -1 for rows that are not there. */
  find(batch: KeyBatch, count: number, rows: Int32Array): void {
    const { missed } = this.#lookup;
    for (let from = 0; from < count; from += LOOKUP_MAX) {
      const misses = this.#lookup.find(batch, from, Math.min(count, from + LOOKUP_MAX), rows);
      for (let n = 0; n < misses; n += 1) {
        const i = missed[n]!;
        rows[i] = this.findIn(this.groupOf(batch.hashes[i]!), batch, i);
      }
    }
  }

  /**
   * Brings what lookups of keys with these hashes will need into the processor's cache. For tables without a namespace.
   */
  prefetch(hashes: Int32Array, count: number): void {
    for (let from = 0; from < count; from += LOOKUP_MAX) {
      this.#lookup.prefetch(hashes, from, Math.min(count, from + LOOKUP_MAX));
    }
  }

  /** Group of a key hash, counted from the table's first. */
  groupOf(hash: number): number {
    return (murmurStep(hash) % this.#maxParallelism) - this.keyGroups.first;
  }

  /** Address of key `i` of the batch in a group, -1 when it has no row. */
  findIn(group: number, batch: KeyBatch, i: number): number {
    return this.#search(group, batch, i, this.#keys.hashOf(group, batch, i));
  }

  /** As `findIn`, but adds the row if need be; -1 when the budget refused that. */
  resolveIn(group: number, batch: KeyBatch, i: number): number {
    const address = this.findIn(group, batch, i);
    return address === NONE ? this.#add(group, batch, i) : address;
  }

  remove(address: number): void {
    const group = this.#rows.group(address);
    if (this.#heads !== null) this.#unlink(this.#heads, group, address);
    if (this.spec.blob) this.clearBlob(address);
    this.#index.remove(group, this.#keys.rowHash(group, address), this.#rows.row(address));
    this.#keys.release(group, address);
    this.#rows.release(address);
    this.size -= 1;
    if (this.#index.isEmpty(group)) this.#clearGroup(group);
  }

  /** What to throw after a refusal. */
  exceeded(): UserError {
    if (!this.#rows.isFull(this.#refusedGroup)) return this.#allocator.exceeded(this.account);
    const { operator, state } = this.account;
    const group = this.#refusedGroup + this.keyGroups.first;
    return new UserError(
      "STATE_BUDGET_EXCEEDED",
      `state "${state}" of operator "${operator}" has ${this.size} entries, and key group ${group} of ${this.#maxParallelism} can hold no more`,
      { operator, fix: "Set a larger maxParallelism on the operator, so that keys spread over more key groups." },
    );
  }

  /** Gives all pages back. */
  release(): void {
    for (let group = 0; group < this.groupCount; group += 1) this.#clearGroup(group);
    this.size = 0;
  }

  // -------------------------------------------------------------- scans

  /**
   * Writes addresses of rows of the cursor's group to `rows` and returns how many; less than there is room for at the
   * end, or after `pagesMax` pages, many of which may be gone.
   */
  scanGroup(cursor: RowCursor, rows: Int32Array, pagesMax = Infinity): number {
    return this.#rows.scan(cursor, rows, pagesMax);
  }

  /** Whether the scan of the cursor's group has come to its end. */
  isScanned(cursor: RowCursor): boolean {
    return this.#rows.isScanned(cursor);
  }

  /** The group with rows that comes after `group`, the first one for -1; -1 for none. */
  nextGroup(group: number): number {
    return this.#index.filled.next(group);
  }

  /** As `scanGroup`, over all groups from the cursor's on; 0 at the end. */
  scanAll(cursor: RowCursor, rows: Int32Array): number {
    for (; cursor.group < this.groupCount; cursor.group += 1) {
      const count = this.#index.isEmpty(cursor.group) ? 0 : this.#rows.scan(cursor, rows);
      if (count > 0) return count;
      cursor.row = NONE;
    }
    return 0;
  }

  /**
   * Writes addresses of rows of a namespace, youngest first in each group, to `rows`. Returns how many, 0 at the end.
   */
  scanNamespace(namespace: number, cursor: RowCursor, rows: Int32Array): number {
    const heads = this.#heads!;
    const nextWord = this.layout.linkWord * 2 + 1;
    let { group, row } = cursor;
    let count = 0;
    if (row === NONE) group = group === 0 ? heads.next(NONE, namespace) : NONE;
    while (group !== NONE) {
      if (row === NONE) row = heads.get(group, namespace);
      for (; row !== NONE; count += 1) {
        if (count === rows.length) {
          cursor.group = group;
          cursor.row = row;
          return count;
        }
        const address = this.#rows.address(group, row);
        rows[count] = address;
        row = this.i32[address * 2 + nextWord]!;
      }
      group = heads.next(group, namespace);
    }
    cursor.group = this.groupCount;
    cursor.row = NONE;
    return count;
  }

  /**
   * Gives the row another namespace, unless its key has a row there already. Returns the address of the row that is
   * there now, -1 when the budget refused.
   */
  moveToNamespace(address: number, namespace: number): number {
    const group = this.#rows.group(address);
    const batch = this.#own;
    batch.position = 0;
    this.#keys.stage(group, address, batch, 0);
    batch.namespaces[0] = namespace;
    const existing = this.findIn(group, batch, 0);
    if (existing !== NONE) return existing;
    const row = this.#rows.row(address);
    if (!this.#index.reserve(group)) return this.#refuse(group);
    const heads = this.#heads;
    if (heads !== null) {
      // The new list comes first, since it may be refused.
      const head = heads.put(group, namespace, row);
      if (head === HEAD_REFUSED) return this.#refuse(group);
      this.#index.remove(group, this.#keys.rowHash(group, address), row);
      this.#unlink(heads, group, address);
      this.#linkBefore(group, address, row, head);
    } else {
      this.#index.remove(group, this.#keys.rowHash(group, address), row);
    }
    this.f64[address + this.layout.namespaceWord] = batch.namespaces[0];
    this.#index.place(group, this.#keys.hashOf(group, batch, 0), row);
    return address;
  }

  // -------------------------------------------------------------- keys and variable parts

  namespace(address: number): number {
    return this.f64[address + this.layout.namespaceWord]!;
  }

  /** Number of a row within its group: stable as long as it lives. */
  rowNumber(address: number): number {
    return this.#rows.row(address);
  }

  /** Address of the row with this number, which must live. */
  rowAddress(group: number, row: number): number {
    return this.#rows.address(group, row);
  }

  /** The row's group, counted from the table's first. */
  rowGroup(address: number): number {
    return this.#rows.group(address);
  }

  /** Appends the canonical bytes of a row's key. */
  readKey(address: number, out: ByteWriter): void {
    this.#keys.read(this.#rows.group(address), address, out);
  }

  /**
   * Stages a row's key, with its hash, as key `i` of a batch for another table with keys of the same type. The batch's
   * position is 0 before the first.
   */
  stageKey(address: number, batch: KeyBatch, i: number): void {
    this.#keys.stage(this.#rows.group(address), address, batch, i);
  }

  blobSize(address: number): number {
    return this.i32[(address + this.layout.blobWord) * 2 + 1]!;
  }

  /** Appends the row's variable part. */
  readBlob(address: number, out: ByteWriter): void {
    const at = (address + this.layout.blobWord) * 2;
    const ref = this.i32[at]!;
    if (ref !== NONE) this.#log.read(this.#rows.group(address), ref, 0, this.i32[at + 1]!, out);
  }

  /** Replaces the row's variable part. False when the budget refused: it is as it was. */
  writeBlob(address: number, source: Uint8Array, start: number, size: number): boolean {
    const group = this.#rows.group(address);
    const at = (address + this.layout.blobWord) * 2;
    const ref = this.i32[at]!;
    const capacity = ref === NONE ? 0 : this.#log.capacity(group, ref);
    if (size > capacity || size * 4 < capacity) return this.#replaceBlob(group, address, size, source, start, size);
    if (ref !== NONE) this.#log.write(group, ref, 0, source, start, size);
    this.i32[at + 1] = size;
    return true;
  }

  /**
   * Appends to the row's variable part, which doubles its room when it has to move. False: refused, it is as it was.
   */
  appendBlob(address: number, source: Uint8Array, start: number, size: number): boolean {
    const group = this.#rows.group(address);
    const at = (address + this.layout.blobWord) * 2;
    const ref = this.i32[at]!;
    const had = this.i32[at + 1]!;
    const needed = had + size;
    if (ref !== NONE && needed <= this.#log.capacity(group, ref)) {
      this.#log.write(group, ref, had, source, start, size);
      this.i32[at + 1] = needed;
      return true;
    }
    const sink = this.#sink;
    sink.position = 0;
    this.readBlob(address, sink);
    sink.reserve(size);
    sink.bytes.set(source.subarray(start, start + size), had);
    return this.#replaceBlob(group, address, had === 0 ? needed : needed * 2, sink.bytes, 0, needed);
  }

  clearBlob(address: number): void {
    const at = (address + this.layout.blobWord) * 2;
    const ref = this.i32[at]!;
    this.i32[at] = NONE;
    this.i32[at + 1] = 0;
    if (ref !== NONE) this.#log.release(this.#rows.group(address), ref);
  }

  #replaceBlob(
    group: number,
    address: number,
    capacity: number,
    source: Uint8Array,
    start: number,
    size: number,
  ): boolean {
    const at = (address + this.layout.blobWord) * 2;
    const ref = this.#log.allocate(group, capacity, this.#rows.row(address), PART_BLOB);
    if (ref === NONE) {
      this.#refuse(group);
      return false;
    }
    this.#log.write(group, ref, 0, source, start, size);
    const old = this.i32[at]!; // read after the allocation, which may have moved it
    this.i32[at] = ref;
    this.i32[at + 1] = size;
    if (old !== NONE) this.#log.release(group, old);
    return true;
  }

  /** The log moved an object. */
  #moved(group: number, row: number, part: number, ref: number): void {
    const address = this.#rows.address(group, row);
    this.i32[part === PART_KEY ? address * 2 + LONG_KEY_REF : (address + this.layout.blobWord) * 2] = ref;
  }

  // -------------------------------------------------------------- one key

  #search(group: number, batch: KeyBatch, i: number, hash: number): number {
    const mask = this.#index.masks[group]!;
    let compares = 0;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = this.i32[this.#index.position(group, slot)]!;
      if (entry === 0) break;
      const row = (entry & ROW_BITS) - 1;
      if ((entry ^ hash) >>> 24 !== 0 || row < 0) continue;
      const address = this.#rows.address(group, row);
      if (this.#keys.matches(group, address, batch, i)) return address;
      compares += 1;
    }
    this.#compares = compares;
    return NONE;
  }

  /** Adds the row of a key that the last search did not find. */
  #add(group: number, batch: KeyBatch, i: number): number {
    if (this.#compares > COMPARES_MAX && !this.#keys.isHardened(group)) {
      this.#keys.setHardened(group, true);
      this.#index.rebuild(group);
    }
    if (!this.#index.reserve(group) || !this.#rows.reserve(group)) return this.#refuse(group);
    const address = this.#rows.take(group);
    const row = this.#rows.row(address);
    if (!this.#keys.write(group, address, row, batch, i)) {
      this.#rows.release(address);
      return this.#refuse(group);
    }
    if (this.#heads !== null && !this.#link(this.#heads, group, address, row)) {
      this.#keys.release(group, address);
      this.#rows.release(address);
      return this.#refuse(group);
    }
    this.#writeInitial(address);
    this.#index.place(group, this.#keys.hashOf(group, batch, i), row);
    this.size += 1;
    return address;
  }

  #writeInitial(address: number): void {
    const { blobWord, valueWord } = this.layout;
    const { initial, valueWords, blob } = this.spec;
    for (let word = 0; word < valueWords; word += 1) {
      this.f64[address + valueWord + word] = initial === null ? 0 : initial[word]!;
    }
    if (!blob) return;
    this.i32[(address + blobWord) * 2] = NONE;
    this.i32[(address + blobWord) * 2 + 1] = 0;
  }

  #refuse(group: number): -1 {
    this.#refusedGroup = group;
    if (this.#index.isEmpty(group)) this.#clearGroup(group);
    return NONE;
  }

  #clearGroup(group: number): void {
    this.#index.clear(group);
    this.#rows.clear(group);
    this.#log.clear(group);
    this.#keys.setHardened(group, false);
  }

  #refillIndex(group: number): void {
    const cursor = { group, row: NONE };
    const rows = this.#scanned;
    for (let count = rows.length; count === rows.length; ) {
      count = this.#rows.scan(cursor, rows);
      for (let n = 0; n < count; n += 1) {
        this.#index.place(group, this.#keys.rowHash(group, rows[n]!), this.#rows.row(rows[n]!));
      }
    }
  }

  // -------------------------------------------------------------- lists of a namespace

  /** Makes the row the first of its namespace. False when the budget refused. */
  #link(heads: NamespaceHeads, group: number, address: number, row: number): boolean {
    const head = heads.put(group, this.namespace(address), row);
    if (head === HEAD_REFUSED) return false;
    this.#linkBefore(group, address, row, head);
    return true;
  }

  #linkBefore(group: number, address: number, row: number, next: number): void {
    const { linkWord } = this.layout;
    const at = (address + linkWord) * 2;
    this.i32[at] = NONE;
    this.i32[at + 1] = next;
    if (next !== NONE) this.i32[(this.#rows.address(group, next) + linkWord) * 2] = row;
  }

  #unlink(heads: NamespaceHeads, group: number, address: number): void {
    const { linkWord } = this.layout;
    const previous = this.i32[(address + linkWord) * 2]!;
    const next = this.i32[(address + linkWord) * 2 + 1]!;
    if (previous !== NONE) this.i32[(this.#rows.address(group, previous) + linkWord) * 2 + 1] = next;
    else if (next !== NONE) heads.put(group, this.namespace(address), next);
    else heads.remove(group, this.namespace(address));
    if (next !== NONE) this.i32[(this.#rows.address(group, next) + linkWord) * 2] = previous;
  }
}

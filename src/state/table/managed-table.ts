// A hash table in managed memory: rows of fixed stride by (key group, key, namespace), for aggregates, windows, timers
// and state.
//
//   group ──▶ index pages   row-index.ts    i32 entries, linear probing
//         ──▶ row pages     row-layout.ts   rows of one stride: key, namespace, links, blob, value
//         ──▶ log pages     blob-log.ts     long keys and variable-size parts
//
// Keys are in row-keys.ts, variable parts in row-blobs.ts, the lists of namespaces in namespace-lists.ts, the lookup of
// many keys at once in batch-lookup.ts.
//
// The way in is `resolve`, for a whole batch of keys: it works in passes, so that the cache misses of different keys
// overlap (at 1 M keys three dependent misses of 150 ns each when done one by one). It gives the address of each key's
// row, and the caller reads and writes `f64[address + layout.valueWord + n]` itself, in generated code.
//
// Owns: pages, index, rows, keys. Does not own: the meaning of a row's fixed and variable parts.
//
//   T1. Every page belongs to one key group of one table. Whatever is needed to rebuild the index is in the rows.
//   T2. Rows are written to at addresses that `resolve` or `writable` gave, and after no snapshot since. An address is
//       valid until the next call that can add or remove rows. Today it stays valid as long as the row
//       lives, but rows of spilled pages will move: `resolve`, `find` and the scans are the only places that make
//       addresses. Who keeps addresses for longer (timers) keeps its pages from being spilled.
//   T3. A call that the budget refuses changes nothing for that key; those before it in the batch are done.
//   T4. The order of rows in scans depends on the history of the group alone, that of groups in a namespace on the
//       history of the table; never on addresses or on the seed.
//   T5. More than COMPARES_MAX keys of one group with equal hashes switch its index to a second, seeded hash: whoever
//       chooses keys that collide gets no quadratic cost.
//   T6. What row and log pages hold depends on the history of their group alone: not on addresses, nor on which other
//       groups the table has. So they can be read by another table, in another subtask.

import { assert, UserError } from "../../base/errors.ts";
import type { ByteWriter } from "../../types/bytes/codec.ts";
import { KeyBatch } from "../keys/key-batch.ts";
import { type KeyGroupRange, OwnGroups } from "../keys/key-groups.ts";
import type { MemoryAccount, MemoryOwner } from "../pages/memory-owner.ts";
import type { PageAllocator } from "../pages/page-allocator.ts";
import type { PageList } from "../pages/page-list.ts";
import { BatchLookup, LOOKUP_MAX } from "./batch-lookup.ts";
import { BlobLog, type BlobLogForm, PART_KEY } from "./blob-log.ts";
import { type NamespaceHeads, NamespaceLists } from "./namespace-lists.ts";
import { RowBlobs } from "./row-blobs.ts";
import { ROW_BITS, RowIndex } from "./row-index.ts";
import { LONG_KEY_REF, RowKeys } from "./row-keys.ts";
import { type RowLayout, rowLayout, type TableSpec } from "./row-layout.ts";
import { type RowCursor, RowPages, type RowPagesForm } from "./row-pages.ts";

export type TableOptions = {
  readonly allocator: PageAllocator;
  /** Whose pages they are. */
  readonly owner: MemoryOwner;
  readonly maxParallelism: number;
  readonly keyGroups: KeyGroupRange;
  /** Makes the second hash unpredictable (T5): any 32-bit integer. */
  readonly seed: number;
  /** What is charged; an account of the table's own by default. */
  readonly account?: MemoryAccount;
};

/** What is to be known of the pages of one key group, rows before log. The index follows from them. */
export type GroupForm = { readonly rows: RowPagesForm; readonly log: BlobLogForm; readonly isHardened: boolean };

const NONE = -1;
const COMPARES_MAX = 64;
/** Of all tables of the thread: rows that are put into an index, in steps that stay in the first-level cache. */
const REFILL = {
  rows: new Int32Array(LOOKUP_MAX),
  numbers: new Int32Array(LOOKUP_MAX),
  hashes: new Int32Array(LOOKUP_MAX),
};

export class ManagedTable {
  readonly spec: TableSpec;
  readonly layout: RowLayout;
  readonly keyGroups: KeyGroupRange;
  readonly groupCount: number;
  /** Over the whole region of managed memory: addresses index `f64`, and twice the address indexes `i32`. */
  readonly f64: Float64Array;
  readonly i32: Int32Array;
  readonly account: MemoryAccount;
  /** Variable parts, in tables that have them. */
  readonly blobs: RowBlobs;
  /** Rows in all. */
  size = 0;

  readonly #allocator: PageAllocator;
  readonly #groups: OwnGroups;
  readonly #index: RowIndex;
  readonly #rows: RowPages;
  readonly #log: BlobLog;
  readonly #keys: RowKeys;
  readonly #lookup: BatchLookup;
  /** Null: rows are not listed. */
  readonly #lists: NamespaceLists | null;
  /** Rows that the last search compared in vain. */
  #compares = 0;
  #refusedGroup = 0;
  readonly #own = new KeyBatch(1);

  /** `heads` for listed tables only. */
  constructor(spec: TableSpec, options: TableOptions, heads: NamespaceHeads | null = null) {
    const { allocator, keyGroups, owner, maxParallelism, seed } = options;
    assert(spec.listed === (heads !== null), `table ${spec.name}: listed rows need heads, others have none`);
    const { view, zeroPage } = allocator;
    const own = new OwnGroups(keyGroups, maxParallelism);
    const { count } = own;
    const layout = rowLayout(spec);
    const account = options.account ?? owner.account(spec.name);
    const index = new RowIndex(allocator, account, count, (group) => this.#refillIndex(group));
    const rows = new RowPages(allocator, account, own, layout, spec.key === "number");
    const log = new BlobLog(allocator, account, count, (group, row, part, ref) => this.#moved(group, row, part, ref));
    const keys = new RowKeys(view, log, spec, layout, count, seed);
    this.spec = spec;
    this.layout = layout;
    this.keyGroups = keyGroups;
    this.groupCount = count;
    this.f64 = view.f64;
    this.i32 = view.i32;
    this.account = account;
    this.blobs = new RowBlobs({ allocator, layout, rows, log, refused: (group) => this.#refuse(group) });
    this.#allocator = allocator;
    this.#groups = own;
    this.#index = index;
    this.#rows = rows;
    this.#log = log;
    this.#keys = keys;
    this.#lookup = new BatchLookup({ view, spec, layout, index, rows, keys, groups: own, zero: zeroPage });
    this.#lists = heads === null ? null : new NamespaceLists(heads, rows, layout, allocator);
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
        if (address === NONE) {
          this.#allocator.writableAll(rows, i);
          return i;
        }
        rows[i] = address;
      }
    }
    this.#allocator.writableAll(rows, count);
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

  /**
   * The address, whose row may be written to: to be asked for rows that `find` or a scan gave, `resolve` has done so.
   */
  writable(address: number): number {
    return this.#allocator.writable(address);
  }

  /** Group of a key hash, counted from the table's first. */
  groupOf(hash: number): number {
    return this.#groups.of(hash);
  }

  /** Address of key `i` of the batch in a group, -1 when it has no row. */
  findIn(group: number, batch: KeyBatch, i: number): number {
    return this.#search(group, batch, i, this.#keys.hashOf(group, batch, i));
  }

  /** As `findIn`, but adds the row if need be; -1 when the budget refused that. */
  resolveIn(group: number, batch: KeyBatch, i: number): number {
    const address = this.findIn(group, batch, i);
    return address === NONE ? this.#add(group, batch, i) : this.writable(address);
  }

  remove(address: number): void {
    const group = this.#rows.group(address);
    this.#index.build(group);
    this.#lists?.remove(group, address);
    if (this.spec.blob) this.blobs.clear(address);
    this.#index.remove(group, this.#keys.rowHash(group, address), this.#rows.row(address));
    this.#keys.release(group, address);
    this.#rows.release(address);
    this.size -= 1;
    if (this.#index.isEmpty(group)) this.#clearGroup(group);
  }

  /** What to throw after a refusal. */
  exceeded(): UserError {
    if (!this.#rows.isFull(this.#refusedGroup)) return this.#allocator.exceeded(this.account);
    const { owner, state } = this.account;
    const group = this.#refusedGroup + this.keyGroups.first;
    return new UserError(
      "STATE_BUDGET_EXCEEDED",
      `state "${state}" of operator ${owner.text} has ${this.size} entries, and key group ${group} of ${this.#groups.maxParallelism} can hold no more`,
      {
        operator: owner.operator,
        fix: "Set a larger maxParallelism on the operator, so that keys spread over more key groups.",
      },
    );
  }

  /** Gives all pages back. */
  release(): void {
    for (let group = 0; group < this.groupCount; group += 1) this.#clearGroup(group);
    this.size = 0;
  }

  // -------------------------------------------------------------- pages

  /** Appends the pages of a group, negative where there is none, for a table of the same spec to have it (T6). */
  formOf(group: number, pages: PageList): GroupForm {
    const rows = this.#rows.formOf(group, pages);
    return { rows, log: this.#log.formOf(group, pages), isHardened: this.#keys.isHardened(group) };
  }

  /**
   * Gives a group that has no rows pages of its own, which are to be filled with what those of another table held, at
   * the same places; then `loaded`. `isPage`: where that one had a page. Null: the budget refused, and it has none.
   */
  adopt(group: number, form: GroupForm, isPage: (n: number) => boolean): Int32Array | null {
    const pages = new Int32Array(form.rows.pages + form.log.pages).fill(NONE);
    for (let n = 0; n < pages.length; n += 1) {
      if (!isPage(n)) continue;
      pages[n] = this.#allocator.allocate(this.account);
      if (pages[n] !== NONE) continue;
      for (const page of pages.subarray(0, n)) if (page !== NONE) this.#allocator.release(page, this.account);
      this.#refuse(group);
      return null;
    }
    this.#rows.adopt(group, pages.subarray(0, form.rows.pages), form.rows.open);
    this.#log.adopt(group, pages.subarray(form.rows.pages), form.log);
    this.#keys.setHardened(group, form.isHardened);
    return pages;
  }

  /** The pages that `adopt` gave are filled. False when the budget refused: the group has none. */
  loaded(group: number): boolean {
    const rows = this.#rows.count(group);
    if (!this.#index.await(group, rows) || this.#lists?.load(group) === false) {
      this.#clearGroup(group);
      this.#refusedGroup = group;
      return false;
    }
    this.size += rows;
    return true;
  }

  /** Removes all rows of a group. */
  clearGroup(group: number): void {
    this.size -= this.#rows.count(group);
    this.#clearGroup(group);
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
    return this.#lists!.scan(namespace, cursor, rows);
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
    const before = this.#keys.rowHash(group, address);
    if (this.#lists !== null && !this.#lists.move(group, address, row, namespace)) return this.#refuse(group);
    this.f64[this.writable(address) + this.layout.namespaceWord] = namespace + 0; // -0 becomes 0
    this.#index.remove(group, before, row);
    this.#index.place(group, this.#keys.rowHash(group, address), row);
    return address;
  }

  // -------------------------------------------------------------- keys, and numbers of rows

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

  /** The log moved an object. */
  #moved(group: number, row: number, part: number, ref: number): void {
    const address = this.writable(this.#rows.address(group, row));
    if (part === PART_KEY) this.i32[address * 2 + LONG_KEY_REF] = ref;
    else this.blobs.moved(address, ref);
  }

  // -------------------------------------------------------------- one key

  #search(group: number, batch: KeyBatch, i: number, hash: number): number {
    this.#index.build(group);
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
    if (this.#lists !== null && !this.#lists.add(group, address, row)) {
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
    const { valueWord } = this.layout;
    const { initial, valueWords, blob } = this.spec;
    for (let word = 0; word < valueWords; word += 1) {
      this.f64[address + valueWord + word] = initial === null ? 0 : initial[word]!;
    }
    if (blob) this.blobs.init(address);
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
    const { rows, numbers, hashes } = REFILL;
    for (let count = rows.length; count === rows.length; ) {
      count = this.#rows.scan(cursor, rows, Infinity, numbers);
      this.#keys.rowHashes(group, rows, count, hashes);
      this.#index.placeAll(group, hashes, numbers, count);
    }
  }
}

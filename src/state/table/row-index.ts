// The hash index of a table: for each key group, i32 entries with linear probing, on pages of its own.
//
//   entry   0: empty │ tag (bits 24..31 of the hash), row number + 1 (bits 0..23) │ TOMBSTONE: its row was removed
//   slot    hash & mask, then the next ones; slot s is word s & 1023 of index page s >> 10
//
//   I1. At most 3/4 of a group's entries are not empty, so every search ends.
//   I2. The index can be rebuilt from the rows: snapshots need not contain it. Groups are small (one of 128 by
//       default), so rebuilding one takes some 100 microseconds at a million keys, and no larger pause ever happens.
//   I3. A group that was loaded is awaited: it has its pages, and finds no row until `build`, when one is looked for.

import { GroupSet } from "../keys/group-set.ts";
import type { MemoryAccount } from "../pages/memory-owner.ts";
import { PAGE_WORDS, type PageAllocator } from "../pages/page-allocator.ts";
import { PageDirectory } from "../pages/page-directory.ts";

export const ENTRIES_PER_PAGE = PAGE_WORDS * 2;
export const INDEX_SHIFT = 10;
export const ROW_BITS = 0xffffff;
const TAG_BITS = ~ROW_BITS;
const LAST_SLOT = ENTRIES_PER_PAGE - 1;
/** No row, but not empty. */
const TOMBSTONE = 0x01000000;

export class RowIndex {
  /** Positions of index pages in the Int32Array. The entry of groups without any is a page of zeros. */
  readonly directory: PageDirectory;
  /** By key group: number of entries - 1, 0 for none. */
  readonly masks: Int32Array;
  /** Those with rows. */
  readonly filled: GroupSet;
  readonly #i32: Int32Array;
  readonly #allocator: PageAllocator;
  readonly #account: MemoryAccount;
  readonly #refill: (group: number) => void;
  /** By key group: entries with a row, entries that are not empty. */
  readonly #live: Int32Array;
  readonly #used: Int32Array;
  /** By key group: what its mask will be when it is awaited (I3), else 0. */
  readonly #awaited: Int32Array;

  /** `refill` places all rows of a group anew. */
  constructor(allocator: PageAllocator, account: MemoryAccount, groups: number, refill: (group: number) => void) {
    this.directory = new PageDirectory(groups, allocator.zeroPage * 2);
    this.masks = new Int32Array(groups);
    this.filled = new GroupSet(groups);
    this.#i32 = allocator.view.i32;
    this.#allocator = allocator;
    this.#account = account;
    this.#refill = refill;
    this.#live = new Int32Array(groups);
    this.#used = new Int32Array(groups);
    this.#awaited = new Int32Array(groups);
  }

  /** Position of the entry at a slot in the Int32Array. */
  position(group: number, slot: number): number {
    const { entries, bases } = this.directory;
    return entries[bases[group]! + (slot >>> INDEX_SHIFT)]! + (slot & LAST_SLOT);
  }

  /** Makes sure that one more row can be placed. False when the budget has no room for a larger index. */
  reserve(group: number): boolean {
    const capacity = this.masks[group]! === 0 ? 0 : this.masks[group]! + 1;
    if (this.#used[group]! + 1 <= capacity * 0.75) return true;
    const wanted = this.#enlarge(group, capacity, this.#live[group]! + 1);
    if (wanted === 0) return false;
    this.masks[group] = wanted - 1;
    this.rebuild(group);
    return true;
  }

  /** I3. A group that has no index has so many rows from now on. False when the budget has no room for it. */
  await(group: number, rows: number): boolean {
    if (rows === 0) return true;
    const wanted = this.#enlarge(group, 0, rows);
    if (wanted === 0) return false;
    this.#i32[this.position(group, 0)] = 0;
    this.#awaited[group] = wanted - 1;
    this.#live[group] = rows;
    this.filled.add(group);
    return true;
  }

  /** I3. To be called before a row of the group is looked for, placed or removed. */
  build(group: number): void {
    if (this.#awaited[group] === 0) return;
    this.masks[group] = this.#awaited[group]!;
    this.#awaited[group] = 0;
    this.rebuild(group);
  }

  /** Adds pages for so many rows. Returns the number of entries; 0 when the budget has no room for more pages. */
  #enlarge(group: number, capacity: number, rows: number): number {
    let wanted = Math.max(capacity, ENTRIES_PER_PAGE);
    while (rows > wanted * 0.5) wanted *= 2;
    for (let pages = capacity / ENTRIES_PER_PAGE; pages < wanted / ENTRIES_PER_PAGE; pages += 1) {
      const page = this.#allocator.allocate(this.#account);
      if (page === -1) {
        this.#shrink(group, capacity / ENTRIES_PER_PAGE);
        return 0;
      }
      this.directory.add(group, page * 2);
    }
    return wanted;
  }

  /** Empties the group's index and places its rows anew. */
  rebuild(group: number): void {
    const { directory } = this;
    for (let ordinal = 0; ordinal < directory.counts[group]!; ordinal += 1) {
      const page = directory.get(group, ordinal);
      this.#allocator.writable(page / 2);
      this.#i32.fill(0, page, page + ENTRIES_PER_PAGE);
    }
    this.#live[group] = 0;
    this.#used[group] = 0;
    this.#refill(group);
  }

  /** Enters a row that is not there; `reserve` must have made room. */
  place(group: number, hash: number, row: number): void {
    const mask = this.masks[group]!;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const position = this.position(group, slot);
      const entry = this.#i32[position]!;
      if ((entry & ROW_BITS) !== 0) continue;
      if (entry === 0) this.#used[group]! += 1;
      if (this.#live[group] === 0) this.filled.add(group);
      this.#live[group]! += 1;
      this.#write(position, (hash & TAG_BITS) | (row + 1));
      return;
    }
  }

  /** Enters rows that are not there into an index that `rebuild` has emptied and that has had none removed since. */
  placeAll(group: number, hashes: Int32Array, rows: Int32Array, count: number): void {
    if (count === 0) return;
    const { entries, bases } = this.directory;
    const i32 = this.#i32;
    const mask = this.masks[group]!;
    const base = bases[group]!;
    for (let n = 0; n < count; n += 1) {
      const hash = hashes[n]!;
      let slot = hash & mask;
      let position = entries[base + (slot >>> INDEX_SHIFT)]! + (slot & LAST_SLOT);
      while (i32[position] !== 0) {
        slot = (slot + 1) & mask;
        position = entries[base + (slot >>> INDEX_SHIFT)]! + (slot & LAST_SLOT);
      }
      i32[position] = (hash & TAG_BITS) | (rows[n]! + 1);
    }
    if (this.#live[group] === 0) this.filled.add(group);
    this.#live[group]! += count;
    this.#used[group]! += count;
  }

  /** Removes a row that is there. */
  remove(group: number, hash: number, row: number): void {
    const mask = this.masks[group]!;
    const wanted = (hash & TAG_BITS) | (row + 1);
    let slot = hash & mask;
    while (this.#i32[this.position(group, slot)] !== wanted) slot = (slot + 1) & mask;
    this.#live[group]! -= 1;
    if (this.#live[group] === 0) this.filled.delete(group);
    this.#write(this.position(group, slot), TOMBSTONE);
    if (this.#i32[this.position(group, (slot + 1) & mask)] !== 0) return;
    // Nothing is behind this run: its last entries need not say that something was here.
    while (this.#i32[this.position(group, slot)] === TOMBSTONE) {
      this.#write(this.position(group, slot), 0);
      this.#used[group]! -= 1;
      slot = (slot - 1) & mask;
    }
  }

  #write(position: number, entry: number): void {
    this.#allocator.writable(position >>> 1);
    this.#i32[position] = entry;
  }

  /** Whether the group has no rows. */
  isEmpty(group: number): boolean {
    return this.#live[group] === 0;
  }

  /** Forgets all rows of a group and releases its pages. */
  clear(group: number): void {
    this.#shrink(group, 0);
    this.masks[group] = 0;
    this.#awaited[group] = 0;
    this.filled.delete(group);
    this.#live[group] = 0;
    this.#used[group] = 0;
  }

  #shrink(group: number, pages: number): void {
    const had = this.directory.counts[group]!;
    for (let ordinal = pages; ordinal < had; ordinal += 1) {
      this.#allocator.release(this.directory.get(group, ordinal) / 2, this.#account);
    }
    if (pages === 0) this.directory.clear(group);
    else this.directory.truncate(group, had - pages);
  }
}

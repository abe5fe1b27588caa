// A heap of timers in pages: the earliest first, with the place of each timer known, so that any can be moved or
// removed.
//
//   entry   f64 time · i32 hash of the key, i32 address of the timer's row (managed-timers.ts); 4 children each
//
//   H1. An entry comes before another when it is earlier; at equal times by the hash of its key, then as `tie` says.
//   H2. The row of each entry holds the entry's index, at `indexAt(row)`.
//   H3. An entry's time is never later than its timer's. A timer that is moved to a later time keeps its place until it
//       comes to the top: moving it on with every record costs no more than the lookup of its row.

import type { MemoryAccount } from "./memory-owner.ts";
import { PAGE_WORDS, type PageAllocator } from "./page-allocator.ts";

const ENTRY_WORDS = 2;
const ENTRIES_PER_PAGE = PAGE_WORDS / ENTRY_WORDS;
const ENTRY_SHIFT = 8;

export type TimerHeapOptions = {
  readonly allocator: PageAllocator;
  readonly account: MemoryAccount;
  /** Word of a timer's row that holds its time. */
  readonly timeWord: number;
  /** Place in a timer's row, by i32 from its start, of the index of its entry. */
  readonly indexAt: number;
  /** Order of two rows whose times and hashes are equal: negative when the left one comes first. */
  readonly tie: (left: number, right: number) => number;
};

export class TimerHeap {
  size = 0;
  readonly #allocator: PageAllocator;
  readonly #account: MemoryAccount;
  readonly #f64: Float64Array;
  readonly #i32: Int32Array;
  readonly #timeWord: number;
  readonly #indexAt: number;
  readonly #tie: (left: number, right: number) => number;
  readonly #pages: number[] = [];

  constructor(options: TimerHeapOptions) {
    const { allocator } = options;
    this.#allocator = allocator;
    this.#account = options.account;
    this.#f64 = allocator.view.f64;
    this.#i32 = allocator.view.i32;
    this.#timeWord = options.timeWord;
    this.#indexAt = options.indexAt;
    this.#tie = options.tie;
  }

  /** Makes sure that the next `push` finds room. False when the budget has none. */
  reserve(): boolean {
    if (this.size < this.#pages.length * ENTRIES_PER_PAGE) return true;
    const page = this.#allocator.allocate(this.#account);
    if (page === -1) return false;
    this.#pages.push(page);
    return true;
  }

  /** Enters a timer's row with the time that it holds. `reserve` must have succeeded. */
  push(row: number, hash: number): void {
    const index = this.size;
    this.size += 1;
    this.#raise(index, this.#f64[row + this.#timeWord]!, hash, row);
  }

  /**
   * Row of the earliest timer, -1 for none. Looks at so many timers that come first but were moved to later times (H3),
   * and puts them where they belong; where there are more of them, -1 as well.
   */
  top(movedMax: number): number {
    for (let moved = 0; this.size > 0; moved += 1) {
      const entry = this.#entry(0);
      const row = this.#i32[entry * 2 + 3]!;
      const timeMs = this.#f64[row + this.#timeWord]!;
      if (this.#f64[entry] === timeMs) return row;
      if (moved === movedMax) return -1;
      this.#sink(0, timeMs, this.#i32[entry * 2 + 2]!, row);
    }
    return -1;
  }

  /**
   * No timer is earlier; Infinity when there is none. The earliest one may be later as long as `top` does not find it.
   */
  leastMs(): number {
    return this.size === 0 ? Infinity : this.#f64[this.#entry(0)]!;
  }

  /** To be called after the time of a row became earlier. */
  advance(row: number): void {
    const index = this.#i32[row * 2 + this.#indexAt]!;
    const entry = this.#entry(index);
    const timeMs = this.#f64[row + this.#timeWord]!;
    if (timeMs < this.#f64[entry]!) this.#raise(index, timeMs, this.#i32[entry * 2 + 2]!, row);
  }

  remove(row: number): void {
    const index = this.#i32[row * 2 + this.#indexAt]!;
    this.size -= 1;
    if (index < this.size) {
      const last = this.#entry(this.size);
      const timeMs = this.#f64[last]!;
      const hash = this.#i32[last * 2 + 2]!;
      const moved = this.#i32[last * 2 + 3]!;
      if (this.#raise(index, timeMs, hash, moved) === index) this.#sink(index, timeMs, hash, moved);
    }
    // One page is kept beyond what is needed, so that a timer set and fired in turn takes and gives none.
    if (this.size + ENTRIES_PER_PAGE * 2 <= this.#pages.length * ENTRIES_PER_PAGE) {
      this.#allocator.release(this.#pages.pop()!, this.#account);
    }
  }

  /** Forgets all timers. */
  release(): void {
    for (const page of this.#pages.splice(0)) this.#allocator.release(page, this.#account);
    this.size = 0;
  }

  #entry(index: number): number {
    return this.#pages[index >>> ENTRY_SHIFT]! + (index & (ENTRIES_PER_PAGE - 1)) * ENTRY_WORDS;
  }

  #write(index: number, timeMs: number, hash: number, row: number): void {
    const entry = this.#allocator.writable(this.#entry(index));
    this.#allocator.writable(row);
    this.#f64[entry] = timeMs;
    this.#i32[entry * 2 + 2] = hash;
    this.#i32[entry * 2 + 3] = row;
    this.#i32[row * 2 + this.#indexAt] = index;
  }

  /** Whether a timer comes before the entry at an index. */
  #isBefore(timeMs: number, hash: number, row: number, index: number): boolean {
    const entry = this.#entry(index);
    const otherMs = this.#f64[entry]!;
    if (timeMs !== otherMs) return timeMs < otherMs;
    const otherHash = this.#i32[entry * 2 + 2]!;
    if (hash !== otherHash) return hash < otherHash;
    return this.#tie(row, this.#i32[entry * 2 + 3]!) < 0;
  }

  /** Puts a timer at an index or above it. Returns where. */
  #raise(start: number, timeMs: number, hash: number, row: number): number {
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >>> 2;
      if (!this.#isBefore(timeMs, hash, row, parent)) break;
      this.#copy(parent, index);
      index = parent;
    }
    this.#write(index, timeMs, hash, row);
    return index;
  }

  /** Puts a timer at an index or below it. */
  #sink(start: number, timeMs: number, hash: number, row: number): void {
    let index = start;
    for (;;) {
      const child = this.#firstChild(index);
      if (child === -1 || this.#isBefore(timeMs, hash, row, child)) break;
      this.#copy(child, index);
      index = child;
    }
    this.#write(index, timeMs, hash, row);
  }

  /** Index of the child that comes first, -1 for none. */
  #firstChild(index: number): number {
    const from = index * 4 + 1;
    const end = Math.min(from + 4, this.size);
    if (from >= end) return -1;
    let first = from;
    for (let child = from + 1; child < end; child += 1) {
      const entry = this.#entry(child);
      const { row, hash } = { row: this.#i32[entry * 2 + 3]!, hash: this.#i32[entry * 2 + 2]! };
      if (this.#isBefore(this.#f64[entry]!, hash, row, first)) first = child;
    }
    return first;
  }

  #copy(from: number, to: number): void {
    const entry = this.#entry(from);
    this.#write(to, this.#f64[entry]!, this.#i32[entry * 2 + 2]!, this.#i32[entry * 2 + 3]!);
  }
}

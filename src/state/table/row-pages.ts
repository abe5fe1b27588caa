// The row pages of a table: taking and giving back slots, and visiting the rows of a key group. Layout: row-layout.ts.
//
//   R1. Rows never move. A page without rows is released at once; its ordinal, and so its row numbers, are used again.
//   R2. A slot that was freed is used before one that never was, within the page that was last added to or freed in.

import { assert } from "../../base/errors.ts";
import type { OwnGroups } from "../keys/key-groups.ts";
import type { MemoryAccount } from "../pages/memory-owner.ts";
import { PAGE_WORDS, type PageAllocator } from "../pages/page-allocator.ts";
import { PageDirectory } from "../pages/page-directory.ts";
import type { PageList } from "../pages/page-list.ts";
import type { RowLayout } from "./row-layout.ts";
import * as at from "./row-layout.ts";

/** Where a scan goes on: start with row -1. Groups are counted from the table's first. */
export type RowCursor = { group: number; row: number };

/** How many places for row pages a group has, and the first of the pages with free slots. */
export type RowPagesForm = { readonly pages: number; readonly open: number };

const NONE = -1;
/** High word of the NaN that marks a free row of a table with number keys. */
const FREE_NUMBER = 0x7ff80000;
const FREE_SIZE = -1;

export class RowPages {
  readonly layout: RowLayout;
  readonly directory: PageDirectory;
  readonly groupCount: number;
  readonly #firstGroup: number;
  readonly #i32: Int32Array;
  readonly #isNumber: boolean;
  readonly #allocator: PageAllocator;
  readonly #account: MemoryAccount;
  /** By key group: first of the pages with free slots. */
  readonly #open: Int32Array;

  constructor(
    allocator: PageAllocator,
    account: MemoryAccount,
    groups: OwnGroups,
    layout: RowLayout,
    isNumber: boolean,
  ) {
    this.layout = layout;
    this.directory = new PageDirectory(groups.count);
    this.groupCount = groups.count;
    this.#firstGroup = groups.range.first;
    this.#i32 = allocator.view.i32;
    this.#isNumber = isNumber;
    this.#allocator = allocator;
    this.#account = account;
    this.#open = new Int32Array(groups.count).fill(NONE);
  }

  /** Address of the row with this number. */
  address(group: number, row: number): number {
    const { rowShift, stride } = this.layout;
    const page = this.directory.get(group, row >>> rowShift);
    return page + at.PAGE_HEADER_WORDS + (row & ((1 << rowShift) - 1)) * stride;
  }

  /** Number of the row at this address. */
  row(address: number): number {
    const page = address & -PAGE_WORDS;
    const slot = ((address - page - at.PAGE_HEADER_WORDS) / this.layout.stride) | 0;
    return (this.#i32[page * 2 + at.PAGE_ORDINAL]! << this.layout.rowShift) | slot;
  }

  /** Key group of the row at this address. */
  group(address: number): number {
    return this.#i32[(address & -PAGE_WORDS) * 2 + at.PAGE_GROUP]! - this.#firstGroup;
  }

  /** Makes sure that the next `take` finds a slot. False when the budget has none. */
  reserve(group: number): boolean {
    return this.#open[group] !== NONE || this.#addPage(group);
  }

  /** Address of a slot, whose content is unknown. `reserve` must have succeeded. */
  take(group: number): number {
    const i32 = this.#i32;
    const page = this.#allocator.writable(this.directory.get(group, this.#open[group]!));
    const header = page * 2;
    let slot = i32[header + at.PAGE_FREE]!;
    if (slot === NONE) {
      slot = i32[header + at.PAGE_SLOTS]!;
      i32[header + at.PAGE_SLOTS] = slot + 1;
    } else {
      i32[header + at.PAGE_FREE] = i32[(page + at.PAGE_HEADER_WORDS + slot * this.layout.stride) * 2]!;
    }
    const live = i32[header + at.PAGE_LIVE]! + 1;
    i32[header + at.PAGE_LIVE] = live;
    if (live === this.layout.rowsPerPage) this.#unlink(group, header);
    return page + at.PAGE_HEADER_WORDS + slot * this.layout.stride;
  }

  /** Frees a slot, and its page with the last one. */
  release(address: number): void {
    const i32 = this.#i32;
    const page = this.#allocator.writable(address & -PAGE_WORDS);
    const header = page * 2;
    const group = this.group(address);
    const live = i32[header + at.PAGE_LIVE]! - 1;
    i32[header + at.PAGE_LIVE] = live;
    if (live + 1 === this.layout.rowsPerPage) this.#link(group, header);
    if (live === 0) {
      this.#unlink(group, header);
      this.directory.remove(group, i32[header + at.PAGE_ORDINAL]!);
      this.#allocator.release(page, this.#account);
      return;
    }
    i32[address * 2] = i32[header + at.PAGE_FREE]!;
    i32[address * 2 + 1] = this.#isNumber ? FREE_NUMBER : FREE_SIZE;
    i32[header + at.PAGE_FREE] = ((address - page - at.PAGE_HEADER_WORDS) / this.layout.stride) | 0;
  }

  /**
   * Writes addresses of rows of the cursor's group to `rows` and returns how many: less than its length at the end, or
   * after `pagesMax` places of pages, which may have none. `numbers`: gets the numbers of these rows.
   */
  scan(cursor: RowCursor, rows: Int32Array, pagesMax = Infinity, numbers: Int32Array | null = null): number {
    const { rowShift, stride } = this.layout;
    const { group } = cursor;
    const from = Math.max(0, cursor.row);
    const end = Math.min(this.directory.counts[group]!, (from >>> rowShift) + pagesMax);
    let count = 0;
    let slot = from & ((1 << rowShift) - 1);
    for (let ordinal = from >>> rowShift; ordinal < end; ordinal += 1) {
      const page = this.directory.get(group, ordinal);
      const slots = page < 0 ? 0 : this.#i32[page * 2 + at.PAGE_SLOTS]!;
      for (; slot < slots; slot += 1) {
        const address = page + at.PAGE_HEADER_WORDS + slot * stride;
        if (this.#isFree(address)) continue;
        cursor.row = (ordinal << rowShift) | slot;
        if (count === rows.length) return count;
        rows[count] = address;
        if (numbers !== null) numbers[count] = cursor.row;
        count += 1;
      }
      slot = 0;
    }
    cursor.row = end << rowShift;
    return count;
  }

  /** Whether a scan that has begun is at the end of the cursor's group. */
  isScanned({ group, row }: RowCursor): boolean {
    return row >= this.directory.counts[group]! << this.layout.rowShift;
  }

  /** Whether the group has given out all its row numbers. */
  isFull(group: number): boolean {
    return this.#open[group] === NONE && (this.directory.next(group) + 1) << this.layout.rowShift > at.ROW_NUMBERS_MAX;
  }

  /** Appends a group's pages by ordinal, negative where there is none, and gives what else is to be known of them. */
  formOf(group: number, pages: PageList): RowPagesForm {
    this.directory.copyTo(group, pages);
    return { pages: this.directory.counts[group]!, open: this.#open[group]! };
  }

  /**
   * Gives a group that has none these pages, -1 for none: they are to be filled then. They are the table's own from
   * then on.
   */
  adopt(group: number, pages: Int32Array, open: number): void {
    this.directory.load(group, pages);
    this.#open[group] = open;
  }

  /** How many rows the pages of a group have. */
  count(group: number): number {
    let rows = 0;
    for (let ordinal = 0; ordinal < this.directory.counts[group]!; ordinal += 1) {
      const page = this.directory.get(group, ordinal);
      if (page >= 0) rows += this.#i32[page * 2 + at.PAGE_LIVE]!;
    }
    return rows;
  }

  /** Releases all pages of a group. */
  clear(group: number): void {
    const ordinals = this.directory.counts[group]!;
    for (let ordinal = 0; ordinal < ordinals; ordinal += 1) {
      const page = this.directory.get(group, ordinal);
      if (page >= 0) this.#allocator.release(page, this.#account);
    }
    this.directory.clear(group);
    this.#open[group] = NONE;
  }

  #isFree(address: number): boolean {
    const word = this.#i32[address * 2 + 1]!;
    return this.#isNumber ? word === FREE_NUMBER : word === FREE_SIZE;
  }

  #addPage(group: number): boolean {
    if (this.isFull(group)) return false;
    const ordinal = this.directory.next(group);
    const page = this.#allocator.allocate(this.#account);
    if (page === NONE) return false;
    assert(
      this.directory.add(group, page) === ordinal,
      `page ${page} of group ${group} has another ordinal than ${ordinal}`,
    );
    const i32 = this.#i32;
    const header = page * 2;
    i32[header + at.PAGE_LIVE] = 0;
    i32[header + at.PAGE_FREE] = NONE;
    i32[header + at.PAGE_SLOTS] = 0;
    i32[header + at.PAGE_GROUP] = group + this.#firstGroup;
    i32[header + at.PAGE_ORDINAL] = ordinal;
    i32[header + at.PAGE_ORDINAL + 1] = 0;
    this.#link(group, header);
    return true;
  }

  #link(group: number, header: number): void {
    const i32 = this.#i32;
    const ordinal = i32[header + at.PAGE_ORDINAL]!;
    const next = this.#open[group]!;
    i32[header + at.PAGE_PREVIOUS] = NONE;
    i32[header + at.PAGE_NEXT] = next;
    if (next !== NONE) i32[this.#header(group, next) + at.PAGE_PREVIOUS] = ordinal;
    this.#open[group] = ordinal;
  }

  #unlink(group: number, header: number): void {
    const i32 = this.#i32;
    const previous = i32[header + at.PAGE_PREVIOUS]!;
    const next = i32[header + at.PAGE_NEXT]!;
    if (previous === NONE) this.#open[group] = next;
    else i32[this.#header(group, previous) + at.PAGE_NEXT] = next;
    if (next !== NONE) i32[this.#header(group, next) + at.PAGE_PREVIOUS] = previous;
  }

  /** Place of the header of a page that is going to change. */
  #header(group: number, ordinal: number): number {
    return this.#allocator.writable(this.directory.get(group, ordinal)) * 2;
  }
}

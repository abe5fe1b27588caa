// The rows of each namespace, linked: they are visited, and removed, at the cost of themselves.
//
//   heads   (group, namespace) ──▶ first row        namespace-heads.ts, or the owner of the entries of a map
//   links   in the rows: previous and next row of the group and namespace (row-layout.ts)
//
//   L1. The row that was added last comes first in its group.

import type { PageAllocator } from "../pages/page-allocator.ts";
import type { RowLayout } from "./row-layout.ts";
import type { RowCursor, RowPages } from "./row-pages.ts";

/**
 * Where the first row of each namespace is kept. Groups are counted from the table's first.
 */
export interface NamespaceHeads {
  /** Row number, -1 for none. */
  get(group: number, namespace: number): number;
  /**
   * Makes a row the first one. Returns the one that was, -1 for none, HEAD_REFUSED when the budget has no room for one
   * more namespace of the group; never where it has rows.
   */
  put(group: number, namespace: number, row: number): number;
  /** The group was given rows as they were, of which this one is the first of its namespace. As `put`. */
  load(group: number, namespace: number, row: number): number;
  /** The group has no more rows of the namespace. */
  remove(group: number, namespace: number): void;
  /** The group with rows of the namespace that comes after `group`, the first one for -1; -1 for none. */
  next(group: number, namespace: number): number;
}

export const HEAD_REFUSED = -2;

const NONE = -1;

export class NamespaceLists {
  readonly #heads: NamespaceHeads;
  readonly #rows: RowPages;
  readonly #allocator: PageAllocator;
  readonly #f64: Float64Array;
  readonly #i32: Int32Array;
  readonly #namespaceWord: number;
  readonly #linkWord: number;

  constructor(heads: NamespaceHeads, rows: RowPages, layout: RowLayout, allocator: PageAllocator) {
    this.#heads = heads;
    this.#rows = rows;
    this.#allocator = allocator;
    this.#f64 = allocator.view.f64;
    this.#i32 = allocator.view.i32;
    this.#namespaceWord = layout.namespaceWord;
    this.#linkWord = layout.linkWord;
  }

  /** Makes a row the first of its namespace. False when the budget refused: nothing has changed. */
  add(group: number, address: number, row: number): boolean {
    const head = this.#heads.put(group, this.#namespaceOf(address), row);
    if (head === HEAD_REFUSED) return false;
    this.#linkBefore(group, address, row, head);
    return true;
  }

  remove(group: number, address: number): void {
    const i32 = this.#i32;
    const previous = i32[this.#previousAt(address)]!;
    const next = i32[this.#nextAt(address)]!;
    if (previous !== NONE) i32[this.#nextAt(this.#writable(group, previous))] = next;
    else if (next !== NONE) this.#heads.put(group, this.#namespaceOf(address), next);
    else this.#heads.remove(group, this.#namespaceOf(address));
    if (next !== NONE) i32[this.#previousAt(this.#writable(group, next))] = previous;
  }

  /**
   * Makes a row the first of another namespace, which it is given after that. False when the budget refused: nothing
   * has changed.
   */
  move(group: number, address: number, row: number, namespace: number): boolean {
    const head = this.#heads.put(group, namespace, row); // First, since it may be refused.
    if (head === HEAD_REFUSED) return false;
    this.remove(group, address);
    this.#linkBefore(group, address, row, head);
    return true;
  }

  /** A group was given rows with their links. False when the budget refused. */
  load(group: number): boolean {
    const rows = new Int32Array(256);
    const cursor = { group, row: NONE };
    for (let count = rows.length; count === rows.length; ) {
      count = this.#rows.scan(cursor, rows);
      for (let n = 0; n < count; n += 1) {
        const address = rows[n]!;
        if (this.#i32[this.#previousAt(address)] !== NONE) continue;
        const row = this.#rows.row(address);
        if (this.#heads.load(group, this.#namespaceOf(address), row) === HEAD_REFUSED) return false;
      }
    }
    return true;
  }

  /**
   * Writes addresses of rows of a namespace, youngest first in each group, to `rows`. Returns how many, 0 at the end.
   */
  scan(namespace: number, cursor: RowCursor, rows: Int32Array): number {
    const heads = this.#heads;
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
        row = this.#i32[this.#nextAt(address)]!;
      }
      group = heads.next(group, namespace);
    }
    cursor.group = this.#rows.groupCount;
    cursor.row = NONE;
    return count;
  }

  #linkBefore(group: number, address: number, row: number, next: number): void {
    this.#allocator.writable(address);
    this.#i32[this.#previousAt(address)] = NONE;
    this.#i32[this.#nextAt(address)] = next;
    if (next !== NONE) this.#i32[this.#previousAt(this.#writable(group, next))] = row;
  }

  #writable(group: number, row: number): number {
    return this.#allocator.writable(this.#rows.address(group, row));
  }

  #namespaceOf(address: number): number {
    return this.#f64[address + this.#namespaceWord]!;
  }

  #previousAt(address: number): number {
    return (address + this.#linkWord) * 2;
  }

  #nextAt(address: number): number {
    return (address + this.#linkWord) * 2 + 1;
  }
}

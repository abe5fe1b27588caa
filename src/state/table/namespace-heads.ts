// The first row of each namespace of a listed table, by key group: itself a table, so that any number of namespaces
// (windows that are open, each day of late data …) stays off the heap and in the budget.
//
//   entry   (group, namespace) ──▶ │ i32 first row, i32 (previous group + 1) << 16 | next group + 1 │
//
// The entries of a namespace are chained, so that its groups are found without asking all of them: most windows of a
// sparse stream have rows in one or two groups of 128.
//
//   N1. A namespace's chain begins at its anchor, a group that its hash names. The anchor's entry is there as long as
//       any group has rows, with row -1 when it has none itself; all other entries have a row.
//   N2. Behind the anchor, the group that had its first row last comes first.

import { KeyBatch } from "../keys/key-batch.ts";
import { ManagedTable, type TableOptions } from "./managed-table.ts";
import { HEAD_REFUSED, type NamespaceHeads } from "./namespace-lists.ts";
import type { TableSpec } from "./row-layout.ts";

const NONE = -1;
const LINK_BITS = 16;
const LINK_MASK = (1 << LINK_BITS) - 1;
/** No row, no neighbours. */
const INITIAL = new Float64Array(Int32Array.of(NONE, 0).buffer);

export class TableHeads implements NamespaceHeads {
  readonly #table: ManagedTable;
  readonly #i32: Int32Array;
  readonly #key = new KeyBatch(1);

  constructor(name: string, options: TableOptions) {
    const spec: TableSpec = {
      name,
      key: "number",
      namespaced: false,
      listed: false,
      blob: false,
      valueWords: 1,
      initial: INITIAL,
    };
    this.#table = new ManagedTable(spec, options);
    this.#i32 = this.#table.i32;
  }

  get(group: number, namespace: number): number {
    this.#stage(namespace);
    const at = this.#find(group);
    return at === NONE ? NONE : this.#i32[at]!;
  }

  put(group: number, namespace: number, row: number): number {
    this.#stage(namespace);
    const at = this.#find(group);
    if (at === NONE) return this.#enter(group, row);
    const before = this.#i32[at]!;
    this.#i32[at] = row;
    return before;
  }

  remove(group: number, namespace: number): void {
    this.#stage(namespace);
    const at = this.#find(group);
    const anchorGroup = this.#anchorGroup();
    const next = this.#next(at);
    if (group === anchorGroup) {
      this.#i32[at] = NONE;
    } else {
      const previous = this.#previous(at);
      this.#setNext(this.#find(previous), next);
      if (next !== NONE) this.#setPrevious(this.#find(next), previous);
      this.#drop(at);
    }
    this.#dropAnchorUnlessUsed(anchorGroup);
  }

  next(group: number, namespace: number): number {
    this.#stage(namespace);
    if (group !== NONE) return this.#next(this.#find(group));
    const anchorGroup = this.#anchorGroup();
    const anchor = this.#find(anchorGroup);
    if (anchor === NONE) return NONE;
    return this.#i32[anchor] === NONE ? this.#next(anchor) : anchorGroup;
  }

  release(): void {
    this.#table.release();
  }

  /** A group gets its first row of the staged namespace. Returns -1, or that it was refused. */
  #enter(group: number, row: number): number {
    const anchorGroup = this.#anchorGroup();
    const anchor = this.#resolve(anchorGroup);
    const own = anchor === NONE ? NONE : this.#resolve(group);
    if (own === NONE) {
      if (anchor !== NONE) this.#dropAnchorUnlessUsed(anchorGroup);
      return HEAD_REFUSED;
    }
    this.#i32[own] = row;
    if (own === anchor) return NONE;
    const next = this.#next(anchor);
    this.#setPrevious(own, anchorGroup);
    this.#setNext(own, next);
    this.#setNext(anchor, group);
    if (next !== NONE) this.#setPrevious(this.#find(next), group);
    return NONE;
  }

  #dropAnchorUnlessUsed(group: number): void {
    const at = this.#find(group);
    if (this.#i32[at] === NONE && this.#next(at) === NONE) this.#drop(at);
  }

  #stage(namespace: number): void {
    this.#key.numbers[0] = namespace;
    this.#key.hashNumbers(1);
  }

  /** Of the staged namespace. */
  #anchorGroup(): number {
    return (this.#key.hashes[0]! >>> 0) % this.#table.groupCount;
  }

  /** Place of a group's entry of the staged namespace in the Int32Array, -1 for none. */
  #find(group: number): number {
    return this.#placeOf(this.#table.findIn(group, this.#key, 0));
  }

  #resolve(group: number): number {
    return this.#placeOf(this.#table.resolveIn(group, this.#key, 0));
  }

  #placeOf(address: number): number {
    return address === NONE ? NONE : (address + this.#table.layout.valueWord) * 2;
  }

  #drop(at: number): void {
    this.#table.remove(at / 2 - this.#table.layout.valueWord);
  }

  #previous(at: number): number {
    return (this.#i32[at + 1]! >>> LINK_BITS) - 1;
  }

  #next(at: number): number {
    return (this.#i32[at + 1]! & LINK_MASK) - 1;
  }

  #setPrevious(at: number, group: number): void {
    this.#i32[at + 1] = (this.#i32[at + 1]! & LINK_MASK) | ((group + 1) << LINK_BITS);
  }

  #setNext(at: number, group: number): void {
    this.#i32[at + 1] = (this.#i32[at + 1]! & ~LINK_MASK) | (group + 1);
  }
}

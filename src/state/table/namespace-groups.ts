// Which key groups have rows of a namespace: a bit per group, in managed memory. Most windows of a sparse stream have
// rows in one or two groups of 128, which are found without asking the others.
//
//   row   │ namespace │ part: groups from part × 512 on │ 512 bits │
//
//   G1. All of it follows from the heads (namespace-heads.ts). Its pages belong to no key group, and are never moved.

import { KeyBatch } from "../keys/key-batch.ts";
import { ManagedTable, type TableOptions } from "./managed-table.ts";

const NONE = -1;
const WORDS = 8;
/** Groups of a row. */
const GROUP_SHIFT = 9;
const GROUP_MASK = (1 << GROUP_SHIFT) - 1;

export class NamespaceGroups {
  readonly #table: ManagedTable;
  readonly #i32: Int32Array;
  readonly #parts: number;
  readonly #key = new KeyBatch(1);

  constructor(name: string, options: TableOptions) {
    const { first, last } = options.keyGroups;
    this.#table = new ManagedTable(
      { name, key: "number", namespaced: true, listed: false, blob: false, valueWords: WORDS, initial: null },
      { ...options, maxParallelism: 1, keyGroups: { first: 0, last: 0 } },
    );
    this.#i32 = this.#table.i32;
    this.#parts = ((last - first) >>> GROUP_SHIFT) + 1;
  }

  /** False when the budget refused. */
  add(group: number, namespace: number): boolean {
    const row = this.#table.resolveIn(0, this.#stage(namespace, group >>> GROUP_SHIFT), 0);
    if (row === NONE) return false;
    this.#i32[this.#wordAt(row, group)]! |= 1 << (group & 31);
    return true;
  }

  /** The group must be there. */
  delete(group: number, namespace: number): void {
    const table = this.#table;
    const row = table.writable(table.findIn(0, this.#stage(namespace, group >>> GROUP_SHIFT), 0));
    this.#i32[this.#wordAt(row, group)]! &= ~(1 << (group & 31));
    if (this.#nextIn(row, 0) === NONE) table.remove(row);
  }

  /** The group that comes after `group`, the first one for -1; -1 for none. */
  next(group: number, namespace: number): number {
    let from = (group + 1) & GROUP_MASK;
    for (let part = (group + 1) >>> GROUP_SHIFT; part < this.#parts; part += 1) {
      const row = this.#table.findIn(0, this.#stage(namespace, part), 0);
      const found = row === NONE ? NONE : this.#nextIn(row, from);
      if (found !== NONE) return (part << GROUP_SHIFT) | found;
      from = 0;
    }
    return NONE;
  }

  release(): void {
    this.#table.release();
  }

  /** The first bit of a row at or after this one, -1 for none. */
  #nextIn(row: number, from: number): number {
    const at = (row + this.#table.layout.valueWord) * 2;
    for (let word = from >>> 5; word < WORDS * 2; word += 1) {
      const mask = word === from >>> 5 ? -1 << (from & 31) : -1;
      const bits = this.#i32[at + word]! & mask;
      if (bits !== 0) return (word << 5) | (31 - Math.clz32(bits & -bits));
    }
    return NONE;
  }

  #wordAt(row: number, group: number): number {
    return (row + this.#table.layout.valueWord) * 2 + ((group & GROUP_MASK) >>> 5);
  }

  #stage(namespace: number, part: number): KeyBatch {
    const key = this.#key;
    key.numbers[0] = namespace;
    key.hashNumbers(1);
    key.namespaces[0] = part;
    return key;
  }
}

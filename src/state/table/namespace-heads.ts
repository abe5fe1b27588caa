// The first row of each namespace of a listed table, by key group: itself a table, so that any number of namespaces
// (windows that are open, each day of late data …) stays off the heap and in the budget.
//
//   entry   (group, namespace) ──▶ │ i32 first row, i32 0 │
//
//   N1. An entry is there if and only if its group has rows of the namespace, and namespace-groups.ts knows it.
//   N2. All of it follows from the rows and their links: snapshots need not contain it.

import { KeyBatch } from "../keys/key-batch.ts";
import { ManagedTable, type TableOptions } from "./managed-table.ts";
import { NamespaceGroups } from "./namespace-groups.ts";
import { HEAD_REFUSED, type NamespaceHeads } from "./namespace-lists.ts";
import type { TableSpec } from "./row-layout.ts";

const NONE = -1;

export class TableHeads implements NamespaceHeads {
  readonly #table: ManagedTable;
  readonly #groups: NamespaceGroups;
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
      initial: null,
    };
    this.#table = new ManagedTable(spec, options);
    this.#groups = new NamespaceGroups(name, { ...options, account: this.#table.account });
    this.#i32 = this.#table.i32;
  }

  get(group: number, namespace: number): number {
    const at = this.#find(group, namespace);
    return at === NONE ? NONE : this.#i32[this.#headAt(at)]!;
  }

  put(group: number, namespace: number, row: number): number {
    const at = this.#find(group, namespace);
    if (at === NONE) return this.#enter(group, namespace, row);
    const head = this.#headAt(this.#table.writable(at));
    const before = this.#i32[head]!;
    this.#i32[head] = row;
    return before;
  }

  load(group: number, namespace: number, row: number): number {
    return this.put(group, namespace, row);
  }

  remove(group: number, namespace: number): void {
    this.#table.remove(this.#find(group, namespace));
    this.#groups.delete(group, namespace);
  }

  next(group: number, namespace: number): number {
    return this.#groups.next(group, namespace);
  }

  release(): void {
    this.#table.release();
    this.#groups.release();
  }

  /** A group gets its first row of a namespace. Returns -1, or that it was refused. */
  #enter(group: number, namespace: number, row: number): number {
    const at = this.#table.resolveIn(group, this.#stage(namespace), 0);
    if (at === NONE) return HEAD_REFUSED;
    if (!this.#groups.add(group, namespace)) {
      this.#table.remove(at);
      return HEAD_REFUSED;
    }
    this.#i32[this.#headAt(at)] = row;
    return NONE;
  }

  /** Address of a group's entry, -1 for none. */
  #find(group: number, namespace: number): number {
    return this.#table.findIn(group, this.#stage(namespace), 0);
  }

  #stage(namespace: number): KeyBatch {
    this.#key.numbers[0] = namespace;
    this.#key.hashNumbers(1);
    return this.#key;
  }

  #headAt(address: number): number {
    return (address + this.#table.layout.valueWord) * 2;
  }
}

// The first row of each namespace of a listed table, by key group: itself a table, so that any number of namespaces
// (windows that are open, each day of late data …) stays off the heap and in the budget.

import { KeyBatch } from "./key-batch.ts";
import { ManagedTable, type NamespaceHeads, type TableOptions } from "./managed-table.ts";
import type { TableSpec } from "./row-layout.ts";

const NONE = -1;

export class TableHeads implements NamespaceHeads {
  readonly #table: ManagedTable;
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
  }

  get(group: number, namespace: number): number {
    this.#stage(namespace);
    const address = this.#table.findIn(group, this.#key, 0);
    return address === NONE ? NONE : this.#table.i32[this.#valueAt(address)]!;
  }

  set(group: number, namespace: number, row: number): boolean {
    this.#stage(namespace);
    if (row === NONE) {
      this.#table.remove(this.#table.findIn(group, this.#key, 0));
      return true;
    }
    const address = this.#table.resolveIn(group, this.#key, 0);
    if (address === NONE) return false;
    this.#table.i32[this.#valueAt(address)] = row;
    return true;
  }

  release(): void {
    this.#table.release();
  }

  #stage(namespace: number): void {
    this.#key.numbers[0] = namespace;
    this.#key.hashNumbers(1);
  }

  #valueAt(address: number): number {
    return (address + this.#table.layout.valueWord) * 2;
  }
}

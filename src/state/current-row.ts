// The row of the current key in one table, looked up once per key.

import type { CurrentKey } from "./current-key.ts";
import type { ManagedTable } from "./managed-table.ts";

const NONE = -1;

export class CurrentRow {
  readonly table: ManagedTable;
  readonly #current: CurrentKey;
  #turn = -1;
  #address = NONE;

  constructor(table: ManagedTable, current: CurrentKey) {
    this.table = table;
    this.#current = current;
  }

  /** Address of the row, -1 when there is none. */
  find(): number {
    const current = this.#current;
    if (this.#turn === current.turn) return this.#address;
    this.#turn = current.turn;
    this.#address = this.table.findIn(current.group, current.stage(), 0);
    return this.#address;
  }

  /** Adds the row, which must not be there. Throws STATE_BUDGET_EXCEEDED. */
  add(): number {
    this.#address = this.table.resolveIn(this.#current.group, this.#current.stage(), 0);
    this.#turn = this.#current.turn;
    if (this.#address === NONE) throw this.table.exceeded();
    return this.#address;
  }

  /** Removes the row, which must be there. */
  remove(): void {
    this.table.remove(this.#address);
    this.#address = NONE;
  }

  /** To be called when rows were removed by others. */
  forget(): void {
    this.#turn = -1;
  }
}

// The row of the current key in one table, looked up once per key.

import type { CurrentKey } from "../keys/current-key.ts";
import type { ManagedTable } from "../table/managed-table.ts";

const NONE = -1;
/** A smaller table is likely to be in the second-level cache. */
const PREFETCH_BYTES_MIN = 2 * 2 ** 20;

export class CurrentRow {
  readonly table: ManagedTable;
  readonly #current: CurrentKey;
  #turn = -1;
  #address = NONE;
  /** Keys that were looked up, and those that could have been, since the last prefetch. */
  #lookups = 0;
  #expected = 0;

  constructor(table: ManagedTable, current: CurrentKey) {
    this.table = table;
    this.#current = current;
  }

  /** Address of the row, -1 when there is none. */
  find(): number {
    const current = this.#current;
    if (this.#turn === current.turn) return this.#address;
    this.#turn = current.turn;
    this.#lookups += 1;
    this.#address = this.table.findIn(current.group, current.stage(), 0);
    return this.#address;
  }

  /**
   * Brings the rows of keys with these hashes into the processor's cache, unless they are there anyway, or few of the
   * last keys were looked up.
   */
  prefetch(hashes: Int32Array, count: number): void {
    const isUsed = this.#lookups * 2 >= this.#expected;
    this.#lookups = 0;
    this.#expected = count;
    if (isUsed && this.table.account.bytes >= PREFETCH_BYTES_MIN) this.table.prefetch(hashes, count);
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

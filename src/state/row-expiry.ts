// Time-to-live of the rows of a table: the first word of the fixed part is when the row was last written.
//
//   E1. A row whose time has come is never read: whoever finds it removes it.
//   E2. Each write looks at SWEEP_ROWS further rows, one after the other through the whole table, and removes the
//       expired ones. So a table that is written to holds at most about a third more than what is alive; one that is
//       not does not grow.

import type { Clock } from "../base/env.ts";
import type { ManagedTable } from "./managed-table.ts";

const SWEEP_ROWS = 4;

export class RowExpiry {
  readonly #table: ManagedTable;
  readonly #ttlMs: number;
  readonly #clock: Clock;
  readonly #remove: (address: number) => void;
  readonly #cursor = { group: 0, row: -1 };
  readonly #rows = new Int32Array(SWEEP_ROWS);

  constructor(table: ManagedTable, ttlMs: number, clock: Clock, remove: (address: number) => void) {
    this.#table = table;
    this.#ttlMs = ttlMs;
    this.#clock = clock;
    this.#remove = remove;
  }

  stamp(address: number): void {
    this.#table.f64[address + this.#table.layout.valueWord] = this.#clock.nowMs();
  }

  isExpired(address: number): boolean {
    return this.#clock.nowMs() - this.#table.f64[address + this.#table.layout.valueWord]! >= this.#ttlMs;
  }

  sweep(): void {
    const cursor = this.#cursor;
    const rows = this.#rows;
    const count = this.#table.scanGroup(cursor, rows);
    if (count < rows.length) {
      cursor.group = (cursor.group + 1) % this.#table.groupCount;
      cursor.row = -1;
    }
    const dueMs = this.#clock.nowMs() - this.#ttlMs;
    const { f64, layout } = this.#table;
    for (let n = 0; n < count; n += 1) {
      if (f64[rows[n]! + layout.valueWord]! <= dueMs) this.#remove(rows[n]!);
    }
  }
}

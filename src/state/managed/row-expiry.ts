// Time-to-live of the rows of a table: the first word of the fixed part is when the row was last written.
//
//   E1. A row whose time has come is never read: whoever finds it removes it.
//   E2. Each write looks at SWEEP_ROWS further rows, one after the other through the whole table, and removes the
//       expired ones. So a table that is written to holds at most about a third more than what is alive; one that is
//       not does not grow.
//   E3. Key groups without rows cost nothing. A group that had many keeps the places of their pages, and a write looks
//       at SWEEP_PAGES of a group at most: to come past them takes a write for each so many.

import type { Clock } from "../../base/env.ts";
import type { ManagedTable } from "../table/managed-table.ts";

const NONE = -1;
const SWEEP_ROWS = 4;
const SWEEP_PAGES = 64;

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
    this.stampAt(address, this.#clock.nowMs());
  }

  /** As a snapshot says. */
  stampAt(address: number, writtenMs: number): void {
    this.#table.f64[this.#table.writable(address) + this.#table.layout.valueWord] = writtenMs;
  }

  isExpired(address: number): boolean {
    return this.#clock.nowMs() - this.#table.f64[address + this.#table.layout.valueWord]! >= this.#ttlMs;
  }

  sweep(): void {
    const table = this.#table;
    const cursor = this.#cursor;
    const dueMs = this.#clock.nowMs() - this.#ttlMs;
    const { group } = cursor;
    let seen = 0;
    do {
      seen += this.#sweepGroup(dueMs);
      if (seen >= SWEEP_ROWS || !table.isScanned(cursor)) return;
      const next = table.nextGroup(cursor.group);
      cursor.group = next === NONE ? Math.max(0, table.nextGroup(NONE)) : next;
      cursor.row = NONE;
    } while (table.size > 0 && cursor.group !== group);
  }

  /** Looks at the next few rows of the cursor's group; returns how many. */
  #sweepGroup(dueMs: number): number {
    const rows = this.#rows;
    const count = this.#table.scanGroup(this.#cursor, rows, SWEEP_PAGES);
    const { f64, layout } = this.#table;
    for (let n = 0; n < count; n += 1) {
      if (f64[rows[n]! + layout.valueWord]! <= dueMs) this.#remove(rows[n]!);
    }
    return count;
  }
}

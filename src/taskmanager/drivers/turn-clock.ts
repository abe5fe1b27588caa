// The end of a task's turn, for work that asks after every row. A question costs a subtraction: the clock is looked at
// some four times per millisecond, however slow the rows are, and at least every 256 rows.
//
//   C1. The first row of a turn is never refused, so that whatever was stopped half-way gets on.
//   C2. A turn that is over stays over until the next one begins.

import type { Clock } from "../../base/env.ts";

const LOOK_EVERY_MS = 0.25;
const ROWS_MAX = 256;

export class TurnClock {
  readonly #clock: Clock;
  #deadlineMs = Number.POSITIVE_INFINITY;
  #beganMs = 0;
  #seenMs = 0;
  /** Rows from one look to the next, and how many of them are left. */
  #every = 1;
  #left = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A turn begins, until `deadlineMs` (monotonic). */
  begin(deadlineMs: number): void {
    this.#deadlineMs = deadlineMs;
    this.#beganMs = this.#clock.monotonicMs();
    this.#seenMs = this.#beganMs;
    this.#every = Math.max(2, this.#every); // C1
    this.#left = this.#every;
  }

  get beganMs(): number {
    return this.#beganMs;
  }

  /** Whether the turn is over. `rows`: done since the last question. */
  isOver(rows: number): boolean {
    this.#left -= rows;
    return this.#left <= 0 && this.#look();
  }

  #look(): boolean {
    const nowMs = this.#clock.monotonicMs();
    const tookMs = nowMs - this.#seenMs;
    const isOver = nowMs >= this.#deadlineMs;
    const rows = this.#every - this.#left;
    const every = tookMs > 0 ? Math.floor((rows * LOOK_EVERY_MS) / tookMs) : ROWS_MAX;
    this.#every = Math.max(1, Math.min(ROWS_MAX, every));
    this.#left = isOver ? 0 : this.#every;
    this.#seenMs = nowMs;
    return isOver;
  }
}

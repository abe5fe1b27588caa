// A walk over rows a few at a time, that can stop between any two of them and go on.
//
// How long a piece is bounds what is done between two questions whether the turn is over, where a row costs much
// (sketches are merged), and is enough for the cache misses of rows to overlap.

import type { RowCursor } from "../../../state/table/row-pages.ts";

export const ROWS_PER_STEP = 64;

/** Writes addresses of further rows to `rows` and returns how many, 0 at the end. `of`: a pane, for example. */
export type RowScan = (cursor: RowCursor, rows: Int32Array, of: number) => number;

export class RowWalk {
  readonly rows = new Int32Array(ROWS_PER_STEP);
  count = 0;
  /** For whoever stops within a piece: the next row. */
  at = 0;
  readonly #scan: RowScan;
  readonly #cursor: RowCursor = { group: 0, row: -1 };

  constructor(scan: RowScan) {
    this.#scan = scan;
  }

  /** The next piece. False at the end; what comes then is another walk. */
  next(of: number): boolean {
    this.at = 0;
    this.count = this.#scan(this.#cursor, this.rows, of);
    if (this.count > 0) return true;
    this.#cursor.group = 0;
    this.#cursor.row = -1;
    return false;
  }
}

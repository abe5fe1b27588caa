// Tumbling windows: a pane is a window, a row is a result.

import type { RowCursor } from "../../state/row-pages.ts";
import type { AggregateTable } from "../aggregates/aggregate-table.ts";
import type { PaneFiring } from "./pane-firing.ts";
import type { PaneFrame } from "./pane-frame.ts";
import type { WindowEmitter } from "./window-emitter.ts";

export class TumblingFiring implements PaneFiring {
  readonly #groups: AggregateTable;
  readonly #frame: PaneFrame;
  readonly #emitter: WindowEmitter;
  readonly #rows = new Int32Array(256);
  #cursor: RowCursor = { group: 0, row: -1 };
  #count = 0;
  #at = 0;

  constructor(groups: AggregateTable, frame: PaneFrame, emitter: WindowEmitter) {
    this.#groups = groups;
    this.#frame = frame;
    this.#emitter = emitter;
  }

  onResolved(): void {
    // Nothing is kept beside the rows.
  }

  onRestored(): void {
    // See onResolved.
  }

  amend(): void {
    // Nothing is computed ahead.
  }

  fire(window: number): boolean {
    const { table } = this.#groups;
    for (;;) {
      while (this.#at < this.#count) {
        this.#at += 1;
        if (!this.update(this.#rows[this.#at - 1]!, window)) return false;
      }
      this.#at = 0;
      this.#count = table.scanNamespace(window, this.#cursor, this.#rows);
      if (this.#count > 0) continue;
      this.#cursor = { group: 0, row: -1 };
      return true;
    }
  }

  update(address: number, window: number): boolean {
    const groups = this.#groups;
    const { f64 } = groups.table;
    const key = groups.key(address);
    return this.#emitter.emit(
      f64,
      address + groups.offset,
      key,
      this.#frame.startOf(window),
      this.#frame.endOf(window),
    );
  }

  forget(pane: number): void {
    this.#groups.removeNamespace(pane);
  }
}

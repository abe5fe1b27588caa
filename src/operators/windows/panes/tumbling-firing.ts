// Tumbling windows: a pane is a window, a row is a result.

import type { AggregateTable } from "../../aggregates/aggregate-table.ts";
import { RowWalk } from "../rows/row-walk.ts";
import type { WindowEmitter } from "../rows/window-emitter.ts";
import type { PaneFrame } from "../time/pane-frame.ts";
import type { LateRow, PaneFiring } from "./pane-firing.ts";
import type { PaneProgress } from "./pane-progress.ts";

export class TumblingFiring implements PaneFiring {
  readonly #groups: AggregateTable;
  readonly #frame: PaneFrame;
  readonly #progress: PaneProgress;
  readonly #emitter: WindowEmitter;
  readonly #walk: RowWalk;

  constructor(groups: AggregateTable, frame: PaneFrame, progress: PaneProgress, emitter: WindowEmitter) {
    this.#groups = groups;
    this.#frame = frame;
    this.#progress = progress;
    this.#emitter = emitter;
    this.#walk = new RowWalk((cursor, rows, pane) => groups.table.scanNamespace(pane, cursor, rows));
  }

  amend(): void {
    // Nothing is computed ahead.
  }

  fire(window: number): boolean {
    const walk = this.#walk;
    const startMs = this.#frame.startOf(window);
    const endMs = this.#frame.endOf(window);
    do {
      while (walk.at < walk.count) {
        walk.at += 1;
        const address = walk.rows[walk.at - 1]!;
        if (!this.#isGiven(address, window) && !this.#emit(address, startMs, endMs)) return false;
      }
    } while (walk.next(window));
    return true;
  }

  /** There is one. */
  update({ address, added, first }: LateRow): void {
    const groups = this.#groups;
    const [startMs, endMs] = [this.#frame.startOf(first), this.#frame.endOf(first)];
    const window = { key: groups.key(address), startMs, endMs };
    this.#emitter.update(added, groups.table.f64, address + groups.offset, window);
  }

  #isGiven(address: number, window: number): boolean {
    const progress = this.#progress;
    return !progress.isEven && progress.isAhead(this.#groups.table.rowGroup(address), window);
  }

  #emit(address: number, startMs: number, endMs: number): boolean {
    const groups = this.#groups;
    return this.#emitter.emit(groups.table.f64, address + groups.offset, groups.key(address), startMs, endMs);
  }
}

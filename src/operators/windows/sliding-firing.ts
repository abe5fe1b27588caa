// Sliding windows in constant work per key and window, however many panes a window has: two stacks (van Herk, Gil and
// Werman), kept for all keys in step.
//
//   panes     … │ 7 │ 8 │ 9 │ 10 │ 11 │ 12 │ …         the next window starts at 8 and has 4 panes: 8 to 11
//                   └ front ─┘└─ back ─┘
//                   8 … mid    mid … computed
//
// A head row per key keeps front (merge of its rows in [start, mid)) and back (merge of those in [mid, computed)); a
// result is front + back. As the window moves on
//   - a pane that enters is merged into the backs of the keys that have rows in it;
//   - a pane that leaves makes a key's front what was written down for "after this pane" in its row;
//   - when `start` reaches `mid`, the panes of the back are walked from the last to the first: each row writes down the
//     front so far as its "after", and is merged into the front. mid is then where the back ended, and the back is
//     empty.
// So each row is merged three times in its life, whatever the width.
//
//   row       │ head's row number │ after │ accumulators │
//   head      │ rows of the key │ stale │ front │ back │
//
//   S1. Unless it is stale, a head has front = merge of rows in [start, mid) and back = merge of rows in [mid,
//       computed).
//   S2. All this is derived: a snapshot has rows only, and after a restore everything is merged anew from them.
//   S3. A head exists if and only if its key has rows.
//   S4. A record that comes for a pane before `computed` goes into its row, and into the back; where it concerns the
//       front, the head is stale until the next window fires, when it is merged anew.

import type { KeyBatch } from "../../state/key-batch.ts";
import type { KeyedTables } from "../../state/keyed-tables.ts";
import type { ManagedTable } from "../../state/managed-table.ts";
import type { RowCursor } from "../../state/row-pages.ts";
import type { AggregateTable } from "../aggregates/aggregate-table.ts";
import type { PaneFiring } from "./pane-firing.ts";
import type { PaneFrame } from "./pane-frame.ts";
import type { PaneInput } from "./pane-input.ts";
import type { PaneSet } from "./pane-set.ts";
import type { WindowEmitter } from "./window-emitter.ts";

/** Words of a row before its accumulators, beyond the layout's: see above. */
const ROW_HEAD = 0;
const ROW_AFTER = 1;
const HEAD_ROWS = 0;
const HEAD_STALE = 1;
const HEAD_FRONT = 2;
const NO_HEAD = -1;

/** What a new row of the table has before its accumulators. `empty` are the accumulators of an empty group. */
export function slidingExtra(empty: Float64Array): number[] {
  return [NO_HEAD, ...empty];
}

export type SlidingParts = {
  readonly groups: AggregateTable;
  readonly tables: KeyedTables;
  readonly frame: PaneFrame;
  readonly panes: PaneSet;
  readonly input: PaneInput;
  readonly emitter: WindowEmitter;
};

export class SlidingFiring implements PaneFiring {
  #computed = -Infinity;
  #start = -Infinity;
  #mid = -Infinity;
  #anyStale = false;
  readonly #parts: SlidingParts;
  readonly #f64: Float64Array;
  readonly #heads: ManagedTable;
  /** From a row's address to its head's number and its "after"; from a head's address to its words. */
  readonly #headWord: number;
  readonly #after: number;
  readonly #counts: number;
  readonly #front: number;
  readonly #back: number;
  readonly #scratch: Float64Array;
  readonly #rows = new Int32Array(256);
  readonly #one = new Int32Array(1);
  #firing = false;
  #cursor: RowCursor = { group: 0, row: -1 };
  #count = 0;
  #at = 0;

  constructor(parts: SlidingParts) {
    const { groups, tables } = parts;
    const { words, empty } = groups.layout;
    this.#parts = parts;
    this.#heads = tables.table({
      name: `${groups.name} heads`,
      key: groups.table.spec.key,
      namespaced: false,
      listed: false,
      blob: false,
      valueWords: HEAD_FRONT + 2 * words,
      initial: Float64Array.from([0, 0, ...empty, ...empty]),
    });
    this.#f64 = groups.table.f64;
    this.#headWord = groups.extraOffset + ROW_HEAD;
    this.#after = groups.extraOffset + ROW_AFTER;
    this.#counts = this.#heads.layout.valueWord;
    this.#front = this.#counts + HEAD_FRONT;
    this.#back = this.#front + words;
    this.#scratch = empty.slice();
  }

  onResolved(count: number): void {
    const { rows, stage } = this.#parts.groups;
    for (let i = 0; i < count; i += 1) {
      const address = rows[i]!;
      if (this.#f64[address + this.#headWord] === NO_HEAD) this.#addHead(address, stage.keys, i);
    }
  }

  onRestored(address: number): void {
    this.#addHead(address, this.#parts.groups.stageRowKey(address), 0);
  }

  amend(address: number, pane: number): void {
    if (pane < this.#start || pane >= this.#computed) return;
    const head = this.#headOf(address);
    if (pane >= this.#mid) {
      this.#one[0] = head;
      this.#parts.input.accumulate(0, 1, this.#one, this.#back);
    } else {
      this.#f64[head + this.#counts + HEAD_STALE] = 1;
      this.#anyStale = true;
    }
  }

  fire(window: number): boolean {
    const { frame } = this.#parts;
    if (!this.#firing) {
      this.#moveTo(window);
      this.#enter(window + frame.width);
      this.#firing = true;
    }
    if (!this.#emitAll(window)) return false;
    this.#firing = false;
    this.#moveTo(window + frame.step);
    return true;
  }

  update(address: number, window: number): void {
    const { groups, frame, panes, emitter } = this.#parts;
    const key = groups.key(address);
    const group = groups.table.rowGroup(address);
    const scratch = this.#scratch;
    for (let pane = panes.from(window); pane < window + frame.width; pane = panes.from(pane + 1)) {
      const row = groups.find(key, pane, group, false);
      if (row !== -1) groups.program.merge(scratch, 0, this.#f64, row + groups.offset);
    }
    emitter.emit(scratch, 0, key, frame.startOf(window), frame.endOf(window));
    groups.empty(scratch, 0);
  }

  /** Its panes have left the front, so the rows have no "after" any more. */
  forget(pane: number): void {
    const { groups } = this.#parts;
    this.#eachRow(pane, (address) => {
      this.#removeFromHead(this.#headOf(address));
      groups.remove(address);
    });
  }

  // -------------------------------------------------------------- heads

  #addHead(address: number, keys: KeyBatch, i: number): void {
    const heads = this.#heads;
    const head = heads.resolveIn(heads.groupOf(keys.hashes[i]!), keys, i);
    if (head === -1) throw heads.exceeded();
    this.#f64[head + this.#counts + HEAD_ROWS]! += 1;
    this.#f64[address + this.#headWord] = heads.rowNumber(head);
  }

  #headOf(address: number): number {
    return this.#heads.rowAddress(this.#parts.groups.table.rowGroup(address), this.#f64[address + this.#headWord]!);
  }

  #removeFromHead(head: number): void {
    const { groups } = this.#parts;
    const at = head + this.#counts;
    this.#f64[at + HEAD_ROWS]! -= 1;
    if (this.#f64[at + HEAD_ROWS]! > 0) return;
    groups.closeObjects(this.#f64, head + this.#front);
    groups.closeObjects(this.#f64, head + this.#back);
    this.#heads.remove(head);
  }

  // -------------------------------------------------------------- the two stacks

  /** Makes `window` the start: panes before it leave (S1). */
  #moveTo(window: number): void {
    if (this.#anyStale) this.#refresh();
    const end = Math.min(window, this.#mid);
    const { panes } = this.#parts;
    for (let pane = panes.from(this.#start); pane < end; pane = panes.from(pane + 1)) {
      this.#eachRow(pane, (address) => this.#leave(address));
    }
    this.#start = window;
    if (window >= this.#mid) this.#flip();
  }

  #leave(address: number): void {
    const front = this.#headOf(address) + this.#front;
    this.#parts.groups.closeObjects(this.#f64, front);
    this.#move(address + this.#after, front);
  }

  /** The back becomes the front, without the panes before the start. */
  #flip(): void {
    const { groups, panes } = this.#parts;
    for (let pane = panes.before(this.#computed); pane >= this.#mid; pane = panes.before(pane)) {
      const stays = pane >= this.#start;
      this.#eachRow(pane, (address) => {
        const head = this.#headOf(address);
        groups.empty(this.#f64, head + this.#back);
        if (stays) this.#push(head, address);
      });
    }
    this.#mid = Math.max(this.#computed, this.#start);
    this.#computed = this.#mid;
  }

  /** Puts a row in front of what its head's front has. */
  #push(head: number, address: number): void {
    const { program, offset } = this.#parts.groups;
    const front = head + this.#front;
    this.#move(front, address + this.#after);
    program.merge(this.#f64, front, this.#f64, address + offset);
    program.merge(this.#f64, front, this.#f64, address + this.#after);
  }

  /** Merges the panes from `computed` to `end` into the backs. */
  #enter(end: number): void {
    const { groups, panes } = this.#parts;
    for (let pane = panes.from(this.#computed); pane < end; pane = panes.from(pane + 1)) {
      this.#eachRow(pane, (address) => {
        groups.program.merge(this.#f64, this.#headOf(address) + this.#back, this.#f64, address + groups.offset);
      });
    }
    this.#computed = end;
  }

  /** Merges the fronts and backs of stale heads anew (S4). */
  #refresh(): void {
    const cursor: RowCursor = { group: 0, row: -1 };
    for (let count = this.#scanHeads(cursor); count > 0; count = this.#scanHeads(cursor)) {
      for (let n = 0; n < count; n += 1) {
        const head = this.#rows[n]!;
        if (this.#f64[head + this.#counts + HEAD_STALE] === 1) this.#refreshHead(head);
      }
    }
    this.#anyStale = false;
  }

  #refreshHead(head: number): void {
    const { groups, panes } = this.#parts;
    const group = this.#heads.rowGroup(head);
    const key = groups.key(head, this.#heads);
    groups.empty(this.#f64, head + this.#front);
    groups.empty(this.#f64, head + this.#back);
    for (let pane = panes.before(this.#mid); pane >= this.#start; pane = panes.before(pane)) {
      const row = groups.find(key, pane, group, false);
      if (row === -1) continue;
      groups.empty(this.#f64, row + this.#after);
      this.#push(head, row);
    }
    for (let pane = panes.from(this.#mid); pane < this.#computed; pane = panes.from(pane + 1)) {
      const row = groups.find(key, pane, group, false);
      if (row !== -1) groups.program.merge(this.#f64, head + this.#back, this.#f64, row + groups.offset);
    }
    this.#f64[head + this.#counts + HEAD_STALE] = 0;
  }

  /** Moves accumulators, objects included, to where there are none. */
  #move(from: number, to: number): void {
    const { empty } = this.#parts.groups.layout;
    for (let word = 0; word < empty.length; word += 1) {
      this.#f64[to + word] = this.#f64[from + word]!;
      this.#f64[from + word] = empty[word]!;
    }
  }

  #eachRow(pane: number, visit: (address: number) => void): void {
    const cursor: RowCursor = { group: 0, row: -1 };
    const rows = this.#rows;
    for (;;) {
      const count = this.#parts.groups.table.scanNamespace(pane, cursor, rows);
      if (count === 0) return;
      for (let n = 0; n < count; n += 1) visit(rows[n]!);
    }
  }

  // -------------------------------------------------------------- results

  #emitAll(window: number): boolean {
    const { frame } = this.#parts;
    const startMs = frame.startOf(window);
    const endMs = frame.endOf(window);
    for (;;) {
      while (this.#at < this.#count) {
        this.#at += 1;
        if (!this.#emit(this.#rows[this.#at - 1]!, startMs, endMs)) return false;
      }
      this.#at = 0;
      this.#count = this.#scanHeads(this.#cursor);
      if (this.#count > 0) continue;
      this.#cursor = { group: 0, row: -1 };
      return true;
    }
  }

  /** Fills `#rows` with further heads; 0 at the end. */
  #scanHeads(cursor: RowCursor): number {
    for (; cursor.group < this.#heads.groupCount; cursor.group += 1) {
      const count = this.#heads.scanGroup(cursor, this.#rows);
      if (count > 0) return count;
      cursor.row = -1;
    }
    return 0;
  }

  #emit(head: number, startMs: number, endMs: number): boolean {
    const { groups, emitter } = this.#parts;
    const hasFront = this.#hasRecords(head + this.#front);
    const hasBack = this.#hasRecords(head + this.#back);
    if (!hasFront && !hasBack) return true; // Rows of later panes only.
    const key = groups.key(head, this.#heads);
    if (!hasBack) return emitter.emit(this.#f64, head + this.#front, key, startMs, endMs);
    if (!hasFront) return emitter.emit(this.#f64, head + this.#back, key, startMs, endMs);
    const scratch = this.#scratch;
    groups.program.merge(scratch, 0, this.#f64, head + this.#front);
    groups.program.merge(scratch, 0, this.#f64, head + this.#back);
    const hasRoom = emitter.emit(scratch, 0, key, startMs, endMs);
    groups.empty(scratch, 0);
    return hasRoom;
  }

  #hasRecords(accumulators: number): boolean {
    return this.#f64[accumulators + this.#parts.groups.layout.countWord]! > 0;
  }
}

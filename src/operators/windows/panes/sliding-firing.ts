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
//   S1. start <= mid <= computed. Unless it is stale, a head has front = merge of rows in [start, mid) and back = merge
//       of rows in [mid, computed).
//   S2. All this is derived: a snapshot has rows only, and after a restore everything is merged anew from them.
//   S3. A head exists if and only if its key has rows in [start, computed), and these rows know it. So a window costs
//       what its own keys cost, however many others have rows that wait for later windows.
//   S4. A record that comes for a pane before `computed` goes into its row, and into the back; where it concerns the
//       front, the head is stale until the next window fires, when it is merged anew.
//   S5. All key groups are merged in step, those that have fired further, too: their results are left out.
//   S6. Firing can stop between any two pieces of a few rows: `start`, `computed` and `flipped` say which panes are
//       done, `#stage` what comes next. Nothing but `fire` is called until it has come to its end.
//   S7. The windows that a late record is in all contain the start of the last one. An update merges their panes once:
//       those before it from the last to the first, for a left part of each window, the others from the first to the
//       last, for the right parts. So it costs what the panes and the windows cost, not their product.

import type { KeyedTables } from "../../../state/contract/keyed-tables.ts";
import { KeyBatch } from "../../../state/keys/key-batch.ts";
import type { ManagedTable } from "../../../state/table/managed-table.ts";
import type { AggregateTable } from "../../aggregates/aggregate-table.ts";
import type { OperatorContext } from "../../operator.ts";
import type { PaneInput } from "../rows/pane-input.ts";
import type { PaneSet } from "../rows/pane-set.ts";
import { ROWS_PER_STEP, RowWalk } from "../rows/row-walk.ts";
import type { WindowEmitter } from "../rows/window-emitter.ts";
import type { PaneFrame } from "../time/pane-frame.ts";
import type { LateRow, PaneFiring } from "./pane-firing.ts";
import type { PaneProgress } from "./pane-progress.ts";

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
  readonly context: OperatorContext;
  readonly groups: AggregateTable;
  readonly tables: KeyedTables;
  readonly frame: PaneFrame;
  readonly progress: PaneProgress;
  readonly panes: PaneSet;
  readonly input: PaneInput;
  readonly emitter: WindowEmitter;
};

/** What firing a window does, one after the other. */
const STAGES = { arrive: 0, enter: 1, emit: 2, leave: 3 } as const;

export class SlidingFiring implements PaneFiring {
  #computed = -Infinity;
  #start = -Infinity;
  #mid = -Infinity;
  /** Where the turn of the back has come to, from the last pane to the first; NaN when none is under way. */
  #flipped = NaN;
  #anyStale = false;
  #stage: number = STAGES.arrive;
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
  /** Of an update: the right part of all windows, and each one's left part, that of the last window first. */
  #sums = new Float64Array(0);
  readonly #paneWalk: RowWalk;
  readonly #headWalk: RowWalk;
  readonly #keys = new KeyBatch(ROWS_PER_STEP);
  readonly #found = new Int32Array(ROWS_PER_STEP);
  readonly #one = new Int32Array(1);

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
    this.#paneWalk = new RowWalk((cursor, rows, pane) => groups.table.scanNamespace(pane, cursor, rows));
    this.#headWalk = new RowWalk((cursor, rows) => this.#heads.scanAll(cursor, rows));
  }

  amend(address: number, pane: number): void {
    // Of the panes before `open` all windows were given, and the rows have left: nothing waits for this one there.
    this.#start = Math.max(this.#start, this.#parts.progress.open);
    this.#mid = Math.max(this.#mid, this.#start);
    this.#computed = Math.max(this.#computed, this.#mid);
    if (pane < this.#start || pane >= this.#computed) return;
    const head = this.#headOfStaged(address);
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
    if (this.#stage === STAGES.arrive && this.#moveTo(window)) this.#stage = STAGES.enter;
    if (this.#stage === STAGES.enter && this.#enter(window + frame.width)) this.#stage = STAGES.emit;
    if (this.#stage === STAGES.emit && this.#emitAll(window)) this.#stage = STAGES.leave;
    if (this.#stage !== STAGES.leave || !this.#moveTo(window + frame.step)) return false;
    this.#stage = STAGES.arrive;
    return true;
  }

  update({ address, added, first, last }: LateRow): void {
    const { groups, frame, emitter } = this.#parts;
    const { words } = groups.layout;
    const { step, width } = frame;
    const key = groups.key(address);
    const group = groups.table.rowGroup(address);
    const sums = this.#sumsOf(2 + (last - first) / step);
    let left = words;
    for (let window = last - step; window >= first; window -= step) {
      left += words;
      this.#sum(left, key, group, window, window + step);
      groups.program.merge(sums, left, sums, left - words);
    }
    let end = last;
    for (let window = first; window <= last; window += step) {
      this.#sum(0, key, group, end, window + width);
      end = window + width;
      groups.program.merge(sums, left, sums, 0);
      emitter.update(added, sums, left, { key, startMs: frame.startOf(window), endMs: frame.endOf(window) });
      groups.empty(sums, left);
      left -= words;
    }
    groups.empty(sums, 0);
  }

  // -------------------------------------------------------------- heads

  /** The head of a row, to be written to. */
  #headOf(address: number): number {
    const group = this.#parts.groups.table.rowGroup(address);
    return this.#heads.writable(this.#heads.rowAddress(group, this.#f64[address + this.#headWord]!));
  }

  /** The same of a row whose key is staged as key 0; the row may be new. */
  #headOfStaged(address: number): number {
    if (this.#f64[address + this.#headWord] !== NO_HEAD) return this.#headOf(address);
    const heads = this.#heads;
    const { keys } = this.#parts.groups.stage;
    const head = heads.resolveIn(heads.groupOf(keys.hashes[0]!), keys, 0);
    if (head === -1) throw heads.exceeded();
    this.#join(address, head);
    return head;
  }

  #join(address: number, head: number): void {
    this.#f64[head + this.#counts + HEAD_ROWS]! += 1;
    this.#f64[address + this.#headWord] = this.#heads.rowNumber(head);
  }

  /** A row is no longer within [start, computed). */
  #part(address: number, head: number): void {
    const { groups } = this.#parts;
    const at = head + this.#counts + HEAD_ROWS;
    this.#f64[address + this.#headWord] = NO_HEAD;
    this.#f64[at]! -= 1;
    if (this.#f64[at]! > 0) return;
    groups.closeObjects(this.#f64, head + this.#front);
    groups.closeObjects(this.#f64, head + this.#back);
    this.#heads.remove(head);
  }

  // -------------------------------------------------------------- the two stacks; false: stopped half-way

  /** Makes `window` the start: panes before it leave (S1). */
  #moveTo(window: number): boolean {
    if (this.#anyStale && !this.#refresh()) return false;
    const end = Math.min(window, this.#mid);
    const { panes } = this.#parts;
    for (let pane = panes.from(this.#start); pane < end; pane = panes.from(pane + 1)) {
      if (!this.#eachRow(pane, this.#leave)) return false;
      this.#start = pane + 1;
    }
    this.#start = window;
    return window < this.#mid || this.#flip();
  }

  readonly #leave = (address: number): void => {
    const head = this.#headOf(address);
    this.#parts.groups.closeObjects(this.#f64, head + this.#front);
    this.#move(address + this.#after, head + this.#front);
    this.#part(address, head);
  };

  /** The back becomes the front, without the panes before the start. */
  #flip(): boolean {
    const { panes } = this.#parts;
    if (Number.isNaN(this.#flipped)) this.#flipped = this.#computed;
    for (let pane = panes.before(this.#flipped); pane >= this.#mid; pane = panes.before(pane)) {
      if (!this.#eachRow(pane, pane >= this.#start ? this.#turn : this.#pass)) return false;
      this.#flipped = pane;
    }
    this.#flipped = NaN;
    this.#mid = Math.max(this.#computed, this.#start);
    this.#computed = this.#mid;
    return true;
  }

  /** A row goes from the back to the front. */
  readonly #turn = (address: number): void => {
    const head = this.#headOf(address);
    this.#parts.groups.empty(this.#f64, head + this.#back);
    this.#push(head, address);
  };

  /** A row of the back that the start has passed. */
  readonly #pass = (address: number): void => {
    const head = this.#headOf(address);
    this.#parts.groups.empty(this.#f64, head + this.#back);
    this.#part(address, head);
  };

  /** Puts a row in front of what its head's front has. */
  #push(head: number, address: number): void {
    const { program, offset } = this.#parts.groups;
    const front = head + this.#front;
    this.#move(front, address + this.#after);
    program.merge(this.#f64, front, this.#f64, address + offset);
    program.merge(this.#f64, front, this.#f64, address + this.#after);
  }

  /** Merges the panes from `computed` to `end` into the backs. */
  #enter(end: number): boolean {
    const { context, panes } = this.#parts;
    const walk = this.#paneWalk;
    for (let pane = panes.from(this.#computed); pane < end; pane = panes.from(pane + 1)) {
      while (walk.next(pane)) {
        this.#enterRows(walk.rows, walk.count);
        if (context.pause(walk.count)) return false;
      }
      this.#computed = pane + 1;
    }
    this.#computed = end;
    return true;
  }

  #enterRows(rows: Int32Array, count: number): void {
    const { groups } = this.#parts;
    const heads = this.#heads;
    const keys = this.#keys;
    keys.position = 0;
    for (let n = 0; n < count; n += 1) groups.table.stageKey(groups.table.writable(rows[n]!), keys, n);
    if (heads.resolve(keys, count, this.#found) < count) throw heads.exceeded();
    for (let n = 0; n < count; n += 1) {
      this.#join(rows[n]!, this.#found[n]!);
      groups.program.merge(this.#f64, this.#found[n]! + this.#back, this.#f64, rows[n]! + groups.offset);
    }
  }

  /** Merges the fronts and backs of stale heads anew (S4). */
  #refresh(): boolean {
    const { context } = this.#parts;
    const walk = this.#headWalk;
    do {
      while (walk.at < walk.count) {
        const head = this.#heads.writable(walk.rows[walk.at]!);
        walk.at += 1;
        const lookups = this.#f64[head + this.#counts + HEAD_STALE] === 1 ? this.#refreshHead(head) : 0;
        if (context.pause(lookups + 1)) return false;
      }
    } while (walk.next(0));
    this.#anyStale = false;
    return true;
  }

  /** Returns how many rows it looked for. */
  #refreshHead(head: number): number {
    const { groups, panes } = this.#parts;
    const group = this.#heads.rowGroup(head);
    const key = groups.key(head, this.#heads);
    let lookups = 0;
    groups.empty(this.#f64, head + this.#front);
    groups.empty(this.#f64, head + this.#back);
    for (let pane = panes.before(this.#mid); pane >= this.#start; pane = panes.before(pane)) {
      lookups += 1;
      const row = groups.find(key, pane, group, false);
      if (row === -1) continue;
      groups.empty(this.#f64, groups.table.writable(row) + this.#after);
      this.#push(head, row);
    }
    for (let pane = panes.from(this.#mid); pane < this.#computed; pane = panes.from(pane + 1)) {
      lookups += 1;
      const row = groups.find(key, pane, group, false);
      if (row !== -1) groups.program.merge(this.#f64, head + this.#back, this.#f64, row + groups.offset);
    }
    this.#f64[head + this.#counts + HEAD_STALE] = 0;
    return lookups;
  }

  /** Moves accumulators, objects included, to where there are none. */
  #move(from: number, to: number): void {
    const { empty } = this.#parts.groups.layout;
    for (let word = 0; word < empty.length; word += 1) {
      this.#f64[to + word] = this.#f64[from + word]!;
      this.#f64[from + word] = empty[word]!;
    }
  }

  #eachRow(pane: number, visit: (address: number) => void): boolean {
    const { context, groups } = this.#parts;
    const { table } = groups;
    const walk = this.#paneWalk;
    while (walk.next(pane)) {
      for (let n = 0; n < walk.count; n += 1) visit(table.writable(walk.rows[n]!));
      if (context.pause(walk.count)) return false;
    }
    return true;
  }

  // -------------------------------------------------------------- updates

  /** Merges a key's rows of the panes from `start` to `end`. */
  #sum(into: number, key: unknown, group: number, start: number, end: number): void {
    const { groups, panes } = this.#parts;
    for (let pane = panes.from(start); pane < end; pane = panes.from(pane + 1)) {
      const row = groups.find(key, pane, group, false);
      if (row !== -1) groups.program.merge(this.#sums, into, this.#f64, row + groups.offset);
    }
  }

  /** Room for so many empty accumulators. */
  #sumsOf(count: number): Float64Array {
    const { empty } = this.#parts.groups.layout;
    if (this.#sums.length < count * empty.length) {
      this.#sums = new Float64Array(count * empty.length);
      for (let at = 0; at < this.#sums.length; at += empty.length) this.#sums.set(empty, at);
    }
    return this.#sums;
  }

  // -------------------------------------------------------------- results

  #emitAll(window: number): boolean {
    const { frame, progress, context } = this.#parts;
    const walk = this.#headWalk;
    const startMs = frame.startOf(window);
    const endMs = frame.endOf(window);
    do {
      while (walk.at < walk.count) {
        const head = walk.rows[walk.at]!;
        walk.at += 1;
        const isGiven = !progress.isEven && progress.isAhead(this.#heads.rowGroup(head), window);
        if (isGiven ? context.pause(1) : !this.#emit(head, startMs, endMs)) return false;
      }
    } while (walk.next(0));
    return true;
  }

  #emit(head: number, startMs: number, endMs: number): boolean {
    const { groups, emitter } = this.#parts;
    const hasFront = this.#hasRecords(head + this.#front);
    const hasBack = this.#hasRecords(head + this.#back);
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

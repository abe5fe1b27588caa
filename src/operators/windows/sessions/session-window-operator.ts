// Session windows over keyed records: a key's records belong together as long as no pause between them exceeds the gap.
//
// A record at t is a session from t to t + gap, both included; sessions of a key that touch are merged. Rows and lists:
// session-store.ts.
//
//   W1. A session's result is emitted once the watermark has reached its end, before it goes on: not before, because a
//       record of exactly that time belongs to it. So records that are on time give the same sessions whatever
//       watermarks come between them.
//   W2. A record that joins a session whose result was given emits the updated result at once, if the session is
//       still over; else the session goes on and its result is given again at its new end. Where its start or end
//       changes, also because it joins two, the rows that were given are deleted first: the new one has another key.
//   W3. A record that joins no session and whose own is past its lateness goes to the late output, or is counted.
//   W4. A session is removed once its end is past its lateness.
//   W5. The watermark is that of the key group: after a restore from several subtasks each goes on where it was.

import { assert } from "../../../base/errors.ts";
import { readF64, writeF64 } from "../../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../../types/bytes/codec.ts";
import { ROW_KIND, type RowKind } from "../../../types/bytes/row-kind.ts";
import { AggregateTable, STAGE_CAPACITY } from "../../aggregates/aggregate-table.ts";
import { tablesOf } from "../../aggregates/tables-of.ts";
import { GroupProgress } from "../../group-progress.ts";
import type { Operator, OperatorContext, RecordBatch } from "../../operator.ts";
import { timestampMissing } from "../../timestamp-missing.ts";
import type { WindowOperatorOptions } from "../panes/pane-window-operator.ts";
import { recordAt, timestampAt } from "../rows/pane-input.ts";
import { RowWalk } from "../rows/row-walk.ts";
import { WindowEmitter } from "../rows/window-emitter.ts";
import type { SessionWindowSpec } from "../time/window-spec.ts";
import { SESSION_EXTRA, SessionStore } from "./session-store.ts";

export type SessionOperatorOptions = Omit<WindowOperatorOptions, "window" | "partials"> & {
  readonly window: SessionWindowSpec;
};

const NONE = -1;

type Opened = {
  readonly context: OperatorContext;
  readonly store: SessionStore;
  /** Over the sessions of a list. */
  readonly walk: RowWalk;
  readonly emitter: WindowEmitter;
  /** The watermark, by key group. */
  readonly progress: GroupProgress;
};

export class SessionWindowOperator implements Operator {
  readonly #options: SessionOperatorOptions;
  readonly #gapMs: number;
  readonly #latenessMs: number;
  #opened: Opened | null = null;
  /** The list in which firing goes on; NaN when none is under way. */
  #list = NaN;

  constructor(options: SessionOperatorOptions) {
    this.#options = options;
    this.#gapMs = options.window.gapMs;
    this.#latenessMs = options.allowedLatenessMs;
  }

  open(context: OperatorContext): void {
    const { key, keyName, set, fields, lateOutput } = this.#options;
    const tables = tablesOf(context);
    const groups = new AggregateTable({
      name: "sessions",
      operator: context.uid,
      label: `${context.uid} ${context.subtaskIndex}`,
      tables,
      key,
      keyName,
      set,
      fields,
      namespaced: true,
      extra: SESSION_EXTRA,
      keepsExtra: true,
      bounds: true,
    });
    const store = new SessionStore(groups, tables, this.#gapMs, this.#latenessMs);
    const walk = new RowWalk((cursor, rows, list) => groups.table.scanNamespace(list, cursor, rows));
    const emitter = new WindowEmitter(context, groups, { lateOutput, endBelongs: true });
    const progress = new GroupProgress(groups.table.groupCount);
    this.#opened = { context, store, walk, emitter, progress };
    tables.attach({
      name: groups.name,
      get bytes() {
        return groups.bytes;
      },
      snapshot: (keyGroup, out) => this.#snapshotGroup(keyGroup, out),
      restore: (keyGroup, input) => this.#restoreGroup(keyGroup, input),
      paged: {
        table: groups.table,
        snapshot: (keyGroup, out) => {
          writeF64(out, progress.of(keyGroup - groups.table.keyGroups.first));
          groups.snapshotBeside(keyGroup, out);
        },
        restore: (keyGroup, input) => {
          progress.restore(keyGroup - groups.table.keyGroups.first, readF64(input));
          groups.restoreBeside(keyGroup, input, (session) => store.restored(session));
        },
      },
    });
  }

  onRecord(record: unknown, timestampMs: number): void {
    this.onBatch({ count: 1, rows: [record], timestamps: Float64Array.of(timestampMs), reader: null }, 0);
  }

  onBatch(batch: RecordBatch, from: number): number {
    const { context, store, emitter } = this.#open();
    const { groups } = store;
    for (let at = from; at < batch.count; at += STAGE_CAPACITY) {
      const count = Math.min(batch.count - at, STAGE_CAPACITY);
      groups.stage.stage(batch, at, 0, count);
      groups.hashKeys(count);
      store.prefetch(count);
      for (let i = 0; i < count; i += 1) {
        if (!this.#add(i)) emitter.late(recordAt(batch, at + i), timestampAt(batch, at + i), 1);
        if (context.pause(1)) {
          groups.clear();
          return at + i + 1;
        }
      }
      groups.clear();
    }
    return batch.count;
  }

  onWatermark(watermark: number): boolean {
    const { context, store, progress } = this.#open();
    progress.advance(watermark);
    const listEnd = store.listAfter(watermark);
    if (Number.isNaN(this.#list)) this.#list = store.lists.from(-Infinity);
    while (this.#list < listEnd) {
      if (!this.#fireList(this.#list)) return false;
      // What is in it now is not due before the end of its grain.
      if (this.#list < listEnd - 2) store.lists.delete(this.#list);
      this.#list = store.lists.from(this.#list + 1);
      if (context.pause(1)) return false;
    }
    this.#list = NaN;
    return true;
  }

  nextProcessingTimeMs(): number {
    return Infinity;
  }

  onProcessingTime(): boolean {
    return true;
  }

  close(): void {
    this.#opened = null;
  }

  #open(): Opened {
    assert(this.#opened !== null, "the operator is open");
    return this.#opened;
  }

  // -------------------------------------------------------------- records

  /** Adds staged record `i` to its session. False: it is late. */
  #add(i: number): boolean {
    const { context, store, progress } = this.#open();
    const { stage, table } = store.groups;
    const timeMs = stage.times[i]!;
    if (Number.isNaN(timeMs)) throw timestampMissing(context.uid, "windows");
    const endMs = timeMs + this.#gapMs;
    const watermark = progress.isEven ? progress.least : progress.of(table.groupOf(stage.keys.hashes[i]!));
    let session = this.#joined(i, timeMs, endMs);
    if (session === NONE) {
      if (endMs + this.#latenessMs <= watermark) return false;
      session = store.add(i, timeMs, endMs);
    } else this.#grow(session, timeMs, endMs);
    store.groups.rows[i] = session;
    store.groups.accumulate(i, i + 1);
    const isOver = store.endOf(session) <= watermark;
    const isGiven = store.isFired(session);
    if (isOver) this.#change(isGiven ? ROW_KIND.updateAfter : ROW_KIND.insert, session);
    if (isOver !== isGiven) store.schedule(session, isOver);
    return true;
  }

  #grow(session: number, fromMs: number, toMs: number): void {
    const { store } = this.#open();
    const startMs = Math.min(fromMs, store.startOf(session));
    const endMs = Math.max(toMs, store.endOf(session));
    const isSame = startMs === store.startOf(session) && endMs === store.endOf(session);
    const isGiven = !isSame && this.#takeBack(session);
    store.grow(session, startMs, endMs);
    if (isGiven) store.schedule(session, false);
  }

  /** Deletes the row of a session that is about to have other bounds, or says that it was not given. */
  #takeBack(session: number): boolean {
    const isGiven = this.#open().store.isFired(session);
    if (isGiven) this.#change(ROW_KIND.delete, session);
    return isGiven;
  }

  #change(kind: RowKind, session: number): void {
    const { store, emitter } = this.#open();
    const { groups } = store;
    const window = { key: groups.key(session), startMs: store.startOf(session), endMs: store.endOf(session) };
    emitter.change(kind, groups.table.f64, session + groups.offset, window);
  }

  /** The session that touches [startMs, endMs], two of them merged into one; -1 for none. */
  #joined(i: number, startMs: number, endMs: number): number {
    const { store } = this.#open();
    const head = store.headOf(i);
    if (head === NONE) return NONE;
    const later = store.lastUpTo(head, endMs);
    if (later === NONE || store.startOf(later) <= startMs) {
      return later !== NONE && store.endOf(later) >= startMs ? later : NONE;
    }
    // It starts within, and lasts for a gap at least: what starts before it, and no more, can touch as well.
    const earlier = store.lastUpTo(head, startMs);
    return earlier !== NONE && store.endOf(earlier) >= startMs ? this.#mergeTwo(earlier, later) : later;
  }

  #mergeTwo(into: number, from: number): number {
    const { store } = this.#open();
    const endMs = store.endOf(from);
    const isGiven = this.#takeBack(into);
    this.#takeBack(from);
    store.merge(into, from);
    store.grow(into, store.startOf(into), endMs);
    if (isGiven) store.schedule(into, false);
    return into;
  }

  // -------------------------------------------------------------- firing

  #fireList(list: number): boolean {
    const walk = this.#open().walk;
    do {
      while (walk.at < walk.count) {
        walk.at += 1;
        if (!this.#visit(walk.rows[walk.at - 1]!)) return false;
      }
    } while (walk.next(list));
    return true;
  }

  /** Does what is due with a session. False: it is time to stop (O6). */
  #visit(session: number): boolean {
    const { context, store, progress } = this.#open();
    const endMs = store.endOf(session);
    const watermark = progress.of(store.groups.table.rowGroup(session));
    const isOver = endMs <= watermark;
    const goesOn = isOver && !store.isFired(session) ? this.#emit(session) : !context.pause(1);
    if (endMs + this.#latenessMs <= watermark) store.remove(session);
    else store.schedule(session, isOver);
    return goesOn;
  }

  #emit(session: number): boolean {
    const { store, emitter } = this.#open();
    const { groups } = store;
    const key = groups.key(session);
    return emitter.emit(groups.table.f64, session + groups.offset, key, store.startOf(session), store.endOf(session));
  }

  // -------------------------------------------------------------- snapshots

  #snapshotGroup(keyGroup: number, out: ByteWriter): void {
    const { store, progress } = this.#open();
    writeF64(out, progress.of(keyGroup - store.groups.table.keyGroups.first));
    store.groups.snapshot(keyGroup, out);
  }

  #restoreGroup(keyGroup: number, input: ByteReader): void {
    const { store, progress } = this.#open();
    progress.restore(keyGroup - store.groups.table.keyGroups.first, readF64(input));
    store.groups.restore(keyGroup, input, (session) => store.restored(session));
  }
}

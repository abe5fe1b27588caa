// Tumbling and sliding windows over keyed records, put together from panes (pane-frame.ts;
// docs/adr/0005-windows-by-panes.md).
//
//   records ──▶ rows (key, pane) in managed memory ──watermark──▶ results of all keys, window by window
//
// Each record is added to one row, whatever the number of windows it belongs to. No timers: a window is due when event
// time has passed its end, and the panes that have rows are known.
//
//   W1. A window's results are emitted once the watermark has reached its end - 1, windows in the order of their ends,
//       before it goes on.
//   W2. A record that comes after that, but within the allowed lateness, emits the result of each window of it that has
//       ended, at once: as an update of the row before, or the first one of that key and window.
//   W3. A record whose windows are all past their lateness goes to the late output, or is counted.
//   W4. Rows are removed once all their windows are past their lateness.
//   W5. A snapshot is the rows and how far windows have fired, by key group; a restored operator goes on as if nothing
//       had been. Groups that come from subtasks that had got differently far go on each where it was.

import { assert } from "../../../base/errors.ts";
import type { ByteReader, ByteWriter } from "../../../types/bytes/codec.ts";
import type { AggregateSet } from "../../aggregates/aggregate.ts";
import type { KeyAccess } from "../../aggregates/aggregate-stage.ts";
import { AggregateTable, STAGE_CAPACITY } from "../../aggregates/aggregate-table.ts";
import { tablesOf } from "../../aggregates/tables-of.ts";
import type { FieldTypes } from "../../expressions/field-types.ts";
import type { Operator, OperatorContext, RecordBatch } from "../../operator.ts";
import { CombinedInput, type PaneInput, PartialInput, RecordInput, recordAt, timestampAt } from "../rows/pane-input.ts";
import { PaneSet } from "../rows/pane-set.ts";
import { PartialRows } from "../rows/partial-rows.ts";
import { ROWS_PER_STEP } from "../rows/row-walk.ts";
import { WindowEmitter } from "../rows/window-emitter.ts";
import { PaneFrame } from "../time/pane-frame.ts";
import type { PaneWindowSpec } from "../time/window-spec.ts";
import type { PaneFiring } from "./pane-firing.ts";
import { PaneProgress } from "./pane-progress.ts";
import { SlidingFiring, slidingExtra } from "./sliding-firing.ts";
import { TumblingFiring } from "./tumbling-firing.ts";

export type WindowOperatorOptions = {
  readonly window: PaneWindowSpec;
  readonly allowedLatenessMs: number;
  /** Somebody reads the side output "late". */
  readonly lateOutput: boolean;
  /** The input is what a combiner made of the records, and records that it sent as they are. */
  readonly partials: boolean;
  readonly key: KeyAccess;
  readonly keyName: string;
  readonly set: AggregateSet;
  /** Types of the records' fields. */
  readonly fields: FieldTypes;
};

type Opened = {
  readonly context: OperatorContext;
  readonly groups: AggregateTable;
  readonly frame: PaneFrame;
  readonly progress: PaneProgress;
  readonly panes: PaneSet;
  readonly input: PaneInput;
  readonly firing: PaneFiring;
  readonly emitter: WindowEmitter;
};

export class PaneWindowOperator implements Operator {
  readonly #options: WindowOperatorOptions;
  readonly #forgotten = new Int32Array(ROWS_PER_STEP);
  #opened: Opened | null = null;

  constructor(options: WindowOperatorOptions) {
    this.#options = options;
  }

  open(context: OperatorContext): void {
    const { window, allowedLatenessMs, lateOutput } = this.#options;
    const tables = tablesOf(context);
    const frame = new PaneFrame(window, allowedLatenessMs);
    const groups = this.#table(context, frame);
    const progress = new PaneProgress(frame, groups.table.groupCount);
    const panes = new PaneSet();
    const records = new RecordInput(groups, frame.clock, context.uid);
    const input = this.#options.partials ? this.#combinedInput(groups, records, labelOf(context)) : records;
    const emitter = new WindowEmitter(context, groups, { lateOutput, endBelongs: false });
    const firing =
      frame.width === 1
        ? new TumblingFiring(groups, frame, progress, emitter)
        : new SlidingFiring({ context, groups, tables, frame, progress, panes, input, emitter });
    this.#opened = { context, groups, frame, progress, panes, input, firing, emitter };
    tables.attach({
      name: groups.name,
      get bytes() {
        return groups.bytes;
      },
      snapshot: (keyGroup, out) => this.#snapshotGroup(keyGroup, out),
      restore: (keyGroup, source) => this.#restoreGroup(keyGroup, source),
      paged: {
        table: groups.table,
        snapshot: (keyGroup, out) => {
          progress.snapshot(keyGroup - groups.table.keyGroups.first, out);
          groups.snapshotBeside(keyGroup, out);
        },
        restore: (keyGroup, source) => {
          progress.restore(keyGroup - groups.table.keyGroups.first, source);
          groups.restoreBeside(keyGroup, source, (address) => panes.add(groups.table.namespace(address)));
        },
      },
    });
  }

  onRecord(record: unknown, timestampMs: number): void {
    this.onBatch({ count: 1, rows: [record], timestamps: Float64Array.of(timestampMs), reader: null }, 0);
  }

  onBatch(batch: RecordBatch, from: number): number {
    const { context, progress, input } = this.#open();
    let at = from;
    while (at < batch.count) {
      const end = input.begin(batch, at, Math.min(batch.count, at + STAGE_CAPACITY));
      const run = input.run(batch, at, end, progress.settled);
      if (run > at) this.#add(batch, at, run - at);
      if (run < end) this.#addBehind(batch, run);
      const next = Math.min(run + 1, end);
      if (context.pause(next - at)) return next;
      at = next;
    }
    return at;
  }

  onWatermark(watermark: number): boolean {
    const { context, frame, progress, panes, firing } = this.#open();
    const open = frame.openAt(watermark);
    for (let window = this.#nextWindow(); window < open; window = this.#nextWindow()) {
      if (!firing.fire(window)) return false;
      progress.openAt(window + frame.step);
    }
    progress.openAt(open);
    progress.keepFrom(frame.keptAt(watermark));
    for (let pane = panes.from(-Infinity); progress.isLate(pane); pane = panes.from(pane)) {
      const count = this.#forget(pane);
      if (count < ROWS_PER_STEP) panes.delete(pane);
      if (context.pause(count + 1)) return false;
    }
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

  #combinedInput(groups: AggregateTable, records: RecordInput, label: string): PaneInput {
    return new CombinedInput(records, new PartialInput(groups, new PartialRows(groups, this.#options.keyName, label)));
  }

  #table(context: OperatorContext, frame: PaneFrame): AggregateTable {
    const { key, keyName, set, fields } = this.#options;
    return new AggregateTable({
      name: "windows",
      operator: context.uid,
      label: labelOf(context),
      tables: tablesOf(context),
      key,
      keyName,
      set,
      fields,
      namespaced: true,
      extra: frame.width === 1 ? [] : (layout) => slidingExtra(layout.empty),
      keepsExtra: false,
      bounds: true,
    });
  }

  /** Records of panes none of whose windows has ended. */
  #add(batch: RecordBatch, from: number, count: number): void {
    const { groups, input, panes } = this.#open();
    input.stage(batch, from, count);
    groups.resolve(count);
    const { namespaces } = groups.stage.keys;
    for (let i = 0; i < count; i += 1) panes.add(namespaces[i]!);
    input.accumulate(0, count, groups.rows, groups.offset);
    groups.clear();
  }

  /** A record of a pane some of whose windows have ended (W2, W3). */
  #addBehind(batch: RecordBatch, index: number): void {
    const { groups, frame, progress, input, panes, firing, emitter } = this.#open();
    const pane = input.paneOf(batch, index);
    input.stageOne(batch, index, pane);
    groups.hashKeys(1);
    const group = groups.table.groupOf(groups.stage.keys.hashes[0]!);
    if (progress.isLateFor(group, pane)) {
      groups.clear();
      emitter.late(recordAt(batch, index), timestampAt(batch, index), input.weightOf(batch, index));
      return;
    }
    groups.resolve(1);
    panes.add(pane);
    input.accumulate(0, 1, groups.rows, groups.offset);
    const address = groups.rows[0]!;
    firing.amend(address, pane);
    groups.clear();
    const first = Math.max(frame.firstWindowOf(pane), progress.keptOf(group));
    const last = Math.min(progress.openOf(group) - frame.step, frame.lastWindowOf(pane));
    if (first <= last) firing.update({ address, added: input.weightOf(batch, index), first, last });
  }

  /** Removes some rows of a pane and returns how many; less than a step's at the end. No firing needs them any more. */
  #forget(pane: number): number {
    const { groups } = this.#open();
    const rows = this.#forgotten;
    const count = groups.table.scanNamespace(pane, { group: 0, row: -1 }, rows);
    for (let n = 0; n < count; n += 1) groups.remove(rows[n]!);
    return count;
  }

  /** The next window that has rows and has not fired; Infinity for none. */
  #nextWindow(): number {
    const { frame, progress, panes } = this.#open();
    return Math.max(progress.open, frame.firstWindowOf(panes.from(progress.open)));
  }

  #snapshotGroup(keyGroup: number, out: ByteWriter): void {
    const { groups, progress } = this.#open();
    progress.snapshot(keyGroup - groups.table.keyGroups.first, out);
    groups.snapshot(keyGroup, out);
  }

  #restoreGroup(keyGroup: number, input: ByteReader): void {
    const { groups, progress, panes } = this.#open();
    progress.restore(keyGroup - groups.table.keyGroups.first, input);
    groups.restore(keyGroup, input, (address) => panes.add(groups.table.namespace(address)));
  }
}

/** Tells the generated code of this subtask apart. */
function labelOf({ uid, subtaskIndex }: OperatorContext): string {
  return `${uid} ${subtaskIndex}`;
}

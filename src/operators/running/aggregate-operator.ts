// Running aggregates per key, without windows: in stream mode the updated row for each record, the first of a key as an
// insert; in batch mode one row per key at the end.
//
//   R1. A snapshot has no rows whose results were given at the end: whoever restores it gives the others.
//   R2. The end is the watermark Infinity. So its rows come before that to what is behind it in its chain: combiners,
//       which send all that they hold then, and event times, which are those of its rows.

import { assert } from "../../base/errors.ts";
import { ROW_NUMBERS_MAX } from "../../state/table/row-layout.ts";
import type { RowCursor } from "../../state/table/row-pages.ts";
import { ROW_KIND } from "../../types/bytes/row-kind.ts";
import type { AggregateSet } from "../aggregates/aggregate.ts";
import type { KeyAccess } from "../aggregates/aggregate-stage.ts";
import { AggregateTable, STAGE_CAPACITY } from "../aggregates/aggregate-table.ts";
import { tablesOf } from "../aggregates/tables-of.ts";
import type { FieldTypes } from "../expressions/field-types.ts";
import type { Operator, OperatorContext, RecordBatch } from "../operator.ts";
import { PartialInput } from "../windows/rows/pane-input.ts";
import { PartialRows } from "../windows/rows/partial-rows.ts";

export type AggregateOperatorOptions = {
  readonly mode: "stream" | "batch";
  readonly key: KeyAccess;
  readonly keyName: string;
  readonly set: AggregateSet;
  /** Types of the records' fields. */
  readonly fields: FieldTypes;
  /** The input is what combiners made of the records; in batch mode only. */
  readonly partials: boolean;
};

type Opened = {
  readonly context: OperatorContext;
  readonly groups: AggregateTable;
  /** Null: the input is records. */
  readonly partials: PartialInput | null;
};

export class AggregateOperator implements Operator {
  readonly #options: AggregateOperatorOptions;
  #opened: Opened | null = null;
  // Where the rows of the end go on.
  readonly #cursor: RowCursor = { group: 0, row: -1 };
  readonly #rows = new Int32Array(256);
  #count = 0;
  #at = 0;

  constructor(options: AggregateOperatorOptions) {
    this.#options = options;
  }

  open(context: OperatorContext): void {
    const { key, keyName, set, fields, mode } = this.#options;
    const tables = tablesOf(context);
    const label = `${context.uid} ${context.subtaskIndex}`;
    const groups = new AggregateTable({
      name: "aggregates",
      operator: context.uid,
      label,
      tables,
      key,
      keyName,
      set,
      fields,
      namespaced: false,
      extra: [],
      keepsExtra: false,
      bounds: false,
    });
    tables.attach({
      name: groups.name,
      get bytes() {
        return groups.bytes;
      },
      snapshot: (keyGroup, out) => groups.snapshot(keyGroup, out, this.#firstLeft(groups, keyGroup)),
      restore: (keyGroup, input) => groups.restore(keyGroup, input),
      paged: {
        table: groups.table,
        snapshot: (keyGroup, out) => groups.snapshotBeside(keyGroup, out, this.#firstLeft(groups, keyGroup)),
        restore: (keyGroup, input) => groups.restoreBeside(keyGroup, input),
      },
    });
    assert(!this.#options.partials || mode === "batch", "each record gives a row, so that each has to come");
    const partials = this.#options.partials ? new PartialInput(groups, new PartialRows(groups, keyName, label)) : null;
    this.#opened = { context, groups, partials };
  }

  onRecord(record: unknown, timestampMs: number): void {
    this.onBatch({ count: 1, rows: [record], timestamps: Float64Array.of(timestampMs), reader: null }, 0);
  }

  onBatch(batch: RecordBatch, from: number): number {
    const { groups, partials } = this.#open();
    for (let at = from; at < batch.count; ) {
      const count = Math.min(batch.count - at, STAGE_CAPACITY);
      if (partials === null) groups.stage.stage(batch, at, 0, count);
      else partials.stageAll(batch, at, count);
      groups.resolve(count);
      let done = count;
      if (this.#options.mode === "stream") done = this.#update(count);
      else if (partials === null) groups.accumulate(0, count);
      else partials.accumulate(0, count, groups.rows, groups.offset);
      groups.clear();
      at += done;
      if (done < count) return at;
    }
    return batch.count;
  }

  /** R2 */
  onWatermark(watermark: number): boolean {
    return this.#options.mode === "stream" || watermark < Infinity || this.#emitAll();
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

  /**
   * Adds staged records one by one, each followed by its row. Returns how many, less than `count` when the output is
   * full.
   */
  #update(count: number): number {
    const { context, groups } = this.#open();
    const { rows, stage } = groups;
    for (let i = 0; i < count; i += 1) {
      const row = rows[i]!;
      const kind = groups.isEmpty(row) ? ROW_KIND.insert : ROW_KIND.updateAfter;
      groups.accumulate(i, i + 1);
      if (!context.output.offer(groups.result(row, 0, 0), stage.times[i]!, kind)) return i + 1;
    }
    return count;
  }

  /** Number of the first row of a key group whose result was not given at the end (R1). */
  #firstLeft({ table }: AggregateTable, keyGroup: number): number {
    const group = keyGroup - table.keyGroups.first;
    if (group !== this.#cursor.group) return group < this.#cursor.group ? ROW_NUMBERS_MAX : 0;
    return this.#at < this.#count ? table.rowNumber(this.#rows[this.#at]!) : Math.max(0, this.#cursor.row);
  }

  #emitAll(): boolean {
    const { context, groups } = this.#open();
    const { table } = groups;
    for (;;) {
      while (this.#at < this.#count) {
        this.#at += 1;
        const result = groups.result(this.#rows[this.#at - 1]!, 0, 0);
        if (!context.output.offer(result, Number.NaN) || context.pause(1)) return false;
      }
      this.#at = 0;
      this.#count = table.scanGroup(this.#cursor, this.#rows);
      if (this.#count > 0) continue;
      this.#cursor.group += 1;
      this.#cursor.row = -1;
      if (this.#cursor.group >= table.groupCount) return true;
    }
  }
}

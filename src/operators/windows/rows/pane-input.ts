// What a pane operator reads: records, or what a combiner sends (pre-aggregate-operator.ts), partial results and
// records. An encoded batch is of one kind; rows of both may follow one another by reference.

import type { AggregateTable } from "../../aggregates/aggregate-table.ts";
import type { RecordBatch } from "../../operator.ts";
import { timestampMissing } from "../../timestamp-missing.ts";
import type { PaneClock } from "../time/pane-clock.ts";
import { PANE, type PartialRows } from "./partial-rows.ts";

export interface PaneInput {
  /** What comes next, up to the returned index, is of one kind; the other methods are about that. */
  begin(batch: RecordBatch, from: number, end: number): number;
  /**
   * Notes the panes of records from `from` on, and stops at the first one that is before `limit`. Returns its index, or
   * `end`.
   */
  run(batch: RecordBatch, from: number, end: number, limit: number): number;
  /** The pane of one record. */
  paneOf(batch: RecordBatch, index: number): number;
  /** Records that stand behind it: more than one for a partial result. */
  weightOf(batch: RecordBatch, index: number): number;
  /** Stages records whose panes `run` has noted, or one record of the given pane. */
  stage(batch: RecordBatch, from: number, count: number): void;
  stageOne(batch: RecordBatch, index: number, pane: number): void;
  /** Adds what is staged to rows whose accumulators are at `offset`. */
  accumulate(from: number, end: number, rows: Int32Array, offset: number): void;
}

export class RecordInput implements PaneInput {
  readonly #groups: AggregateTable;
  readonly #clock: PaneClock;
  readonly #operator: string;

  constructor(groups: AggregateTable, clock: PaneClock, operator: string) {
    this.#groups = groups;
    this.#clock = clock;
    this.#operator = operator;
  }

  begin(_batch: RecordBatch, _from: number, end: number): number {
    return end;
  }

  run(batch: RecordBatch, from: number, end: number, limit: number): number {
    const clock = this.#clock;
    const { namespaces } = this.#groups.stage.keys;
    for (let index = from; index < end; index += 1) {
      const pane = clock.paneOf(this.#timeOf(batch, index));
      if (pane < limit) return index;
      namespaces[index - from] = pane;
    }
    return end;
  }

  paneOf(batch: RecordBatch, index: number): number {
    return this.#clock.paneOf(this.#timeOf(batch, index));
  }

  weightOf(_batch: RecordBatch, _index: number): number {
    return 1;
  }

  stage(batch: RecordBatch, from: number, count: number): void {
    this.#groups.stage.stage(batch, from, 0, count);
  }

  stageOne(batch: RecordBatch, index: number, pane: number): void {
    this.#groups.stage.keys.namespaces[0] = pane;
    this.#groups.stage.stage(batch, index, 0, 1);
  }

  accumulate(from: number, end: number, rows: Int32Array, offset: number): void {
    this.#groups.accumulate(from, end, rows, offset);
  }

  #timeOf(batch: RecordBatch, index: number): number {
    const timeMs = timestampAt(batch, index);
    if (Number.isNaN(timeMs)) throw timestampMissing(this.#operator, "windows");
    return timeMs;
  }
}

export class PartialInput implements PaneInput {
  readonly #groups: AggregateTable;
  readonly #partials: PartialRows;
  /** Rows that are staged. */
  readonly #rows: unknown[] = [];

  constructor(groups: AggregateTable, partials: PartialRows) {
    this.#groups = groups;
    this.#partials = partials;
  }

  begin(_batch: RecordBatch, _from: number, end: number): number {
    return end;
  }

  run(batch: RecordBatch, from: number, end: number, limit: number): number {
    const { namespaces } = this.#groups.stage.keys;
    for (let index = from; index < end; index += 1) {
      const row = recordAt(batch, index);
      const pane = this.#partials.paneOf(row);
      if (pane < limit) return index;
      namespaces[index - from] = pane;
      this.#rows[index - from] = row;
    }
    return end;
  }

  paneOf(batch: RecordBatch, index: number): number {
    return this.#partials.paneOf(recordAt(batch, index));
  }

  weightOf(batch: RecordBatch, index: number): number {
    return this.#partials.countOf(recordAt(batch, index));
  }

  stage(_batch: RecordBatch, _from: number, count: number): void {
    for (let i = 0; i < count; i += 1) this.#groups.stageKey(i, this.#partials.keyOf(this.#rows[i]));
  }

  /** Stages records whatever their panes. */
  stageAll(batch: RecordBatch, from: number, count: number): void {
    this.run(batch, from, from + count, -Infinity);
    this.stage(batch, from, count);
  }

  stageOne(batch: RecordBatch, index: number, pane: number): void {
    this.#rows[0] = recordAt(batch, index);
    this.#groups.stage.keys.namespaces[0] = pane;
    this.stage(batch, index, 1);
  }

  accumulate(from: number, end: number, rows: Int32Array, offset: number): void {
    const { f64 } = this.#groups.table;
    for (let i = from; i < end; i += 1) this.#partials.merge(this.#rows[i], f64, rows[i]! + offset);
  }
}

export class CombinedInput implements PaneInput {
  readonly #records: RecordInput;
  readonly #partials: PartialInput;
  #input: PaneInput;

  constructor(records: RecordInput, partials: PartialInput) {
    this.#records = records;
    this.#partials = partials;
    this.#input = partials;
  }

  begin(batch: RecordBatch, from: number, end: number): number {
    const { rows, reader } = batch;
    const first = rows === null ? reader?.column(PANE) != null : isPartial(rows[from]);
    this.#input = first ? this.#partials : this.#records;
    if (rows === null) return end;
    let index = from + 1;
    while (index < end && isPartial(rows[index]) === first) index += 1;
    return index;
  }

  run(batch: RecordBatch, from: number, end: number, limit: number): number {
    return this.#input.run(batch, from, end, limit);
  }

  paneOf(batch: RecordBatch, index: number): number {
    return this.#input.paneOf(batch, index);
  }

  weightOf(batch: RecordBatch, index: number): number {
    return this.#input.weightOf(batch, index);
  }

  stage(batch: RecordBatch, from: number, count: number): void {
    this.#input.stage(batch, from, count);
  }

  stageOne(batch: RecordBatch, index: number, pane: number): void {
    this.#input.stageOne(batch, index, pane);
  }

  accumulate(from: number, end: number, rows: Int32Array, offset: number): void {
    this.#input.accumulate(from, end, rows, offset);
  }
}

function isPartial(row: unknown): boolean {
  return (row as Record<string, unknown>)[PANE] !== undefined;
}

/** The record at `index`, built anew when the batch is columns. */
export function recordAt({ rows, reader }: RecordBatch, index: number): unknown {
  return rows === null ? reader?.record(index) : rows[index];
}

export function timestampAt({ timestamps, reader }: RecordBatch, index: number): number {
  if (reader !== null) return reader.timestamp(index);
  return timestamps === null ? Number.NaN : timestamps[index]!;
}

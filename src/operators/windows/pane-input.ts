// What a pane operator reads: records, or the partial results of a combiner (pre-aggregate-operator.ts).

import { UserError } from "../../base/errors.ts";
import type { AggregateTable } from "../aggregates/aggregate-table.ts";
import type { RecordBatch } from "../operator.ts";
import type { PaneClock } from "./pane-clock.ts";

export interface PaneInput {
  /** Notes the panes of records from `from` on, and stops at the first one that is before `limit`. Returns its index, or `end`. */
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

  weightOf(): number {
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
    const { timestamps, reader } = batch;
    const timeMs = reader === null ? (timestamps === null ? Number.NaN : timestamps[index]!) : reader.timestamp(index);
    if (!Number.isNaN(timeMs)) return timeMs;
    throw new UserError("TIMESTAMP_MISSING", `a record without event time reached the windows of ${this.#operator}`, {
      operator: this.#operator,
      fix: 'say where event times are, before keyBy: .eventTime({ at: "ts" })',
    });
  }
}

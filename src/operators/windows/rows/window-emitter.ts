// What leaves a window operator: result rows, and records that came too late.
//
//   E1. The event time of a result is the last millisecond that belongs to its window, so that windows can follow
//       windows: it is due when the watermark has reached that, and goes out ahead of it. Its end belongs to a session,
//       and not to other windows.
//   E2. By the fields of its key, its start and its end, a window has one row: the first one that is given inserts it,
//       later ones update it.

import { ROW_KIND, type RowKind } from "../../../types/bytes/row-kind.ts";
import type { AggregateTable } from "../../aggregates/aggregate-table.ts";
import type { OperatorContext, Output } from "../../operator.ts";

export type EmitterOptions = {
  /** Somebody reads the late records. */
  readonly lateOutput: boolean;
  /** Whether a window's end belongs to it (E1). */
  readonly endBelongs: boolean;
};

export type WindowOfKey = { readonly key: unknown; readonly startMs: number; readonly endMs: number };

export class WindowEmitter {
  readonly #context: OperatorContext;
  readonly #groups: AggregateTable;
  readonly #late: Output | null;
  readonly #lastMs: number;

  constructor(context: OperatorContext, groups: AggregateTable, { lateOutput, endBelongs }: EmitterOptions) {
    this.#context = context;
    this.#groups = groups;
    this.#lastMs = endBelongs ? 0 : 1;
    this.#late = lateOutput ? context.side("late") : null;
  }

  /**
   * Emits the result of accumulators that lie at `at` in `memory`, for the first time. False: it is time to stop (O6).
   */
  emit(memory: Float64Array, at: number, key: unknown, startMs: number, endMs: number): boolean {
    const result = this.#groups.program.result(memory, at, key, startMs, endMs);
    return this.#context.output.offer(result, endMs - this.#lastMs) && !this.#context.pause(1);
  }

  /** Emits a result that changes what was given before (E2). */
  change(kind: RowKind, memory: Float64Array, at: number, { key, startMs, endMs }: WindowOfKey): void {
    const result = this.#groups.program.result(memory, at, key, startMs, endMs);
    this.#context.output.offer(result, endMs - this.#lastMs, kind);
  }

  /** The same after `added` late records: it updates a row unless the window has had no others. */
  update(added: number, memory: Float64Array, at: number, window: WindowOfKey): void {
    const isFirst = memory[at + this.#groups.layout.countWord] === added;
    this.change(isFirst ? ROW_KIND.insert : ROW_KIND.updateAfter, memory, at, window);
  }

  /** A record, or the partial result of `count` records, that is late for all its windows. */
  late(record: unknown, timestampMs: number, count: number): void {
    if (this.#late === null) this.#context.metrics.count("numLateRecordsDropped", count);
    else this.#late.offer(record, timestampMs);
  }
}

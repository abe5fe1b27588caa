// What leaves a window operator: result rows, and records that came too late.
//
//   E1. The event time of a result is the last millisecond that belongs to its window, so that windows can follow
//       windows: it is due when the watermark has reached that, and goes out ahead of it. Its end belongs to a session,
//       and not to other windows.

import type { AggregateTable } from "../../aggregates/aggregate-table.ts";
import type { OperatorContext, Output } from "../../operator.ts";

export type EmitterOptions = {
  /** Somebody reads the late records. */
  readonly lateOutput: boolean;
  /** Whether a window's end belongs to it (E1). */
  readonly endBelongs: boolean;
};

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

  /** Emits the result of accumulators that lie at `at` in `memory`. False: it is time to stop (O6). */
  emit(memory: Float64Array, at: number, key: unknown, startMs: number, endMs: number): boolean {
    const result = this.#groups.program.result(memory, at, key, startMs, endMs);
    return this.#context.output.offer(result, endMs - this.#lastMs) && !this.#context.pause(1);
  }

  /** A record, or the partial result of `count` records, that is late for all its windows. */
  late(record: unknown, timestampMs: number, count: number): void {
    if (this.#late === null) this.#context.metrics.count("numLateRecordsDropped", count);
    else this.#late.offer(record, timestampMs);
  }
}

// Event-time order in front of a keyed operator: its records wait until the watermark has passed them, and reach it by
// time, its timers between them.
//
//   records ──▶ waiting (sorted table) ──watermark──▶ record, timer, record, … in order of time ──▶ inner operator
//
//   I1. Records reach the inner operator in order of time; at equal times by input channel, then as they arrived.
//   I2. A timer at T fires after all records up to T and before any later one. One that is set for a time that has
//       passed fires before the next record.
//   I3. The inner operator's watermark is that of a stream in order: the last full millisecond before the record at
//       hand, the time of the timer at hand. It is Infinity for timers beyond the last record, at the end of the input.
//   I4. A record at or before the watermark at its arrival is late: it goes to the side output, or is counted. After a
//       restore so is one at or before what the snapshot's watermark was for its key group.
//   I5. What a key's function sees depends on its records alone, not on when watermarks come or on how many subtasks
//       there are; but for records of equal times by different channels, whose order is that of the channels, and for
//       records that are more out of order than `outOfOrder` allows: when watermarks come decides which are late.

import { assert } from "../../base/errors.ts";
import type { KeyedTimers } from "../../state/contract/keyed-state.ts";
import type { SortedPlace, SortedTable } from "../../state/table/sorted-table.ts";
import { readF64, writeF64 } from "../../types/bytes/byte-buffer.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { GroupProgress } from "../group-progress.ts";
import type { Operator, OperatorContext } from "../operator.ts";
import { timestampMissing } from "../timestamp-missing.ts";

/** Name of the state in which records wait. */
export const WAITING = "waiting";

export type InOrderOptions = {
  readonly inner: Operator;
  /** Types of the records, by input. */
  readonly types: readonly TypeSpec[];
  /** Somebody reads the side output "late". */
  readonly lateOutput: boolean;
  /** Makes a record one that cannot be changed; null: nobody checks. */
  readonly freeze: ((record: unknown) => void) | null;
  /** What to throw when the inner operator throws on a record. */
  readonly failure: (error: unknown, record: unknown) => unknown;
};

type Opened = {
  readonly context: OperatorContext;
  readonly timers: KeyedTimers;
  readonly waiting: SortedTable;
  /** The watermark, by key group. */
  readonly progress: GroupProgress;
};

export class InOrderOperator implements Operator {
  readonly #options: InOrderOptions;
  readonly #place: SortedPlace = { key: undefined, hash: 0, timeMs: 0, channel: 0, type: 0 };
  #opened: Opened | null = null;
  /** Event time of the inner operator (I3). After a restore, where the slowest of the key groups was. */
  #innerMs = -Infinity;
  /** The last one that it was told: after a restore, none. */
  #toldMs = -Infinity;

  constructor(options: InOrderOptions) {
    this.#options = options;
  }

  open(context: OperatorContext): void {
    const { state, uid, keyGroups } = context;
    assert(state !== null, `operator ${uid} has a key, and so a state store`);
    const waiting = state.tables.sorted({ name: WAITING, types: this.#options.types });
    const progress = new GroupProgress(waiting.table.groupCount);
    let isRestored = false;
    state.tables.attach({
      name: "progress",
      bytes: 0,
      snapshot: (keyGroup, out) => {
        writeF64(out, progress.of(keyGroup - keyGroups.first));
        writeF64(out, this.#innerMs);
      },
      restore: (keyGroup, input) => {
        progress.restore(keyGroup - keyGroups.first, readF64(input));
        const innerMs = readF64(input);
        // The slowest: timers of its keys that are due next must not find event time where another group was.
        this.#innerMs = isRestored ? Math.min(this.#innerMs, innerMs) : innerMs;
        isRestored = true;
      },
    });
    this.#opened = { context, timers: state.timers, waiting, progress };
    this.#options.inner.open({ ...context, watermark: () => this.#innerMs });
  }

  onRecord(record: unknown, timestampMs: number, key: unknown, hash: number, input: 0 | 1): void {
    const { context, waiting, progress } = this.#open();
    if (timestampMs <= progress.most && timestampMs <= progress.of(waiting.table.groupOf(hash))) {
      this.#late(record, timestampMs);
      return;
    }
    if (Number.isNaN(timestampMs)) throw timestampMissing(context.uid, "order");
    const place = this.#place;
    place.key = key;
    place.hash = hash;
    place.timeMs = timestampMs;
    place.channel = context.channel();
    place.type = input;
    waiting.add(place, record);
  }

  onWatermark(watermark: number): boolean {
    const { context, timers, waiting, progress } = this.#open();
    progress.advance(watermark);
    for (let steps = 0; ; steps += 1) {
      if (steps > 0 && context.pause(1)) return false;
      const recordMs = waiting.firstMs;
      const timerMs = timers.next("event");
      const isLast = recordMs > watermark || recordMs === Infinity;
      if (isLast && (watermark === Infinity || timerMs > watermark)) return this.#come(watermark);
      if (timerMs >= recordMs) this.#work(recordMs);
      else if (!this.#come(timerMs)) return false;
    }
  }

  nextProcessingTimeMs(): number {
    return this.#options.inner.nextProcessingTimeMs();
  }

  onProcessingTime(nowMs: number): boolean {
    return this.#options.inner.onProcessingTime(nowMs);
  }

  close(): void {
    this.#options.inner.close();
    this.#opened = null;
  }

  #open(): Opened {
    assert(this.#opened !== null, "the operator is open");
    return this.#opened;
  }

  /** Event time of the inner operator comes to a time; false as in O2. */
  #come(timeMs: number): boolean {
    return this.#tell(Math.max(timeMs, this.#innerMs));
  }

  #tell(timeMs: number): boolean {
    this.#innerMs = timeMs;
    this.#toldMs = timeMs;
    return this.#options.inner.onWatermark(timeMs);
  }

  /** Hands on the first record that waits. Timers before it have fired. */
  #work(timeMs: number): void {
    const { waiting } = this.#open();
    const { inner, freeze, failure } = this.#options;
    const beforeMs = Math.ceil(timeMs) - 1;
    if (beforeMs !== this.#toldMs) this.#tell(beforeMs);
    const { value, key, hash, type } = waiting.take();
    freeze?.(value);
    try {
      inner.onRecord(value, timeMs, key, hash, type as 0 | 1);
    } catch (error) {
      throw failure(error, value);
    }
  }

  #late(record: unknown, timestampMs: number): void {
    const { context } = this.#open();
    if (this.#options.lateOutput) context.side("late").offer(record, timestampMs);
    else context.metrics.count("numLateRecordsDropped");
  }
}

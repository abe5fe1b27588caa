// What waits to be sent to one target subtask: staged records and the latest watermark, in the order they must travel.
//
//   C1. Records staged before a watermark was set travel before it. A newer watermark replaces one not sent yet.
//   C2. Nothing is lost when the link has no room: everything stays staged, and `flush` says false.
//   C3. A change of shape sends what was staged in the old shape first, then the schema, then the rest.
//   C4. What one call emits beyond the room there is becomes several batches (`cut`), none of them much larger than the
//       limit and one record.
//   C5. A mark is a watermark that keeps its place among the records, also within a batch.
//   C6. The kind of a record travels beside its time; a batch of inserts alone carries none.
//   C7. No batch goes out beyond what the receiver wants in flight (its appetite), unless nothing is in flight; and a
//       batch is full with a part of that. So little waits before a receiver that is slow, and a barrier soon comes by.

import type { BatchCodec, BatchWriter } from "../types/bytes/codec.ts";
import { ROW_KIND, type RowKind } from "../types/bytes/row-kind.ts";
import type { RecordGuard } from "../types/record-guard.ts";
import type { DataSender } from "./data-link.ts";
import { ELEMENT } from "./element.ts";

/** Records per batch that travels by reference: enough to amortise the hand-over, few enough to die young. */
const ROWS_PER_BATCH = 512;
/** A full batch is this part of the receiver's appetite: while it works on one, others are there or on their way. */
const BATCHES_PER_APPETITE = 4;
const NO_LIMIT = 2 ** 30 - 1;
/** Of a receiver that does not know yet how fast it is. */
export const APPETITE_AT_FIRST = 2;

const NO_KINDS = new Uint8Array(0);

export type ChannelCounts = { batches: number; bytes: number };

export type OutputChannelOptions = {
  readonly sender: DataSender;
  readonly timestamps: boolean;
  readonly counts: ChannelCounts;
  /** Records that the receiver wants in flight, as long as it has said nothing. Default: however many. */
  readonly appetiteAtFirst?: number;
};

export class OutputChannel {
  readonly sender: DataSender;
  /** Local links only: rows of the batch being filled; grows past its first size while the link is full. */
  rows: unknown[] = [];
  times = new Float64Array(0);
  /** Of `rows`; nothing in it until a change is staged, and then all kinds of the batch. */
  kinds: Uint8Array = NO_KINDS;
  count = 0;
  /** Local links only: whether a record could be carried by a link that encodes. */
  guard: RecordGuard = () => false;
  /** Links that encode: writer of the current shape, null before the first shape is known. */
  writer: BatchWriter | null = null;
  /** Of a codec pair, which records are staged now. */
  isWithout = false;
  /** When what is staged now was first seen by `age`, -1 when nothing was staged. */
  stagedSinceMs = -1;
  /** The link had no room at the last `flush`: it rings once it has, so that there is nothing to do before. */
  refused = false;
  /** Records with which a batch is full, though it could hold more (C7). */
  batchRecordsMax = NO_LIMIT;
  readonly counts: ChannelCounts;
  readonly #timestamps: boolean;
  /** Full batches that wait for room, and those of older shapes; `schema` goes before the batch, "" once it has. */
  #older: { writer: BatchWriter; schema: string }[] = [];
  #olderRecords = 0;
  #codec: BatchCodec | null = null;
  #schema: string | null = null;
  /** Local links only: as `BatchReader.marks`. */
  #marks: number[] = [];
  /** The latest mark. */
  #marked = -Infinity;
  #watermark = -Infinity;
  #watermarkSent = -Infinity;
  #idle = false;
  #idleSent = false;

  readonly #appetiteAtFirst: number;
  #appetite = 0;

  constructor(options: OutputChannelOptions) {
    this.sender = options.sender;
    this.#appetiteAtFirst = options.appetiteAtFirst ?? 0;
    this.counts = options.counts;
    this.#timestamps = options.timestamps;
    this.#hear();
    this.#newRows();
  }

  get local(): boolean {
    return this.sender.kind === "local";
  }

  /** Stages a row for a local link; true when the batch is full. */
  stageRow(record: unknown, timestampMs: number): boolean {
    if (this.#timestamps) {
      if (this.count === this.times.length) this.#growTimes();
      this.times[this.count] = timestampMs;
    }
    this.rows[this.count] = record;
    this.count += 1;
    return this.count >= this.batchRecordsMax;
  }

  /** As `stageRow`, for records that may be other than inserts. */
  stageChange(record: unknown, timestampMs: number, kind: RowKind): boolean {
    if (kind !== ROW_KIND.insert || this.kinds.length > 0) {
      if (this.count >= this.kinds.length) this.#growKinds();
      this.kinds[this.count] = kind;
    }
    return this.stageRow(record, timestampMs);
  }

  /** The shape that following records have. `announce` null: both sides know it from the plan. */
  setCodec(codec: BatchCodec, announce: string | null): void {
    this.#putAside();
    this.#codec = codec;
    this.#schema = announce;
    this.writer = codec.createWriter();
    // It may have come before the first record of this shape, into a writer that is dropped, or before there was any.
    if (this.#marked > -Infinity) this.writer.mark(this.#marked);
  }

  /** What is staged becomes a batch that waits; the next record begins another. */
  cut(): void {
    if (this.#codec === null || !this.#putAside()) return;
    this.#schema = null;
    this.writer = this.#codec.createWriter();
  }

  #putAside(): boolean {
    const { writer } = this;
    if (writer === null || writer.count === 0) return false;
    this.#older.push({ writer, schema: this.#schema ?? "" });
    this.#olderRecords += writer.count;
    return true;
  }

  get codec(): BatchCodec | null {
    return this.#codec;
  }

  /** Batches that wait for room, besides the one being filled. */
  get waiting(): boolean {
    return this.#older.length > 0;
  }

  setWatermark(watermark: number): void {
    this.#watermark = watermark;
  }

  /** As `setWatermark`, for a receiver that has to know between which records it came (C5). */
  mark(watermark: number): void {
    this.setWatermark(watermark);
    this.#marked = watermark;
    if (!this.local) {
      this.writer?.mark(watermark);
      return;
    }
    const marks = this.#marks;
    if (marks.length > 0 && marks[marks.length - 2] === this.count) marks[marks.length - 1] = watermark;
    else marks.push(this.count, watermark);
  }

  setIdle(idle: boolean): void {
    this.#idle = idle;
  }

  hasWork(): boolean {
    return this.refused || this.#hasRecords() || this.#watermark > this.#watermarkSent || this.#idle !== this.#idleSent;
  }

  #hasRecords(): boolean {
    return this.count > 0 || (this.writer !== null && this.writer.count > 0) || this.#older.length > 0;
  }

  /** The batch being filled is to be sent. */
  isFull(batchBytesMax: number): boolean {
    if (this.local) return this.count >= this.batchRecordsMax;
    return this.writer !== null && (this.writer.bytes >= batchBytesMax || this.writer.count >= this.batchRecordsMax);
  }

  /** Records staged and not sent. */
  stagedRecords(): number {
    return this.count + (this.writer?.count ?? 0) + this.#olderRecords;
  }

  /** Sends everything staged; false when the link had no room for all of it. */
  flush(): boolean {
    this.#hear();
    this.refused = !this.#flushAll();
    if (!this.refused) this.stagedSinceMs = -1;
    return !this.refused;
  }

  #flushAll(): boolean {
    if (!this.#flushRecords()) return false;
    if (this.#watermark > this.#watermarkSent) {
      if (!this.sender.sendControl(ELEMENT.watermark, this.#watermark)) return false;
      this.#watermarkSent = this.#watermark;
      this.#idleSent = false; // The receiver takes a channel with a watermark for an active one.
    }
    if (this.#idle !== this.#idleSent) {
      if (!this.sender.sendControl(ELEMENT.idle, this.#idle ? 1 : 0)) return false;
      this.#idleSent = this.#idle;
    }
    return this.sender.pump();
  }

  /** Sends the end of the channel after everything staged; false: no room, call again. */
  end(): boolean {
    return this.flush() && this.sender.sendControl(ELEMENT.end, 0);
  }

  /** Sends the barrier of a checkpoint after everything staged; false: no room, call again. */
  barrier(id: number): boolean {
    return this.flush() && this.sender.sendControl(ELEMENT.barrier, id);
  }

  #flushRecords(): boolean {
    if (this.local) return this.#flushRows();
    while (this.#older.length > 0) {
      const [first] = this.#older;
      if (first === undefined) return false;
      const records = first.writer.count;
      if (!this.#sendEncoded(first.writer, first.schema === "" ? null : first.schema)) return false;
      this.#older.shift();
      this.#olderRecords -= records;
    }
    if (this.writer === null || this.writer.count === 0) return true;
    if (!this.#sendEncoded(this.writer, this.#schema)) return false;
    this.#schema = null;
    return true;
  }

  #sendEncoded(writer: BatchWriter, schema: string | null): boolean {
    if (schema !== null) {
      if (!this.sender.sendSchema(schema)) return false;
      if (writer === this.writer) this.#schema = null;
      else if (this.#older[0]) this.#older[0].schema = "";
    }
    if (writer.count === 0) return true;
    if (!this.#isWanted(writer.count)) return false;
    const bytes = writer.bytes;
    if (!this.sender.sendBatch(writer)) return false;
    this.counts.batches += 1;
    this.counts.bytes += bytes;
    return true;
  }

  #flushRows(): boolean {
    if (this.count === 0) return true;
    if (!this.#isWanted(this.count)) return false;
    const rows = this.count === this.rows.length ? this.rows : this.rows.slice(0, this.count);
    const times = this.#timestamps ? this.times.subarray(0, this.count) : null;
    const kinds = this.kinds.length === 0 ? null : this.kinds.subarray(0, this.count);
    const marks = this.#marks.length === 0 ? null : this.#marks;
    if (!this.sender.sendRows({ rows, times, kinds, marks })) return false;
    this.counts.batches += 1;
    this.count = 0;
    if (this.#marks.length > 0) this.#marks = [];
    this.kinds = NO_KINDS;
    this.#newRows();
    return true;
  }

  #newRows(): void {
    if (!this.local) return;
    this.rows = new Array(this.batchRecordsMax);
    if (this.#timestamps) this.times = new Float64Array(this.batchRecordsMax);
  }

  #hear(): void {
    this.#appetite = this.sender.appetite() || this.#appetiteAtFirst || NO_LIMIT;
    const records = Math.max(1, Math.floor(this.#appetite / BATCHES_PER_APPETITE));
    this.batchRecordsMax = this.local ? Math.min(records, ROWS_PER_BATCH) : records;
  }

  /**
   * Whether the receiver wants so many more, or has nothing in flight (C7). If not, it rings when it is done with
   * something.
   */
  #isWanted(records: number): boolean {
    return this.#leaves(records) || !this.sender.ringAtRelease() || this.#leaves(records);
  }

  #leaves(records: number): boolean {
    return this.sender.recordsInFlight() + records <= this.#appetite;
  }

  #growKinds(): void {
    const grown = new Uint8Array(Math.max(ROWS_PER_BATCH, 2 * this.count));
    grown.set(this.kinds);
    this.kinds = grown;
  }

  #growTimes(): void {
    const grown = new Float64Array(this.times.length * 2);
    grown.set(this.times);
    this.times = grown;
  }
}

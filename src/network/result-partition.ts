// The sending side of one edge for one subtask: picks the channel of each record, stages it, and decides when to send.
//
// Owns: channels, shapes of undeclared records, flushing. Does not own: links, segments, the task loop.
//
//   P1. `emit` always takes the record. When a channel is over its limit and its link has no room, `status.full`
//       becomes true; the task stops and calls `drain` until it says true.
//   P2. Flushing is adaptive. A batch goes out when it is full; a partial one as soon as the receiver has nothing from
//       us and we have nothing better to do, and at the latest after the buffer time-out.
//   P3. Records of undeclared type travel in learned shapes; a record that fits none widens the shape, never loses a
//       field.
//   P4. What is refused does not depend on the link: by reference, too, a record has to fit the declared type, or be
//       such that some codec could carry it.
//   P5. The maximum size is one of records. A batch is larger than a segment only by the records that one call emitted
//       beyond the room there was, and these are cut into further batches.
//   P6. `flushSome` is called at the end of each turn; after it, every receiver has been told of what was sent to it.
//   P7. Of two declared kinds of records (CodecPair) an encoded batch holds one: where they change, it ends, and the
//       other layout is announced. By reference they follow one another.

import { canonicalJson } from "../base/canonical-json.ts";
import { UserError } from "../base/errors.ts";
import type { BatchCodec, CodecPair, Mismatch } from "../types/bytes/codec.ts";
import { ROW_KIND, type RowKind } from "../types/bytes/row-kind.ts";
import { compileRecordGuard, LearnedGuard, type RecordGuard } from "../types/record-guard.ts";
import type { ShapeLearner } from "../types/shapes/shape-learner.ts";
import { specMismatch } from "../types/values/spec-mismatch.ts";
import type { ChannelSelector } from "./channel-selector.ts";
import type { DataSender } from "./data-link.ts";
import { compileEmit, type Emit } from "./emit-code.ts";
import { type ChannelCounts, OutputChannel } from "./output-channel.ts";

/** Shared by everything in one task: set by outputs that have no room, cleared by the task when they have again. */
export type OutputStatus = { full: boolean };

export type ResultPartitionOptions = {
  /** Unique within the slot; part of the generated code's name. */
  readonly name: string;
  readonly senders: readonly DataSender[];
  readonly selector: ChannelSelector;
  readonly timestamps: boolean;
  /** Records may be other than inserts; the shape says so, too. Default: they are not. */
  readonly kinds?: boolean;
  /** Declared shape of what is shipped, or two of them, or the learner of an undeclared one. */
  readonly shape: BatchCodec | CodecPair | ShapeLearner;
  readonly status: OutputStatus;
  /** Bytes at which a batch is sent: what fits a segment. */
  readonly batchBytesMax: number;
  /** Milliseconds after which a partial batch is sent in any case; Infinity: only full batches are. */
  readonly bufferTimeoutMs: number;
  /** Records one call may emit beyond a full output. */
  readonly overdraftRecordsMax: number;
  /** Encoded bytes of the largest record that may travel by a link that encodes; what fits a segment always may. */
  readonly recordBytesMax: number;
  readonly refusal: Refusal;
  /** Records that each receiver wants in flight, as long as it has said nothing. Default: however many. */
  readonly appetiteAtFirst?: number;
  /** Watermarks keep their places among the records of a batch. Default: they go between batches. */
  readonly marks?: boolean;
};

/** Makes the errors for records that are not sent. */
export type Refusal = {
  /** `mismatch` null: no reason was found. */
  misfit(record: unknown, mismatch: Mismatch | null): Error;
  tooLarge(record: unknown, bytes: number, maxBytes: number): Error;
};

/** A busy sender's partial batches wait this long per channel, so that many channels do not mean many tiny batches. */
const PARTIAL_WAIT_MS_PER_CHANNEL = 0.25;

export class ResultPartition {
  readonly emit: Emit;
  readonly counts: ChannelCounts = { batches: 0, bytes: 0 };
  readonly #channels: readonly OutputChannel[];
  readonly #options: ResultPartitionOptions;
  readonly #learner: ShapeLearner | null;
  /** Guard of the channels by reference while records are of undeclared type. */
  readonly #learnedGuard: LearnedGuard | null;
  readonly #partialWaitMs: number;
  #watermark = -Infinity;
  #ended = 0;
  /** Channels that have sent the barrier which is being sent. */
  #barriers = 0;

  constructor(options: ResultPartitionOptions) {
    this.#options = options;
    const { counts } = this;
    const { timestamps, appetiteAtFirst = 0 } = options;
    this.#channels = options.senders.map(
      (sender) => new OutputChannel({ sender, timestamps, counts, appetiteAtFirst }),
    );
    this.#learner = "learn" in options.shape ? options.shape : null;
    this.#learnedGuard = this.#learner === null ? null : new LearnedGuard(options.name);
    if ("createWriter" in options.shape) this.#setDeclared(options.shape);
    if ("without" in options.shape) this.#setDeclared(options.shape.with);
    this.#partialWaitMs = Math.min(options.bufferTimeoutMs, PARTIAL_WAIT_MS_PER_CHANNEL * options.senders.length);
    this.emit = compileEmit({
      name: options.name,
      selector: options.selector,
      channels: this.#channels,
      batchBytesMax: options.batchBytesMax,
      kinds: options.kinds ?? false,
      tellingField: "without" in options.shape ? options.shape.field : null,
      onTurn: (channel, isWithout) => this.#turn(channel, isWithout),
      onFull: (channel, record) => this.#onFull(channel, record),
      onMisfit: (...misfit) => this.#onMisfit(...misfit),
    });
  }

  /** Sends what is over its limit; true when no channel is over it any more. */
  drain(): boolean {
    let drained = true;
    for (const channel of this.#channels) {
      if (this.#isOver(channel) && !channel.flush()) drained = false;
    }
    return drained;
  }

  /**
   * Infinity, the end of the input, is not sent: the end of the channels says it, and would otherwise replace how far
   * event time has come.
   */
  setWatermark(watermark: number): void {
    if (watermark <= this.#watermark || watermark === Infinity) return;
    this.#watermark = watermark;
    const { marks = false } = this.#options;
    for (const channel of this.#channels) {
      if (marks) channel.mark(watermark);
      else channel.setWatermark(watermark);
    }
  }

  setIdle(idle: boolean): void {
    for (const channel of this.#channels) channel.setIdle(idle);
  }

  /** Called at the end of a turn. `idle`: the task has no input left for now. */
  flushSome(nowMs: number, idle: boolean): void {
    for (const channel of this.#channels) {
      if (this.#isDue(channel, nowMs, idle)) channel.flush();
      channel.sender.announce();
    }
  }

  #isDue(channel: OutputChannel, nowMs: number, idle: boolean): boolean {
    if (!channel.hasWork()) return false;
    if (channel.stagedSinceMs < 0) channel.stagedSinceMs = nowMs;
    const ageMs = nowMs - channel.stagedSinceMs;
    const { bufferTimeoutMs } = this.#options;
    if (channel.refused || ageMs >= bufferTimeoutMs) return true;
    return bufferTimeoutMs !== Infinity && this.#receiverIsFree(channel.sender, ageMs, idle);
  }

  /** An idle task is rung when that changes; a busy one looks again after its next turn. */
  #receiverIsFree(sender: DataSender, ageMs: number, idle: boolean): boolean {
    if (idle) return !sender.ringAtRelease();
    return ageMs >= this.#partialWaitMs && sender.inFlight() === 0;
  }

  /**
   * When `flushSome` has to be called next at the latest; Infinity when nothing is staged, or a link has to make room
   * first.
   */
  nextFlushMs(): number {
    let next = Infinity;
    for (const channel of this.#channels) {
      if (channel.stagedSinceMs >= 0 && !channel.refused)
        next = Math.min(next, channel.stagedSinceMs + this.#options.bufferTimeoutMs);
    }
    return next;
  }

  /** Sends everything and the end of each channel; false: no room yet, call again. */
  end(): boolean {
    for (; this.#ended < this.#channels.length; this.#ended += 1) {
      if (this.#channels[this.#ended]?.end() === false) return false;
    }
    return true;
  }

  /** Sends everything and the barrier of a checkpoint; false: no room yet, call again before anything is emitted. */
  barrier(id: number): boolean {
    for (; this.#barriers < this.#channels.length; this.#barriers += 1) {
      if (this.#channels[this.#barriers]?.barrier(id) === false) return false;
    }
    this.#barriers = 0;
    return true;
  }

  /** Part of the memory of its links that is taken, 0 to 1. */
  usage(): number {
    let usage = 0;
    for (const channel of this.#channels) usage += channel.sender.outUsage();
    return this.#channels.length === 0 ? 0 : usage / this.#channels.length;
  }

  #isOver(channel: OutputChannel): boolean {
    return channel.waiting || channel.isFull(this.#options.batchBytesMax);
  }

  #onFull(index: number, record: unknown): void {
    const channel = this.#channels[index];
    if (channel === undefined) return;
    const { batchBytesMax, overdraftRecordsMax, recordBytesMax, status } = this.#options;
    const staged = channel.writer?.bytes ?? 0;
    // Text that is not ascii may double what the writer counts.
    if (staged > recordBytesMax / 2) this.#checkSize(record, channel);
    const wasRefused = channel.refused;
    if (!wasRefused && channel.flush()) return;
    status.full = true;
    // The first refused batch is kept open: the task stops here, unless this call goes on emitting.
    if (staged >= batchBytesMax && (wasRefused || staged > 2 * batchBytesMax)) channel.cut();
    if (channel.stagedRecords() > overdraftRecordsMax) throw overdraft(channel.stagedRecords());
  }

  /** Refuses a record that is larger than the maximum all by itself. */
  #checkSize(record: unknown, channel: OutputChannel): void {
    const { recordBytesMax, batchBytesMax, refusal } = this.#options;
    const maxBytes = Math.max(recordBytesMax, batchBytesMax);
    const alone = channel.codec?.createWriter();
    if (alone?.append(record, 0) !== true) return;
    const bytes = alone.bytes > maxBytes ? alone.bytes : alone.encodedSize();
    if (bytes > maxBytes) throw refusal.tooLarge(record, bytes, maxBytes);
  }

  /** The records of a channel are of the other kind from here on (P7). */
  #turn(index: number, isWithout: boolean): void {
    const channel = this.#channels[index];
    const { shape, name } = this.#options;
    if (channel === undefined || !("without" in shape)) return;
    const codec = isWithout ? shape.without : shape.with;
    channel.isWithout = isWithout;
    if (channel.local) channel.guard = guardOf(codec, `${name} ${isWithout}`);
    else channel.setCodec(codec, announcement(codec));
  }

  #onMisfit(index: number, record: unknown, timestampMs: number, kind: RowKind = ROW_KIND.insert): void {
    const channel = this.#channels[index];
    if (channel === undefined) return;
    const full = channel.local
      ? this.#stageByReference(channel, record, timestampMs, kind)
      : this.#stageInWiderShape(channel, record, timestampMs, kind);
    if (full) this.#onFull(index, record);
  }

  #stageByReference(channel: OutputChannel, record: unknown, timestampMs: number, kind: RowKind): boolean {
    const guard = this.#learnedGuard;
    if (guard?.admit(record) !== true) throw this.#misfit(record);
    this.#setGuard(guard.fits);
    return channel.stageChange(record, timestampMs, kind);
  }

  #stageInWiderShape(channel: OutputChannel, record: unknown, timestampMs: number, kind: RowKind): boolean {
    if (this.#learner === null) throw this.#misfit(record);
    this.#setCodec(this.#learner.learn(record), true);
    if (channel.writer?.append(record, timestampMs, kind) !== true) throw this.#misfit(record);
    return channel.isFull(this.#options.batchBytesMax);
  }

  /** Records of undeclared type are refused for what no codec can carry, whatever shape was learned. */
  #misfit(record: unknown): Error {
    const { shape, refusal } = this.#options;
    const declared = "without" in shape ? shape.without : shape; // Of two kinds only this one is the user's.
    const mismatch =
      "mismatch" in declared ? declared.mismatch(record) : specMismatch({ kind: "any" }, record, "exact");
    return refusal.misfit(record, mismatch);
  }

  #setDeclared(codec: BatchCodec): void {
    this.#setCodec(codec, false);
    if (this.#channels.some((channel) => channel.local)) this.#setGuard(guardOf(codec, this.#options.name));
  }

  #setGuard(guard: RecordGuard): void {
    for (const channel of this.#channels) if (channel.local) channel.guard = guard;
  }

  #setCodec(codec: BatchCodec, announce: boolean): void {
    const text = announce ? announcement(codec) : null;
    for (const channel of this.#channels) if (!channel.local) channel.setCodec(codec, text);
  }
}

function guardOf({ spec, options }: BatchCodec, label: string): RecordGuard {
  return compileRecordGuard(spec, options.extraFields, label);
}

/** Tells a receiver the layout of what follows. */
function announcement({ spec, options }: BatchCodec): string {
  return canonicalJson({ spec, options });
}

function overdraft(records: number): UserError {
  return new UserError("EMIT_OVERDRAFT", `one call emitted ${records} records more than its output could take`, {
    fix: "emit them from flatMap by a generator, which is pulled as there is room, or raise millrace.task.overdraft-records",
  });
}

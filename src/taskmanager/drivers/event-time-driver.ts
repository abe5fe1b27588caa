// Assigns event times to the records of one chain and makes their watermarks.

import { UserError } from "../../base/errors.ts";
import type { TimeOrder } from "../../graph/time-order.ts";
import { type TimestampUnit, timestampOf, timestampProblem } from "../../operators/event-time/timestamp.ts";
import { type Behind, WatermarkGenerator } from "../../operators/event-time/watermark-generator.ts";
import { fieldAbsent, pathsBesideIn } from "../../operators/expressions/field-presence.ts";
import { readF64, writeF64 } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import { recordText } from "../failures/user-failure.ts";

export type EventTimeOptions = {
  readonly uid: string;
  readonly outOfOrderMs: number;
  readonly idleMs: number;
  readonly order: TimeOrder;
  /** The source in the same task ends; false where there is none. */
  readonly bounded: boolean;
  /** Of a bounded source, in the same task or before it: records come in their own time. */
  readonly live: boolean;
  /**
   * Told of the records of a split that those before it have left behind; null: splits are not promised to follow one
   * another.
   */
  readonly onBehind: ((split: string, behind: Behind) => void) | null;
  /** Event time from one call of `onStep` to the next. */
  readonly stepMs: number;
  /** No watermark between those of `onStep`: what is late then does not depend on how much is read at once. */
  readonly onlySteps: boolean;
  /** What numbers stand for; null: nobody has said, so that they are milliseconds if they can be. */
  readonly unit: TimestampUnit | null;
  /** Path to look for in the first record; null: a function gives the time, or the type of the records is declared. */
  readonly field: string | null;
  /** The field with the time, for people; null: a function gives the time. */
  readonly shownField: string | null;
  /** Null: fail. Else what to do with a record without a usable event time. */
  readonly onMisfit: ((record: unknown, error: UserError) => void) | null;
};

export class EventTimeDriver {
  readonly #options: EventTimeOptions;
  readonly #generator: WatermarkGenerator;
  readonly #unit: TimestampUnit | null;
  /** Told how far event time came before the record at hand, each time that it has gone on by a step; null: nobody. */
  onStep: ((watermark: number) => void) | null = null;
  #told = -Infinity;
  #isRestored = false;
  #misfits = 0;

  constructor(options: EventTimeOptions) {
    this.#options = options;
    this.#unit = options.unit;
    const { order, bounded, live } = options;
    // What waits for the end is never released.
    this.#generator = new WatermarkGenerator({
      ...options,
      follows: options.onBehind !== null,
      bounded: !live && (bounded || order === "channels"),
      held: bounded || order === "end",
    });
  }

  /** Event time in milliseconds; NaN: the record has none and was set aside. Once per record. */
  assign(value: unknown, record: unknown): number {
    const timestampMs = timestampOf(value, this.#unit);
    if (Number.isNaN(timestampMs)) return this.#misfit(value, record);
    const generator = this.#generator;
    generator.observe(timestampMs);
    if (this.onStep !== null && timestampMs >= generator.current.nextStepMs) this.#step(this.onStep);
    return timestampMs;
  }

  addSplit(split: string): void {
    this.#generator.addSplit(split);
  }

  enterSplit(split: string): void {
    this.#generator.enterSplit(split);
  }

  leaveSplit(split: string): void {
    const behind = this.#generator.behind(split);
    if (behind !== null) this.#options.onBehind?.(split, behind);
    this.#generator.leaveSplit(split);
  }

  /** Everything that the source may still read has been begun. */
  release(): void {
    if (this.#options.order !== "end") this.#generator.release();
  }

  /** The task's input has this channel, and something may come through it. */
  addChannel(channel: number): void {
    if (this.#options.order === "channels") this.#generator.addSplit(String(channel));
  }

  /** The following records come through this channel of the task's input. */
  enterChannel(channel: number): void {
    if (this.#options.order === "channels") this.#generator.enterSplit(String(channel));
  }

  leaveChannel(channel: number): void {
    if (this.#options.order === "channels") this.#generator.leaveSplit(String(channel));
  }

  /** The watermark at `nowMs`, of a clock that stands still while the task takes no input. */
  watermark(nowMs: number): number {
    const reached = this.#generator.watermark(nowMs);
    return this.#options.onlySteps && this.onStep !== null ? this.#told : reached;
  }

  /** Greatest event time of all records so far. */
  get greatest(): number {
    return this.#generator.greatest;
  }

  get idle(): boolean {
    return this.#generator.idle;
  }

  snapshot(out: ByteWriter): void {
    this.#generator.snapshot(out);
    writeF64(out, this.#told);
  }

  /** Before any record; may be called for the snapshots of several subtasks. Channels are other ones then. */
  restore(input: ByteReader): void {
    this.#generator.restore(input, { splits: this.#options.order !== "channels" });
    const told = readF64(input);
    if (!this.#isRestored || told < this.#told) this.#told = told;
    this.#isRestored = true;
  }

  /** When a silent split has to be called idle, on the clock of `watermark`. */
  nextCheckMs(): number {
    return this.#generator.nextCheckMs();
  }

  #step(onStep: (watermark: number) => void): void {
    const watermark = this.#generator.reached(this.#options.stepMs);
    if (watermark <= this.#told) return;
    this.#told = watermark;
    onStep(watermark);
  }

  #misfit(value: unknown, record: unknown): number {
    this.#misfits += 1;
    const { field, shownField, uid, onMisfit } = this.#options;
    if (field !== null && this.#misfits === 1 && this.#generator.isUntouched) {
      const known = pathsBesideIn(record, field);
      if (known !== null) throw fieldAbsent(uid, field, known);
    }
    const { code, message, fix } = timestampProblem(value, this.#unit);
    if (onMisfit === null) {
      const where = shownField === null ? "for" : `in the field ${JSON.stringify(shownField)} of`;
      throw new UserError(code, `${message}, ${where} the record ${recordText(record)}`, { fix, operator: uid });
    }
    onMisfit(record, new UserError(code, message, { fix, operator: uid }));
    return NaN;
  }
}

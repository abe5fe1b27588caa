// Assigns event times to the records of one chain and makes their watermarks.

import { UserError } from "../base/errors.ts";
import { timestampOf, timestampProblem } from "../operators/event-time/timestamp.ts";
import { WatermarkGenerator } from "../operators/event-time/watermark-generator.ts";

export type EventTimeOptions = {
  readonly uid: string;
  readonly outOfOrderMs: number;
  readonly idleMs: number;
  /** Factor to milliseconds. */
  readonly scale: number;
  /** Refuse what looks like seconds: unless the user named the unit. */
  readonly checkSeconds: boolean;
  /** Null: fail. Else what to do with a record without a usable event time. */
  readonly onMisfit: ((record: unknown, error: UserError) => void) | null;
};

export class EventTimeDriver {
  readonly #options: EventTimeOptions;
  readonly #generator: WatermarkGenerator;
  readonly #scale: number;
  readonly #checkSeconds: boolean;
  #idle = false;

  constructor(options: EventTimeOptions) {
    this.#options = options;
    this.#scale = options.scale;
    this.#checkSeconds = options.checkSeconds;
    this.#generator = new WatermarkGenerator(options);
  }

  /** Event time in milliseconds; NaN: the record has none and was set aside. Once per record. */
  assign(value: unknown, record: unknown): number {
    const timestampMs = timestampOf(value, this.#scale, this.#checkSeconds);
    if (Number.isNaN(timestampMs)) return this.#misfit(value, record);
    this.#generator.observe(timestampMs);
    return timestampMs;
  }

  enterSplit(split: string): void {
    this.#generator.enterSplit(split);
  }

  leaveSplit(split: string): void {
    this.#generator.leaveSplit(split);
  }

  watermark(nowMs: number): number {
    return this.#generator.watermark(nowMs);
  }

  get idle(): boolean {
    return this.#idle;
  }

  /** Whether `idle` has changed since the last call. */
  idleChanged(): boolean {
    if (this.#generator.idle === this.#idle) return false;
    this.#idle = this.#generator.idle;
    return true;
  }

  nextCheckMs(): number {
    return this.#generator.nextCheckMs();
  }

  #misfit(value: unknown, record: unknown): number {
    const { code, message, fix } = timestampProblem(value);
    const error = new UserError(code, message, { fix, operator: this.#options.uid });
    if (this.#options.onMisfit === null) throw error;
    this.#options.onMisfit(record, error);
    return NaN;
  }
}

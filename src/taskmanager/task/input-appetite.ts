// How many records a task wants in flight to it: as many as it gets through in a stated time, so that little waits in
// front of a task that is slow. Flink calls it buffer debloating.
//
//   A1. How fast the task is, is measured while it has something to do; waiting for input is not slowness, waiting for
//       room, for a sink or for other tasks of the slot is.
//   A2. What is measured begins and ends where records are taken, so that a sink that takes many and then makes the
//       task wait counts with its waits.
//   A3. Before anything was measured the task wants little, and twice as much each time it has got through that.

import type { InputGate } from "../../network/input-gate.ts";
import { APPETITE_AT_FIRST } from "../../network/output-channel.ts";

export type AppetiteOptions = {
  /** In which all that is in flight to the task is to be got through. */
  readonly targetMs: number;
  /** The least time over which the task is measured. */
  readonly periodMs: number;
};

export type InputTurn = {
  readonly beganMs: number;
  readonly endedMs: number;
  /** Records taken since the start of the task. */
  readonly taken: number;
  /** There was nothing to take when the task last looked. */
  readonly isDry: boolean;
};

/** Of a channel; more is no limit. */
const RECORDS_MAX = 2 ** 20;
/** Senders are told of what differs by more than this part. */
const THRESHOLD = 0.25;

export class InputAppetite {
  readonly #gate: InputGate;
  readonly #options: AppetiteOptions;
  /** Records per channel, as senders know it. */
  #said = APPETITE_AT_FIRST;
  #isMeasured = false;
  /** Since `#said` was last doubled (A3). */
  #eaten = 0;
  #taken = 0;
  #records = 0;
  #activeMs = 0;
  #isDry = true;
  #lastMs = 0;

  constructor(gate: InputGate, options: AppetiteOptions) {
    this.#gate = gate;
    this.#options = options;
  }

  /** After each turn of the task. */
  onTurn({ beganMs, endedMs, taken, isDry }: InputTurn): void {
    const records = taken - this.#taken;
    if (!this.#isDry) this.#activeMs += beganMs - this.#lastMs;
    if (records > 0 && this.#activeMs >= this.#options.periodMs) this.#measure();
    if (records > 0 || !this.#isDry) this.#activeMs += endedMs - beganMs;
    this.#records += records;
    this.#taken = taken;
    this.#isDry = isDry;
    this.#lastMs = endedMs;
    if (!this.#isMeasured) this.#grow(records);
  }

  #measure(): void {
    const open = Math.max(1, this.#gate.open);
    const wanted = (this.#records * this.#options.targetMs) / this.#activeMs / open;
    const records = Math.max(1, Math.min(RECORDS_MAX, Math.floor(wanted)));
    this.#isMeasured = true;
    this.#records = 0;
    this.#activeMs = 0;
    if (Math.abs(records - this.#said) > THRESHOLD * this.#said) this.#say(records);
  }

  #grow(records: number): void {
    this.#eaten += records;
    if (this.#eaten < this.#said * this.#gate.open || this.#said >= RECORDS_MAX) return;
    this.#eaten = 0;
    this.#say(2 * this.#said);
  }

  #say(records: number): void {
    this.#said = records;
    for (const { receiver, ended } of this.#gate.channels) if (!ended) receiver.setAppetite(records);
  }
}

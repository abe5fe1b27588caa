// Link between two tasks of one slot: rows by reference through a small bounded queue.
//
// Both ends run in the same thread, so a plain array is enough. Records are immutable by contract, so that handing them
// over is safe; rows are consumed soon after, which keeps them out of the old generation.

import { assert } from "../base/errors.ts";
import {
  bareElement,
  type DataReceiver,
  type DataSender,
  type Doorbell,
  type ReceivedElement,
  type RowRun,
} from "./data-link.ts";
import { type ControlKind, ELEMENT } from "./element.ts";

/** Batches of rows in flight per link. With two of 256 rows, the turns of the two tasks cost 10 ns per record more. */
const ROW_BATCHES_MAX = 4;
/** Control elements are tiny and merged by the sender, yet bounded. */
const ELEMENTS_MAX = 64;

export class LocalLink implements DataSender, DataReceiver {
  readonly kind = "local";
  readonly #queue: ReceivedElement[] = [];
  readonly #sender: Doorbell;
  readonly #receiver: Doorbell;
  #rowBatches = 0;
  #rows = 0;
  #appetite = 0;
  #current: ReceivedElement | null = null;
  #starved = false;

  constructor(ends: { sender: Doorbell; receiver: Doorbell }) {
    this.#sender = ends.sender;
    this.#receiver = ends.receiver;
  }

  sendRows({ rows, times, kinds, marks }: RowRun): boolean {
    if (this.#rowBatches === ROW_BATCHES_MAX) return this.#refuse();
    this.#rowBatches += 1;
    this.#rows += rows.length;
    return this.#push({ kind: ELEMENT.rows, value: 0, view: null, offset: 0, size: 0, rows, times, kinds, marks });
  }

  sendControl(kind: ControlKind, value: number): boolean {
    if (this.#queue.length >= ELEMENTS_MAX) return this.#refuse();
    return this.#push(bareElement(kind, value));
  }

  sendBatch(): boolean {
    assert(false, "a local link carries rows, not encoded batches");
    return false;
  }

  sendSchema(): boolean {
    assert(false, "a local link carries rows, which need no schema");
    return false;
  }

  pump(): boolean {
    return true;
  }

  inFlight(): number {
    return this.#queue.length + (this.#current ? 1 : 0);
  }

  recordsInFlight(): number {
    return this.#rows;
  }

  appetite(): number {
    return this.#appetite;
  }

  setAppetite(records: number): void {
    this.#appetite = records;
  }

  outUsage(): number {
    return this.#rowBatches / ROW_BATCHES_MAX;
  }

  inUsage(): number {
    return this.#rowBatches / ROW_BATCHES_MAX;
  }

  announce(): void {} // Everything was, when it arrived.

  ringAtRelease(): boolean {
    this.#starved = true;
    return this.inFlight() > 0;
  }

  poll(): ReceivedElement | null {
    assert(this.#current === null, "poll before release");
    this.#current = this.#queue.shift() ?? null;
    return this.#current;
  }

  release(): void {
    const element = this.#current;
    assert(element !== null, "release without poll");
    this.#current = null;
    if (element.rows) {
      this.#rowBatches -= 1;
      this.#rows -= element.rows.length;
    }
    if (this.#starved) {
      this.#starved = false;
      this.#sender.ring();
    }
  }

  #push(element: ReceivedElement): boolean {
    this.#queue.push(element);
    this.#receiver.ring();
    return true;
  }

  #refuse(): boolean {
    this.#starved = true;
    return false;
  }
}

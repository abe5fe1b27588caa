// A link over virtual time: what is sent arrives later, by a delay from the seed, as it would between two machines.
//
// Batches pass through the real codecs as bytes. Where the real link has segments, this one has a small capacity from
// the seed. Released bytes are overwritten, so that a receiver that keeps them shows.
//
//   S1. FIFO: each arrival event hands over the oldest element under way, whichever timer it was.
//   S2. Room travels back as slowly as data travels forth: a sender learns of a release only after a delay.

import type { Env } from "../base/env.ts";
import { InternalError } from "../base/errors.ts";
import { heapView, type MemoryView } from "../base/memory-view.ts";
import type { SeededRandom } from "../base/seeded-random.ts";
import type { DataReceiver, DataSender, Doorbell, ReceivedElement } from "../network/data-link.ts";
import { type ControlKind, ELEMENT, type ElementKind } from "../network/element.ts";
import type { BatchWriter } from "../types/bytes/codec.ts";

export type SimLinkOptions = {
  readonly env: Env;
  readonly random: SeededRandom;
  readonly sender: Doorbell;
  readonly receiver: Doorbell;
  readonly delayMaxMs: number;
  /** Told of each element as it arrives, for the history. */
  readonly onArrival: (kind: ElementKind, value: number, size: number) => void;
};

const BATCHES_MAX = 4;
const ELEMENTS_MAX = 16;
const POISON = 0xdb;

export class SimLink implements DataSender, DataReceiver {
  readonly kind = "simulated";
  readonly #options: SimLinkOptions;
  readonly #batchesMax: number;
  readonly #underWay: ReceivedElement[] = [];
  readonly #arrived: ReceivedElement[] = [];
  /** Of the batches in flight, by age. */
  readonly #records: number[] = [];
  #appetite = 0;
  #batches = 0;
  #elements = 0;
  #current: ReceivedElement | null = null;
  #starved = false;

  constructor(options: SimLinkOptions) {
    this.#options = options;
    this.#batchesMax = 1 + options.random.below(BATCHES_MAX);
  }

  sendBatch(writer: BatchWriter): boolean {
    if (this.#batches === this.#batchesMax) return this.#refuse();
    const size = writer.encodedSize();
    const view = heapView(size);
    this.#records.push(writer.count);
    writer.encode(view, 0);
    this.#batches += 1;
    return this.#send(elementOf(ELEMENT.batch, { view, size }));
  }

  sendRows(): boolean {
    throw new InternalError("LINK_ROWS", "a simulated link carries encoded batches, not rows");
  }

  sendSchema(text: string): boolean {
    if (this.#elements >= ELEMENTS_MAX) return this.#refuse();
    const bytes = Buffer.from(text, "utf8");
    const view = heapView(bytes.length);
    view.bytes.set(bytes);
    return this.#send(elementOf(ELEMENT.schema, { view, size: bytes.length }));
  }

  sendControl(kind: ControlKind, value: number): boolean {
    if (this.#elements >= ELEMENTS_MAX) return this.#refuse();
    return this.#send(elementOf(kind, { value }));
  }

  pump(): boolean {
    return true;
  }

  inFlight(): number {
    return this.#elements;
  }

  recordsInFlight(): number {
    return this.#records.reduce((sum, records) => sum + records, 0);
  }

  appetite(): number {
    return this.#appetite;
  }

  /** S2 */
  setAppetite(records: number): void {
    this.#later(() => {
      this.#appetite = records;
    });
  }

  outUsage(): number {
    return this.#batches / this.#batchesMax;
  }

  inUsage(): number {
    return Math.min(1, this.#arrived.length / this.#batchesMax);
  }

  announce(): void {} // Everything was, when it arrived.

  ringAtRelease(): boolean {
    this.#starved = true;
    return this.#elements > 0;
  }

  poll(): ReceivedElement | null {
    this.#current = this.#arrived.shift() ?? null;
    return this.#current;
  }

  release(): void {
    const element = this.#current;
    this.#current = null;
    element?.view?.bytes.fill(POISON);
    const wasBatch = element?.kind === ELEMENT.batch;
    this.#later(() => {
      this.#elements -= 1;
      if (wasBatch) {
        this.#batches -= 1;
        this.#records.shift();
      }
      if (!this.#starved) return;
      this.#starved = false;
      this.#options.sender.ring();
    });
  }

  #send(element: ReceivedElement): boolean {
    this.#elements += 1;
    this.#underWay.push(element);
    this.#later(() => {
      const oldest = this.#underWay.shift()!; // S1
      this.#arrived.push(oldest);
      this.#options.onArrival(oldest.kind, oldest.value, oldest.size);
      this.#options.receiver.ring();
    });
    return true;
  }

  #refuse(): boolean {
    this.#starved = true;
    return false;
  }

  #later(run: () => void): void {
    const { env, random, delayMaxMs } = this.#options;
    env.timers.after(random.next() * delayMaxMs, run);
  }
}

function elementOf(kind: ElementKind, content: { view?: MemoryView; size?: number; value?: number }): ReceivedElement {
  const { view = null, size = 0, value = 0 } = content;
  return { kind, value, view, offset: 0, size, rows: null, times: null, kinds: null, marks: null };
}

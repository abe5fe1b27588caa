// Link between two slots of one process: descriptors in a ring, payload in network segments, both in shared memory.
//
// One producer, one consumer. The producer owns a fixed stock of segments per result partition; it fills one, pushes a
// descriptor, and gets the segment's number back through the returns ring once the consumer has released it. No lock,
// no copy.
//
//        tail ▼ (producer)                                  returns: consumer ─▶ producer
//   ┌────┬────┬────┬────┬────┬────┬────┬────┐               ┌────┬────┬────┬────┐
//   │ d3 │ d4 │    │    │    │ d0 │ d1 │ d2 │               │ 17 │ 4  │    │    │
//   └────┴────┴────┴────┴────┴────┴────┴────┘               └────┴────┴────┴────┘
//                         head ▲ (consumer)
//
//   R1. Counters only grow (modulo 2^32); a slot of the ring is written before the tail that publishes it.
//   R2. A batch larger than a segment spans several: each part is copied out at once by the consumer, so a span never
//       needs more segments than one. `value` of its descriptors is the total size.
//   R3. The consumer is rung for every few elements only, and for the rest at the end of the producer's turn: one that
//       is faster than its producer would be woken for each batch, which costs 20 ns per record of 150 bytes.
//   R4. A producer that found no room marks itself starved and then looks again; the consumer rings it when it makes
//       room.
//   R5. How many records a batch has is known to its producer alone, by the entry that ends it, for as long as it is in
//       flight.

import { assert } from "../base/errors.ts";
import { bytesCopy, heapView, type MemoryView } from "../base/memory-view.ts";
import type { BatchWriter } from "../types/bytes/codec.ts";
import { bareElement, type DataReceiver, type DataSender, type Doorbell, type ReceivedElement } from "./data-link.ts";
import { type ControlKind, ELEMENT, type ElementKind } from "./element.ts";
import type { SegmentStock } from "./segment-stock.ts";

const ENTRIES = 64;
/** Elements that wait, at most, before a consumer is rung within a turn of its producer. */
const ELEMENTS_PER_RING = 4;
/** A channel cannot have more segments in flight than the ring has entries. */
export const SEGMENTS_IN_FLIGHT_MAX = ENTRIES;
const ENTRY_WORDS = 8;
// Counters on cache lines of their own.
const TAIL = 0;
const HEAD = 16;
const RETURNS_TAIL = 32;
const STARVED = 48;
const APPETITE = 49; // Written rarely.
const ENTRIES_AT = 64;
const RETURNS_AT = ENTRIES_AT + ENTRIES * ENTRY_WORDS;
const WORDS = RETURNS_AT + ENTRIES;

// Words of an entry.
const KIND = 0;
const SEGMENT = 1;
const SIZE = 2;
const MORE = 3;
const VALUE = 4; // f64: words 4 and 5

const NO_SEGMENT = -1;

/** Shared memory of one link; send it to both threads. `start`: of all counters, which wrap (R1). */
export function ringLinkMemory(start = 0): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(WORDS * 4);
  const words = new Int32Array(memory);
  for (const counter of [TAIL, HEAD, RETURNS_TAIL]) words[counter] = start;
  return memory;
}

export type RingSenderOptions = {
  readonly memory: SharedArrayBuffer;
  readonly stock: SegmentStock;
  readonly receiver: Doorbell;
  /** Segments this channel may have in flight. */
  readonly segmentsMax: number;
};

type Span = {
  readonly view: MemoryView;
  readonly size: number;
  position: number;
  readonly kind: ElementKind;
  readonly records: number;
};

type Entry = {
  readonly kind: ElementKind;
  readonly segment: number;
  readonly size: number;
  readonly more: number;
  readonly value: number;
  readonly records: number;
};

export class RingSender implements DataSender {
  readonly kind = "ring";
  readonly #i32: Int32Array;
  readonly #f64: Float64Array;
  readonly #options: RingSenderOptions;
  readonly #stock: SegmentStock;
  #tail: number;
  #unannounced = 0;
  #returnsHead: number;
  #segmentsOut = 0;
  #span: Span | null = null;
  /** By entry (R5). */
  readonly #records = new Int32Array(ENTRIES);
  #recordsInFlight = 0;
  /** The entries before are out of `#recordsInFlight`. */
  #counted: number;

  constructor(options: RingSenderOptions) {
    assert(options.segmentsMax >= 1 && options.segmentsMax <= ENTRIES, `segments per channel: ${options.segmentsMax}`);
    this.#i32 = new Int32Array(options.memory);
    this.#f64 = new Float64Array(options.memory);
    this.#tail = this.#i32[TAIL]!;
    this.#counted = this.#tail;
    this.#returnsHead = this.#i32[RETURNS_TAIL]!;
    this.#options = options;
    this.#stock = options.stock;
    this.#stock.addChannel(() => this.#reclaim());
  }

  sendBatch(writer: BatchWriter): boolean {
    if (!this.#ready()) return false;
    const size = writer.encodedSize();
    const records = writer.count;
    const { segmentSize, view } = this.#stock;
    this.#recordsInFlight += records;
    if (size <= segmentSize) {
      const segment = this.#take();
      writer.encode(view, segment * segmentSize);
      this.#push({ kind: ELEMENT.batch, segment, size, more: 0, value: 0, records });
      return true;
    }
    const whole = heapView(size);
    writer.encode(whole, 0);
    this.#startSpan({ view: whole, size, position: 0, kind: ELEMENT.batch, records });
    return true;
  }

  sendRows(): boolean {
    assert(false, "a ring link carries encoded batches, not rows");
    return false;
  }

  sendSchema(text: string): boolean {
    if (!this.#ready()) return false;
    const bytes = Buffer.from(text, "utf8");
    const view = heapView(bytes.length);
    view.bytes.set(bytes);
    this.#startSpan({ view, size: bytes.length, position: 0, kind: ELEMENT.schema, records: 0 });
    return true;
  }

  sendControl(kind: ControlKind, value: number): boolean {
    if (!this.#pump() || !this.#hasEntry())
      return this.#starve(() => this.#pump() && this.#hasEntry()) && this.sendControl(kind, value);
    this.#push({ kind, segment: NO_SEGMENT, size: 0, more: 0, value, records: 0 });
    return true;
  }

  announce(): void {
    if (this.#unannounced === 0) return;
    this.#unannounced = 0;
    this.#options.receiver.ring();
  }

  pump(): boolean {
    this.#reclaim();
    return this.#pump() || this.#starve(() => this.#pump());
  }

  ringAtRelease(): boolean {
    Atomics.store(this.#i32, STARVED, 1);
    return this.inFlight() > 0;
  }

  /** Of the segments that all channels of the stock share. */
  outUsage(): number {
    this.#reclaim();
    return this.#stock.size === 0 ? 0 : 1 - this.#stock.free / this.#stock.size;
  }

  inFlight(): number {
    return (this.#tail - this.#passed()) | 0;
  }

  recordsInFlight(): number {
    this.#passed();
    return this.#recordsInFlight;
  }

  appetite(): number {
    return Atomics.load(this.#i32, APPETITE);
  }

  /** Entries that the consumer is done with; their records are counted out, before their places are taken again. */
  #passed(): number {
    const head = Atomics.load(this.#i32, HEAD);
    while (this.#counted !== head) {
      this.#recordsInFlight -= this.#records[this.#counted & (ENTRIES - 1)]!;
      this.#counted = (this.#counted + 1) | 0;
    }
    return head;
  }

  /** Room for one batch: a segment and an entry, and nothing left over from a span. */
  #ready(): boolean {
    if (this.#pump() && this.#hasSegment() && this.#hasEntry()) return true;
    return this.#starve(() => this.#pump() && this.#hasSegment() && this.#hasEntry());
  }

  #starve(again: () => boolean): boolean {
    Atomics.store(this.#i32, STARVED, 1);
    if (!again()) return false;
    Atomics.store(this.#i32, STARVED, 0);
    return true;
  }

  #hasEntry(): boolean {
    return this.inFlight() < ENTRIES;
  }

  #hasSegment(): boolean {
    this.#reclaim();
    return this.#segmentsOut < this.#options.segmentsMax && this.#stock.canTake(this.#segmentsOut);
  }

  #reclaim(): void {
    const tail = Atomics.load(this.#i32, RETURNS_TAIL);
    while (this.#returnsHead !== tail) {
      this.#segmentsOut -= 1;
      this.#stock.put(this.#i32[RETURNS_AT + (this.#returnsHead & (ENTRIES - 1))]!, this.#segmentsOut);
      this.#returnsHead = (this.#returnsHead + 1) | 0;
    }
  }

  #take(): number {
    const segment = this.#stock.take(this.#segmentsOut);
    this.#segmentsOut += 1;
    return segment;
  }

  #startSpan(span: Span): void {
    this.#span = span;
    this.pump();
  }

  /** Sends what it can of a span; true when none is left. */
  #pump(): boolean {
    const span = this.#span;
    if (span === null) return true;
    const { segmentSize, view } = this.#stock;
    while (span.position < span.size) {
      if (!this.#hasEntry() || !this.#hasSegment()) return false;
      const size = Math.min(segmentSize, span.size - span.position);
      const segment = this.#take();
      bytesCopy(view.bytes, segment * segmentSize, span.view.bytes, span.position, span.position + size);
      span.position += size;
      const more = span.position < span.size ? 1 : 0;
      this.#push({ kind: span.kind, segment, size, more, value: span.size, records: more === 1 ? 0 : span.records });
    }
    this.#span = null;
    return true;
  }

  #push(entry: Entry): void {
    const at = ENTRIES_AT + (this.#tail & (ENTRIES - 1)) * ENTRY_WORDS;
    this.#i32[at + KIND] = entry.kind;
    this.#i32[at + SEGMENT] = entry.segment;
    this.#i32[at + SIZE] = entry.size;
    this.#i32[at + MORE] = entry.more;
    this.#f64[(at + VALUE) >> 1] = entry.value;
    this.#records[this.#tail & (ENTRIES - 1)] = entry.records;
    this.#tail = (this.#tail + 1) | 0;
    Atomics.store(this.#i32, TAIL, this.#tail);
    this.#unannounced += 1;
    if (this.#unannounced === ELEMENTS_PER_RING) this.announce();
  }
}

export type RingReceiverOptions = {
  readonly memory: SharedArrayBuffer;
  readonly view: MemoryView;
  readonly segmentSize: number;
  readonly sender: Doorbell;
  /** Segments that may be in flight. Default: as many as the ring has entries. */
  readonly segmentsMax?: number;
};

export class RingReceiver implements DataReceiver {
  readonly #i32: Int32Array;
  readonly #f64: Float64Array;
  readonly #options: RingReceiverOptions;
  readonly #element: ReceivedElement = bareElement(ELEMENT.end);
  #head: number;
  #returnsTail: number;
  /** Segment behind the element that was polled last. */
  #held = NO_SEGMENT;
  #assembly: { view: MemoryView; position: number } | null = null;

  constructor(options: RingReceiverOptions) {
    this.#i32 = new Int32Array(options.memory);
    this.#f64 = new Float64Array(options.memory);
    this.#head = this.#i32[HEAD]!;
    this.#returnsTail = this.#i32[RETURNS_TAIL]!;
    this.#options = options;
  }

  poll(): ReceivedElement | null {
    while (this.#head !== Atomics.load(this.#i32, TAIL)) {
      const at = ENTRIES_AT + (this.#head & (ENTRIES - 1)) * ENTRY_WORDS;
      const element = this.#element;
      element.kind = this.#i32[at + KIND] as ElementKind;
      element.value = this.#f64[(at + VALUE) >> 1]!;
      const segment = this.#i32[at + SEGMENT]!;
      const size = this.#i32[at + SIZE]!;
      const more = this.#i32[at + MORE]!;
      this.#head = (this.#head + 1) | 0;
      if (segment === NO_SEGMENT) return this.#control(element);
      if (this.#assembly !== null || more === 1) {
        this.#assemble(segment, size, element.value);
        if (more === 0) return this.#assembled(element);
        this.#passEntry();
        continue;
      }
      this.#held = segment;
      element.view = this.#options.view;
      element.offset = segment * this.#options.segmentSize;
      element.size = size;
      return element;
    }
    return null;
  }

  release(): void {
    if (this.#held !== NO_SEGMENT) {
      this.#giveBack(this.#held);
      this.#held = NO_SEGMENT;
    }
    this.#passEntry();
  }

  inUsage(): number {
    const queued = (Atomics.load(this.#i32, TAIL) - this.#head) | 0;
    return Math.min(1, queued / (this.#options.segmentsMax ?? ENTRIES));
  }

  setAppetite(records: number): void {
    Atomics.store(this.#i32, APPETITE, records);
  }

  #control(element: ReceivedElement): ReceivedElement {
    element.view = null;
    return element;
  }

  /** The entry polled last is done with: its place in the ring is free, and a producer that waits for that is rung. */
  #passEntry(): void {
    Atomics.store(this.#i32, HEAD, this.#head);
    if (Atomics.load(this.#i32, STARVED) === 1) {
      Atomics.store(this.#i32, STARVED, 0);
      this.#options.sender.ring();
    }
  }

  #assemble(segment: number, size: number, total: number): void {
    this.#assembly ??= { view: heapView(total), position: 0 };
    const { view, segmentSize } = this.#options;
    const from = segment * segmentSize;
    bytesCopy(this.#assembly.view.bytes, this.#assembly.position, view.bytes, from, from + size);
    this.#assembly.position += size;
    this.#giveBack(segment);
  }

  #assembled(element: ReceivedElement): ReceivedElement {
    const assembly = this.#assembly;
    assert(assembly !== null && assembly.position === element.value, `a span of ${element.value} bytes is incomplete`);
    element.view = assembly.view;
    element.offset = 0;
    element.size = assembly.position;
    this.#assembly = null;
    return element;
  }

  #giveBack(segment: number): void {
    this.#i32[RETURNS_AT + (this.#returnsTail & (ENTRIES - 1))] = segment;
    this.#returnsTail = (this.#returnsTail + 1) | 0;
    Atomics.store(this.#i32, RETURNS_TAIL, this.#returnsTail);
  }
}

// A simulated environment: virtual time, seeded randomness, a simulated disk. One seed replays one history, event by
// event.
//
// Owns the event queue. Nothing happens but by an event: a timer, a `soon`, the end of a disk operation. Between two
// events all promises that can go on do so. Node's own loop gets a turn only when a run begins: one per event would
// cost more than most events do, and nothing of a simulation waits for it.
//
//   V1. Events run in the order of their times; those of one instant in an order drawn from the seed (`soon` is an
//       instant event).
//   V2. Virtual time moves only when the queue has nothing earlier: code that runs takes no time.
//   V3. One seed and one program give the same events in the same order: `digest` is equal.
//   V4. After a crash nothing of the process that was runs any more: no event of it is left, and its files are dead.

import type { Clock, Env, Log, LogLevel, Random, TimerHandle, Timers } from "../base/env.ts";
import { afterPromises, nodeEnv } from "../base/env-node.ts";
import { assert } from "../base/errors.ts";
import { mix32, SeededRandom } from "../base/seeded-random.ts";
import { nodeDisk } from "../storage/node-disk.ts";
import { SimDisk } from "./sim-disk.ts";

export type SimEnvOptions = {
  readonly seed: number;
  /** Wall clock at the start, epoch milliseconds. */
  readonly startMs?: number;
  /** More events than this in one call mean that the program never comes to rest. */
  readonly eventsMax?: number;
};

export type SimLogLine = {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
};

type SimEvent = { atMs: number; order: number; sequence: number; background: boolean; run: (() => void) | null };

export class SimEnv implements Env {
  readonly seed: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  readonly disk: SimDisk;
  readonly logLines: SimLogLine[] = [];

  readonly #order: SeededRandom;
  readonly #eventsMax: number;
  readonly #queue: SimEvent[] = []; // A binary heap, the next event first.
  readonly #yieldThread = nodeEnv(nodeDisk()).timers.soon;
  #sequence = 0;
  #foreground = 0;
  #elapsedMs = 0;
  #wallMs: number;
  #digest = 0;

  constructor(options: SimEnvOptions) {
    this.seed = options.seed;
    this.#wallMs = options.startMs ?? Date.UTC(2026, 0, 1);
    this.#eventsMax = options.eventsMax ?? 10_000_000;
    // Apart from `random`: more draws there change no order here.
    this.#order = new SeededRandom(options.seed ^ 0x0bad5eed);
    this.random = new SeededRandom(options.seed);
    this.clock = { nowMs: () => Math.floor(this.#wallMs + this.#elapsedMs), monotonicMs: () => this.#elapsedMs };
    this.timers = {
      after: (delayMs, run, timer) => this.#schedule(Math.max(0, delayMs), run, timer?.background === true),
      soon: (run) => {
        this.#schedule(0, run, false);
      },
    };
    this.log = { write: (level, message, fields = {}) => this.logLines.push({ level, message, fields }) };
    this.disk = new SimDisk(this.timers, this.clock, new SeededRandom(options.seed ^ 0x0d15c));
  }

  /** Runs events until none is left but background timers, or `until` holds. */
  async runUntilIdle(until: () => boolean = () => false): Promise<void> {
    await this.#turnOfNode();
    for (let count = 0; this.#foreground > 0 && !until(); count += 1) {
      assert(count < this.#eventsMax, `seed ${this.seed}: no rest after ${count} events`);
      await this.#step();
    }
  }

  /** Runs the events of the next `ms` milliseconds; the time is then exactly that much later. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#elapsedMs + ms;
    await this.#turnOfNode();
    for (let count = 0; (this.#queue[0]?.atMs ?? Number.POSITIVE_INFINITY) <= untilMs; count += 1) {
      assert(count < this.#eventsMax, `seed ${this.seed}: no rest after ${count} events`);
      await this.#step();
    }
    this.#elapsedMs = untilMs;
  }

  /** The process ends between two events, or the machine does; time and the disk go on to the next one (V4). */
  crash(kind: "process" | "power"): void {
    for (const event of this.#queue.splice(0)) this.#retire(event);
    this.disk.crash(kind);
  }

  /** What an administrator or a time server does to the wall clock; durations and timers do not notice. */
  jumpWallClock(byMs: number): void {
    this.#wallMs += byMs;
  }

  /** Equal for equal histories: the times and identities of all events so far. */
  digest(): string {
    return this.#digest.toString(16).padStart(8, "0");
  }

  #schedule(delayMs: number, run: () => void, background: boolean): TimerHandle {
    const order = this.#order.next();
    const event: SimEvent = { atMs: this.#elapsedMs + delayMs, order, sequence: this.#sequence++, background, run };
    heapPush(this.#queue, event);
    if (!background) this.#foreground += 1;
    return { cancel: () => this.#retire(event) };
  }

  /** Takes the callback out of an event, once; the entry leaves the queue when its time comes. */
  #retire(event: SimEvent): (() => void) | null {
    const run = event.run;
    if (run !== null && !event.background) this.#foreground -= 1;
    event.run = null;
    return run;
  }

  async #step(): Promise<void> {
    const event = heapPop(this.#queue);
    const run = this.#retire(event);
    if (run === null) return; // It was cancelled, and time does not move for it.
    assert(event.atMs >= this.#elapsedMs, `V1: event at ${event.atMs} after ${this.#elapsedMs}`);
    this.#elapsedMs = event.atMs;
    this.#digest = mix32(this.#digest + mix32(event.sequence) + Math.round(event.atMs * 1_000));
    run();
    await new Promise<void>(afterPromises);
  }

  #turnOfNode(): Promise<void> {
    return new Promise((resolve) => this.#yieldThread(resolve));
  }
}

function isBefore(left: SimEvent, right: SimEvent): boolean {
  if (left.atMs !== right.atMs) return left.atMs < right.atMs;
  if (left.order !== right.order) return left.order < right.order;
  return left.sequence < right.sequence;
}

function heapPush(heap: SimEvent[], event: SimEvent): void {
  let index = heap.push(event) - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (isBefore(heap[parent]!, event)) break;
    heap[index] = heap[parent]!;
    index = parent;
  }
  heap[index] = event;
}

function heapPop(heap: SimEvent[]): SimEvent {
  const first = heap[0]!;
  const last = heap.pop()!;
  if (heap.length === 0) return first;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
    if (child >= heap.length || isBefore(last, heap[child]!)) break;
    heap[index] = heap[child]!;
    index = child;
  }
  heap[index] = last;
  return first;
}

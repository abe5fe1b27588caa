// What a task takes from its gate: batches for the loop of its chain, or for the operator at its head, and control
// elements between them.
//
//   N1. A batch is done before the next element is taken; what stopped it half-way goes on where it was.
//   N2. Watermarks among the records of a batch count before the records behind them.

import { assert, withOperator } from "../../base/errors.ts";
import type { ReceivedElement } from "../../network/data-link.ts";
import { ELEMENT } from "../../network/element.ts";
import type { InputChannel, InputGate } from "../../network/input-gate.ts";
import type { Operator, RecordBatch } from "../../operators/operator.ts";
import type { BatchCodec } from "../../types/bytes/codec.ts";
import type { Loop } from "../chain/chain.ts";
import type { ChunkSize } from "./chunk-size.ts";
import type { TaskCheckpoints } from "./task-checkpoints.ts";
import type { TaskParts } from "./task-parts.ts";

type Pending = {
  readonly channel: InputChannel;
  readonly element: ReceivedElement;
  readonly count: number;
  position: number;
  readonly loop: Loop | null;
  /** Watermarks among the records (BatchReader.marks), and how far they have been passed. */
  readonly marks: readonly number[];
  passed: number;
};

const NO_MARKS: readonly number[] = [];

export class TaskInput {
  readonly #parts: TaskParts;
  readonly #gate: InputGate;
  readonly #checkpoints: TaskCheckpoints;
  readonly #chunk: ChunkSize;
  /** Takes whole batches; null: the loop of the chain takes their records. */
  readonly #head: Operator | null;
  readonly #rowLoops: (Loop | null)[] = [null, null];
  readonly #batchLoops = new WeakMap<BatchCodec, Loop>();
  readonly #polled: { element: ReceivedElement | null } = { element: null };
  readonly #batch: { -readonly [K in keyof RecordBatch]: RecordBatch[K] } = {
    count: 0,
    rows: null,
    timestamps: null,
    reader: null,
  };
  #pending: Pending | null = null;
  #taken = 0;
  #isDry = true;

  constructor(parts: TaskParts, gate: InputGate, checkpoints: TaskCheckpoints, chunk: ChunkSize) {
    this.#parts = parts;
    this.#gate = gate;
    this.#checkpoints = checkpoints;
    this.#chunk = chunk;
    const [head] = parts.chain.options.bindings;
    this.#head = head?.o?.onBatch === undefined ? null : head.o;
  }

  /** Records since the start. */
  get taken(): number {
    return this.#taken;
  }

  /** There was nothing in the channels at the last look. */
  get isDry(): boolean {
    return this.#isDry;
  }

  /** What stopped half-way is forgotten. */
  drop(): void {
    this.#pending = null;
  }

  /** One batch, or a part of it, or one control element. "end": all channels have ended. */
  take(): "more" | "none" | "end" {
    const gate = this.#gate;
    if (this.#pending !== null) {
      this.#processPending(this.#pending);
      return "more";
    }
    const channel = gate.poll(this.#polled);
    const { element } = this.#polled;
    this.#isDry = channel === null;
    if (channel === null || element === null) return gate.open === 0 ? "end" : "none";
    if (element.kind === ELEMENT.batch || element.kind === ELEMENT.rows) {
      this.#enterChannel(gate, channel);
      this.#pending = this.#openBatch(channel, element);
      this.#processPending(this.#pending);
    } else {
      this.#onControl(gate, channel, element);
    }
    return "more";
  }

  #enterChannel(gate: InputGate, channel: InputChannel): void {
    for (const { driver } of this.#parts.eventTimes) driver.enterChannel(gate.channels.indexOf(channel));
  }

  #onControl(gate: InputGate, channel: InputChannel, element: ReceivedElement): void {
    const { combiner, inputPath, eventTimes, metrics } = this.#parts;
    const index = gate.channels.indexOf(channel);
    if (element.kind === ELEMENT.watermark) combiner.onWatermark(index, element.value);
    else if (element.kind === ELEMENT.idle) this.#onIdle(index, element.value === 1);
    else if (element.kind === ELEMENT.barrier) this.#checkpoints.onBarrier(index, element.value);
    else {
      assert(element.kind === ELEMENT.end, `unexpected element ${element.kind}`);
      gate.onEnd(channel);
      combiner.onEnd(index);
      this.#checkpoints.onEnd(index);
      for (const { driver } of eventTimes) driver.leaveChannel(index);
    }
    channel.receiver.release();
    inputPath.setIdle(combiner.idle);
    if (gate.open > 0) inputPath.advance(combiner.watermark);
    metrics.inputWatermark(combiner.watermark);
  }

  #onIdle(channel: number, idle: boolean): void {
    const { combiner, eventTimes } = this.#parts;
    combiner.onIdle(channel, idle);
    for (const { driver, hears } of eventTimes) {
      if (!hears) continue;
      if (idle) driver.leaveChannel(channel);
      else driver.addChannel(channel);
    }
  }

  #openBatch(channel: InputChannel, element: ReceivedElement): Pending {
    const { port } = channel;
    const { input } = this.#parts;
    input.channel = this.#gate.channels.indexOf(channel);
    if (element.rows !== null) {
      this.#parts.metrics.received(element.rows.length, 0);
      const loop = this.#head ? null : this.#rowLoop(port);
      const marks = element.marks ?? NO_MARKS;
      return { channel, element, count: element.rows.length, position: 0, loop, marks, passed: 0 };
    }
    const { reader, codec } = channel;
    assert(reader !== null && codec !== null && element.view !== null, "a batch before its schema");
    reader.open(element.view, element.offset, element.size);
    this.#parts.metrics.received(reader.count, element.size);
    return {
      channel,
      element,
      count: reader.count,
      position: 0,
      loop: this.#head ? null : this.#batchLoop(port, codec),
      marks: reader.marks,
      passed: 0,
    };
  }

  #rowLoop(port: 0 | 1): Loop {
    this.#rowLoops[port] ??= this.#parts.chain.compileLoop(this.#parts.loopOptions(port, { kind: "rows" }));
    return this.#rowLoops[port];
  }

  #batchLoop(port: 0 | 1, codec: BatchCodec): Loop {
    let loop = this.#batchLoops.get(codec);
    if (loop === undefined) {
      loop = this.#parts.chain.compileLoop(this.#parts.loopOptions(port, { kind: "batch" }));
      this.#batchLoops.set(codec, loop);
    }
    return loop;
  }

  #processPending(pending: Pending): void {
    if (!this.#passMarks(pending)) this.#processChunk(pending);
    if (pending.position < pending.count || pending.passed < pending.marks.length) return;
    if (pending.passed > 0) this.#parts.metrics.inputWatermark(this.#parts.combiner.watermark);
    pending.channel.receiver.release();
    this.#pending = null;
  }

  /**
   * Part of a batch, up to the first mark by which event time goes on; how long a whole chunk takes decides the size of
   * the next one.
   */
  #processChunk(pending: Pending): void {
    const { status } = this.#parts;
    const { element, channel, count, position, loop, marks } = pending;
    const isWhole = loop !== null && count - position >= this.#chunk.size;
    const end = isWhole ? position + this.#chunk.size : count;
    const startMs = isWhole ? this.#chunk.begin() : 0;
    let to: number;
    do {
      to = Math.min(end, marks[pending.passed] ?? end);
      pending.position =
        loop === null
          ? this.#processWhole(pending, to)
          : loop(element.rows ?? channel.reader, element.times, pending.position, to, element.kinds);
    } while (pending.position === to && to < end && !status.full && !this.#passMarks(pending));
    this.#taken += pending.position - position;
    if (isWhole && pending.position === end) this.#chunk.adapt(startMs);
  }

  /** The watermarks before the next record count. True: event time goes on by them, which has to be delivered first. */
  #passMarks(pending: Pending): boolean {
    const { combiner, inputPath, input } = this.#parts;
    const { marks, position, passed } = pending;
    while (pending.passed < marks.length && marks[pending.passed]! <= position) {
      combiner.onWatermark(input.channel, marks[pending.passed + 1]!);
      pending.passed += 2;
    }
    if (pending.passed === passed) return false;
    inputPath.setIdle(combiner.idle);
    inputPath.advance(combiner.watermark);
    return inputPath.isDue;
  }

  #processWhole({ channel, element, position }: Pending, to: number): number {
    const batch = this.#batch;
    batch.count = to;
    batch.rows = element.rows;
    batch.timestamps = element.times;
    batch.reader = element.rows === null ? channel.reader : null;
    try {
      return this.#head?.onBatch?.(batch, position, channel.port) ?? to;
    } catch (error) {
      throw withOperator(error, this.#parts.chain.operators[0]?.uid ?? "");
    }
  }
}

// A task: one subtask of one chain, run cooperatively by its slot.
//
// Owns: the order of things inside the subtask (room, pending work, input, watermarks, end), and its life cycle.
// Does not own: what operators do (chain.ts), how bytes travel (network/), when it runs (slot.ts).
//
//   T1. `turn` never blocks and never awaits; it returns once its time is over or nothing can be done.
//   T2. Nothing reaches an operator while an output is full, or while earlier work of it is pending.
//   T3. A watermark is delivered after the records before it, in every output.
//   T4. The end: last records, the greatest event time that any input has come to as the watermark, watermark Infinity,
//       `onEndOfInput`, ends of the exchanges, sinks prepared; then "finished". Sinks commit only when the job says so.
//       So what is due by the last record of the whole input is done in its time, on however many subtasks.

import type { Clock } from "../../base/env.ts";
import { assert, type EngineError, withOperator } from "../../base/errors.ts";
import type { ReceivedElement } from "../../network/data-link.ts";
import { ELEMENT } from "../../network/element.ts";
import type { InputChannel, InputGate } from "../../network/input-gate.ts";
import type { ResultPartition } from "../../network/result-partition.ts";
import type { WatermarkCombiner } from "../../operators/event-time/watermark-combiner.ts";
import type { Operator, RecordBatch } from "../../operators/operator.ts";
import type { PreparedSink } from "../../protocol/slot-messages.ts";
import type { KeyedStateStore } from "../../state/contract/keyed-state.ts";
import type { BatchCodec } from "../../types/bytes/codec.ts";
import type { Chain, Loop, TaskStatus } from "../chain/chain.ts";
import type { LoopOptions } from "../chain/chain-code.ts";
import type { WatermarkPath } from "../chain/watermark-path.ts";
import type { EventTimeDriver } from "../drivers/event-time-driver.ts";
import type { FlatMapDriver } from "../drivers/flat-map-driver.ts";
import type { SinkDriver } from "../drivers/sink-driver.ts";
import type { SourceDriver } from "../drivers/source-driver.ts";
import type { TurnClock } from "../drivers/turn-clock.ts";
import type { CheckpointingMode } from "./barrier-aligner.ts";
import { preparedBy, type TakenSnapshot, TaskCheckpoints } from "./task-checkpoints.ts";
import type { TaskMetrics } from "./task-metrics.ts";
import type { TaskState } from "./task-state.ts";

export type TaskParts = {
  readonly name: string;
  readonly clock: Clock;
  readonly status: TaskStatus;
  /** Tells operators when the turn is over. */
  readonly turn: TurnClock;
  readonly chain: Chain;
  /** Null for sources. */
  readonly gate: InputGate | null;
  /** Says which channel of the gate the records at hand came by. */
  readonly input: { channel: number };
  readonly combiner: WatermarkCombiner;
  readonly source: SourceDriver | null;
  readonly partitions: readonly ResultPartition[];
  readonly sinks: readonly SinkDriver[];
  /** Deepest first, so that what waits deepest goes on first. */
  readonly flatMaps: readonly FlatMapDriver[];
  /** In the order of the chain, each with the path of the watermarks it makes. */
  readonly eventTimes: readonly TaskEventTime[];
  /** Those whose watermarks a test makes in their place. */
  readonly unheard: readonly EventTimeDriver[];
  readonly inputPath: WatermarkPath;
  /** In the order of the chain. */
  readonly operators: readonly Operator[];
  readonly stores: readonly KeyedStateStore[];
  readonly loopOptions: (port: 0 | 1, input: LoopOptions["input"]) => LoopOptions;
  readonly metrics: TaskMetrics;
  readonly subtask: number;
  /** It had come to its end when it was snapshotted. */
  readonly finished: boolean;
  readonly state: TaskState;
  readonly mode: CheckpointingMode;
  /** The task's part of a checkpoint is there. */
  readonly taken: (snapshot: TakenSnapshot) => void;
  /** What to say of an error that comes before the first watermark. */
  readonly onFailure: (error: unknown) => unknown;
};

export type TaskEventTime = {
  readonly driver: EventTimeDriver;
  readonly path: WatermarkPath;
  /** Watermarks of the source before it count beside its own: a test says them. */
  readonly hears: boolean;
};

export type TurnResult = "more" | "idle" | "blocked" | "finished";

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

/**
 * Records handed to a loop at once: adapts so that one call takes about half a millisecond. Nothing looks at the clock
 * within a call, so that functions that become slow all of a sudden are held against the watchdog for a chunk.
 */
const CHUNK_MAX = 1_024;
const CHUNK_TARGET_MS = 0.5;

const NO_MARKS: readonly number[] = [];

/** Turns of a busy task between two looks at how full its links are: about a tenth of a second. */
const TURNS_PER_LOOK = 64;

export class Task {
  readonly parts: TaskParts;
  readonly #head: Operator | null;
  readonly #checkpoints: TaskCheckpoints;
  readonly #rowLoops: (Loop | null)[] = [null, null];
  readonly #batchLoops = new WeakMap<BatchCodec, Loop>();
  readonly #polled: { element: ReceivedElement | null } = { element: null };
  readonly #batch: { -readonly [K in keyof RecordBatch]: RecordBatch[K] } = {
    count: 0,
    rows: null,
    timestamps: null,
    reader: null,
  };
  #phase: "running" | "ending" | "preparing" | "finished" = "running";
  #pending: Pending | null = null;
  #chunk = 1;
  #turns = 0;
  #ended: { watermarks: number; operators: number; partitions: number };
  #failure: unknown = null;
  /** How long input has waited in all, because an output was full or earlier work pending: nobody is idle for it. */
  #stalledMs = 0;
  /** Since when it does; NaN: it does not. */
  #stalledSinceMs = NaN;
  /** A checkpoint holds the task up: for room, for its sinks, or as its last one. */
  #isHeld = false;
  /** Set once the sinks have been asked. */
  #prepared: Promise<readonly PreparedSink[]> | null = null;

  constructor(parts: TaskParts) {
    this.parts = parts;
    const { eventTimes, gate, state, subtask, source } = parts;
    this.#checkpoints = new TaskCheckpoints({
      ...parts,
      snapshot: () => state.snapshot(subtask, source),
      wake: () => parts.metrics.wake(),
    });
    if (parts.finished) this.#phase = "ending";
    const done = parts.finished ? Infinity : 0; // All that there was to be done before the end of the exchanges.
    this.#ended = { watermarks: done, operators: done, partitions: 0 };
    for (const { driver } of eventTimes) {
      for (const channel of gate?.channels.keys() ?? []) driver.addChannel(channel);
    }
    const [head] = parts.chain.options.bindings;
    this.#head = head?.o?.onBatch === undefined ? null : head.o;
  }

  /** Runs until `deadlineMs` (monotonic) or until there is nothing to do. Throws when the task has failed. */
  turn(deadlineMs: number): TurnResult {
    this.parts.turn.begin(deadlineMs);
    let result: TurnResult;
    try {
      result = this.#work(deadlineMs);
    } catch (error) {
      throw this.#told(error);
    }
    this.#flush(result === "idle");
    this.#measure(result !== "more");
    return result;
  }

  /**
   * Earliest wall-clock time at which the task wants a turn even without input. Infinity while it waits for room or for
   * its sinks: it is woken then, and could do nothing about what falls due meanwhile.
   */
  nextProcessingTimeMs(): number {
    const { source, operators, status } = this.parts;
    let next = Infinity;
    if (status.full || this.#isHeld || this.#phase === "preparing" || this.#phase === "finished") return next;
    for (const operator of operators) next = Math.min(next, operator.nextProcessingTimeMs());
    if (this.#phase === "ending") return next;
    return source === null ? next : Math.min(next, source.nextPollMs());
  }

  /** Earliest monotonic time at which partial batches have to be sent, or a silent split has to be called idle. */
  nextMonotonicMs(): number {
    const { partitions, eventTimes, status } = this.parts;
    let next = Infinity;
    for (const partition of partitions) next = Math.min(next, partition.nextFlushMs());
    if (status.full || this.#isHeld || this.#phase !== "running") return next;
    for (const { driver } of eventTimes) next = Math.min(next, driver.nextCheckMs() + this.#stalledMs);
    return next;
  }

  /**
   * What the sinks that have something to commit wait with, though the input may go on: the user stopped an endless
   * job. Asks them once, whoever wants to know.
   */
  prepare(): Promise<readonly PreparedSink[]> {
    this.#prepared ??= preparedBy(this.parts.sinks);
    return this.#prepared;
  }

  /** What was prepared, or is being. Once the task has closed, nothing comes to it. */
  async prepared(): Promise<readonly PreparedSink[]> {
    return (await this.#prepared?.catch(() => null)) ?? []; // A failure is told by `turn`, or whoever asked.
  }

  /** Gives everything back, whatever state the task is in. "abort": what sinks have not prepared goes. */
  async close(outcome: "committed" | "abort"): Promise<void> {
    this.#pending = null;
    await holdingsClose(this.parts, outcome);
  }

  /**
   * A checkpoint begins at the sources. One whose input has ended says so by its end, and needs none. `isFinal`: the
   * task stops after it.
   */
  checkpoint(checkpoint: number, isFinal: boolean): void {
    if (isFinal) this.#checkpoints.final = checkpoint;
    if (this.parts.source !== null && this.#phase === "running") this.#checkpoints.trigger(checkpoint);
  }

  /** It is given up. */
  abortCheckpoint(checkpoint: number): void {
    this.#checkpoints.abort(checkpoint);
  }

  /** Errors say more where event time has not begun. */
  #told(error: unknown): unknown {
    const { inputPath, onFailure } = this.parts;
    return inputPath.delivered === -Infinity ? onFailure(error) : error;
  }

  #work(deadlineMs: number): TurnResult {
    this.#throwFailure();
    if (this.#phase === "finished") return "finished";
    if (this.#phase === "preparing") return "idle";
    let resumed = this.#resume(deadlineMs);
    while (resumed === "done" && this.#phase === "running") {
      const held = this.#checkpoint();
      if (held !== null) return held;
      const moved = this.#move();
      resumed = this.#resume(deadlineMs);
      if (resumed !== "done") return resumed;
      if (moved === "none") return "idle";
      if (this.parts.clock.monotonicMs() >= deadlineMs) return "more";
    }
    return resumed === "done" ? this.#end(deadlineMs) : resumed;
  }

  #move(): "more" | "none" | "end" {
    const moved = this.parts.source === null ? this.#takeInput() : this.#pollSource(this.parts.source);
    this.#throwFailure();
    this.#makeWatermarks();
    if (moved === "end") this.#phase = "ending";
    return moved;
  }

  /**
   * Everything that stopped half-way goes on, oldest first, until nothing is pending, there is no room, or time is
   * over.
   */
  #resume(deadlineMs: number): "done" | "blocked" | "more" {
    const { status, clock } = this.parts;
    while (!this.#resumeOnce()) {
      this.#throwFailure();
      if (Number.isNaN(this.#stalledSinceMs)) this.#stalledSinceMs = clock.monotonicMs();
      if (status.full && !this.#makeRoom()) return "blocked";
      if (clock.monotonicMs() >= deadlineMs) return "more";
    }
    if (!Number.isNaN(this.#stalledSinceMs)) this.#goOn(clock.monotonicMs());
    return "done";
  }

  /** Null: no checkpoint holds the task up. */
  #checkpoint(): "blocked" | "idle" | null {
    const result = this.#checkpoints.run();
    this.#isHeld = result !== "done";
    if (!this.#isHeld) return null;
    this.#stalledSinceMs = this.parts.clock.monotonicMs();
    return result === "blocked" ? "blocked" : "idle";
  }

  #goOn(nowMs: number): void {
    this.#stalledMs += nowMs - this.#stalledSinceMs;
    this.#stalledSinceMs = NaN;
  }

  #resumeOnce(): boolean {
    const { flatMaps, inputPath, eventTimes, status } = this.parts;
    for (const driver of flatMaps) if (!driver.resume()) return false;
    if (!inputPath.run()) return false;
    for (const { path } of eventTimes) if (!path.run()) return false;
    return this.#fireTimers() && !status.full;
  }

  #fireTimers(): boolean {
    const { operators, clock, status } = this.parts;
    if (operators.length === 0) return true; // The clock costs 50 ns, and this is called for each batch.
    const nowMs = clock.nowMs();
    for (const operator of operators) {
      if (status.full) return false;
      if (operator.nextProcessingTimeMs() <= nowMs && !operator.onProcessingTime(nowMs)) return false;
    }
    return true;
  }

  #makeRoom(): boolean {
    const { partitions, sinks, status } = this.parts;
    let room = true;
    for (const partition of partitions) if (!partition.drain()) room = false;
    for (const sink of sinks) {
      if (!sink.full) continue;
      sink.flushSome();
      room = false;
    }
    if (room) status.full = false;
    return room;
  }

  #pollSource(source: SourceDriver): "more" | "none" | "end" {
    const { clock } = this.parts;
    const startMs = clock.monotonicMs();
    const result = source.poll(this.#chunk);
    if (result === "wait") return "none";
    this.#adapt(clock.monotonicMs() - startMs);
    return result;
  }

  #takeInput(): "more" | "none" | "end" {
    const { gate } = this.parts;
    assert(gate !== null, "a task without a source has inputs");
    if (this.#pending !== null) {
      this.#processPending(this.#pending);
      return "more";
    }
    const channel = gate.poll(this.#polled);
    const { element } = this.#polled;
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
    for (const { driver } of this.parts.eventTimes) driver.enterChannel(gate.channels.indexOf(channel));
  }

  #onControl(gate: InputGate, channel: InputChannel, element: ReceivedElement): void {
    const { combiner, inputPath, eventTimes, metrics } = this.parts;
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
    const { combiner, eventTimes } = this.parts;
    combiner.onIdle(channel, idle);
    for (const { driver, hears } of eventTimes) {
      if (!hears) continue;
      if (idle) driver.leaveChannel(channel);
      else driver.addChannel(channel);
    }
  }

  #openBatch(channel: InputChannel, element: ReceivedElement): Pending {
    const { port } = channel;
    const { gate, input } = this.parts;
    input.channel = gate?.channels.indexOf(channel) ?? 0;
    if (element.rows !== null) {
      this.parts.metrics.received(element.rows.length, 0);
      const loop = this.#head ? null : this.#rowLoop(port);
      const marks = element.marks ?? NO_MARKS;
      return { channel, element, count: element.rows.length, position: 0, loop, marks, passed: 0 };
    }
    const { reader, codec } = channel;
    assert(reader !== null && codec !== null && element.view !== null, "a batch before its schema");
    reader.open(element.view, element.offset, element.size);
    this.parts.metrics.received(reader.count, element.size);
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
    this.#rowLoops[port] ??= this.parts.chain.compileLoop(this.parts.loopOptions(port, { kind: "rows" }));
    return this.#rowLoops[port];
  }

  #batchLoop(port: 0 | 1, codec: BatchCodec): Loop {
    let loop = this.#batchLoops.get(codec);
    if (loop === undefined) {
      loop = this.parts.chain.compileLoop(this.parts.loopOptions(port, { kind: "batch" }));
      this.#batchLoops.set(codec, loop);
    }
    return loop;
  }

  #processPending(pending: Pending): void {
    if (!this.#passMarks(pending)) this.#processChunk(pending);
    if (pending.position < pending.count || pending.passed < pending.marks.length) return;
    if (pending.passed > 0) this.parts.metrics.inputWatermark(this.parts.combiner.watermark);
    pending.channel.receiver.release();
    this.#pending = null;
  }

  /**
   * Part of a batch, up to the first mark by which event time goes on; how long a whole chunk takes decides the size of
   * the next one.
   */
  #processChunk(pending: Pending): void {
    const { clock, status } = this.parts;
    const { element, channel, count, position, loop, marks } = pending;
    const isWhole = loop !== null && count - position >= this.#chunk;
    const end = isWhole ? position + this.#chunk : count;
    const startMs = isWhole ? clock.monotonicMs() : 0;
    let to: number;
    do {
      to = Math.min(end, marks[pending.passed] ?? end);
      pending.position =
        loop === null
          ? this.#processWhole(pending, to)
          : loop(element.rows ?? channel.reader, element.times, pending.position, to, element.kinds);
    } while (pending.position === to && to < end && !status.full && !this.#passMarks(pending));
    if (isWhole && pending.position === end) this.#adapt(clock.monotonicMs() - startMs);
  }

  /** The watermarks before the next record count. True: event time goes on by them, which has to be delivered first. */
  #passMarks(pending: Pending): boolean {
    const { combiner, inputPath, input } = this.parts;
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
      throw withOperator(error, this.parts.chain.operators[0]?.uid ?? "");
    }
  }

  #adapt(elapsedMs: number): void {
    if (elapsedMs > CHUNK_TARGET_MS) this.#chunk = Math.max(1, this.#chunk >> 1);
    else if (elapsedMs < CHUNK_TARGET_MS / 4) this.#chunk = Math.min(CHUNK_MAX, this.#chunk << 1);
  }

  #makeWatermarks(): void {
    const { source, inputPath, eventTimes, combiner, clock } = this.parts;
    if (source !== null) {
      inputPath.advance(source.watermark());
      inputPath.setIdle(source.isUnread);
    }
    for (const { driver, path, hears } of eventTimes) {
      path.advance(driver.watermark(clock.monotonicMs() - this.#stalledMs));
      if (hears) path.advance(source?.watermark() ?? combiner.watermark);
      path.setIdle(driver.idle || source?.isUnread === true);
    }
  }

  #flush(idle: boolean): void {
    const nowMs = this.parts.clock.monotonicMs();
    for (const partition of this.parts.partitions) partition.flushSome(nowMs, idle);
    for (const sink of this.parts.sinks) sink.flushSome();
  }

  /** Usage is looked at when the task is about to wait, and now and then while it does not. */
  #measure(waits: boolean): void {
    const { partitions, gate, metrics } = this.parts;
    let batches = 0;
    let bytes = 0;
    for (const { counts } of partitions) {
      batches += counts.batches;
      bytes += counts.bytes;
    }
    metrics.sent(batches, bytes);
    this.#turns += 1;
    if (!waits && this.#turns % TURNS_PER_LOOK !== 0) return;
    let usage = 0;
    for (const partition of partitions) usage += partition.usage();
    metrics.usage(gate?.usage() ?? 0, partitions.length === 0 ? 0 : usage / partitions.length);
  }

  /** The steps of T4; each may stop because an output is full, and goes on where it stopped. */
  #end(deadlineMs: number): TurnResult {
    const { operators, partitions, clock } = this.parts;
    const ended = this.#ended;
    const watermarks = this.#lastWatermarks();
    let resumed: "done" | "blocked" | "more" = "done";
    for (; resumed === "done" && ended.watermarks < watermarks.length; ended.watermarks += 1) {
      const [path, watermark] = watermarks[ended.watermarks]!;
      path.advance(watermark);
      resumed = this.#resume(deadlineMs);
    }
    while (resumed === "done" && ended.operators < operators.length) {
      if (operators[ended.operators]?.onEndOfInput() === true) ended.operators += 1;
      resumed = this.#resume(deadlineMs);
      if (resumed === "done" && clock.monotonicMs() >= deadlineMs) return "more";
    }
    if (resumed !== "done") return resumed;
    this.parts.chain.endWatch();
    for (; ended.partitions < partitions.length; ended.partitions += 1) {
      if (partitions[ended.partitions]?.end() === false) return "blocked";
    }
    this.#phase = "preparing";
    this.prepare().then(
      () => {
        this.#phase = "finished";
        this.parts.metrics.wake();
      },
      (error: unknown) => {
        this.#failure = error;
        this.parts.metrics.wake();
      },
    );
    return "idle";
  }

  /** What each path delivers at the end of the input: how far event time came in all, then Infinity. */
  #lastWatermarks(): (readonly [WatermarkPath, number])[] {
    const { inputPath, eventTimes, unheard, combiner } = this.parts;
    const reached = eventTimes.map(({ driver, path }) => [path, driver.greatest] as const);
    const greatest = unheard.reduce((most, driver) => Math.max(most, driver.greatest), combiner.greatest);
    const paths = [[inputPath, greatest] as const, ...reached];
    return paths.flatMap(([path, greatest]) => [[path, greatest] as const, [path, Infinity] as const]);
  }

  #throwFailure(): void {
    const failure: EngineError | unknown = this.parts.status.failure ?? this.#failure;
    if (failure !== null) throw failure;
    for (const sink of this.parts.sinks) if (sink.failure !== null) throw sink.failure;
  }
}

/** What a task holds that has to be given back. */
export type TaskHoldings = Pick<TaskParts, "source" | "sinks" | "flatMaps" | "operators" | "stores">;

/**
 * Closes everything, also after failures, of which the first is thrown. What lies in the pools first, at once: a slot
 * may be given up while something outside does not settle, and then its memory is others'.
 */
export async function holdingsClose(holdings: TaskHoldings, outcome: "committed" | "abort"): Promise<void> {
  const { source, sinks, flatMaps, operators, stores } = holdings;
  const failures: unknown[] = [];
  const attempt = async (close: () => void | Promise<void>): Promise<void> => {
    try {
      await close();
    } catch (error) {
      failures.push(error); // The rest must close all the same; reported below.
    }
  };
  for (const driver of flatMaps) await attempt(() => driver.close());
  for (const operator of operators) await attempt(() => operator.close());
  for (const store of stores) await attempt(() => store.release());
  if (source) await attempt(() => source.close());
  for (const sink of sinks) {
    if (outcome === "abort") await attempt(() => sink.abort());
    await attempt(() => sink.close());
  }
  if (failures.length > 0) throw failures[0];
}

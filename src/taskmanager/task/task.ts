// A task: one subtask of one chain, run cooperatively by its slot.
//
// Owns: the order of things inside the subtask (room, pending work, input, watermarks, end), and its life cycle.
// Does not own: what operators do (chain.ts), how bytes travel (network/), when it runs (slot.ts).
//
//   T1. `turn` never blocks and never awaits; it returns once its time is over or nothing can be done.
//   T2. Nothing reaches an operator while an output is full, or while earlier work of it is pending.
//   T3. A watermark is delivered after the records before it, in every output.
//   T4. The end: last records, the greatest event time that any input has come to as the watermark, watermark Infinity,
//       ends of the exchanges, sinks prepared; then "finished". Sinks commit only when the job says so.
//       So what is due by the last record of the whole input is done in its time, on however many subtasks.

import { assert, type EngineError } from "../../base/errors.ts";
import type { PreparedSink } from "../../protocol/slot-messages.ts";
import type { WatermarkPath } from "../chain/watermark-path.ts";
import type { SourceDriver } from "../drivers/source-driver.ts";
import type { Barrier } from "./barrier.ts";
import { ChunkSize } from "./chunk-size.ts";
import { preparedBy, TaskCheckpoints } from "./task-checkpoints.ts";
import { holdingsClose } from "./task-holdings.ts";
import { TaskInput } from "./task-input.ts";
import type { TaskParts } from "./task-parts.ts";

export type TurnResult = "more" | "idle" | "blocked" | "finished";

/** Turns of a busy task between two looks at how full its links are: about a tenth of a second. */
const TURNS_PER_LOOK = 64;

export class Task {
  readonly parts: TaskParts;
  readonly #checkpoints: TaskCheckpoints;
  /** Null: it begins with a source. */
  readonly #input: TaskInput | null;
  readonly #chunk: ChunkSize;
  #phase: "running" | "ending" | "preparing" | "finished" = "running";
  #turns = 0;
  #ended: { watermarks: number; partitions: number };
  #failure: unknown = null;
  /** How long input has waited in all, because an output was full or earlier work pending: nobody is idle for it. */
  #stalledMs = 0;
  /** Since when it does; NaN: it does not. */
  #stalledSinceMs = NaN;
  /** Its source is to end where it is. */
  #isDrained = false;
  /** A checkpoint holds the task up: for room, for its sinks, or as its last one. */
  #isHeld = false;
  /** Set once the sinks have been asked. */
  #prepared: Promise<readonly PreparedSink[]> | null = null;

  constructor(parts: TaskParts) {
    this.parts = parts;
    const { eventTimes, gate, state, subtask, source } = parts;
    this.#checkpoints = new TaskCheckpoints({
      ...parts,
      release: () => parts.operators.every((operator) => operator.onIdle?.() !== false),
      snapshot: (which) => state.snapshot(which, subtask, source),
      wake: () => parts.metrics.wake(),
    });
    if (parts.finished) this.#phase = "ending";
    const done = parts.finished ? Infinity : 0; // All that there was to be done before the end of the exchanges.
    this.#ended = { watermarks: done, partitions: 0 };
    for (const { driver } of eventTimes) {
      for (const channel of gate?.channels.keys() ?? []) driver.addChannel(channel);
    }
    this.#chunk = new ChunkSize(parts.clock);
    this.#input = gate === null ? null : new TaskInput(parts, gate, this.#checkpoints, this.#chunk);
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
    const nowMs = this.parts.clock.monotonicMs();
    this.#flush(nowMs, result === "idle");
    this.#measure(result !== "more");
    if (this.#input !== null) this.#tellAppetite(this.#input, nowMs);
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
    this.#prepared ??= preparedBy(this.parts.sinks, "end");
    return this.#prepared;
  }

  /** What was prepared, or is being. Once the task has closed, nothing comes to it. */
  async prepared(): Promise<readonly PreparedSink[]> {
    return (await this.#prepared?.catch(() => null)) ?? []; // A failure is told by `turn`, or whoever asked.
  }

  /** Gives everything back, whatever state the task is in. "abort": what sinks have not prepared goes. */
  async close(outcome: "committed" | "abort"): Promise<void> {
    this.#input?.drop();
    await holdingsClose(this.parts, outcome);
  }

  /** A checkpoint begins at the sources. One whose input has ended says so by its end, and needs none. */
  checkpoint(barrier: Barrier): void {
    if (this.parts.source !== null && this.#phase === "running") this.#checkpoints.trigger(barrier);
  }

  /** It counts. */
  checkpointCompleted(checkpoint: number): void {
    this.parts.state.completed(checkpoint);
  }

  /** Its source ends where it is. Without one, it ends with its input. */
  drain(): void {
    this.#isDrained = true;
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
    this.#isHeld = false;
    let resumed = this.#isPressed() ? "blocked" : this.#resume(deadlineMs);
    while (resumed === "done" && this.#phase === "running") {
      const held = this.#checkpoint(deadlineMs);
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
  #checkpoint(deadlineMs: number): "blocked" | "idle" | "more" | null {
    if (this.#isPressed()) return "blocked";
    let result = this.#checkpoints.run();
    while (result === "again") {
      const resumed = this.#resume(deadlineMs);
      if (resumed !== "done") return resumed;
      if (this.parts.clock.monotonicMs() >= deadlineMs) return "more";
      result = this.#checkpoints.run();
    }
    this.#isHeld = result !== "done";
    if (!this.#isHeld) return null;
    this.#stalledSinceMs = this.parts.clock.monotonicMs();
    return result === "blocked" ? "blocked" : "idle";
  }

  /** What is being written of its state is too far behind what changes. */
  #isPressed(): boolean {
    if (!this.parts.state.isPressed) return false;
    this.#isHeld = true;
    if (Number.isNaN(this.#stalledSinceMs)) this.#stalledSinceMs = this.parts.clock.monotonicMs();
    return true;
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

  #takeInput(): "more" | "none" | "end" {
    assert(this.#input !== null, "a task without a source has inputs");
    return this.#input.take();
  }

  #pollSource(source: SourceDriver): "more" | "none" | "end" {
    if (this.#isDrained) return "end";
    const startMs = this.#chunk.begin();
    const result = source.poll(this.#chunk.size);
    if (result === "wait") return "none";
    this.#chunk.adapt(startMs);
    return result;
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

  #tellAppetite({ taken, isDry }: TaskInput, endedMs: number): void {
    const { appetite, turn } = this.parts;
    appetite?.onTurn({ beganMs: turn.beganMs, endedMs, taken, isDry });
  }

  #flush(nowMs: number, idle: boolean): void {
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
    const { partitions } = this.parts;
    const ended = this.#ended;
    const watermarks = this.#lastWatermarks();
    let resumed: "done" | "blocked" | "more" = "done";
    for (; resumed === "done" && ended.watermarks < watermarks.length; ended.watermarks += 1) {
      const [path, watermark] = watermarks[ended.watermarks]!;
      path.advance(watermark());
      resumed = this.#resume(deadlineMs);
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

  /**
   * What each path delivers at the end of the input: how far event time came in all, then Infinity. How far is asked
   * when its turn has come: what the end of one path gives has its times in the next.
   */
  #lastWatermarks(): (readonly [WatermarkPath, () => number])[] {
    const { inputPath, eventTimes, unheard, combiner } = this.parts;
    const reached = eventTimes.map(({ driver, path }) => [path, () => driver.greatest] as const);
    const greatest = () => unheard.reduce((most, driver) => Math.max(most, driver.greatest), combiner.greatest);
    const paths = [[inputPath, greatest] as const, ...reached];
    return paths.flatMap(([path, greatest]) => [[path, greatest] as const, [path, () => Infinity] as const]);
  }

  #throwFailure(): void {
    const failure: EngineError | unknown = this.parts.status.failure ?? this.#failure;
    if (failure !== null) throw failure;
    for (const sink of this.parts.sinks) if (sink.failure !== null) throw sink.failure;
  }
}

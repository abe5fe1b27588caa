// The TaskManager's main thread: memory pools, slots and their watchdog. Never runs user code, never blocks.
//
// Owns: the network and managed pools, slot threads, shared memory for doorbells, metrics and progress. Does not own:
// the decision what runs where (job master), what happens inside a slot (slot.ts).
//
//   M1. Whatever a slot held in the pools is free again once it has said that its tasks are closed, or its thread has
//       ended, however it ended. A thread that cannot be ended keeps it: it may still write there.
//   M2. `close` leaves no thread, timer or segment behind.

import { userFrame } from "../api/checks/call-site.ts";
import type { Env } from "../base/env.ts";
import { assert, type EngineError, InternalError, UserError } from "../base/errors.ts";
import { memorySizeText } from "../base/memory-size.ts";
import type { Configuration } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import type { JobVertex } from "../graph/job-graph.ts";
import { SegmentPool } from "../memory/segment-pool.ts";
import type { TaskManagerMemory } from "../memory/task-manager-memory.ts";
import { metricMemory } from "../metrics/metric-registry.ts";
import { DOORBELL_WORDS } from "../network/doorbell.ts";
import { errorData } from "../protocol/error-data.ts";
import type { FromSlot, JobDescriptor, TaskDescriptor, TaskId, ToSlot } from "../protocol/slot-messages.ts";
import { neverReturned, outOfHeap, withCulprit } from "./failures/user-failure.ts";
import { MemoryGuard } from "./memory-guard.ts";
import { HELD_FACTOR_MAX } from "./runner/heap-guard.ts";
import type { SlotExit, SlotHandle, SlotRunner } from "./runner/slot-runner.ts";
import { ShuffleEnvironment } from "./shuffle-environment.ts";
import { Watchdog } from "./watchdog.ts";

export type TaskManagerOptions = {
  readonly env: Env;
  readonly configuration: Configuration;
  readonly memory: TaskManagerMemory;
  readonly runner: SlotRunner;
  readonly onMessage: (slot: number, message: FromSlot) => void;
  /** What runs in a slot; of one vertex by its index in the job graph, null for all. */
  readonly chains: (slot: number, vertex: number | null) => readonly JobVertex[];
  /** A slot ended without closing its tasks. */
  readonly onSlotLost: (slot: number, error: EngineError) => void;
};

type SlotEntry = {
  readonly handle: SlotHandle;
  readonly metrics: SharedArrayBuffer;
  /** That may still read and write network segments. */
  readonly tasks: { readonly jobId: string; readonly id: TaskId }[];
  ended: boolean;
  /** It has said that nothing of its tasks is left. */
  closed: boolean;
};

/** Of the process size: the memory guard comes first, in most cases. */
const HEAP_LIMIT_FACTOR = 2;
const TERMINATION_WAIT_MS = 10_000;
/** A thread may just be between two calls of user code when it is looked at. */
const SAMPLES_MAX = 3;
/**
 * Time in which a slot that is no more than slow has moved once a sample has shown that its thread runs: before it is
 * ended for that, as a part of the watchdog's time-out, and before it is asked what it does.
 */
const MOVES_WITHIN = 0.25;
const MOVES_WITHIN_MS = 50;

export class TaskManager {
  readonly network: SegmentPool;
  readonly managed: SegmentPool;
  readonly #options: TaskManagerOptions;
  readonly #slots: SlotEntry[] = [];
  readonly #doorbells: SharedArrayBuffer;
  readonly #progress: SharedArrayBuffer;
  readonly #lastVertex: SharedArrayBuffer;
  readonly #shuffle: ShuffleEnvironment;
  readonly #watchdog: Watchdog;
  readonly #memoryGuard: MemoryGuard;
  #stranded = false;
  #warned = false;

  constructor(options: TaskManagerOptions) {
    const { memory, env, configuration } = options;
    const { slots } = memory;
    const poison = configuration.get(OPTIONS.memoryPoison);
    this.#options = options;
    this.network = SegmentPool.create({
      name: "network memory",
      configKey: OPTIONS.networkMax.key,
      segments: memory.networkSegments,
      segmentSize: memory.networkSegmentSize,
      poison,
    });
    this.managed = SegmentPool.create({
      name: "managed memory",
      configKey: OPTIONS.managedSize.key,
      segments: memory.managedBlocks,
      segmentSize: memory.managedBlockSize,
      groupLimits: Array.from({ length: slots }, () => memory.slot.managedBlocks),
      poison,
    });
    this.#shuffle = new ShuffleEnvironment(this.network);
    this.#doorbells = new SharedArrayBuffer(slots * DOORBELL_WORDS * 4);
    this.#progress = new SharedArrayBuffer(slots * 4);
    this.#lastVertex = new SharedArrayBuffer(slots * 4);
    this.#watchdog = new Watchdog({
      env,
      progress: new Int32Array(this.#progress),
      timeoutMs: configuration.get(OPTIONS.watchdogTimeout),
      ring: (slot) => this.#slots[slot]?.handle.ring(),
      onStuck: (slot, stuckMs) => this.#onStuck(slot, stuckMs),
    });
    this.#memoryGuard = new MemoryGuard({
      env,
      limitBytes: memory.process.bytes,
      residentBytes: () => options.runner.residentBytes(),
      onOver: (residentBytes) => this.#onOver(residentBytes),
    });
  }

  get slots(): number {
    return this.#options.memory.slots;
  }

  /** A slot's thread could not be ended (V8 cannot interrupt it): the process will not end by itself. */
  get stranded(): boolean {
    return this.#stranded;
  }

  /** Metric memory of the slots started so far. */
  metricMemories(): readonly SharedArrayBuffer[] {
    return this.#slots.map((slot) => slot.metrics);
  }

  start(index: number): void {
    const { memory, configuration, runner, onMessage } = this.#options;
    assert(index === this.#slots.length && index < this.slots, `slot ${index} of ${this.slots}`);
    const metrics = metricMemory();
    const handle = runner.start(
      {
        index,
        slots: this.slots,
        network: this.network.handle,
        managed: this.managed.handle,
        managedBytes: memory.slot.managedBlocks * memory.managedBlockSize,
        doorbells: this.#doorbells,
        metrics,
        progress: this.#progress,
        lastVertex: this.#lastVertex,
        turnBudgetMs: configuration.get(OPTIONS.turnBudget),
        heap: {
          budgetBytes: memory.slot.heap.bytes,
          youngGenerationBytes: memory.slot.youngGeneration.bytes,
          limitBytes: memory.process.bytes * HEAP_LIMIT_FACTOR,
        },
      },
      (exit) => this.#onExit(index, exit),
    );
    const entry: SlotEntry = { handle, metrics, tasks: [], ended: false, closed: false };
    handle.control.receive({
      message: (message) => {
        if (message.kind === "closed") this.#onClosed(entry);
        onMessage(index, message);
      },
    });
    this.#slots.push(entry);
    this.#watchdog.watch();
    this.#memoryGuard.watch();
  }

  /** Connects tasks and gives them to a slot. What there is no memory for is told as the slot's failure. */
  deploy(slot: number, job: JobDescriptor, tasks: readonly TaskDescriptor[]): void {
    const entry = this.#slots[slot];
    if (entry === undefined || entry.ended) return;
    try {
      const wiring = this.#shuffle.connect({ job, slot, tasks, slotOf: (peer) => peer });
      for (const { id } of tasks) entry.tasks.push({ jobId: job.jobId, id });
      entry.handle.control.send({ kind: "deploy", job, tasks, wiring });
    } catch (error) {
      const failed = { kind: "failed", task: null, error: errorData(error) } as const;
      this.#options.env.timers.soon(() => this.#options.onMessage(slot, failed));
    }
  }

  post(slot: number, message: Exclude<ToSlot, { readonly kind: "deploy" }>): void {
    const entry = this.#slots[slot];
    if (entry !== undefined && !entry.ended) entry.handle.control.send(message);
  }

  /** Ends a slot's thread and takes back what it held. */
  async end(slot: number): Promise<void> {
    const entry = this.#slots[slot];
    if (entry === undefined || entry.ended) return;
    entry.ended = true;
    this.#watchdog.forget(slot);
    if (await this.#terminated(entry.handle)) this.#takeBack(slot);
    else this.#stranded = true;
  }

  async close(): Promise<void> {
    this.#watchdog.stop();
    this.#memoryGuard.stop();
    for (const index of this.#slots.keys()) await this.end(index);
  }

  /** False when the thread goes on in spite of all. */
  #terminated(handle: SlotHandle): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const timer = this.#options.env.timers.after(TERMINATION_WAIT_MS, () => resolve(false));
      handle
        .terminate()
        .then(() => resolve(true), reject)
        .finally(() => timer.cancel());
    });
  }

  /** Nothing of the slot's tasks is left, by its own word. */
  #onClosed(entry: SlotEntry): void {
    entry.closed = true;
    this.#release(entry);
  }

  #release({ tasks }: SlotEntry): void {
    for (const { jobId, id } of tasks.splice(0)) this.#shuffle.release(jobId, id);
  }

  #takeBack(slot: number): void {
    const entry = this.#slots[slot];
    if (entry !== undefined) this.#release(entry);
    for (const pool of [this.network, this.managed]) {
      for (const { job, task, purpose, segments } of pool.threadEnded(slot + 1)) {
        if (this.#slots[slot]?.closed !== true) continue; // It was ended in the middle of its work.
        const message = `slot ${slot} has closed and still held ${pool.name}: a bug of Millrace`;
        this.#options.env.log.write("error", message, { job, task, purpose, segments });
      }
    }
  }

  #onExit(slot: number, exit: SlotExit): void {
    const entry = this.#slots[slot];
    if (entry === undefined || entry.closed) return;
    entry.ended = true;
    this.#watchdog.forget(slot);
    this.#takeBack(slot);
    this.#options.onSlotLost(slot, exitError(exit, this.#options.memory));
  }

  /** The process has outgrown its budget: the slot that holds most has to go, if it holds more than is its own. */
  async #onOver(residentBytes: number): Promise<void> {
    const { memory, onSlotLost, env } = this.#options;
    const used = `the process uses ${memorySizeText(residentBytes)} of ${memorySizeText(memory.process.bytes)}`;
    const most = await this.#largest();
    if (most === null || most.bytes <= this.#ownBytes) {
      if (!this.#warned) env.log.write("warn", `${used}, though no slot holds more than is its own`);
      this.#warned = true;
      return;
    }
    const { slot } = most;
    const entry = this.#slots[slot];
    const stood = this.#progressOf(slot);
    const stack = entry === undefined ? null : await userStack(entry.handle);
    await this.#delay(MOVES_WITHIN_MS);
    if (entry?.ended !== false) return;
    const isStuck = this.#progressOf(slot) === stood;
    await this.end(slot);
    const error = new UserError("SLOT_OUT_OF_MEMORY", `${used}, and user code in slot ${slot} holds most of it`, {
      fix: `keep fewer objects and buffers (state belongs in keyed state), or raise ${OPTIONS.processSize.key}`,
    });
    // Where a slot is that goes on from turn to turn says nothing about who holds what is too much.
    onSlotLost(slot, this.#told(error, isStuck ? stack : null, this.#chains(slot, isStuck)));
  }

  /**
   * The slot that holds most. One that does not answer is taken to hold everything, unless another one is known to hold
   * more than is its own.
   */
  async #largest(): Promise<{ readonly slot: number; readonly bytes: number } | null> {
    const running = [...this.#slots.entries()].filter(([, { ended }]) => !ended);
    const all = await Promise.all(
      running.map(async ([slot, { handle }]) => ({ slot, bytes: await handle.heldBytes() })),
    );
    const sorted = all.sort((a, b) => b.bytes - a.bytes);
    const largestKnown = sorted.find(({ bytes }) => bytes < Infinity);
    return largestKnown !== undefined && largestKnown.bytes > this.#ownBytes ? largestKnown : (sorted[0] ?? null);
  }

  /** What a slot may hold at most before it is to blame that the process has outgrown its budget. */
  get #ownBytes(): number {
    const { slot, taskOffHeap } = this.#options.memory;
    return slot.heap.bytes * HELD_FACTOR_MAX + taskOffHeap.bytes;
  }

  /** The error of a slot that was ended, with the place of its user code. */
  #told(error: UserError, stack: string | null, chains: readonly JobVertex[]): UserError {
    if (this.#stranded) error.message += "; its thread cannot be stopped, so the process ends itself";
    return withCulprit(error, stack, chains);
  }

  /** Those whose functions may be to blame: of a slot that has not come back from a turn, the one whose turn it is. */
  #chains(slot: number, isStuck: boolean): readonly JobVertex[] {
    const lastVertex = Atomics.load(new Int32Array(this.#lastVertex), slot) - 1;
    if (lastVertex < 0) return [];
    return this.#options.chains(slot, isStuck && (this.#progressOf(slot) & 1) === 1 ? lastVertex : null);
  }

  #progressOf(slot: number): number {
    return Atomics.load(new Int32Array(this.#progress), slot);
  }

  #onStuck(slot: number, stuckMs: number): void {
    const entry = this.#slots[slot];
    if (entry === undefined || entry.ended) return;
    this.#endStuck(slot, entry, stuckMs).catch((error: unknown) =>
      this.#options.onSlotLost(slot, new InternalError("SLOT_STUCK", `slot ${slot} hangs`, { cause: error })),
    );
  }

  async #endStuck(slot: number, entry: SlotEntry, stuckMs: number): Promise<void> {
    const stood = this.#progressOf(slot);
    const stack = await userStack(entry.handle);
    // A thread that the machine did not let run has not moved either; it runs now, since it has answered.
    if (stack !== null) await this.#delay(this.#options.configuration.get(OPTIONS.watchdogTimeout) * MOVES_WITHIN);
    if (entry.ended) return;
    if (this.#progressOf(slot) !== stood) {
      this.#watchdog.remember(slot);
      return;
    }
    await this.end(slot);
    const error = neverReturned(`user code in slot ${slot}`, stuckMs, null);
    this.#options.onSlotLost(slot, this.#told(error, stack, this.#chains(slot, true)));
  }

  #delay(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.env.timers.after(ms, resolve, { background: true });
    });
  }
}

/** What the slot's thread is doing, in user code if it is seen there. */
async function userStack(handle: SlotHandle): Promise<string | null> {
  let stack: string | null = null;
  for (let samples = 0; samples < SAMPLES_MAX; samples += 1) {
    stack = await handle.stackSample();
    if (stack === null || userFrame(stack) !== null) break; // Who did not answer once would not soon.
  }
  return stack;
}

function exitError(exit: SlotExit, memory: TaskManagerMemory): EngineError {
  if (exit.kind === "outOfMemory") return outOfHeap(memory.slot.heap.bytes, exit.error);
  if (exit.kind === "error") {
    return new InternalError(
      "SLOT_FAILED",
      `a slot's thread failed: ${exit.error instanceof Error ? exit.error.message : String(exit.error)}`,
      { cause: exit.error },
    );
  }
  return new UserError("SLOT_EXITED", `a slot's thread ended with exit code ${exit.code}`, {
    fix: "user code must not end the process; throw an error instead",
  });
}

// The TaskManager's main thread: memory pools, slots and their watchdog. Never runs user code, never blocks.
//
// Owns: the network and managed pools, slot threads, shared memory for doorbells, metrics and progress. Does not own:
// the decision what runs where (job master), what happens inside a slot (slot.ts).
//
//   M1. Whatever a slot held in the pools is free again once it has said that its tasks are closed, or its thread has
//       ended, however it ended. A thread that cannot be ended keeps it: it may still write there.
//   M2. `close` leaves no thread, timer or segment behind.
//   M3. A slot has one thread at a time, which serves one job. It is free for the next job once its thread has ended.

import { userFrame } from "../api/checks/call-site.ts";
import type { Env } from "../base/env.ts";
import { type EngineError, InternalError, UserError } from "../base/errors.ts";
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
import type { SlotExit, SlotHandle, SlotRunner, SlotStart } from "./runner/slot-runner.ts";
import { ShuffleEnvironment, type WiringRequest } from "./shuffle-environment.ts";
import { Watchdog } from "./watchdog.ts";

export type TaskManagerOptions = {
  readonly env: Env;
  readonly configuration: Configuration;
  readonly memory: TaskManagerMemory;
  readonly runner: SlotRunner;
};

/** A job that gets slots, which it numbers from 0. */
export type SlotUser = {
  readonly onMessage: (slot: number, message: FromSlot) => void;
  /** What runs in a slot; of one vertex by its index in the job graph, null for all. */
  readonly chains: (slot: number, vertex: number | null) => readonly JobVertex[];
  /** A slot ended without closing its tasks. */
  readonly onSlotLost: (slot: number, error: EngineError) => void;
};

type SlotEntry = {
  readonly index: number;
  readonly job: SlotUser;
  /** The job's number for it. */
  readonly slot: number;
  readonly handle: SlotHandle;
  readonly metrics: SharedArrayBuffer;
  /** That may still read and write network segments. */
  readonly tasks: { readonly jobId: string; readonly id: TaskId }[];
  /** Resolves when its thread has ended, or was given up; null: nobody wants it to end. */
  termination: Promise<void> | null;
  /** It has said that nothing of its tasks is left. */
  closed: boolean;
};

/** The slots of one job: each is taken, and its thread started, when it or a channel to it is first spoken of. */
export class JobSlots {
  readonly #take: (slot: number) => SlotEntry;
  readonly #manager: TaskManager;
  readonly #entries = new Map<number, SlotEntry>();

  constructor(manager: TaskManager, take: (slot: number) => SlotEntry) {
    this.#manager = manager;
    this.#take = take;
  }

  /** Connects tasks and gives them to a slot; what has no memory is told as its failure. Throws SLOTS_MISSING. */
  deploy(slot: number, job: JobDescriptor, tasks: readonly TaskDescriptor[]): void {
    const entry = this.#entry(slot);
    if (entry.termination !== null) return;
    this.#manager.deploy(entry, { job, slot, tasks, slotOf: (other) => this.#entry(other).index });
  }

  post(slot: number, message: Exclude<ToSlot, { readonly kind: "deploy" }>): void {
    const entry = this.#entries.get(slot);
    if (entry?.termination === null) entry.handle.control.send(message);
  }

  /** Ends a slot's thread and takes back what it held. The slot is the job's no more. */
  async terminate(slot: number): Promise<void> {
    const entry = this.#entries.get(slot);
    if (entry !== undefined) await this.#manager.terminate(entry);
  }

  metricMemory(slot: number): SharedArrayBuffer | undefined {
    return this.#entries.get(slot)?.metrics;
  }

  #entry(slot: number): SlotEntry {
    let entry = this.#entries.get(slot);
    if (entry === undefined) {
      entry = this.#take(slot);
      this.#entries.set(slot, entry);
    }
    return entry;
  }
}

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
  /** Null: free. */
  readonly #slots: (SlotEntry | null)[];
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
    this.#slots = Array.from({ length: slots }, () => null);
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

  get memory(): TaskManagerMemory {
    return this.#options.memory;
  }

  get slots(): number {
    return this.memory.slots;
  }

  /** A slot's thread could not be ended (V8 cannot interrupt it): the process will not end by itself. */
  get stranded(): boolean {
    return this.#stranded;
  }

  slotsFor(job: SlotUser): JobSlots {
    return new JobSlots(this, (slot) => {
      const index = this.#slots.indexOf(null);
      if (index < 0) throw slotsMissing(this.slots);
      return this.#start(index, job, slot);
    });
  }

  #start(index: number, job: SlotUser, slot: number): SlotEntry {
    const { runner } = this.#options;
    const metrics = metricMemory();
    Atomics.store(new Int32Array(this.#progress), index, 0);
    Atomics.store(new Int32Array(this.#lastVertex), index, 0);
    const handle = runner.start(this.#slotStart(index, metrics), (exit) => this.#onExit(entry, exit));
    const entry: SlotEntry = { index, job, slot, handle, metrics, tasks: [], termination: null, closed: false };
    handle.control.receive({
      message: (message) => {
        if (message.kind === "closed") this.#onClosed(entry);
        job.onMessage(slot, message);
      },
    });
    this.#slots[index] = entry;
    this.#watchdog.remember(index);
    this.#watchdog.watch();
    this.#memoryGuard.watch();
    return entry;
  }

  #slotStart(index: number, metrics: SharedArrayBuffer): SlotStart {
    const { memory, configuration } = this.#options;
    return {
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
    };
  }

  deploy(entry: SlotEntry, request: WiringRequest): void {
    const { job, tasks } = request;
    try {
      const wiring = this.#shuffle.connect(request);
      for (const { id } of tasks) entry.tasks.push({ jobId: job.jobId, id });
      entry.handle.control.send({ kind: "deploy", job, tasks, wiring });
    } catch (error) {
      const failed = { kind: "failed", task: null, error: errorData(error) } as const;
      this.#options.env.timers.soon(() => entry.job.onMessage(entry.slot, failed));
    }
  }

  terminate(entry: SlotEntry): Promise<void> {
    entry.termination ??= this.#terminate(entry);
    return entry.termination;
  }

  async #terminate(entry: SlotEntry): Promise<void> {
    this.#watchdog.forget(entry.index);
    if (await this.#ended(entry.handle)) this.#takeBack(entry);
    else this.#stranded = true;
  }

  async close(): Promise<void> {
    this.#watchdog.stop();
    this.#memoryGuard.stop();
    for (const entry of this.#slots) if (entry !== null) await this.terminate(entry);
  }

  /** False when the thread goes on in spite of all. */
  #ended(handle: SlotHandle): Promise<boolean> {
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

  /** The slot's thread has ended: what it held is free, and so is the slot. */
  #takeBack(entry: SlotEntry): void {
    const { index } = entry;
    this.#release(entry);
    for (const pool of [this.network, this.managed]) {
      for (const { job, task, purpose, segments } of pool.threadEnded(index + 1)) {
        if (!entry.closed) continue; // It was ended in the middle of its work.
        const message = `slot ${index} has closed and still held ${pool.name}: a bug of Millrace`;
        this.#options.env.log.write("error", message, { job, task, purpose, segments });
      }
    }
    this.#slots[index] = null;
  }

  #onExit(entry: SlotEntry, exit: SlotExit): void {
    if (entry.closed) return;
    entry.termination = Promise.resolve();
    this.#watchdog.forget(entry.index);
    this.#takeBack(entry);
    entry.job.onSlotLost(entry.slot, exitError(exit, this.#options.memory));
  }

  /** The process has outgrown its budget: the slot that holds most has to go, if it holds more than is its own. */
  async #onOver(residentBytes: number): Promise<void> {
    const { memory, env } = this.#options;
    const used = `the process uses ${memorySizeText(residentBytes)} of ${memorySizeText(memory.process.bytes)}`;
    const most = await this.#largest();
    if (most === null || most.bytes <= this.#ownBytes) {
      if (!this.#warned) env.log.write("warn", `${used}, though no slot holds more than is its own`);
      this.#warned = true;
      return;
    }
    const { entry } = most;
    const stood = this.#progressOf(entry);
    const stack = await userStack(entry.handle);
    await this.#delay(MOVES_WITHIN_MS);
    if (entry.termination !== null) return;
    const isStuck = this.#progressOf(entry) === stood;
    const chains = this.#chains(entry, isStuck);
    await this.terminate(entry);
    const error = new UserError(
      "SLOT_OUT_OF_MEMORY",
      `${used}, and user code in slot ${entry.index} holds most of it`,
      {
        fix: `keep fewer objects and buffers (state belongs in keyed state), or raise ${OPTIONS.processSize.key}`,
      },
    );
    // Where a slot is that goes on from turn to turn says nothing about who holds what is too much.
    entry.job.onSlotLost(entry.slot, this.#told(error, isStuck ? stack : null, chains));
  }

  /**
   * The slot that holds most. One that does not answer is taken to hold everything, unless another one is known to hold
   * more than is its own.
   */
  async #largest(): Promise<{ readonly entry: SlotEntry; readonly bytes: number } | null> {
    const running = this.#slots.filter((entry) => entry !== null && entry.termination === null) as SlotEntry[];
    const all = await Promise.all(running.map(async (entry) => ({ entry, bytes: await entry.handle.heldBytes() })));
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
  #chains(entry: SlotEntry, isStuck: boolean): readonly JobVertex[] {
    const lastVertex = Atomics.load(new Int32Array(this.#lastVertex), entry.index) - 1;
    if (lastVertex < 0) return [];
    return entry.job.chains(entry.slot, isStuck && (this.#progressOf(entry) & 1) === 1 ? lastVertex : null);
  }

  #progressOf({ index }: SlotEntry): number {
    return Atomics.load(new Int32Array(this.#progress), index);
  }

  #onStuck(slot: number, stuckMs: number): void {
    const entry = this.#slots[slot] ?? null;
    if (entry === null || entry.termination !== null) return;
    this.#endStuck(entry, stuckMs).catch((error: unknown) =>
      entry.job.onSlotLost(entry.slot, new InternalError("SLOT_STUCK", `slot ${slot} hangs`, { cause: error })),
    );
  }

  async #endStuck(entry: SlotEntry, stuckMs: number): Promise<void> {
    const stood = this.#progressOf(entry);
    const stack = await userStack(entry.handle);
    // A thread that the machine did not let run has not moved either; it runs now, since it has answered.
    if (stack !== null) await this.#delay(this.#options.configuration.get(OPTIONS.watchdogTimeout) * MOVES_WITHIN);
    if (entry.termination !== null) return;
    if (this.#progressOf(entry) !== stood) {
      this.#watchdog.remember(entry.index);
      return;
    }
    const chains = this.#chains(entry, true);
    await this.terminate(entry);
    const error = neverReturned(`user code in slot ${entry.index}`, stuckMs, null);
    entry.job.onSlotLost(entry.slot, this.#told(error, stack, chains));
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

function slotsMissing(slots: number): UserError {
  return new UserError("SLOTS_MISSING", `the job needs one more slot, and all ${slots} are taken`, {
    fix: `wait until another job has ended, or raise ${OPTIONS.numberOfTaskSlots.key}`,
  });
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

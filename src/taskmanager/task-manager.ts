// The TaskManager's main thread: memory pools, slots and their watchdog. Never runs user code, never blocks.
//
// Owns: the network and managed pools, slot threads, shared memory for doorbells, metrics and progress. Does not own:
// the decision what runs where (job master), what happens inside a slot (slot.ts).
//
//   M1. Whatever a task held in the pools is free again once its slot has said that it is closed, or the slot's thread
//       has ended, however it ended. One that cannot be ended keeps it, and the slot, until it ends after all: it may
//       still write there.
//   M2. `close` leaves no thread, timer or segment behind.
//   M3. A slot has one thread at a time, which serves one job, however often the job gives it tasks. It is free for
//       another job once the job has released it and its thread has ended.
//   M4. A thread that has ended, or that may be spoilt and has no more tasks, is replaced: what is said to the slot
//       meanwhile waits for the next one.

import { userFrame } from "../api/checks/call-site.ts";
import type { Env, TimerHandle } from "../base/env.ts";
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
import { type DropCounts, type Fence, fenceName } from "../protocol/fence.ts";
import { FencedConnection } from "../protocol/fenced-connection.ts";
import type { FromSlot, JobDescriptor, TaskDescriptor, TaskId, ToSlot } from "../protocol/slot-messages.ts";
import { neverReturned, outOfHeap, withCulprit } from "./failures/user-failure.ts";
import { MemoryGuard } from "./memory-guard.ts";
import { HELD_FACTOR_MAX } from "./runner/heap-guard.ts";
import type { SlotExit, SlotHandle, SlotHeap, SlotRunner, SlotStart } from "./runner/slot-runner.ts";
import { ShuffleEnvironment, type WiringRequest } from "./shuffle-environment.ts";
import { Watchdog } from "./watchdog.ts";

export type TaskManagerOptions = {
  readonly env: Env;
  readonly configuration: Configuration;
  readonly memory: TaskManagerMemory;
  readonly runner: SlotRunner;
  readonly dropped: DropCounts;
};

/** A job that gets slots, which it numbers from 0. */
export type SlotUser = {
  readonly fence: Fence;
  readonly onMessage: (slot: number, message: FromSlot) => void;
  /** Vertices of the job graph, by their indexes. */
  readonly chains: (vertices: readonly number[]) => readonly JobVertex[];
  /** A slot's thread ended without closing these tasks, of which nothing is left. The slot may be given others. */
  readonly onSlotLost: (slot: number, tasks: readonly TaskId[], error: EngineError) => void;
};

type SlotThread = {
  readonly handle: SlotHandle;
  readonly control: FencedConnection<ToSlot, FromSlot>;
  readonly metrics: SharedArrayBuffer;
  /** It should get no other tasks. */
  spoilt: boolean;
  /** Null: nobody wants it to end. */
  termination: Promise<ThreadEnd> | null;
};

/** `ended` false: it goes on in spite of all, and keeps what it has. `lost`: tasks that it had and has not closed. */
type ThreadEnd = { readonly ended: boolean; readonly lost: readonly TaskId[] };

type SlotEntry = {
  readonly index: number;
  readonly job: SlotUser;
  /** The job's number for it. */
  readonly slot: number;
  /** Null: the next tasks get one. */
  thread: SlotThread | null;
  /** That may still read and write network segments. */
  readonly tasks: Map<TaskId, TaskDescriptor>;
  /** For its next thread (M4). */
  waiting: ToSlot[];
  release: Promise<void> | null;
  /** Its thread could not be ended: it gets no other one before that has ended after all. */
  stuck: boolean;
};

/**
 * The slots of one job: each is taken, and its thread started, when it or a channel to it is first spoken of. They are
 * the job's until it releases them.
 */
export class JobSlots {
  readonly #take: (slot: number) => SlotEntry;
  readonly #manager: TaskManager;
  readonly #entries = new Map<number, SlotEntry>();

  constructor(manager: TaskManager, take: (slot: number) => SlotEntry) {
    this.#manager = manager;
    this.#take = take;
  }

  /** Connects tasks and gives them to a slot; what has no memory is told as their failure. Throws SLOTS_MISSING. */
  deploy(slot: number, job: JobDescriptor, tasks: readonly TaskDescriptor[]): void {
    const entry = this.#entry(slot);
    const run = fenceName(entry.job.fence);
    this.#manager.deploy(entry, { run, job, slot, tasks, slotOf: (other) => this.#entry(other).index });
  }

  post(slot: number, message: Exclude<ToSlot, { readonly kind: "deploy" }>): void {
    const entry = this.#entries.get(slot);
    if (entry !== undefined) this.#manager.post(entry, message);
  }

  /** Ends a slot's thread and takes back what it held. The slot is the job's no more. */
  async release(slot: number): Promise<void> {
    const entry = this.#entries.get(slot);
    if (entry === undefined) return;
    await this.#manager.release(entry);
    if (this.#entries.get(slot) === entry) this.#entries.delete(slot);
  }

  /** Whether all tasks are closed that were given to the slot. */
  isEmpty(slot: number): boolean {
    return (this.#entries.get(slot)?.tasks.size ?? 0) === 0;
  }

  metricMemory(slot: number): SharedArrayBuffer | undefined {
    return this.#entries.get(slot)?.thread?.metrics;
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
/** There is more to do while a job starts. */
const SPARE_AFTER_MS = 1_000;
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
  #warned = false;
  #spare: TimerHandle | null = null;

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
      ring: (slot) => this.#slots[slot]?.thread?.handle.ring(),
      onStuck: (slot, stuckMs) => this.#onStuck(slot, stuckMs),
    });
    this.#memoryGuard = new MemoryGuard({
      env,
      limitBytes: memory.process.bytes,
      residentBytes: () => options.runner.residentBytes(),
      onOver: (residentBytes) => this.#onOver(residentBytes),
    });
    const ready = configuration.get(OPTIONS.readyThreads);
    if (ready !== null && ready > 0) options.runner.keepReady(ready, this.#heap);
    if (ready === null && configuration.get(OPTIONS.checkpointDirectory) !== null) this.#spareLater();
  }

  /** A thread for a slot that loses its own: jobs with checkpoints go on then. */
  #spareLater(): void {
    const { env, runner } = this.#options;
    this.#spare = env.timers.after(SPARE_AFTER_MS, () => runner.keepReady(1, this.#heap), { background: true });
  }

  get memory(): TaskManagerMemory {
    return this.#options.memory;
  }

  get slots(): number {
    return this.memory.slots;
  }

  /** A slot's thread could not be ended (V8 cannot interrupt it): the process will not end by itself. */
  get stranded(): boolean {
    return this.#slots.some((entry) => entry?.stuck === true);
  }

  slotsFor(job: SlotUser): JobSlots {
    return new JobSlots(this, (slot) => {
      const index = this.#slots.indexOf(null);
      if (index < 0) throw slotsMissing(this.slots);
      const entry: SlotEntry = {
        index,
        job,
        slot,
        thread: null,
        tasks: new Map(),
        waiting: [],
        release: null,
        stuck: false,
      };
      this.#slots[index] = entry;
      this.#start(entry);
      return entry;
    });
  }

  #start(entry: SlotEntry): SlotThread {
    const { runner } = this.#options;
    const { index, job, slot } = entry;
    const metrics = metricMemory();
    Atomics.store(new Int32Array(this.#progress), index, 0);
    Atomics.store(new Int32Array(this.#lastVertex), index, 0);
    const { fence } = job;
    const handle = runner.start(this.#slotStart(index, fence, metrics), (exit) => this.#onExit(entry, thread, exit));
    const control = new FencedConnection<ToSlot, FromSlot>(handle.control, fence, this.#options.dropped);
    const thread: SlotThread = { handle, control, metrics, spoilt: false, termination: null };
    control.receive((message) => {
      this.#onMessage(entry, message);
      job.onMessage(slot, message);
    });
    entry.thread = thread;
    this.#watchdog.remember(index);
    this.#watchdog.watch();
    this.#memoryGuard.watch();
    return thread;
  }

  #slotStart(index: number, fence: Fence, metrics: SharedArrayBuffer): SlotStart {
    const { memory, configuration, dropped } = this.#options;
    return {
      fence,
      dropped: dropped.memory,
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
      heap: this.#heap,
    };
  }

  get #heap(): SlotHeap {
    const { slot, process } = this.memory;
    return {
      budgetBytes: slot.heap.bytes,
      youngGenerationBytes: slot.youngGeneration.bytes,
      limitBytes: process.bytes * HEAP_LIMIT_FACTOR,
    };
  }

  deploy(entry: SlotEntry, request: WiringRequest): void {
    const { job, tasks } = request;
    try {
      if (entry.stuck) throw slotStuck(entry);
      const wiring = this.#shuffle.connect(request);
      for (const task of tasks) entry.tasks.set(task.id, task);
      this.post(entry, { kind: "deploy", job, tasks, wiring });
    } catch (error) {
      this.#notDeployed(entry, tasks, error);
    }
  }

  #notDeployed({ job, slot }: SlotEntry, tasks: readonly TaskDescriptor[], error: unknown): void {
    const ids = tasks.map(({ id }) => id);
    this.#options.env.timers.soon(() => {
      job.onMessage(slot, { kind: "failed", tasks: ids, error: errorData(error) });
      for (const task of ids) job.onMessage(slot, { kind: "closed", task, error: null });
    });
  }

  post(entry: SlotEntry, message: ToSlot): void {
    const { thread, waiting, tasks, release } = entry;
    if (thread?.termination === null) thread.control.send(message);
    else if (release === null && tasks.size > 0) {
      waiting.push(message); // M4
      if (thread === null) this.#goOn(entry);
    }
  }

  /** The slot gets a new thread, and that what has waited for it. */
  #goOn(entry: SlotEntry): void {
    if (entry.release !== null || entry.waiting.length === 0) return;
    const { control } = this.#start(entry);
    for (const message of entry.waiting.splice(0)) control.send(message);
  }

  /** Nobody needs the slot any more: it is free once its thread has ended. */
  release(entry: SlotEntry): Promise<void> {
    entry.release ??= this.#release(entry);
    return entry.release;
  }

  async #release(entry: SlotEntry): Promise<void> {
    if (entry.thread !== null && !(await this.#endThread(entry, entry.thread)).ended) return;
    for (const id of entry.tasks.keys()) this.#released(entry, id); // That waited for a thread.
    this.#slots[entry.index] = null;
  }

  #endThread(entry: SlotEntry, thread: SlotThread): Promise<ThreadEnd> {
    thread.termination ??= this.#terminate(entry, thread);
    return thread.termination;
  }

  async #terminate(entry: SlotEntry, thread: SlotThread): Promise<ThreadEnd> {
    this.#watchdog.forget(entry.index);
    const end = thread.handle.terminate();
    if (await this.#isInTime(end)) return { ended: true, lost: this.#takeBack(entry) };
    entry.stuck = true;
    void end.then(() => this.#unstick(entry));
    return { ended: false, lost: tasksGiven(entry) };
  }

  /** A thread that was given up has ended after all: what it held is free, and the slot may get another one. */
  #unstick(entry: SlotEntry): void {
    entry.stuck = false;
    entry.waiting = [];
    this.#takeBack(entry);
    if (entry.release !== null) this.#slots[entry.index] = null;
  }

  /** Ends a thread that does not close its tasks. What to say of it is asked once it has ended, or was given up. */
  async #lose(entry: SlotEntry, thread: SlotThread, error: () => EngineError): Promise<void> {
    const { ended, lost } = await this.#endThread(entry, thread);
    entry.job.onSlotLost(entry.slot, lost, error());
    this.#goOnAfter(entry, ended);
  }

  #goOnAfter(entry: SlotEntry, ended: boolean): void {
    if (ended) {
      this.#goOn(entry);
      return;
    }
    const given = tasksGiven(entry);
    const waiting = [...entry.tasks.values()].filter(({ id }) => !given.includes(id));
    for (const { id } of waiting) this.#released(entry, id);
    entry.waiting = [];
    if (waiting.length === 0) return;
    this.#notDeployed(entry, waiting, slotStuck(entry));
  }

  async close(): Promise<void> {
    this.#watchdog.stop();
    this.#memoryGuard.stop();
    this.#spare?.cancel();
    this.#options.runner.keepReady(0, this.#heap);
    for (const entry of this.#slots) if (entry !== null) await this.release(entry);
  }

  /** False when a thread goes on in spite of all. */
  #isInTime(end: Promise<void>): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.#options.env.timers.after(TERMINATION_WAIT_MS, () => resolve(false));
      void end.then(() => {
        timer.cancel();
        resolve(true);
      });
    });
  }

  #onMessage(entry: SlotEntry, message: FromSlot): void {
    const { thread, tasks } = entry;
    if (message.kind === "closed") this.#released(entry, message.task); // M1
    if (message.kind === "spoilt" && thread !== null) thread.spoilt = true;
    if (thread?.spoilt === true && tasks.size === 0) void this.#replace(entry, thread); // M4
  }

  #released({ tasks, job }: SlotEntry, id: TaskId): void {
    if (tasks.delete(id)) this.#shuffle.release(fenceName(job.fence), id);
  }

  async #replace(entry: SlotEntry, thread: SlotThread): Promise<void> {
    const { ended } = await this.#endThread(entry, thread);
    this.#goOnAfter(entry, ended);
  }

  /** The slot's thread has ended: what it held is free. Returns the tasks that it has not closed. */
  #takeBack(entry: SlotEntry): readonly TaskId[] {
    const { index } = entry;
    const lost = tasksGiven(entry);
    for (const id of lost) this.#released(entry, id);
    entry.thread = null;
    for (const pool of [this.network, this.managed]) {
      for (const { job, task, purpose, segments } of pool.threadEnded(index + 1)) {
        if (lost.length > 0) continue; // It was ended in the middle of its work.
        const message = `slot ${index} has closed and still held ${pool.name}: a bug of Millrace`;
        this.#options.env.log.write("error", message, { job, task, purpose, segments });
      }
    }
    return lost;
  }

  #onExit(entry: SlotEntry, thread: SlotThread, exit: SlotExit): void {
    if (thread.termination !== null) return;
    this.#watchdog.forget(entry.index);
    const lost = this.#takeBack(entry);
    thread.termination = Promise.resolve({ ended: true, lost });
    if (lost.length > 0) entry.job.onSlotLost(entry.slot, lost, exitError(exit, this.#options.memory));
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
    const { entry, thread } = most;
    const stood = this.#progressOf(entry);
    const stack = await userStack(thread.handle);
    await this.#delay(MOVES_WITHIN_MS);
    if (thread.termination !== null) return;
    const isStuck = this.#progressOf(entry) === stood;
    const chains = this.#chains(entry, isStuck);
    const error = new UserError(
      "SLOT_OUT_OF_MEMORY",
      `${used}, and user code in slot ${entry.index} holds most of it`,
      {
        fix: `keep fewer objects and buffers (state belongs in keyed state), or raise ${OPTIONS.processSize.key}`,
      },
    );
    // Where a slot is that goes on from turn to turn says nothing about who holds what is too much.
    await this.#lose(entry, thread, () => this.#told(error, isStuck ? stack : null, chains));
  }

  /**
   * The slot that holds most. One that does not answer is taken to hold everything, unless another one is known to hold
   * more than is its own.
   */
  async #largest(): Promise<(RunningSlot & { readonly bytes: number }) | null> {
    const running = this.#slots.flatMap((entry) => runningSlot(entry) ?? []);
    const all = await Promise.all(
      running.map(async (slot) => ({ ...slot, bytes: await slot.thread.handle.heldBytes() })),
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
    if (this.stranded) error.message += "; its thread cannot be stopped, so the process ends itself";
    return withCulprit(error, stack, chains);
  }

  /** Those whose functions may be to blame: of a slot that has not come back from a turn, the one whose turn it is. */
  #chains(entry: SlotEntry, isStuck: boolean): readonly JobVertex[] {
    const lastVertex = Atomics.load(new Int32Array(this.#lastVertex), entry.index) - 1;
    if (lastVertex < 0) return [];
    const isInTurn = isStuck && (this.#progressOf(entry) & 1) === 1;
    return entry.job.chains(isInTurn ? [lastVertex] : [...entry.tasks.values()].map(({ vertex }) => vertex));
  }

  #progressOf({ index }: SlotEntry): number {
    return Atomics.load(new Int32Array(this.#progress), index);
  }

  #onStuck(slot: number, stuckMs: number): void {
    const running = runningSlot(this.#slots[slot] ?? null);
    if (running !== null) void this.#endStuck(running, stuckMs);
  }

  async #endStuck({ entry, thread }: RunningSlot, stuckMs: number): Promise<void> {
    const stood = this.#progressOf(entry);
    const stack = await userStack(thread.handle);
    // A thread that the machine did not let run has not moved either; it runs now, since it has answered.
    if (stack !== null) await this.#delay(this.#options.configuration.get(OPTIONS.watchdogTimeout) * MOVES_WITHIN);
    if (thread.termination !== null) return;
    if (this.#progressOf(entry) !== stood) {
      this.#watchdog.remember(entry.index);
      return;
    }
    const chains = this.#chains(entry, true);
    const error = neverReturned(`user code in slot ${entry.index}`, stuckMs, null);
    await this.#lose(entry, thread, () => this.#told(error, stack, chains));
  }

  #delay(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.env.timers.after(ms, resolve, { background: true });
    });
  }
}

type RunningSlot = { readonly entry: SlotEntry; readonly thread: SlotThread };

/** Null: there is no thread, or it is being ended. */
function runningSlot(entry: SlotEntry | null): RunningSlot | null {
  return entry?.thread?.termination === null ? { entry, thread: entry.thread } : null;
}

/** That its thread, or the last one it had, was given and has not closed. */
function tasksGiven({ tasks, waiting }: SlotEntry): readonly TaskId[] {
  const isWaiting = (id: TaskId): boolean =>
    waiting.some((message) => message.kind === "deploy" && message.tasks.some((task) => task.id === id));
  return [...tasks.keys()].filter((id) => !isWaiting(id));
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

function slotStuck({ index }: SlotEntry): InternalError {
  return new InternalError("SLOT_STUCK", `the thread of slot ${index} cannot be ended`);
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

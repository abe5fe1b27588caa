// Drives keyed operators in tests as a task would: several subtasks, one input or two, outputs that are full and turns
// that are over at random, batches of rows or columns; snapshots that are restored at another parallelism, or in the
// middle of what a call has left undone.

import { heapView } from "../../src/base/memory-view.ts";
import type { Operator, OperatorContext, RecordBatch } from "../../src/operators/operator.ts";
import { type KeyGroupRange, keyGroupRangeOf, subtaskOf } from "../../src/state/keys/key-groups.ts";
import { managedStore } from "../../src/state/managed/managed-store.ts";
import { heapBlocks } from "../../src/state/pages/block-source.ts";
import { PageAllocator } from "../../src/state/pages/page-allocator.ts";
import type { KeyedStore, KeyedStoreOptions } from "../../src/state/store/keyed-store.ts";
import { PageWatch } from "../../src/state/suites/page-watch.contract.ts";
import { testOwner } from "../../src/state/suites/test-owner.contract.ts";
import { ByteCursor, ByteSink } from "../../src/types/bytes/byte-buffer.ts";
import type { BatchCodec } from "../../src/types/bytes/codec.ts";
import type { RowKind } from "../../src/types/bytes/row-kind.ts";
import { compileKeyHash } from "../../src/types/keys/key-hash.ts";
import type { TypeSpec } from "../../src/types/spec/type-spec.ts";

export type Emitted = {
  readonly row: Record<string, unknown>;
  readonly timestampMs: number;
  readonly kind: RowKind;
};
export type DriverRecord = { readonly record: unknown; readonly timestampMs: number; readonly input?: 0 | 1 };

export type DriverOptions = {
  readonly make: () => Operator;
  readonly keyType: TypeSpec;
  readonly keyOf: (record: unknown, input: 0 | 1) => unknown;
  /** Records offered until the output says that it is full, each time anew. */
  readonly room: () => number;
  /** Rows after which a turn is over, each time anew. Default: never. */
  readonly pauses?: () => number;
  /**
   * Whether to go on in a fresh operator, asked each time something has stopped; `halfWay`: a call that has more to do,
   * and not the records of a batch. Default: never.
   */
  readonly replaces?: (halfWay: boolean) => boolean;
  /** The most that one record or call may offer beyond that (O1). */
  readonly overrun: number;
  /** Default: the managed store. */
  readonly store?: (options: KeyedStoreOptions) => KeyedStore;
  /** 1 for combiners, which have no state of key groups. */
  readonly maxParallelism?: number;
  readonly limitBytes?: number;
  readonly heapLimitBytes?: number;
};

/** Calls after which an operator that still has more to do is taken to do nothing. */
const CALLS_MAX = 10_000;

/** What the memory of a subtask has unless the test says otherwise. */
const LIMIT_BYTES = 4 * 1024 * 1024;

type Blocks = ReturnType<typeof heapBlocks>;

/** Given back by subtasks, as segments of a pool are: to make and clear a region takes longer than most do with it. */
const spares: Blocks[] = [];

type Subtask = {
  readonly operator: Operator;
  readonly blocks: Blocks;
  readonly store: KeyedStore;
  readonly allocator: PageAllocator;
  /** Pages are frozen before calls: the operator has to ask for those that it changes. */
  readonly watch: PageWatch;
  readonly keyGroups: KeyGroupRange;
};

/** What a subtask leaves behind. */
type KeyGroups = ReadonlyMap<number, Buffer>;

export class OperatorDriver {
  readonly emitted: Emitted[] = [];
  readonly side: Emitted[] = [];
  readonly counters = new Map<string, number>();
  /** Input channel that the next records come by. */
  channel = 0;
  /** Fresh operators that took over in the middle of something. */
  replaced = 0;
  readonly #options: DriverOptions;
  readonly #groups: number;
  readonly #hash: (key: unknown) => number;
  #subtasks: Subtask[] = [];
  #left: number;
  /** Rows until the turn is over. */
  #rows: number;
  #watermark = -Infinity;
  #nowMs = 0;
  /** Bytes that subtasks had not given back when they ended. */
  #leaked = 0;

  constructor(options: DriverOptions, parallelism: number) {
    this.#options = options;
    this.#groups = options.maxParallelism ?? 8;
    this.#hash = compileKeyHash(options.keyType, "driver");
    this.#left = options.room();
    this.#rows = options.pauses?.() ?? Infinity;
    this.#start(parallelism);
  }

  /** Rows in the tables of all subtasks. */
  get entries(): number {
    return this.#subtasks.reduce(
      (sum, { store }) => sum + store.usage().reduce((all, each) => all + each.entries, 0),
      0,
    );
  }

  get objectBytes(): number {
    return this.#subtasks.reduce((sum, { store }) => sum + store.tables.heap.usedBytes, 0);
  }

  /** Records in the given order, each to its subtask; as columns when there is a codec. */
  records(records: readonly DriverRecord[], codec: BatchCodec | null): void {
    const runs = this.#subtasks.map(() => [] as DriverRecord[]);
    for (const each of records) {
      const hash = this.#hash(this.#options.keyOf(each.record, each.input ?? 0));
      runs[subtaskOf(hash, this.#subtasks.length, this.#groups)]?.push(each);
    }
    runs.forEach((run, index) => {
      for (const batch of batchesOf(run)) {
        this.#deliver(index, codec === null ? rowsOf(batch) : columnsOf(batch, codec), batch[0]?.input ?? 0);
      }
    });
  }

  /** To all subtasks, or to one that is ahead of the others. */
  watermark(watermark: number, only: number | null = null): void {
    this.#watermark = watermark;
    this.#each(
      (operator) => operator.onWatermark(watermark),
      (_, index) => only === null || index === only,
    );
  }

  /** The clock has come to a time; what is due then is done. */
  time(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#each(
      (operator) => operator.onProcessingTime(nowMs),
      (operator) => operator.nextProcessingTimeMs() <= nowMs,
    );
  }

  idle(): void {
    this.#each((operator) => operator.onIdle?.() ?? true);
  }

  /** Snapshots everything and goes on from it in new operators. */
  restart(parallelism: number): void {
    const saved = this.#subtasks.map((subtask) => this.#stop(subtask));
    const groups = new Map(saved.flatMap((each) => [...each]));
    const before = this.#watermark;
    this.#watermark = -Infinity;
    this.#start(parallelism);
    for (const subtask of this.#subtasks) this.#goOn(subtask, groups, before);
  }

  /** Closes the operators and gives their memory back; what is left then is a leak. */
  close(): number {
    for (const subtask of this.#subtasks) this.#release(subtask);
    return this.#leaked;
  }

  #start(parallelism: number): void {
    this.#subtasks = Array.from({ length: parallelism }, (_, index) => this.#open(index, parallelism));
  }

  #open(index: number, parallelism: number): Subtask {
    const { limitBytes = LIMIT_BYTES, heapLimitBytes = Infinity, make, store: storeOf = managedStore } = this.#options;
    const keyGroups = keyGroupRangeOf(index, parallelism, this.#groups);
    const blocks = (limitBytes === LIMIT_BYTES ? spares.pop() : undefined) ?? heapBlocks(limitBytes);
    const allocator = new PageAllocator(blocks);
    const store = storeOf({
      owner: testOwner(allocator),
      key: this.#options.keyType,
      maxParallelism: this.#groups,
      keyGroups,
      allocator,
      clock: this.#clock,
      seed: 7,
      heapBudget: { limitBytes: heapLimitBytes, configKey: "taskmanager.memory.task.heap.size", usedBytes: 0 },
    });
    const operator = make();
    operator.open(this.#context(store, index, parallelism, keyGroups));
    return { operator, blocks, store, allocator, watch: new PageWatch(allocator), keyGroups };
  }

  readonly #clock = { nowMs: () => this.#nowMs, monotonicMs: () => this.#nowMs };

  #context(store: KeyedStore, index: number, parallelism: number, keyGroups: KeyGroupRange): OperatorContext {
    const into =
      (list: Emitted[]) =>
      (record: unknown, timestampMs: number, kind: RowKind = 0) => {
        list.push({ row: record as Record<string, unknown>, timestampMs, kind });
        this.#left -= 1;
        if (this.#left < -this.#options.overrun) throw new Error(`offered ${-this.#left} records to a full output`);
        return this.#left > 0;
      };
    return {
      env: { clock: this.#clock },
      uid: "op",
      subtaskIndex: index,
      parallelism,
      maxParallelism: this.#groups,
      keyGroups,
      output: { offer: into(this.emitted) },
      side: () => ({ offer: into(this.side) }),
      state: store,
      metrics: {
        count: (name: string, by = 1) => void this.counters.set(name, (this.counters.get(name) ?? 0) + by),
      },
      full: () => this.#left <= 0,
      pause: (rows: number) => {
        this.#rows -= rows;
        return this.#left <= 0 || this.#rows <= 0;
      },
      watermark: () => this.#watermark,
      channel: () => this.channel,
    } as unknown as OperatorContext;
  }

  #operator(index: number): Operator {
    return (this.#subtasks[index] as Subtask).operator;
  }

  /** Calls each operator until it has done everything (O2). */
  #each(
    call: (operator: Operator) => boolean,
    wanted: (operator: Operator, index: number) => boolean = () => true,
  ): void {
    for (let index = 0; index < this.#subtasks.length; index += 1) {
      if (!wanted(this.#operator(index), index)) continue;
      this.#makeRoom(index);
      this.#subtasks[index]?.watch.turn();
      for (let calls = 0; !call(this.#operator(index)); calls += 1) this.#drain(index, calls, true);
    }
  }

  #deliver(index: number, batch: RecordBatch, input: 0 | 1): void {
    this.#makeRoom(index);
    this.#subtasks[index]?.watch.turn();
    if (this.#operator(index).onBatch === undefined) {
      this.#deliverEach(index, batch, input);
      return;
    }
    let at = 0;
    for (let calls = 0; at < batch.count; calls += 1) {
      at = this.#operator(index).onBatch?.(batch, at, input) ?? batch.count;
      if (at < batch.count) this.#drain(index, calls);
    }
  }

  #deliverEach(index: number, { count, rows, timestamps, reader }: RecordBatch, input: 0 | 1): void {
    for (let at = 0; at < count; at += 1) {
      this.#makeRoom(index);
      const record = rows === null ? reader?.record(at) : rows[at];
      const key = this.#options.keyOf(record, input);
      const timestampMs = timestamps?.[at] ?? reader?.timestamp(at) ?? Number.NaN;
      this.#operator(index).onRecord(record, timestampMs, key, this.#hash(key), input);
    }
  }

  /** A task hands nothing to an operator whose output is full. */
  #makeRoom(index: number): void {
    if (this.#left <= 0 || this.#rows <= 0) this.#drain(index, 0);
  }

  #drain(index: number, calls: number, halfWay = false): void {
    if (calls > CALLS_MAX) throw new Error("no progress");
    if (this.#left > 0 && this.#rows > 0) throw new Error("stopped although there was room and time");
    this.#refill();
    if (this.#options.replaces?.(halfWay) === true) this.#replace(index);
  }

  #refill(): void {
    if (this.#left <= 0) this.#left = Math.max(1, this.#options.room());
    if (this.#rows <= 0) this.#rows = this.#options.pauses?.() ?? Infinity;
  }

  /** A fresh operator goes on where this one has stopped. */
  #replace(index: number): void {
    this.replaced += 1;
    const groups = this.#stop(this.#subtasks[index] as Subtask);
    const fresh = this.#open(index, this.#subtasks.length);
    this.#subtasks[index] = fresh;
    this.#goOn(fresh, groups, this.#watermark);
  }

  /** What is in no snapshot hears again what time it is. */
  #goOn(subtask: Subtask, groups: KeyGroups, watermark: number): void {
    restore(subtask, groups);
    if (this.#groups > 1) return;
    this.#watermark = watermark;
    subtask.operator.onWatermark(watermark);
  }

  /** As a task does: what the operator only holds back goes out first (O5). */
  #stop(subtask: Subtask): KeyGroups {
    const { operator } = subtask;
    for (this.#refill(); operator.onIdle?.() === false; ) this.#refill();
    const offered = this.emitted.length + this.side.length;
    const saved = save(subtask);
    if (this.emitted.length + this.side.length > offered) throw new Error("a snapshot has sent something");
    this.#release(subtask);
    return saved;
  }

  #release({ operator, blocks, store, allocator, watch }: Subtask): void {
    watch.check();
    operator.close();
    store.release();
    this.#leaked += allocator.close() + store.tables.heap.usedBytes;
    if (blocks.limitBytes === LIMIT_BYTES && blocks.leased() === 0) spares.push(blocks);
  }
}

function save({ store, keyGroups }: Subtask): KeyGroups {
  const out = new ByteSink();
  const groups = new Map<number, Buffer>();
  for (let group = keyGroups.first; group <= keyGroups.last; group += 1) {
    out.position = 0;
    store.snapshot(group, out);
    groups.set(group, out.copy());
  }
  return groups;
}

function restore({ store, keyGroups }: Subtask, saved: KeyGroups): void {
  for (let group = keyGroups.first; group <= keyGroups.last; group += 1) {
    const input = new ByteCursor(saved.get(group) as Buffer);
    store.restore(group, input);
    expectRead(input);
  }
}

function expectRead(input: ByteCursor): void {
  if (input.position !== input.end) throw new Error(`${input.end - input.position} bytes of a snapshot were not read`);
}

/** Runs of records of one input. */
function batchesOf(records: readonly DriverRecord[]): DriverRecord[][] {
  const batches: DriverRecord[][] = [];
  for (const each of records) {
    const last = batches.at(-1);
    if (last !== undefined && last[0]?.input === each.input) last.push(each);
    else batches.push([each]);
  }
  return batches;
}

function rowsOf(run: readonly DriverRecord[]): RecordBatch {
  const timestamps = Float64Array.from(run, (each) => each.timestampMs);
  return { count: run.length, rows: run.map((each) => each.record), timestamps, reader: null };
}

function columnsOf(run: readonly DriverRecord[], codec: BatchCodec): RecordBatch {
  const writer = codec.createWriter();
  for (const { record, timestampMs } of run) {
    if (!writer.append(record, timestampMs)) throw new Error(`does not fit: ${JSON.stringify(record)}`);
  }
  const view = heapView(writer.encodedSize());
  const size = writer.encode(view, 0);
  const reader = codec.createReader();
  reader.open(view, 0, size);
  return { count: run.length, rows: null, timestamps: null, reader };
}

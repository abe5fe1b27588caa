// Drives keyed operators in tests as a task would: several subtasks, outputs that are full and turns that are over at
// random, snapshots that are restored at another parallelism, batches of rows or columns.

import { heapView } from "../../src/base/memory-view.ts";
import type { Operator, OperatorContext, RecordBatch } from "../../src/operators/operator.ts";
import { type KeyGroupRange, keyGroupOf, keyGroupRangeOf, operatorIndexOf } from "../../src/state/key-groups.ts";
import type { OperatorTables } from "../../src/state/operator-tables.ts";
import type { PageAllocator } from "../../src/state/page-allocator.ts";
import { ByteCursor, ByteSink } from "../../src/types/byte-buffer.ts";
import type { BatchCodec } from "../../src/types/codec.ts";
import { compileKeyHash } from "../../src/types/key-hash.ts";
import type { TypeSpec } from "../../src/types/type-spec.ts";
import { operatorTables } from "./operator-tables.ts";

export type Emitted = { readonly row: Record<string, unknown>; readonly timestampMs: number };

export type DriverOptions = {
  readonly make: () => Operator;
  readonly keyType: TypeSpec;
  readonly keyOf: (record: unknown) => unknown;
  /** Records offered until the output says that it is full, each time anew. */
  readonly room: () => number;
  /** Rows after which a turn is over, each time anew. Default: never. */
  readonly pauses?: () => number;
  /** The most that one record or call may offer beyond that (O1). */
  readonly overrun: number;
  readonly limitBytes?: number;
  readonly heapLimitBytes?: number;
};

const GROUPS = 8;

type Subtask = {
  readonly operator: Operator;
  readonly tables: OperatorTables;
  readonly allocator: PageAllocator;
  readonly first: number;
  readonly last: number;
};

export class OperatorDriver {
  readonly emitted: Emitted[] = [];
  readonly side: Emitted[] = [];
  readonly counters = new Map<string, number>();
  readonly #options: DriverOptions;
  readonly #hash: (key: unknown) => number;
  #subtasks: Subtask[] = [];
  #left: number;
  /** Rows until the turn is over. */
  #rows: number;
  #watermark = -Infinity;

  constructor(options: DriverOptions, parallelism: number) {
    this.#options = options;
    this.#hash = compileKeyHash(options.keyType, "driver");
    this.#left = options.room();
    this.#rows = options.pauses?.() ?? Infinity;
    this.#start(parallelism);
  }

  /** Rows in the tables of all subtasks. */
  get entries(): number {
    return this.#subtasks.reduce(
      (sum, { tables }) => sum + tables.usage().reduce((all, each) => all + each.entries, 0),
      0,
    );
  }

  get objectBytes(): number {
    return this.#subtasks.reduce((sum, { tables }) => sum + tables.heap.usedBytes, 0);
  }

  /** Records in the given order, each to its subtask; as columns when there is a codec. */
  records(
    records: readonly { readonly record: unknown; readonly timestampMs: number }[],
    codec: BatchCodec | null,
  ): void {
    const runs = this.#subtasks.map(() => [] as { record: unknown; timestampMs: number }[]);
    for (const each of records) {
      const group = keyGroupOf(this.#hash(this.#options.keyOf(each.record)), GROUPS);
      runs[operatorIndexOf(group, this.#subtasks.length, GROUPS)]?.push(each);
    }
    runs.forEach((run, index) => {
      if (run.length > 0)
        this.#deliver(this.#subtasks[index] as Subtask, codec === null ? rowsOf(run) : columnsOf(run, codec));
    });
  }

  watermark(watermark: number): void {
    this.#watermark = watermark;
    for (const { operator } of this.#subtasks) {
      this.#makeRoom();
      for (let calls = 0; !operator.onWatermark(watermark); calls += 1) this.#drain(calls);
    }
  }

  end(): void {
    for (const { operator } of this.#subtasks) {
      this.#makeRoom();
      for (let calls = 0; !operator.onEndOfInput(); calls += 1) this.#drain(calls);
    }
  }

  /** Snapshots every key group and goes on from it in new operators. */
  restart(parallelism: number): void {
    const groups: Buffer[] = [];
    for (const { tables, first, last } of this.#subtasks) {
      for (let group = first; group <= last; group += 1) {
        const out = new ByteSink();
        tables.snapshot(group, out);
        groups[group] = out.copy();
      }
    }
    for (const { operator } of this.#subtasks) operator.close();
    this.#watermark = -Infinity;
    this.#start(parallelism);
    for (const { tables, first, last } of this.#subtasks) {
      for (let group = first; group <= last; group += 1) {
        const input = new ByteCursor(groups[group] as Buffer);
        tables.restore(group, input);
        if (input.position !== input.end)
          throw new Error(`${input.end - input.position} bytes of a snapshot were not read`);
      }
    }
  }

  /** Closes the operators and gives their memory back; what is left then is a leak. */
  close(): number {
    let left = 0;
    for (const { operator, tables, allocator } of this.#subtasks) {
      operator.close();
      tables.release();
      left += allocator.close() + tables.heap.usedBytes;
    }
    return left;
  }

  #start(parallelism: number): void {
    this.#subtasks = Array.from({ length: parallelism }, (_, index) => {
      const keyGroups = keyGroupRangeOf(index, parallelism, GROUPS);
      const { limitBytes = 4 * 1024 * 1024, heapLimitBytes = Infinity, make } = this.#options;
      const { tables, allocator } = operatorTables({ limitBytes, keyGroups, maxParallelism: GROUPS, heapLimitBytes });
      const operator = make();
      operator.open(this.#context(tables, index, parallelism, keyGroups));
      return { operator, tables, allocator, ...keyGroups };
    });
  }

  #context(tables: OperatorTables, index: number, parallelism: number, keyGroups: KeyGroupRange): OperatorContext {
    const into = (list: Emitted[]) => (record: unknown, timestampMs: number) => {
      list.push({ row: record as Record<string, unknown>, timestampMs });
      this.#left -= 1;
      if (this.#left < -this.#options.overrun) throw new Error(`offered ${-this.#left} records to a full output`);
      return this.#left > 0;
    };
    return {
      uid: "op",
      subtaskIndex: index,
      parallelism,
      maxParallelism: GROUPS,
      keyGroups,
      output: { offer: into(this.emitted) },
      side: () => ({ offer: into(this.side) }),
      state: { tables },
      metrics: {
        count: (name: string, by = 1) => void this.counters.set(name, (this.counters.get(name) ?? 0) + by),
      },
      full: () => this.#left <= 0,
      pause: (rows: number) => {
        this.#rows -= rows;
        return this.#left <= 0 || this.#rows <= 0;
      },
      watermark: () => this.#watermark,
    } as unknown as OperatorContext;
  }

  #deliver({ operator }: Subtask, batch: RecordBatch): void {
    this.#makeRoom();
    let at = 0;
    for (let calls = 0; at < batch.count; calls += 1) {
      at = operator.onBatch?.(batch, at, 0) ?? batch.count;
      if (at < batch.count) this.#drain(calls);
    }
  }

  /** A task hands nothing to an operator whose output is full. */
  #makeRoom(): void {
    if (this.#left <= 0 || this.#rows <= 0) this.#drain(0);
  }

  #drain(calls: number): void {
    if (calls > 100_000) throw new Error("no progress");
    if (this.#left > 0 && this.#rows > 0) throw new Error("stopped although there was room and time");
    if (this.#left <= 0) this.#left = Math.max(1, this.#options.room());
    if (this.#rows <= 0) this.#rows = this.#options.pauses?.() ?? Infinity;
  }
}

function rowsOf(run: readonly { readonly record: unknown; readonly timestampMs: number }[]): RecordBatch {
  const timestamps = Float64Array.from(run, (each) => each.timestampMs);
  return { count: run.length, rows: run.map((each) => each.record), timestamps, reader: null };
}

function columnsOf(
  run: readonly { readonly record: unknown; readonly timestampMs: number }[],
  codec: BatchCodec,
): RecordBatch {
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

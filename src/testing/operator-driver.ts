// Drives keyed operators in tests as a task would: several subtasks, outputs that are full at random, snapshots that are restored
// at another parallelism, batches of rows or columns.

import { heapView } from "../base/memory-view.ts";
import type { Operator, OperatorContext, RecordBatch } from "../operators/operator.ts";
import { keyGroupOf, keyGroupRangeOf, operatorIndexOf } from "../state/key-groups.ts";
import { ByteCursor, ByteSink } from "../types/byte-buffer.ts";
import type { BatchCodec } from "../types/codec.ts";
import { compileKeyHash } from "../types/key-hash.ts";
import type { TypeSpec } from "../types/type-spec.ts";
import { type TestTables, testTables } from "./operator-tables.ts";

export type Emitted = { readonly row: Record<string, unknown>; readonly timestampMs: number };

export type DriverOptions = {
  readonly make: () => Operator;
  readonly keyType: TypeSpec;
  readonly keyOf: (record: unknown) => unknown;
  /** Records offered until the output says that it is full, each time anew. */
  readonly room: () => number;
  /** The most that one record or call may offer beyond that (O1). */
  readonly overrun: number;
  readonly limitBytes?: number;
  readonly heapLimitBytes?: number;
};

const GROUPS = 8;

type Subtask = {
  readonly operator: Operator;
  readonly tables: TestTables;
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
  #watermark = -Infinity;

  constructor(options: DriverOptions, parallelism: number) {
    this.#options = options;
    this.#hash = compileKeyHash(options.keyType, "driver");
    this.#left = options.room();
    this.#start(parallelism);
  }

  /** Bytes of managed memory in use by all subtasks, beyond what empty tables take. */
  get usedBytes(): number {
    return this.#subtasks.reduce((sum, { tables }) => sum + tables.allocator.usedBytes, 0);
  }

  get objectBytes(): number {
    return this.#subtasks.reduce((sum, { tables }) => sum + tables.parts.reduce((all, part) => all + part.bytes, 0), 0);
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
      for (let calls = 0; !operator.onWatermark(watermark); calls += 1) this.#drain(calls);
    }
  }

  end(): void {
    for (const { operator } of this.#subtasks) {
      for (let calls = 0; !operator.onEndOfInput(); calls += 1) this.#drain(calls);
    }
  }

  /** Snapshots every key group and goes on from it in new operators. */
  restart(parallelism: number): void {
    const groups: Buffer[][] = [];
    for (const { tables, first, last } of this.#subtasks) {
      for (let group = first; group <= last; group += 1) {
        groups[group] = tables.parts.map((part) => {
          const out = new ByteSink();
          part.snapshot(group, out);
          return out.copy();
        });
      }
    }
    for (const { operator } of this.#subtasks) operator.close();
    this.#watermark = -Infinity;
    this.#start(parallelism);
    for (const { tables, first, last } of this.#subtasks) {
      for (let group = first; group <= last; group += 1) {
        tables.parts.forEach((part, n) => {
          const input = new ByteCursor(groups[group]?.[n] as Buffer);
          part.restore(group, input);
          if (input.position !== input.end)
            throw new Error(`${input.end - input.position} bytes of ${part.name} were not read`);
        });
      }
    }
  }

  #start(parallelism: number): void {
    this.#subtasks = Array.from({ length: parallelism }, (_, index) => {
      const { first, last } = keyGroupRangeOf(index, parallelism, GROUPS);
      const { limitBytes = 4 * 1024 * 1024, heapLimitBytes, make } = this.#options;
      const tables = testTables(limitBytes, { first, last }, GROUPS, heapLimitBytes);
      const operator = make();
      operator.open(this.#context(tables, index, parallelism));
      return { operator, tables, first, last };
    });
  }

  #context(tables: TestTables, index: number, parallelism: number): OperatorContext {
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
      keyGroups: tables.keyGroups,
      output: { offer: into(this.emitted) },
      side: () => ({ offer: into(this.side) }),
      state: { tables },
      metrics: {
        count: (name: string, by = 1) => void this.counters.set(name, (this.counters.get(name) ?? 0) + by),
      },
      full: () => this.#left <= 0,
      watermark: () => this.#watermark,
    } as unknown as OperatorContext;
  }

  #deliver({ operator }: Subtask, batch: RecordBatch): void {
    let at = 0;
    for (let calls = 0; at < batch.count; calls += 1) {
      at = operator.onBatch?.(batch, at, 0) ?? batch.count;
      if (at < batch.count) this.#drain(calls);
    }
  }

  #drain(calls: number): void {
    if (calls > 100_000) throw new Error("no progress");
    if (this.#left > 0) throw new Error("stopped although there was room");
    this.#left = Math.max(1, this.#options.room());
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

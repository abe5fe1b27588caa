// Groups in managed memory: one row of accumulators per key, or per key and namespace (a window's pane).
//
//   records ──stage──▶ keys, times, inputs ──resolve──▶ row addresses ──accumulate──▶ accumulators
//
//   row value   │ extra words of the owner … │ accumulators (aggregate-layout.ts) │
//
// Budget: count + sum + max by number key, 1 M keys: 170 ns per record and 64 bytes per key, all in
// (bench/keyed-agg.bench.ts).
//
//   A1. A row exists if and only if a record of its group was added (or restored), but for rows whose record is still
//       to come because the run was cut short. Those are in no snapshot.
//   A2. Closing a row closes its objects.
//
// Snapshot of a key group: f64 rows, then per row: u32 key size, key, [f64 namespace], extra words and accumulators as
// f64 (-1 for the slot), objects.

import type { KeyedTables } from "../../state/contract/keyed-tables.ts";
import { KeyBatch } from "../../state/keys/key-batch.ts";
import type { ManagedTable } from "../../state/table/managed-table.ts";
import type { RowCursor } from "../../state/table/row-pages.ts";
import { forEachRow } from "../../state/table/table-snapshot.ts";
import { ByteCursor, ByteSink, readF64, readU32, take, writeF64, writeU32 } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import { type KeyCodec, keyCodec } from "../../types/keys/key-bytes.ts";
import { compileKeyHash } from "../../types/keys/key-hash.ts";
import { isNumberKey } from "../../types/keys/key-spec.ts";
import type { FieldTypes } from "../expressions/field-types.ts";
import type { AggregateSet } from "./aggregate.ts";
import { type AggregateLayout, aggregateLayout } from "./aggregate-layout.ts";
import { AggregateObjects } from "./aggregate-objects.ts";
import { type AggregateProgram, compileAggregates } from "./aggregate-program.ts";
import { AggregateStage, type KeyAccess } from "./aggregate-stage.ts";

export type AggregateTableOptions = {
  /** Name of the state, for errors and usage. */
  readonly name: string;
  /** Uid of the operator, and what tells this subtask's generated code apart. */
  readonly operator: string;
  readonly label: string;
  readonly tables: KeyedTables;
  readonly key: KeyAccess;
  /** Name of the key's field in result rows. */
  readonly keyName: string;
  readonly set: AggregateSet;
  readonly fields: FieldTypes;
  readonly namespaced: boolean;
  /** Words before the accumulators that belong to the owner, with what a new row has there. */
  readonly extra: readonly number[] | ((layout: AggregateLayout) => readonly number[]);
  /** Whether they are part of snapshots; else a restored row has them as a new one. */
  readonly keepsExtra: boolean;
  /** Whether result rows have `start` and `end`. */
  readonly bounds: boolean;
};

/** Records staged at once: their scratch stays in the first-level cache. */
export const STAGE_CAPACITY = 512;

export class AggregateTable {
  readonly name: string;
  readonly table: ManagedTable;
  readonly layout: AggregateLayout;
  readonly stage: AggregateStage;
  readonly objects: AggregateObjects;
  readonly program: AggregateProgram;
  /** Row addresses of the staged records, once resolved. */
  readonly rows: Int32Array;
  /** From a row's address to the owner's words, and to the accumulators. */
  readonly extraOffset: number;
  readonly offset: number;
  /** From a row's address to the first of the words that snapshots hold. */
  readonly #savedOffset: number;
  readonly #isNumber: boolean;
  readonly #namespaced: boolean;
  readonly #codec: KeyCodec;
  readonly #hash: (key: unknown) => number;
  readonly #one = new KeyBatch(1);
  readonly #extra: readonly number[];
  readonly #scanned = new Int32Array(256);
  readonly #sink = new ByteSink(64);
  readonly #cursor = new ByteCursor(this.#sink.bytes);

  constructor(options: AggregateTableOptions) {
    const { name, operator, label, tables, key, set, fields, namespaced } = options;
    const layout = aggregateLayout(set, fields, true);
    const extra = typeof options.extra === "function" ? options.extra(layout) : options.extra;
    this.name = name;
    this.#extra = extra;
    this.layout = layout;
    this.table = tables.table({
      name,
      key: isNumberKey(key.type) ? "number" : "bytes",
      namespaced,
      listed: namespaced,
      blob: false,
      valueWords: extra.length + layout.words,
      initial: Float64Array.from([...extra, ...layout.empty]),
    });
    this.stage = new AggregateStage({ operator, label, key, layout, fields, capacity: STAGE_CAPACITY });
    this.objects = new AggregateObjects(layout.heaps, { operator, state: name }, tables.heap);
    const { stage, objects } = this;
    this.program = compileAggregates({
      label,
      layout,
      stage,
      objects,
      keyName: options.keyName,
      keyParts: key.parts ?? null,
      bounds: options.bounds,
    });
    this.rows = new Int32Array(STAGE_CAPACITY);
    this.extraOffset = this.table.layout.valueWord;
    this.offset = this.extraOffset + extra.length;
    this.#savedOffset = options.keepsExtra ? this.extraOffset : this.offset;
    this.#isNumber = isNumberKey(key.type);
    this.#namespaced = namespaced;
    this.#codec = keyCodec(key.type);
    this.#hash = isNumberKey(key.type) ? () => 0 : compileKeyHash(key.type, `${label} restore`);
  }

  get bytes(): number {
    return this.objects.bytes;
  }

  /** Hashes of the first `count` staged keys; those of other keys than numbers are there already. */
  hashKeys(count: number): void {
    if (this.#isNumber) this.stage.keys.hashNumbers(count);
  }

  /** Finds or adds the rows of the first `count` staged records. Throws STATE_BUDGET_EXCEEDED. */
  resolve(count: number): void {
    const { table, stage } = this;
    this.hashKeys(count);
    if (table.resolve(stage.keys, count, this.rows) < count) throw table.exceeded();
  }

  /** Adds staged records to rows: the resolved ones, or others with accumulators at `offset`. */
  accumulate(from: number, end: number, rows: Int32Array = this.rows, offset = this.offset): void {
    this.program.accumulate(this.table.f64, rows, offset, from, end);
  }

  /** Stages a key without a record. */
  stageKey(i: number, key: unknown, keys: KeyBatch = this.stage.keys): void {
    if (this.#isNumber) {
      keys.numbers[i] = key as number;
      return;
    }
    keys.hashes[i] = this.#hash(key);
    keys.stage(i, key, this.#codec);
  }

  /** Forgets what was staged. */
  clear(): void {
    this.stage.clear();
    this.stage.keys.position = 0;
  }

  /** Key of a row of the table, or of another one with the same keys. */
  key(address: number, table: ManagedTable = this.table): unknown {
    if (this.#isNumber) return table.f64[address];
    const sink = this.#sink;
    sink.position = 0;
    table.readKey(address, sink);
    return this.#readKey(sink.bytes, 0, sink.position);
  }

  /** Key of a staged record. */
  stagedKey(i: number): unknown {
    const { numbers, bytes, starts, sizes } = this.stage.keys;
    return this.#isNumber ? numbers[i] : this.#readKey(bytes, starts[i]!, starts[i]! + sizes[i]!);
  }

  #readKey(bytes: Buffer, start: number, end: number): unknown {
    const cursor = this.#cursor;
    cursor.bytes = bytes;
    cursor.position = start;
    cursor.end = end;
    return this.#codec.read(cursor);
  }

  result(address: number, start: number, end: number): unknown {
    return this.program.result(this.table.f64, address + this.offset, this.key(address), start, end);
  }

  /** Empties accumulators that lie anywhere. */
  empty(memory: Float64Array, at: number): void {
    this.closeObjects(memory, at);
    memory.set(this.layout.empty, at);
  }

  closeObjects(memory: Float64Array, at: number): void {
    const { slotWord } = this.layout;
    if (slotWord === -1) return;
    const slot = memory[at + slotWord]!;
    if (slot >= 0) this.objects.close(slot);
    memory[at + slotWord] = -1;
  }

  remove(address: number): void {
    this.closeObjects(this.table.f64, this.table.writable(address) + this.offset);
    this.table.remove(address);
  }

  /** Part of `KeyedPart`. Rows with numbers below `fromRow` are left out. */
  snapshot(keyGroup: number, out: ByteWriter, fromRow = 0): void {
    const start = out.position;
    writeF64(out, 0); // replaced below
    const cursor: RowCursor = { group: keyGroup - this.table.keyGroups.first, row: fromRow };
    let written = 0;
    for (let count = this.#scanned.length; count === this.#scanned.length; ) {
      count = this.table.scanGroup(cursor, this.#scanned);
      for (let n = 0; n < count; n += 1) {
        if (this.isEmpty(this.#scanned[n]!)) continue;
        this.#writeRow(this.#scanned[n]!, out);
        written += 1;
      }
    }
    out.bytes.writeDoubleLE(written, start);
  }

  /** Part of `KeyedPart`. `onRow` is called with the address of each row. */
  restore(keyGroup: number, input: ByteReader, onRow: ((address: number) => void) | null = null): void {
    const group = keyGroup - this.table.keyGroups.first;
    for (let left = readF64(input); left > 0; left -= 1) {
      const address = this.#readRow(group, input);
      if (onRow !== null) onRow(address);
    }
  }

  /**
   * What of a key group is not in the words of its rows, for snapshots by pages: their objects. `fromRow`: as in
   * `snapshot`.
   */
  snapshotBeside(keyGroup: number, out: ByteWriter, fromRow = 0): void {
    writeF64(out, fromRow);
    const { slotWord } = this.layout;
    if (slotWord === -1) return;
    forEachRow(this.table, keyGroup - this.table.keyGroups.first, (address) => {
      if (this.#isKept(address, fromRow)) this.objects.write(this.table.f64[address + this.offset + slotWord]!, out);
    });
  }

  /** The rows of a key group are there, as they were. `onRow` is called with the address of each that is kept. */
  restoreBeside(keyGroup: number, input: ByteReader, onRow: (address: number) => void = () => undefined): void {
    const { table, layout } = this;
    const fromRow = readF64(input);
    forEachRow(table, keyGroup - table.keyGroups.first, (address) => {
      if (!this.#isKept(address, fromRow)) {
        table.remove(address);
        return;
      }
      const { slotWord } = layout;
      if (this.#savedOffset > this.extraOffset) table.f64.set(this.#extra, table.writable(address) + this.extraOffset);
      if (slotWord !== -1) table.f64[table.writable(address) + this.offset + slotWord] = this.objects.read(input);
      onRow(address);
    });
  }

  #isKept(address: number, fromRow: number): boolean {
    return !this.isEmpty(address) && this.table.rowNumber(address) >= fromRow;
  }

  /** Whether the row's first record is still to come (A1). */
  isEmpty(address: number): boolean {
    return this.table.f64[address + this.offset + this.layout.countWord] === 0;
  }

  #writeRow(address: number, out: ByteWriter): void {
    const { table, layout } = this;
    const sink = this.#sink;
    sink.position = 0;
    table.readKey(address, sink);
    writeU32(out, sink.position);
    out.reserve(sink.position);
    out.bytes.set(sink.bytes.subarray(0, sink.position), out.position);
    out.position += sink.position;
    if (this.#namespaced) writeF64(out, table.namespace(address));
    const slot = layout.slotWord === -1 ? -1 : this.offset + layout.slotWord;
    for (let word = this.#savedOffset; word < this.offset + layout.words; word += 1)
      writeF64(out, word === slot ? -1 : table.f64[address + word]!);
    if (layout.slotWord !== -1) this.objects.write(table.f64[address + this.offset + layout.slotWord]!, out);
  }

  #readRow(group: number, input: ByteReader): number {
    const { table, layout } = this;
    const size = readU32(input);
    const start = take(input, size);
    const key = this.#readKey(input.bytes, start, start + size);
    const address = this.find(key, this.#namespaced ? readF64(input) : 0, group, true);
    if (address === -1) throw table.exceeded();
    for (let word = this.#savedOffset; word < this.offset + layout.words; word += 1)
      table.f64[address + word] = readF64(input);
    if (layout.slotWord !== -1) table.f64[address + this.offset + layout.slotWord] = this.objects.read(input);
    return address;
  }

  /** Address of one key's row, -1 when there is none and none was to be added, or the budget refused. */
  find(key: unknown, namespace: number, group: number, add: boolean): number {
    const one = this.#stageOne(key);
    one.namespaces[0] = namespace;
    return add ? this.table.resolveIn(group, one, 0) : this.table.findIn(group, one, 0);
  }

  #stageOne(key: unknown): KeyBatch {
    const one = this.#one;
    one.position = 0;
    this.stageKey(0, key, one);
    if (this.#isNumber) one.hashNumbers(1);
    return one;
  }
}

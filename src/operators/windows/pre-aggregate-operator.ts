// The combiner: pre-aggregates records per key and pane before they are exchanged, so that one partial row travels
// instead of many records. The window operator behind the exchange merges partial rows as if they were records.
//
//   records ──▶ small table (key, pane) ──before each watermark that ends a window of the pane, or when it is full──▶
//   partial rows
//
//   B1. A record's partial row is sent before any watermark that ends a window of it. So the receiver takes it for late
//       if and only if it would have taken the record for late, had that been sent at once.
//   B2. A record whose pane has a window that this task's watermark has ended is sent at once: whether it is late is
//       for the receiver to say, whose watermark may be behind.
//   B3. The table is bounded: when it is full, the rows that were swept longest ago make room.
//   B4. Where it does not reduce (out of n records come more than n / 2 rows) it is switched off for a while, and each
//       record is sent at once.

import { assert } from "../../base/errors.ts";
import { heapBlocks } from "../../state/block-source.ts";
import { OperatorTables } from "../../state/operator-tables.ts";
import { PageAllocator } from "../../state/page-allocator.ts";
import type { RowCursor } from "../../state/row-pages.ts";
import { readF64, readU32, writeF64, writeU32 } from "../../types/byte-buffer.ts";
import type { ByteReader, ByteWriter, ValueCodec } from "../../types/codec.ts";
import type { TypeSpec } from "../../types/type-spec.ts";
import { compileValueCodec } from "../../types/value-codec.ts";
import type { AggregateSet } from "../aggregates/aggregate.ts";
import { aggregateLayout } from "../aggregates/aggregate-layout.ts";
import type { KeyAccess } from "../aggregates/aggregate-stage.ts";
import { AggregateTable, STAGE_CAPACITY } from "../aggregates/aggregate-table.ts";
import type { FieldTypes } from "../expressions/field-types.ts";
import type { Operator, OperatorContext } from "../operator.ts";
import { PaneFrame } from "./pane-frame.ts";
import { timestampMissing } from "./pane-input.ts";
import { PaneSet } from "./pane-set.ts";
import { type PartialRow, PartialRows, partialType } from "./partial-rows.ts";
import type { PaneWindowSpec, WindowSpec } from "./window-spec.ts";

export type PreAggregateOptions = {
  readonly window: PaneWindowSpec;
  readonly key: KeyAccess;
  readonly keyName: string;
  readonly set: AggregateSet;
  /** Types of the records' fields; the window operator has to be given the same. */
  readonly fields: FieldTypes;
  /** Memory of the table, COMBINER_BYTES by default. */
  readonly limitBytes?: number;
};

/** Enough for some 20,000 groups, and little enough for the second-level cache. */
const COMBINER_BYTES = 2 * 1024 * 1024;
/** Objects beside it, sketches above all, are held to as much again, estimated. */
const OBJECTS_BYTES = 2 * COMBINER_BYTES;
/** Rows that make room at a time. */
const SWEEP = 256;
/** Records after which the reduction is judged, and records for which the combiner stays off. */
const JUDGE_AFTER = 32_768;
const OFF_FOR = 1_048_576;
/** Rows of a snapshot that go out with a record, until none is left. */
const RESTORED_PER_RECORD = 4;

/**
 * Whether windowed aggregates can be pre-aggregated: panes, nobody reads the late records (they are sent as they are),
 * and all accumulators are small. Lists and whole records would only be copied about.
 */
export function canCombine(options: {
  readonly window: WindowSpec;
  readonly lateOutput: boolean;
  readonly keyName: string;
  readonly set: AggregateSet;
  readonly fields: FieldTypes;
}): boolean {
  const { window, lateOutput, keyName, set, fields } = options;
  if (window.kind === "session" || lateOutput || keyName.startsWith("#") || set.custom.size > 0) return false;
  const sketches = set.specs.filter(({ spec }) => spec.kind === "quantile" || spec.kind === "distinctCount").length;
  return aggregateLayout(set, fields, true).heaps.length === sketches;
}

/** Type of the rows that a combiner sends. */
export function combinedType(set: AggregateSet, fields: FieldTypes, keyName: string, keyType: TypeSpec): TypeSpec {
  return partialType(aggregateLayout(set, fields, true), keyName, keyType);
}

type Opened = {
  readonly context: OperatorContext;
  readonly groups: AggregateTable;
  readonly partials: PartialRows;
  readonly codec: ValueCodec;
  readonly tables: OperatorTables;
};

export class PreAggregateOperator implements Operator {
  readonly #options: PreAggregateOptions;
  readonly #frame: PaneFrame;
  readonly #panes = new PaneSet();
  #opened: Opened | null = null;
  readonly #restored: PartialRow[] = [];
  #isRestored = false;
  /** Records that are staged. */
  #staged = 0;
  /** Accumulators of a single record. */
  #scratch = new Float64Array(0);
  readonly #rows = new Int32Array(SWEEP);
  readonly #sweep: RowCursor = { group: 0, row: -1 };
  // What has come and gone since the reduction was judged (B4).
  #records = 0;
  #sent = 0;
  #offFor = 0;

  constructor(options: PreAggregateOptions) {
    this.#options = options;
    this.#frame = new PaneFrame(options.window, 0);
  }

  open(context: OperatorContext): void {
    const { key, keyName, set, fields, limitBytes = COMBINER_BYTES } = this.#options;
    const label = `${context.uid} ${context.subtaskIndex}`;
    const allocator = new PageAllocator(heapBlocks(limitBytes));
    const heap = { limitBytes: Infinity, configKey: "", usedBytes: 0 };
    const place = { operator: context.uid, maxParallelism: 1, keyGroups: { first: 0, last: 0 }, seed: 0 };
    const tables = new OperatorTables({ allocator, ...place }, heap);
    const groups = new AggregateTable({
      name: "partials",
      operator: context.uid,
      label,
      tables,
      key,
      keyName,
      set,
      fields,
      namespaced: true,
      extra: [],
      keepsExtra: false,
      bounds: false,
    });
    this.#scratch = groups.layout.empty.slice();
    const codec = compileValueCodec(partialType(groups.layout, keyName, key.type), label);
    this.#opened = { context, groups, partials: new PartialRows(groups, keyName, label), codec, tables };
  }

  onRecord(record: unknown, timestampMs: number): void {
    const { context, groups } = this.#open();
    if (Number.isNaN(timestampMs)) throw timestampMissing(context.uid);
    const pane = this.#frame.clock.paneOf(timestampMs);
    const at = this.#staged;
    groups.stage.stageRecord(at, record, timestampMs);
    groups.stage.keys.namespaces[at] = pane;
    if (this.#restored.length > 0) this.#sendRestored(RESTORED_PER_RECORD);
    if (this.#offFor > 0) {
      this.#offFor -= 1;
      this.#sendRow(this.#rowOfStaged(at));
    } else if (pane < this.#frame.settled) {
      this.#sendRow(this.#rowOfStaged(at));
    } else {
      this.#staged = at + 1;
      if (this.#staged === STAGE_CAPACITY) this.#combine();
    }
  }

  onWatermark(watermark: number): boolean {
    if (!this.#sendRestored(Infinity)) return false;
    this.#combine();
    const frame = this.#frame;
    const open = Math.max(frame.open, frame.openAt(watermark));
    const settled = frame.settledBefore(open);
    for (let pane = this.#panes.from(-Infinity); pane < settled; pane = this.#panes.from(pane)) {
      if (!this.#sendPane(pane)) return false;
      this.#panes.delete(pane);
    }
    frame.open = open;
    return true;
  }

  nextProcessingTimeMs(): number {
    return Infinity;
  }

  onProcessingTime(): boolean {
    return true;
  }

  onEndOfInput(): boolean {
    return true; // The watermark Infinity came before.
  }

  /** Partial rows belong to no subtask: any may restore them, and several of these snapshots. Sends nothing. */
  snapshot(out: ByteWriter): void {
    const { groups, codec } = this.#open();
    const { table } = groups;
    writeF64(out, this.#frame.open);
    writeU32(out, table.size + this.#staged + this.#restored.length);
    for (const row of this.#restored) codec.write(row, out);
    const cursor: RowCursor = { group: 0, row: -1 };
    for (let count = table.scanGroup(cursor, this.#rows); count > 0; count = table.scanGroup(cursor, this.#rows)) {
      for (let n = 0; n < count; n += 1) codec.write(this.#rowOf(this.#rows[n]!), out);
    }
    for (let i = 0; i < this.#staged; i += 1) codec.write(this.#rowOfStaged(i), out);
  }

  /** The rows are sent as soon as records or watermarks come. */
  restore(input: ByteReader): void {
    const { codec } = this.#open();
    const open = readF64(input);
    this.#frame.open = this.#isRestored ? Math.min(this.#frame.open, open) : open;
    this.#isRestored = true;
    for (let left = readU32(input); left > 0; left -= 1) this.#restored.push(codec.read(input) as PartialRow);
  }

  close(): void {
    this.#opened?.tables.release();
    this.#opened = null;
  }

  #open(): Opened {
    assert(this.#opened !== null, "the operator is open");
    return this.#opened;
  }

  /** Adds what is staged to the table. */
  #combine(): void {
    const count = this.#staged;
    if (count === 0) return;
    const { groups } = this.#open();
    const { keys } = groups.stage;
    groups.hashKeys(count);
    const resolved = groups.table.resolve(keys, count, groups.rows);
    groups.accumulate(0, resolved);
    for (let i = resolved; i < count; i += 1) this.#addWhenFull(i);
    for (let i = 0; i < count; i += 1) this.#panes.add(keys.namespaces[i]!);
    groups.clear();
    this.#staged = 0;
    while (groups.objects.bytes > OBJECTS_BYTES) this.#makeRoom();
    this.#judge(count);
  }

  /** Adds staged record `i`, for which rows have to go. */
  #addWhenFull(i: number): void {
    const { groups } = this.#open();
    const { table, stage, rows } = groups;
    let address = table.resolveIn(0, stage.keys, i);
    while (address === -1) {
      if (table.size === 0) throw table.exceeded(); // A key that is larger than the table.
      this.#makeRoom();
      address = table.resolveIn(0, stage.keys, i);
    }
    rows[i] = address;
    groups.accumulate(i, i + 1);
  }

  /** Sends some rows, those that were looked at longest ago. */
  #makeRoom(): void {
    const { table } = this.#open().groups;
    let count = table.scanGroup(this.#sweep, this.#rows);
    if (count === 0) {
      this.#sweep.row = -1;
      count = table.scanGroup(this.#sweep, this.#rows);
    }
    for (let n = 0; n < count; n += 1) this.#send(this.#rows[n]!);
  }

  #sendPane(pane: number): boolean {
    const { context, groups } = this.#open();
    for (;;) {
      const count = groups.table.scanNamespace(pane, { group: 0, row: -1 }, this.#rows);
      if (count === 0) return true;
      for (let n = 0; n < count; n += 1) {
        if (!this.#send(this.#rows[n]!) || context.full()) return false;
      }
    }
  }

  /** Sends a row and removes it. False: the output is full now. */
  #send(address: number): boolean {
    const row = this.#rowOf(address);
    this.#open().groups.remove(address);
    return this.#sendRow(row);
  }

  #sendRow(row: PartialRow): boolean {
    const { context, partials } = this.#open();
    this.#sent += 1;
    return context.output.offer(row, this.#frame.startOf(partials.paneOf(row)));
  }

  /** Sends at most `count` of the restored rows. False: the output is full now. */
  #sendRestored(count: number): boolean {
    for (let left = Math.min(count, this.#restored.length); left > 0; left -= 1) {
      const row = this.#restored.pop() as PartialRow;
      if (!this.#sendRow(row)) return false;
    }
    return true;
  }

  #rowOf(address: number): PartialRow {
    const { groups, partials } = this.#open();
    const { table, offset } = groups;
    return partials.rowOf(table.f64, address + offset, groups.key(address), table.namespace(address));
  }

  /** The partial row of one staged record. */
  #rowOfStaged(i: number): PartialRow {
    const { groups, partials } = this.#open();
    const scratch = this.#scratch;
    groups.rows[i] = 0;
    groups.program.accumulate(scratch, groups.rows, 0, i, i + 1);
    const row = partials.rowOf(scratch, 0, groups.stagedKey(i), groups.stage.keys.namespaces[i]!);
    groups.empty(scratch, 0);
    return row;
  }

  #judge(count: number): void {
    this.#records += count;
    if (this.#records < JUDGE_AFTER) return;
    if (this.#sent > this.#records / 2) this.#offFor = OFF_FOR;
    this.#records = 0;
    this.#sent = 0;
  }
}

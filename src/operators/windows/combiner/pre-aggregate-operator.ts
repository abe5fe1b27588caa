// The combiner: pre-aggregates records per key and pane before they are exchanged, so that one partial row travels
// instead of many records. The operator behind the exchange merges partial rows as if they were records.
//
//   records ──▶ small table (key, pane) ──▶ partial rows: before each watermark that ends a window of the pane, when
//   the table is full, after the buffer time-out, when the input falls idle
//
//   B1. A record's partial row is sent before any watermark that ends a window of it, and before the task says that it
//       is idle: then receivers no longer wait for its watermark. So the receiver takes it for late if and only if it
//       would have taken the record for late, had that been sent at once, and no result comes later.
//   B2. A record whose pane has a window that this task's watermark has ended is sent at once, as a row of its own:
//       whether it is late is for the receiver to say, whose watermark may be behind.
//   B3. The table is bounded: when it is full, or managed memory is, the rows that were swept longest ago make room.
//   B4. It is used where it pays: where PAYS_FROM records would stand behind each row that it sends. Where records can
//       be sent as they are, they are at first, while a survey (reduction-survey.ts) finds that out. Where fewer stand
//       behind the rows that it does send, it is switched off for a while, and each record is sent at once: as a row of
//       its own while anything is held, then as it is. Records and rows travel in batches of their own, so they change
//       places no more often than that. Rows are counted, not time.
//   B5. What is sent of one key and pane is in the order of its records, so that equal times keep their order.
//   B6. It is in no snapshot: all that it holds is sent before one, as when its input falls idle. What it knows of time
//       comes again with the next watermark; until then it holds records that it would have sent at once (B2).
//
// Without windows (aggregates of batch jobs) all records are of one pane, which the watermark Infinity ends.

import { assert } from "../../../base/errors.ts";
import type { RowCursor } from "../../../state/table/row-pages.ts";
import type { AggregateSet } from "../../aggregates/aggregate.ts";
import type { KeyAccess } from "../../aggregates/aggregate-stage.ts";
import { AggregateTable, STAGE_CAPACITY } from "../../aggregates/aggregate-table.ts";
import { tablesOf } from "../../aggregates/tables-of.ts";
import type { FieldTypes } from "../../expressions/field-types.ts";
import type { Operator, OperatorContext } from "../../operator.ts";
import { timestampMissing } from "../../timestamp-missing.ts";
import { PaneSet } from "../rows/pane-set.ts";
import { type PartialRow, PartialRows } from "../rows/partial-rows.ts";
import { PaneFrame } from "../time/pane-frame.ts";
import type { PaneWindowSpec } from "../time/window-spec.ts";
import { ReductionSurvey } from "./reduction-survey.ts";

export type PreAggregateOptions = {
  /** Uid of the operator behind the exchange, which errors are about. */
  readonly operator: string;
  /** Null: no windows. */
  readonly window: PaneWindowSpec | null;
  readonly key: KeyAccess;
  readonly keyName: string;
  readonly set: AggregateSet;
  /** Types of the records' fields; the operator behind the exchange has to be given the same. */
  readonly fields: FieldTypes;
  /** The longest that a record waits, in processing time; Infinity: until its window ends. */
  readonly flushAfterMs: number;
  /** Throws for a record that the exchange would refuse; null: any is taken. `first`: of some. */
  readonly check: ((record: unknown, first: boolean) => void) | null;
  /** Whether the operator behind takes records, too. */
  readonly sendsRecords: boolean;
  /** Memory of the table, COMBINER_BYTES by default; when it is judged (B4), and for how long it is off at first. */
  readonly limitBytes?: number;
  readonly judgeAfter?: number;
  readonly offFor?: number;
  /** Records per row from which on it pays; PAYS_FROM by default. */
  readonly paysFrom?: number;
};

/** Enough for some 20,000 groups, and little enough for the second-level cache. */
const COMBINER_BYTES = 2 * 1024 * 1024;
/** What a row's entry in the index takes, roughly. */
const INDEX_BYTES = 16;
/** Objects beside it, sketches above all, are held to as much again, estimated. */
const OBJECTS_BYTES = 2 * COMBINER_BYTES;
/** Rows that make room at a time. */
const SWEEP = 256;
/**
 * Records per row from which on the combiner pays, without and with objects. Adding a record to its group saves some 50
 * ns against sending it; a row of numbers costs 1,200 ns from its group to that of the receiver, one with a sketch,
 * which is made, written, read and merged, 7,000.
 */
const PAYS_FROM = { numbers: 32, objects: 192 } as const;
/**
 * Rows after which the reduction is judged, and records for which the combiner stays off: twice as many each time that
 * it does not pay again.
 */
const JUDGE_AFTER = 1_024;
const OFF_FOR = 1_048_576;
const OFF_TIMES_MAX = 16;
/** Rows of a table that is switched off that go out with a record until none is left. */
const ROWS_PER_RECORD = 4;

type Opened = {
  readonly context: OperatorContext;
  readonly groups: AggregateTable;
  readonly partials: PartialRows;
};

export class PreAggregateOperator implements Operator {
  /**
   * Records to come that go as they are (B4). A plain field: the loop of the task counts it down and hands them on by
   * itself.
   */
  passing = 0;
  readonly #options: PreAggregateOptions;
  /** Null: no windows. */
  readonly #frame: PaneFrame | null;
  /** Windows before this one have ended. */
  #openFrom = -Infinity;
  readonly #panes = new PaneSet();
  #opened: Opened | null = null;
  /** Records that are staged. */
  #staged = 0;
  #rowsMax = 0;
  /** Null: nobody asks whether it would pay. */
  #survey: ReductionSurvey | null = null;
  /** Records that are staged for the survey alone: they have been sent. */
  #surveyed = 0;
  /** When what is held has to go; Infinity as long as nobody has asked since there was nothing. */
  #flushAtMs = Infinity;
  /** Accumulators of a single record. */
  #scratch = new Float64Array(0);
  readonly #rows = new Int32Array(SWEEP);
  readonly #fewRows = this.#rows.subarray(0, ROWS_PER_RECORD);
  readonly #sweep: RowCursor = { group: 0, row: -1 };
  // What was sent since the reduction was judged (B4): rows, and the records behind them.
  #sentRows = 0;
  #sentRecords = 0;
  /** Records for which it stays off, as long as something is held. */
  #offFor = 0;
  #offTimes = 1;

  constructor(options: PreAggregateOptions) {
    this.#options = options;
    this.#frame = options.window === null ? null : new PaneFrame(options.window, 0);
  }

  open(context: OperatorContext): void {
    const { operator, key, keyName, set, fields, limitBytes = COMBINER_BYTES } = this.#options;
    const label = `${context.uid} ${context.subtaskIndex}`;
    const tables = tablesOf(context);
    const groups = new AggregateTable({
      name: "partials",
      operator,
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
    tables.attach({
      name: groups.name,
      get bytes() {
        return groups.bytes;
      },
      snapshot: () => undefined, // There is nothing in it then (B6).
      restore: () => undefined,
    });
    this.#rowsMax = Math.floor(limitBytes / (8 * groups.table.layout.stride + INDEX_BYTES));
    this.#scratch = groups.layout.empty.slice();
    this.#opened = { context, groups, partials: new PartialRows(groups, keyName, label) };
    this.#beginSurvey();
  }

  onRecord(record: unknown, timestampMs: number): void {
    const { groups, context } = this.#open();
    if (this.passing > 0) {
      this.passing -= 1;
      context.output.offer(record, timestampMs); // Whoever takes it looks whether it fits.
      return;
    }
    if (this.#survey !== null) {
      this.#stageForSurvey(this.#survey, record, timestampMs);
      context.output.offer(record, timestampMs);
      return;
    }
    const { check } = this.#options;
    if (check !== null) check(record, this.#staged === 0);
    const pane = this.#paneOf(timestampMs);
    const at = this.#staged;
    const { keys } = groups.stage;
    const keysEnd = keys.position;
    groups.stage.stageRecord(at, record, timestampMs);
    keys.namespaces[at] = pane;
    if (this.#offFor > 0 || this.#isSettled(pane)) {
      if (this.#offFor > 0) this.#makeWay(at);
      this.#sendRow(this.#rowOfStaged(at));
      keys.position = keysEnd;
      if (this.#options.sendsRecords && this.#offFor > 0 && this.#isEmpty()) this.#pass();
    } else {
      this.#staged = at + 1;
      if (this.#staged === STAGE_CAPACITY) this.#combine();
    }
  }

  onWatermark(watermark: number): boolean {
    const frame = this.#frame;
    if (frame === null) return watermark < Infinity || this.#sendAll();
    const open = frame.openAt(watermark);
    if (open <= this.#openFrom) return true;
    const settled = frame.settledBefore(open);
    this.#completeSurvey(settled);
    this.#combine();
    if (!this.#sendPanes(settled)) return false;
    this.#openFrom = open;
    return true;
  }

  onIdle(): boolean {
    return this.#sendAll();
  }

  /** The time of what is held starts when it is first asked for here: a task asks after each batch. */
  nextProcessingTimeMs(): number {
    const isSurveyed = this.#surveyed > 0 || this.#survey?.isEmpty === false;
    if (this.#opened === null || (this.#isEmpty() && !isSurveyed)) this.#flushAtMs = Infinity;
    else if (this.#flushAtMs === Infinity) {
      this.#flushAtMs = this.#opened.context.env.clock.nowMs() + this.#options.flushAfterMs;
    }
    return this.#flushAtMs;
  }

  onProcessingTime(): boolean {
    return this.#sendAll();
  }

  close(): void {
    this.#opened = null;
  }

  #open(): Opened {
    assert(this.#opened !== null, "the operator is open");
    return this.#opened;
  }

  #paneOf(timestampMs: number): number {
    if (this.#frame === null) return 0;
    if (Number.isNaN(timestampMs)) throw timestampMissing(this.#options.operator, "windows");
    return this.#frame.clock.paneOf(timestampMs);
  }

  #isSettled(pane: number): boolean {
    return this.#frame !== null && pane < this.#frame.settledBefore(this.#openFrom);
  }

  #isEmpty(): boolean {
    return this.#staged === 0 && this.#open().groups.table.size === 0;
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
    while (groups.table.size > this.#rowsMax || groups.objects.bytes > OBJECTS_BYTES) this.#makeRoom(this.#rows);
  }

  /** Adds staged record `i`, for which rows have to go. */
  #addWhenFull(i: number): void {
    const { groups } = this.#open();
    const { table, stage, rows } = groups;
    let address = table.resolveIn(0, stage.keys, i);
    while (address === -1) {
      if (table.size === 0) throw table.exceeded(); // Not even for one row is there memory.
      this.#makeRoom(this.#rows);
      address = table.resolveIn(0, stage.keys, i);
    }
    rows[i] = address;
    groups.accumulate(i, i + 1);
  }

  /** Sends as many rows as `rows` holds, those that were looked at longest ago. */
  #makeRoom(rows: Int32Array): void {
    const { table } = this.#open().groups;
    let count = table.scanGroup(this.#sweep, rows);
    if (count === 0) {
      this.#sweep.row = -1;
      count = table.scanGroup(this.#sweep, rows);
    }
    for (let n = 0; n < count; n += 1) this.#send(rows[n]!);
  }

  /** Nothing is held any more: records go as they are from here on. */
  #pass(): void {
    this.passing = this.#offFor;
    this.#offFor = 0;
    this.#beginSurvey();
  }

  #beginSurvey(): void {
    if (!this.#options.sendsRecords) return;
    const { judgeAfter = JUDGE_AFTER } = this.#options;
    this.#survey = new ReductionSurvey({ paysFrom: this.#paysFrom(), judgeAfter, rowsMax: this.#rowsMax });
  }

  #stageForSurvey(survey: ReductionSurvey, record: unknown, timestampMs: number): void {
    const { groups } = this.#open();
    const at = this.#surveyed;
    groups.stage.stageRecord(at, record, timestampMs);
    groups.stage.keys.namespaces[at] = this.#paneOf(timestampMs);
    this.#surveyed = at + 1;
    if (this.#surveyed < STAGE_CAPACITY) return;
    this.#countSurveyed(survey);
    this.#judgeSurvey(survey);
  }

  /** The rows of the panes before `end` would be sent now. */
  #completeSurvey(end: number): void {
    const survey = this.#survey;
    if (survey === null) return;
    this.#countSurveyed(survey);
    survey.complete(end);
    this.#judgeSurvey(survey);
  }

  #countSurveyed(survey: ReductionSurvey): void {
    const { groups } = this.#open();
    const { keys } = groups.stage;
    groups.hashKeys(this.#surveyed);
    for (let i = 0; i < this.#surveyed; i += 1) survey.add(keys.hashes[i]!, keys.namespaces[i]!);
    groups.clear();
    this.#surveyed = 0;
  }

  #judgeSurvey(survey: ReductionSurvey): void {
    const pays = survey.pays();
    if (pays === null) return;
    this.#survey = null;
    if (pays) return;
    this.#switchOff();
    this.#pass();
  }

  /** Off for longer each time, until it pays again. */
  #switchOff(): void {
    const { offFor = OFF_FOR } = this.#options;
    this.#offFor = offFor * this.#offTimes;
    this.#offTimes = Math.min(2 * this.#offTimes, OFF_TIMES_MAX);
  }

  #paysFrom(): number {
    const { paysFrom } = this.#options;
    return paysFrom ?? (this.#open().groups.layout.slotWord === -1 ? PAYS_FROM.numbers : PAYS_FROM.objects);
  }

  /** While the combiner is off: what the table still holds of the staged record's group goes before it (B5). */
  #makeWay(at: number): void {
    this.#offFor -= 1;
    const { groups } = this.#open();
    if (groups.table.size === 0) return;
    groups.hashKeys(at + 1);
    const address = groups.table.findIn(0, groups.stage.keys, at);
    if (address !== -1) this.#send(address);
    this.#makeRoom(this.#fewRows);
  }

  /** Sends everything. False: stopped early, because the output is full or the turn is over. */
  #sendAll(): boolean {
    this.#completeSurvey(Infinity);
    this.#combine();
    return this.#sendPanes(Infinity);
  }

  /** Sends the rows of the panes before `end`. False: stopped early. */
  #sendPanes(end: number): boolean {
    for (let pane = this.#panes.from(-Infinity); pane < end; pane = this.#panes.from(pane)) {
      if (!this.#sendPane(pane)) return false;
      this.#panes.delete(pane);
    }
    if (this.#isEmpty()) this.#flushAtMs = Infinity;
    return true;
  }

  #sendPane(pane: number): boolean {
    const { context, groups } = this.#open();
    for (;;) {
      const count = groups.table.scanNamespace(pane, { group: 0, row: -1 }, this.#rows);
      if (count === 0) return true;
      for (let n = 0; n < count; n += 1) {
        if (!this.#send(this.#rows[n]!) || context.pause(1)) return false;
      }
    }
  }

  /** Sends a row and removes it. False: the output is full now. */
  #send(address: number): boolean {
    const { groups } = this.#open();
    const row = this.#rowOf(address);
    if (this.#offFor === 0) this.#judge(groups.table.f64[address + groups.offset + groups.layout.countWord]!);
    groups.remove(address);
    return this.#sendRow(row);
  }

  #sendRow(row: PartialRow): boolean {
    const { context, partials } = this.#open();
    return context.output.offer(row, this.#frame?.startOf(partials.paneOf(row)) ?? NaN);
  }

  #rowOf(address: number): PartialRow {
    const { groups, partials } = this.#open();
    const { table, offset } = groups;
    return partials.rowOf(table.f64, address + offset, groups.key(address), table.namespace(address));
  }

  /** The partial row of one staged record. */
  #rowOfStaged(i: number): PartialRow {
    return this.#open().partials.rowOfStaged(i, this.#scratch);
  }

  /** A row is sent that stands for so many records. */
  #judge(records: number): void {
    this.#sentRows += 1;
    this.#sentRecords += records;
    const { judgeAfter = JUDGE_AFTER } = this.#options;
    if (this.#sentRows < judgeAfter) return;
    if (this.#sentRecords < this.#paysFrom() * this.#sentRows) this.#switchOff();
    else this.#offTimes = 1;
    this.#sentRows = 0;
    this.#sentRecords = 0;
  }
}

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { OperatorDriver } from "../../../../test/operators/operator-driver.ts";
import { operatorTables, type TestTables } from "../../../../test/operators/operator-tables.ts";
import { PaneModel, type PaneSizes, paneSizes, windowOf } from "../../../../test/operators/pane-model.ts";
import {
  byEnd,
  byKey,
  commonOptions,
  emitted,
  ROW,
  type Row,
  type StreamCase,
  streamCases,
} from "../../../../test/operators/window-streams.ts";
import { compileBatchCodec } from "../../../types/batch/batch-codec.ts";
import type { BatchCodec } from "../../../types/bytes/codec.ts";
import type { StructField } from "../../../types/spec/type-spec.ts";
import {
  aggregateSet,
  collect,
  count,
  distinctCount,
  first,
  last,
  mean,
  minBy,
  quantile,
  sum,
} from "../../aggregates/aggregate.ts";
import { fieldTypes } from "../../expressions/field-types.ts";
import type { OperatorContext } from "../../operator.ts";
import { AggregateOperator } from "../../running/aggregate-operator.ts";
import { PaneWindowOperator } from "../panes/pane-window-operator.ts";
import { session, tumbling } from "../time/window-spec.ts";
import { PreAggregateOperator, type PreAggregateOptions } from "./pre-aggregate-operator.ts";
import { canCombine, combinedType, sendsRecords } from "./pre-aggregation.ts";

type Sent = { readonly record: unknown; readonly timestampMs: number };

type CombinerOptions = Omit<PreAggregateOptions, "operator" | "check" | "flushAfterMs" | "sendsRecords"> &
  Partial<PreAggregateOptions> & { readonly managedBytes?: number };

/** A combiner with an output that is full at random. */
class Combiner {
  readonly operator: PreAggregateOperator;
  readonly sent: Sent[] = [];
  nowMs = 0;
  readonly #memory: TestTables;
  #left = 1;

  constructor({ managedBytes = 2 ** 22, ...options }: CombinerOptions, room: () => number) {
    const common = { operator: "op", check: null, flushAfterMs: Infinity, sendsRecords: false };
    this.operator = new PreAggregateOperator({ ...common, ...options });
    this.#memory = operatorTables({
      limitBytes: managedBytes,
      keyGroups: { first: 0, last: 0 },
      maxParallelism: 1,
    });
    const offer = (record: unknown, timestampMs: number) => {
      this.sent.push({ record, timestampMs });
      this.#left -= 1;
      return this.#left > 0;
    };
    this.operator.open({
      uid: "combine",
      subtaskIndex: 0,
      env: { clock: { nowMs: () => this.nowMs } },
      state: { tables: this.#memory.tables },
      output: { offer },
      pause: () => this.#left <= 0,
    } as unknown as OperatorContext);
    this.#room = room;
  }

  readonly #room: () => number;

  add(record: { readonly ts: number }): void {
    this.#left = this.#room();
    this.operator.onRecord(record, record.ts);
  }

  watermark(watermark: number): void {
    this.#until(() => this.operator.onWatermark(watermark));
  }

  /** What a task does between batches. */
  time(nowMs: number): void {
    this.nowMs = nowMs;
    if (this.operator.nextProcessingTimeMs() <= nowMs) this.#until(() => this.operator.onProcessingTime());
  }

  idle(): void {
    this.#until(() => this.operator.onIdle());
  }

  /** Bytes that are left when everything was given back. */
  close(): number {
    const { tables, allocator } = this.#memory;
    this.operator.close();
    tables.release();
    return allocator.close() + tables.heap.usedBytes;
  }

  #until(call: () => boolean): void {
    do this.#left = Math.max(1, this.#room());
    while (!call());
  }
}

/** Two combiners before a window operator; the second one's watermarks lag behind. */
class Pipeline {
  readonly driver: OperatorDriver;
  #combiners: Combiner[];
  #closed = 0;
  #watermarks = [-Infinity, -Infinity];
  readonly #options: CombinerOptions;
  /** By the kind of what is sent (kindOf); null: it goes by reference. */
  readonly #codecs: readonly BatchCodec[] | null;
  readonly #room: () => number;

  constructor(sizes: PaneSizes, testCase: StreamCase, judging: Judging) {
    const { rooms } = testCase;
    let turn = 0;
    this.#room = () => rooms[turn++ % rooms.length] as number;
    const common = commonOptions(testCase);
    const window = windowOf(sizes);
    this.#options = { window, ...common, ...judging, limitBytes: 2 ** 17, managedBytes: 2 ** 18, flushAfterMs: 5 };
    const combination = { ...common, window };
    const known = { keyField: "key", type: ROW.spec, needed: ["key", "value", "id"] };
    const records = judging.sendsRecords ? sendsRecords(combination, known) : null;
    const type = combinedType(combination, { kind: "string" }, records);
    const members = type.kind === "union" ? type.members : [type];
    const codecs = members.map((each) => compileBatchCodec(each, { timestamps: true, extraFields: "ignore" }));
    this.#codecs = testCase.columns ? codecs : null;
    this.#combiners = [this.#combiner(), this.#combiner()];
    this.driver = new OperatorDriver(
      {
        make: () => new PaneWindowOperator({ ...common, window, partials: true }),
        keyType: { kind: "string" },
        keyOf: (record) => (record as Row).key,
        overrun: 6,
        room: this.#room,
      },
      1,
    );
  }

  add(row: Row): void {
    const combiner = this.#combiners[row.id % 2] as Combiner;
    combiner.add(row);
    // Some records wait, some leave soon, as the clock and the input want it.
    if (row.id % 7 === 0) combiner.idle();
    combiner.time(row.id);
    this.#deliver();
  }

  /** Returns the watermark that the window operator has come to. */
  watermark(watermark: number): number {
    this.#watermarks = [watermark, this.#watermarks[0] as number];
    this.#combiners.forEach((combiner, index) => {
      combiner.watermark(this.#watermarks[index] as number);
    });
    this.#deliver();
    const least = Math.min(...this.#watermarks);
    this.driver.watermark(least);
    return least;
  }

  /** Windows go on from snapshots; combiners, which have sent all before, begin anew and hear again what time it is. */
  restart(parallelism: number): void {
    for (const combiner of this.#combiners) combiner.idle();
    this.#deliver();
    this.#closeCombiners();
    this.#combiners = this.#watermarks.map((watermark) => {
      const combiner = this.#combiner();
      combiner.watermark(watermark);
      return combiner;
    });
    this.driver.restart(parallelism);
  }

  /** Bytes that are left when everything was given back. */
  close(): number {
    this.#closeCombiners();
    return this.#closed + this.driver.close();
  }

  #closeCombiners(): void {
    for (const combiner of this.#combiners) this.#closed += combiner.close();
  }

  #combiner(): Combiner {
    return new Combiner(this.#options, this.#room);
  }

  #deliver(): void {
    for (const combiner of this.#combiners) this.#deliverFrom(combiner.sent.splice(0));
  }

  /** Encoded batches are of one kind, as an exchange makes them; rows by reference are not. */
  #deliverFrom(sent: readonly Sent[]): void {
    if (this.#codecs === null) this.driver.records(sent as never, null);
    for (let from = 0; this.#codecs !== null && from < sent.length; ) {
      const kind = kindOf(sent[from]!);
      let end = from + 1;
      while (end < sent.length && kindOf(sent[end]!) === kind) end += 1;
      this.driver.records(sent.slice(from, end) as never, this.#codecs[kind]!);
      from = end;
    }
  }
}

/** 0: a partial row, 1: a record as it is. */
function kindOf({ record }: Sent): 0 | 1 {
  return "#pane" in (record as object) ? 0 : 1;
}

/** How soon combiners are judged, how long they are off then, and what they send meanwhile. */
type Judging = {
  readonly judgeAfter: number;
  readonly offFor: number;
  readonly paysFrom: number;
  readonly sendsRecords: boolean;
};

const judgings: fc.Arbitrary<Judging> = fc.record({
  judgeAfter: fc.oneof(fc.constant(1_000), fc.integer({ min: 1, max: 3 })),
  offFor: fc.integer({ min: 1, max: 20 }),
  paysFrom: fc.constantFrom(1, 1.2, 2, 32),
  sendsRecords: fc.boolean(),
});

function check(sizes: PaneSizes, random: StreamCase, judging: Judging): void {
  const testCase: StreamCase = { ...random, lateOutput: false, wanted: "unordered" };
  const pipeline = new Pipeline(sizes, testCase, judging);
  const { driver } = pipeline;
  const model = new PaneModel(sizes, testCase);
  let watermark = -Infinity;
  for (const step of [...testCase.steps, { watermark: Infinity }, { watermark: Infinity }]) {
    driver.emitted.length = 0;
    if ("rows" in step) {
      const expected = step.rows.flatMap((row) => model.add(row));
      for (const row of step.rows) pipeline.add(row);
      assert.deepEqual(byKey(emitted(driver, {})), byKey(expected));
    } else if ("watermark" in step) {
      watermark = Math.max(watermark, step.watermark);
      const expected = model.watermark(pipeline.watermark(watermark));
      assert.deepEqual(byEnd(emitted(driver, {})), byEnd(expected));
    } else {
      pipeline.restart(step.restart);
    }
  }
  assert.equal(driver.counters.get("numLateRecordsDropped") ?? 0, model.late.length);
  assert.equal(pipeline.close(), 0);
}

const numberField = (name: string): StructField => ({ name, type: { kind: "f64" }, optional: false });
const NUMBER_KEY = { field: "key", of: null, type: { kind: "f64" } } as const;

describe("pre-aggregation", () => {
  test("changes neither results nor what is late, over random streams, watermarks that lag, full outputs and snapshots", () => {
    fc.assert(fc.property(paneSizes, streamCases, judgings, check), { numRuns: 300 });
  });

  const numbers = { window: tumbling("1s"), lateOutput: false, keyName: "key", fields: fieldTypes(null) };

  type Limits = { readonly limitBytes?: number; readonly managedBytes?: number };

  function combine(keys: number, records: number, limits: Limits): { sent: Sent[]; perRecord: number } {
    const set = aggregateSet({ n: count(), mean: mean("value") }, ["key"]);
    const combiner = new Combiner({ ...numbers, set, key: NUMBER_KEY, ...limits }, () => 1_000);
    let most = 0;
    for (let i = 0; i < records; i += 1) {
      const before = combiner.sent.length;
      combiner.operator.onRecord({ key: (i * 7_919) % keys, value: i }, 5);
      most = Math.max(most, combiner.sent.length - before);
    }
    combiner.watermark(Infinity);
    return { sent: combiner.sent, perRecord: most };
  }

  test("sends one row per key and pane, and nothing before a window ends", () => {
    const { sent, perRecord } = combine(100, 10_000, { limitBytes: 2 ** 20 });
    assert.equal(sent.length, 100);
    assert.equal(perRecord, 0);
  });

  for (const [whose, limits] of [
    ["its memory", { limitBytes: 2 ** 17 }],
    ["managed memory", { managedBytes: 2 ** 18 }],
  ] as const) {
    test(`keeps to ${whose}: rows make room for others, none is lost`, () => {
      const { sent, perRecord } = combine(5_000, 30_000, limits);
      const total = sent.reduce((sum, { record }) => sum + (record as Record<string, number>)["#0"]!, 0);
      assert.equal(total, 30_000);
      assert.ok(sent.length > 5_000);
      assert.ok(perRecord <= 1_024, `${perRecord} rows at once`);
    });
  }

  test("lets nothing wait longer than the buffer time-out, and nothing at all once the input is idle", () => {
    const set = aggregateSet({ n: count() }, ["key"]);
    const combiner = new Combiner({ ...numbers, set, key: NUMBER_KEY, flushAfterMs: 100 }, () => 1);
    combiner.time(1_000);
    for (let key = 0; key < 5; key += 1) combiner.add({ key, ts: 5 } as never);
    combiner.time(1_010);
    for (let key = 0; key < 5; key += 1) combiner.add({ key, ts: 5 } as never);
    combiner.time(1_109);
    assert.equal(combiner.sent.length, 0);
    combiner.time(1_110);
    assert.equal(combiner.sent.length, 5);
    assert.equal(combiner.operator.nextProcessingTimeMs(), Infinity);
    combiner.add({ key: 1, ts: 5 } as never);
    combiner.idle();
    assert.equal(combiner.sent.length, 6);
    assert.equal(combiner.close(), 0);
  });

  for (const [how, emptied] of [
    ["it was sent", (combiner: Combiner) => combiner.time(1_100)],
    ["a watermark has taken all", (combiner: Combiner) => combiner.watermark(1_000)],
  ] as const) {
    test(`the buffer time-out starts anew with what comes after ${how}, though nobody has asked in between`, () => {
      const set = aggregateSet({ n: count() }, ["key"]);
      const combiner = new Combiner({ ...numbers, set, key: NUMBER_KEY, flushAfterMs: 100 }, () => 1_000);
      combiner.time(1_000);
      combiner.add({ key: 1, ts: 5 } as never);
      combiner.time(1_000);
      emptied(combiner);
      assert.equal(combiner.sent.length, 1);
      for (const ts of [1_100, 1_101]) {
        combiner.add({ key: 1, ts } as never);
        combiner.time(ts);
      }
      assert.equal(combiner.sent.length, 1);
      combiner.time(1_200);
      assert.equal(combiner.sent.length, 2);
    });
  }

  for (const isSent of [false, true])
    test(`B5: no record overtakes what is held of its group when it is switched off, ${isSent ? "and is sent as it is" : "as a row of its own"}`, () => {
      const fields = fieldTypes({ kind: "struct", fields: [{ name: "v", type: { kind: "f64" }, optional: false }] });
      const set = aggregateSet({ last: last("v") }, ["key"]);
      const combiner = new Combiner(
        { ...numbers, fields, set, key: NUMBER_KEY, limitBytes: 2 ** 17, judgeAfter: 256, sendsRecords: isSent },
        () => 1_000,
      );
      // Where records can go as they are, it is used once it seems to pay.
      do {
        combiner.sent.length = 0;
        combiner.add({ key: 0, v: -1, ts: 5 } as never);
      } while (combiner.sent.length > 0);
      let keys = 0;
      for (; combiner.sent.length === 0; keys += 1) combiner.add({ key: keys, v: keys, ts: 5 } as never);
      const held = keys - combiner.sent.length;
      assert.ok(held > 100, `it holds ${held} groups when it is switched off`);
      // Those that it holds longest come first.
      for (let key = keys - 1; key >= 0; key -= 1) combiner.add({ key, v: keys + key, ts: 5 } as never);
      combiner.watermark(Infinity);
      assert.equal(combiner.sent.length, 2 * keys, "it was switched off");
      assert.equal(
        combiner.sent.some(({ record }) => !("#pane" in (record as object))),
        isSent,
      );
      const operator = new OperatorDriver(
        {
          make: () => {
            return new PaneWindowOperator({
              ...numbers,
              fields,
              set,
              key: NUMBER_KEY,
              allowedLatenessMs: 0,
              partials: true,
            });
          },
          keyType: { kind: "f64" },
          keyOf: (record) => (record as { key: number }).key,
          overrun: 1,
          room: () => 1_000,
          limitBytes: 2 ** 24,
        },
        1,
      );
      operator.records(combiner.sent as never, null);
      operator.watermark(Infinity);
      assert.equal(operator.emitted.length, keys);
      for (const { row } of operator.emitted) assert.equal(row.last, keys + (row.key as number));
    });

  describe("is used where it pays", () => {
    /** What it sends of windows in which each of `keys` has `each` records. */
    function sentOf(aggregates: Parameters<typeof aggregateSet>[0], { keys, each }: { keys: number; each: number }) {
      const options = { ...numbers, fields: fieldTypes(ROW.spec), key: NUMBER_KEY, sendsRecords: true, offFor: 10_000 };
      const combiner = new Combiner({ ...options, set: aggregateSet(aggregates, ["key"]) }, () => 1_000);
      for (let window = 0; window < 30_000 / (keys * each); window += 1) {
        for (let i = 0; i < keys * each; i += 1) {
          combiner.add({ key: (i * 7_919) % keys, value: i % 97, ts: window * 1_000 } as never);
        }
        combiner.watermark(window * 1_000 + 999);
      }
      const partial = combiner.sent.filter(({ record }) => "#pane" in (record as object)).length;
      return { records: combiner.sent.length - partial, partial };
    }

    for (const [name, aggregates] of [
      ["quantiles", { q: quantile("value", 0.9) }],
      ["distinct counts", { d: distinctCount("value") }],
      ["sums", { total: sum("value") }],
    ] as const) {
      test(`${name}: records go as they are where a row would stand for few of them`, () => {
        const { records, partial } = sentOf(aggregates, { keys: 1_500, each: 3 });
        assert.deepEqual([records, partial], [31_500, 0]);
      });

      test(`${name}: rows go where each stands for many records, as soon as that is known`, () => {
        const { records, partial } = sentOf(aggregates, { keys: 50, each: 200 });
        assert.ok(records > 0 && records < 10_000, `${records} records`);
        assert.equal(partial, 150);
      });
    }
  });

  test("the more often in a row it does not pay, the longer it is off; once it pays, that begins anew", () => {
    const set = aggregateSet({ total: sum("value") }, ["key"]);
    const options = { ...numbers, fields: fieldTypes(ROW.spec), key: NUMBER_KEY, set, sendsRecords: true };
    const combiner = new Combiner({ ...options, judgeAfter: 10, offFor: 100 }, () => 1_000);
    let now = 0;
    /** A window of ten keys; how many of its records went as they are. */
    const windowOf = (each: number): number => {
      now += 1_000;
      combiner.sent.length = 0;
      for (let i = 0; i < 10 * each; i += 1) combiner.add({ key: i % 10, value: i, ts: now } as never);
      combiner.watermark(now + 999);
      return combiner.sent.filter((sent) => kindOf(sent) === 1).length;
    };
    /** Adds windows that do not pay until it is switched off; for how many records it still is then. */
    const offFor = (): number => {
      for (;;) {
        const before = combiner.operator.passing;
        windowOf(1);
        if (combiner.operator.passing > before) return combiner.operator.passing;
      }
    };
    assert.deepEqual(Array.from({ length: 7 }, offFor), [100, 200, 400, 800, 1_600, 1_600, 1_600]);
    while (windowOf(40) > 0);
    // The first of the records that it is off for goes as a row, and finds that nothing is held; nine others have gone.
    assert.deepEqual([offFor(), offFor()], [90, 200]);
  });

  test("without windows it gives one row per key at the end, which batch aggregates take for records", () => {
    const set = aggregateSet({ n: count(), total: sum("v") }, ["key"]);
    const options = { ...numbers, set, key: NUMBER_KEY };
    const combiners = [0, 1].map(() => new Combiner({ ...options, window: null }, () => 2));
    for (let i = 0; i < 1_000; i += 1) combiners[i % 2]?.add({ key: i % 30, v: i, ts: Number.NaN } as never);
    for (const combiner of combiners) {
      combiner.watermark(1_000);
      assert.equal(combiner.sent.length, 0);
      combiner.watermark(Infinity);
      assert.equal(combiner.sent.length, 15);
    }
    const operator = new OperatorDriver(
      {
        make: () => new AggregateOperator({ ...options, mode: "batch", partials: true }),
        keyType: { kind: "f64" },
        keyOf: (record) => (record as { key: number }).key,
        overrun: 0,
        room: () => 3,
      },
      2,
    );
    for (const combiner of combiners) operator.records(combiner.sent as never, null);
    operator.watermark(Infinity);
    const rows = operator.emitted.map(({ row }) => row).sort((a, b) => Number(a.key) - Number(b.key));
    const expected = Array.from({ length: 30 }, (_, key) => {
      const values = Array.from({ length: 1_000 }, (__, i) => i).filter((i) => i % 30 === key);
      return { key, n: values.length, total: values.reduce((total, value) => total + value, 0) };
    });
    assert.deepEqual(rows, expected);
  });

  test("refuses what the exchange would refuse, at that record", () => {
    const set = aggregateSet({ n: count() }, ["key"]);
    const check = (record: unknown) => {
      if ((record as { key: number }).key === 3) throw new Error("refused");
    };
    const combiner = new Combiner({ ...numbers, set, key: NUMBER_KEY, check }, () => 1);
    combiner.add({ key: 2, ts: 5 } as never);
    assert.throws(() => combiner.add({ key: 3, ts: 5 } as never), /refused/);
  });

  test("is switched off while it does not reduce", () => {
    const { sent } = combine(1_000_000, 100_000, { limitBytes: 2 ** 18 });
    assert.equal(sent.length, 100_000);
    // From some record on every record goes out at once, which the last ones show: their rows are of one record each,
    // in order.
    const last = sent.at(-1_000 - 20_000)?.record as Record<string, number>;
    assert.equal(last["#0"], 1);
  });

  test("sends records only where none can be taken for a partial row", () => {
    const set = aggregateSet({ total: sum("v") }, ["key"]);
    const recordsOf = (...more: StructField[]) => {
      const type = { kind: "struct", fields: [...["key", "v", "w"].map(numberField), ...more] } as const;
      return sendsRecords({ ...numbers, set }, { keyField: "key", type, needed: ["key", "v"] });
    };
    assert.deepEqual(
      recordsOf()?.map(({ name }) => name),
      ["key", "v"],
    );
    assert.equal(recordsOf(numberField("#pane")), null, "by reference it comes along");
  });

  test("is for windows of panes and accumulators that are small", () => {
    const fits = (aggregates: object, window = numbers.window as Parameters<typeof canCombine>[0]["window"]) =>
      canCombine({ ...numbers, window, set: aggregateSet(aggregates as never, ["key"]) });
    const typed = {
      ...numbers,
      fields: fieldTypes({ kind: "struct", fields: [{ name: "v", type: { kind: "f64" }, optional: false }] }),
    };
    assert.ok(fits({ n: count(), q: quantile("v", 0.5) }));
    assert.ok(canCombine({ ...typed, set: aggregateSet({ last: last("v"), low: minBy("v", "v") }, ["key"]) }));
    assert.ok(!fits({ n: count() }, session("1s")));
    assert.ok(!fits({ list: collect("v") }));
    assert.ok(!fits({ record: first() }));
    assert.ok(!fits({ last: last("v") }), "of an undeclared type: perhaps no number");
    assert.ok(!canCombine({ ...numbers, lateOutput: true, set: aggregateSet({ n: count() }, ["key"]) }));
  });
});

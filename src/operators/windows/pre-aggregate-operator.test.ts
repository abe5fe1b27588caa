import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { OperatorDriver } from "../../../test/operators/operator-driver.ts";
import { PaneModel, type PaneSizes, paneSizes, windowOf } from "../../../test/operators/pane-model.ts";
import {
  byEnd,
  byKey,
  commonOptions,
  emitted,
  type Row,
  type StreamCase,
  streamCases,
} from "../../../test/operators/window-streams.ts";
import { compileBatchCodec } from "../../types/batch-codec.ts";
import { ByteCursor, ByteSink } from "../../types/byte-buffer.ts";
import type { BatchCodec } from "../../types/codec.ts";
import { aggregateSet, collect, count, first, last, mean, minBy, quantile } from "../aggregates/aggregate.ts";
import { fieldTypes } from "../expressions/field-types.ts";
import type { OperatorContext } from "../operator.ts";
import { PaneWindowOperator } from "./pane-window-operator.ts";
import { canCombine, combinedType, PreAggregateOperator, type PreAggregateOptions } from "./pre-aggregate-operator.ts";
import { session, tumbling } from "./window-spec.ts";

type Sent = { readonly record: unknown; readonly timestampMs: number };

/** A combiner with an output that is full at random. */
class Combiner {
  readonly operator: PreAggregateOperator;
  readonly sent: Sent[] = [];
  #left = 1;

  constructor(options: PreAggregateOptions, room: () => number) {
    this.operator = new PreAggregateOperator(options);
    const offer = (record: unknown, timestampMs: number) => {
      this.sent.push({ record, timestampMs });
      this.#left -= 1;
      return this.#left > 0;
    };
    const context = { uid: "combine", subtaskIndex: 0, output: { offer }, full: () => this.#left <= 0 };
    this.operator.open(context as unknown as OperatorContext);
    this.#room = room;
  }

  readonly #room: () => number;

  add(row: Row): void {
    this.#left = this.#room();
    this.operator.onRecord(row, row.ts);
  }

  watermark(watermark: number): void {
    do this.#left = Math.max(1, this.#room());
    while (!this.operator.onWatermark(watermark));
  }

  snapshot(): Buffer {
    const out = new ByteSink();
    const before = this.sent.length;
    this.operator.snapshot(out);
    assert.equal(this.sent.length, before, "a snapshot sends nothing");
    return out.copy();
  }
}

/** Two combiners before a window operator; the second one's watermarks lag behind. */
class Pipeline {
  readonly driver: OperatorDriver;
  #combiners: Combiner[];
  #watermarks = [-Infinity, -Infinity];
  readonly #options: PreAggregateOptions;
  readonly #codec: BatchCodec | null;
  readonly #room: () => number;

  constructor(sizes: PaneSizes, testCase: StreamCase) {
    const { rooms } = testCase;
    let turn = 0;
    this.#room = () => rooms[turn++ % rooms.length] as number;
    const common = commonOptions(testCase);
    const window = windowOf(sizes);
    this.#options = { window, ...common, limitBytes: 2 ** 17 };
    const type = combinedType(common.set, common.fields, "key", { kind: "string" });
    this.#codec = testCase.columns ? compileBatchCodec(type, { timestamps: true, extraFields: "refuse" }) : null;
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
    (this.#combiners[row.id % 2] as Combiner).add(row);
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

  /** Everything goes on from snapshots; each combiner's goes to the other. */
  restart(parallelism: number): void {
    const snapshots = this.#combiners.map((combiner) => combiner.snapshot());
    this.#combiners = [this.#combiner(), this.#combiner()];
    snapshots.forEach((snapshot, index) => {
      this.#combiners[1 - index]?.operator.restore(new ByteCursor(snapshot));
    });
    this.driver.restart(parallelism);
  }

  #combiner(): Combiner {
    return new Combiner(this.#options, this.#room);
  }

  #deliver(): void {
    for (const combiner of this.#combiners) this.driver.records(combiner.sent.splice(0) as never, this.#codec);
  }
}

function check(sizes: PaneSizes, random: StreamCase): void {
  const testCase: StreamCase = { ...random, lateOutput: false, wanted: "unordered" };
  const pipeline = new Pipeline(sizes, testCase);
  const { driver } = pipeline;
  const model = new PaneModel(sizes, testCase);
  let watermark = -Infinity;
  for (const step of [...testCase.steps, { watermark: Infinity }, { watermark: Infinity }]) {
    driver.emitted.length = 0;
    if ("rows" in step) {
      const expected = step.rows.flatMap((row) => model.add(row));
      for (const row of step.rows) pipeline.add(row);
      assert.deepEqual(byKey(emitted(driver)), byKey(expected));
    } else if ("watermark" in step) {
      watermark = Math.max(watermark, step.watermark);
      const expected = model.watermark(pipeline.watermark(watermark));
      assert.deepEqual(byEnd(emitted(driver)), byEnd(expected));
    } else {
      pipeline.restart(step.restart);
    }
  }
  assert.equal(driver.counters.get("numLateRecordsDropped") ?? 0, model.late.length);
  assert.equal(driver.close(), 0);
}

describe("pre-aggregation", () => {
  test("changes neither results nor what is late, over random streams, watermarks that lag, full outputs and snapshots", () => {
    fc.assert(fc.property(paneSizes, streamCases, check), { numRuns: 200 });
  });

  const numbers = { window: tumbling("1s"), lateOutput: false, keyName: "key", fields: fieldTypes(null) };

  function combine(keys: number, records: number, limitBytes: number): { sent: Sent[]; perRecord: number } {
    const set = aggregateSet({ n: count(), mean: mean("value") }, ["key"]);
    const options = { ...numbers, set, key: { field: "key", of: null, type: { kind: "f64" } } as const, limitBytes };
    const combiner = new Combiner(options, () => 1_000);
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
    const { sent, perRecord } = combine(100, 10_000, 2 ** 20);
    assert.equal(sent.length, 100);
    assert.equal(perRecord, 0);
  });

  test("keeps to its memory: rows make room for others, none is lost", () => {
    const { sent, perRecord } = combine(5_000, 30_000, 2 ** 17);
    const total = sent.reduce((sum, { record }) => sum + (record as Record<string, number>)["#0"]!, 0);
    assert.equal(total, 30_000);
    assert.ok(sent.length > 5_000);
    assert.ok(perRecord <= 1_024, `${perRecord} rows at once`);
  });

  test("goes on from the snapshots of several combiners in one", () => {
    const set = aggregateSet({ n: count(), mean: mean("value") }, ["key"]);
    const options = { ...numbers, set, key: { field: "key", of: null, type: { kind: "f64" } } as const };
    const combiners = [0, 1, 2].map(() => new Combiner(options, () => 2));
    for (let i = 0; i < 600; i += 1) combiners[i % 2]?.operator.onRecord({ key: i % 10, value: 1 }, 5);
    for (const combiner of combiners.slice(0, 2)) combiners[2]?.operator.restore(new ByteCursor(combiner.snapshot()));
    combiners[2]?.operator.onRecord({ key: 0, value: 1 }, 5);
    combiners[2]?.watermark(Infinity);
    const rows = combiners[2]?.sent.map(({ record }) => record as Record<string, number>) ?? [];
    assert.equal(
      rows.reduce((sum, row) => sum + row["#0"]!, 0),
      601,
    );
    assert.equal(new Set(rows.map((row) => row.key)).size, 10);
  });

  test("is switched off while it does not reduce", () => {
    const { sent } = combine(1_000_000, 100_000, 2 ** 18);
    assert.equal(sent.length, 100_000);
    // From some record on every record goes out at once, which the last ones show: their rows are of one record each,
    // in order.
    const last = sent.at(-1_000 - 20_000)?.record as Record<string, number>;
    assert.equal(last["#0"], 1);
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

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { heapView } from "../../base/memory-view.ts";
import { compileBatchCodec } from "../../types/batch/batch-codec.ts";
import { ByteCursor, ByteSink } from "../../types/bytes/byte-buffer.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { t } from "../../types/t.ts";
import { col } from "../expressions/expr.ts";
import { fieldTypes } from "../expressions/field-types.ts";
import type { RecordBatch } from "../operator.ts";
import * as of from "./aggregate.ts";
import { type AggregateLayout, aggregateLayout } from "./aggregate-layout.ts";
import { AggregateObjects } from "./aggregate-objects.ts";
import { type AggregateProgram, compileAggregates } from "./aggregate-program.ts";
import { AggregateStage } from "./aggregate-stage.ts";

type Row = { x: number | null; y: number; w: number; s: string | null; time: number };

const ROW = t.struct({ x: t.f64.nullable(), y: t.f64, w: t.f64, s: t.string.nullable(), time: t.f64 });

const custom = of.aggregate({
  create: () => ({ total: 0, names: [] as string[] }),
  add(acc, r: Row) {
    acc.total += Math.round(r.y);
    acc.names.push(String(r.s));
    return acc;
  },
  merge(left, right) {
    if (right.total === 0 && right.names.length === 0) return left;
    if (left.names.length === 0) return right; // Allowed: the engine hands out a copy.
    left.total += right.total;
    for (const name of right.names) left.names.push(name);
    return left;
  },
  result: (acc) => `${acc.total} ${acc.names.toSorted().join()}`,
});

const AGGREGATES = {
  n: of.count(),
  present: of.count("x"),
  sum: of.sum("x"),
  sumY: of.sum("y"),
  sumExpr: of.sum(col("x").mul(2)),
  min: of.min("x"),
  max: of.max("y"),
  mean: of.mean("x"),
  weighted: of.weightedMean("x", "w"),
  variance: of.variance("y"),
  stddev: of.stddev("x"),
  first: of.first("y"),
  last: of.last("x"),
  firstText: of.first("s"),
  lastRecord: of.last(),
  minBy: of.minBy("x"),
  minByPick: of.minBy("y", "w"),
  maxByPick: of.maxBy("x", "s"),
  list: of.collect("s"),
  three: of.collect("y", { limit: 3 }),
  quantiles: of.quantile("y", [0, 0.5, 1]),
  median: of.quantile("x", 0.5),
  distinct: of.distinctCount("s"),
  custom,
};

/** Everything a group needs, over a memory of a few rows. */
class Groups {
  readonly memory: Float64Array;
  readonly layout: AggregateLayout;
  readonly stage: AggregateStage;
  readonly objects: AggregateObjects;
  readonly program: AggregateProgram;

  constructor(
    type: TypeSpec | null,
    rows: number,
    limitBytes = Number.POSITIVE_INFINITY,
    wanted: of.Aggregates<never> = AGGREGATES,
  ) {
    const set = of.aggregateSet(wanted, ["key"]);
    const fields = fieldTypes(type);
    this.layout = aggregateLayout(set, fields, true);
    const budget = { limitBytes, configKey: "the.key", usedBytes: 0 };
    this.objects = new AggregateObjects(this.layout.heaps, { operator: "op", state: "groups" }, budget);
    this.stage = new AggregateStage({
      operator: "op",
      label: "op 0",
      key: null,
      layout: this.layout,
      fields,
      capacity: 64,
    });
    const { layout, stage, objects } = this;
    this.program = compileAggregates({
      label: "test",
      layout,
      stage,
      objects,
      keyName: "key",
      keyParts: null,
      bounds: false,
    });
    this.memory = new Float64Array(rows * layout.words);
    this.memory.fill(-1);
    this.reset();
  }

  /** Empties all rows. */
  reset(): void {
    const { words, slotWord, empty } = this.layout;
    for (let row = 0; row < this.memory.length; row += words) {
      const slot = this.memory[row + slotWord] as number;
      if (slot >= 0) this.objects.close(slot);
      this.memory.set(empty, row);
    }
  }

  add(batch: RecordBatch, row: number): void {
    for (let from = 0; from < batch.count; from += this.stage.capacity) {
      const count = Math.min(this.stage.capacity, batch.count - from);
      this.stage.stage(batch, from, 0, count);
      const rows = new Int32Array(count).fill(row * this.layout.words);
      this.program.accumulate(this.memory, rows, 0, 0, count);
      this.stage.clear();
    }
  }

  merge(into: number, from: number): void {
    const { words } = this.layout;
    this.program.merge(this.memory, into * words, this.memory, from * words);
  }

  /** The row as a snapshot would carry it. */
  copy(row: number): void {
    const { slotWord, words } = this.layout;
    const slot = this.memory[row * words + slotWord] as number;
    if (slot < 0) return;
    const out = new ByteSink();
    this.objects.write(slot, out);
    this.objects.close(slot);
    this.memory[row * words + slotWord] = this.objects.read(new ByteCursor(out.copy()));
  }

  result(row: number): Record<string, unknown> {
    const result = this.program.result(this.memory, row * this.layout.words, "K", 0, 0);
    return result as Record<string, unknown>;
  }
}

function rowBatch(rows: readonly Row[]): RecordBatch {
  return { count: rows.length, rows, timestamps: Float64Array.from(rows, (row) => row.time), reader: null };
}

function columnBatch(rows: readonly Row[]): RecordBatch {
  const codec = compileBatchCodec(ROW.spec, { timestamps: true, extraFields: "refuse" });
  const writer = codec.createWriter();
  for (const row of rows) assert.ok(writer.append(row, row.time));
  const view = heapView(writer.encodedSize());
  const size = writer.encode(view, 0);
  const reader = codec.createReader();
  reader.open(view, 0, size);
  return { count: rows.length, rows: null, timestamps: null, reader };
}

const SCALE = 2n ** 200n;

/** Exact value of a double of moderate size, times SCALE. */
function exact(value: number): bigint {
  return (BigInt(Math.round(value * 2 ** 60)) * SCALE) / 2n ** 60n;
}

function ratio(numerator: bigint, denominator: bigint): number {
  return Number((numerator * 2n ** 300n) / denominator) / 2 ** 300;
}

const total = (values: readonly number[]) => values.reduce((sum, value) => sum + exact(value), 0n);

function modelVariance(values: readonly number[]): number | null {
  const n = BigInt(values.length);
  if (n < 2n) return null;
  const squares = values.reduce((sum, value) => sum + exact(value) ** 2n, 0n);
  return ratio(n * squares - total(values) ** 2n, n * (n - 1n) * SCALE ** 2n);
}

/** Stable, so that equal times keep the order of arrival. */
const byTime = (rows: readonly Row[]) => rows.toSorted((left, right) => left.time - right.time);

function best(rows: readonly Row[], of: (row: Row) => number | null, sign: number): Row | undefined {
  const candidates = byTime(rows).filter((row) => of(row) !== null);
  return candidates.toSorted((left, right) => sign * ((of(left) ?? 0) - (of(right) ?? 0)))[0];
}

function model(rows: readonly Row[]): Record<string, unknown> {
  const xs = rows.flatMap((row) => (row.x === null ? [] : [row.x]));
  const ys = rows.map((row) => row.y);
  const sorted = (values: readonly number[]) => values.toSorted((left, right) => left - right);
  const timed = byTime(rows);
  const weighted = rows.filter((row) => row.x !== null);
  const weights = total(weighted.map((row) => row.w));
  const variance = modelVariance(xs);
  const texts = timed.flatMap((row) => (row.s === null ? [] : [row.s]));
  return {
    key: "K",
    n: rows.length,
    present: xs.length,
    sum: xs.length === 0 ? null : ratio(total(xs), SCALE),
    sumY: ratio(total(ys), SCALE),
    sumExpr: xs.length === 0 ? null : 2 * ratio(total(xs), SCALE),
    min: sorted(xs)[0] ?? null,
    max: sorted(ys).at(-1),
    mean: xs.length === 0 ? null : ratio(total(xs), SCALE) / xs.length,
    weighted: weights === 0n ? null : ratio(total(weighted.map((row) => (row.x ?? 0) * row.w)), weights),
    variance: modelVariance(ys),
    stddev: variance === null ? null : Math.sqrt(variance),
    first: timed[0]?.y,
    last: timed.findLast((row) => row.x !== null)?.x ?? null,
    firstText: texts[0] ?? null,
    lastRecord: timed.at(-1),
    minBy: best(rows, (row) => row.x, 1) ?? null,
    minByPick: best(rows, (row) => row.y, 1)?.w,
    maxByPick: best(rows, (row) => row.x, -1)?.s ?? null,
    list: texts,
    three: timed.slice(0, 3).map((row) => row.y),
    quantiles: rows.length === 0 ? null : [0, 0.5, 1].map((q) => sorted(ys)[Math.floor(q * (ys.length - 1))]),
    median: sorted(xs)[Math.floor(0.5 * (xs.length - 1))] ?? null,
    distinct: new Set(texts).size,
    custom: `${rows.reduce((sum, row) => sum + Math.round(row.y), 0)} ${rows
      .map((row) => String(row.s))
      .toSorted()
      .join()}`,
  };
}

const APPROXIMATE: Record<string, number> = {
  mean: 1e-15,
  weighted: 1e-13,
  variance: 1e-12,
  stddev: 1e-12,
  quantiles: 0.01,
  median: 0.01,
};

function assertResult(actual: Record<string, unknown>, rows: readonly Row[]): void {
  const expected = model(rows);
  const names = Object.keys(expected).filter((name) => name in actual);
  assert.deepEqual(Object.keys(actual), names);
  for (const name of names) {
    const value = expected[name];
    const tolerance = APPROXIMATE[name];
    if (tolerance === undefined || value === null) assert.deepEqual(actual[name], value, name);
    else if (name === "variance" || name === "stddev") assertSpread(actual[name], value as number, rows, name);
    else assertNear([actual[name]].flat() as number[], [value as number].flat() as number[], tolerance, name);
  }
}

/** Deviations are from a mean that is rounded: where values are much larger than those, that is what can be seen. */
function assertSpread(actual: unknown, expected: number, rows: readonly Row[], name: "variance" | "stddev"): void {
  const deviation = name === "variance" ? Math.sqrt : (value: number): number => value;
  const greatest = Math.max(...rows.flatMap(({ x, y }) => [Math.abs(x ?? 0), Math.abs(y)]));
  const distance = Math.abs(deviation(actual as number) - deviation(expected));
  const allowed = APPROXIMATE[name]! * deviation(expected) + greatest * 2 ** -52;
  assert.ok(distance <= allowed, `${name}: ${actual} for ${expected}`);
}

function assertNear(actual: readonly number[], expected: readonly number[], tolerance: number, name: string): void {
  expected.forEach((value, i) => {
    const distance = Math.abs((actual[i] as number) - value);
    assert.ok(distance <= tolerance * Math.abs(value) + 1e-20, `${name}: ${actual[i]} for ${value}`);
  });
}

const number = fc.oneof(
  fc.integer({ min: -5, max: 5 }),
  fc.integer({ min: -1e9, max: 1e9 }).map((value) => value / 1024),
  fc.double({ min: 0.5, max: 1e4, noNaN: true }).map((value) => Math.round(value * 2 ** 40) / 2 ** 40),
);
const row: fc.Arbitrary<Row> = fc.record(
  {
    x: fc.option(number),
    y: number,
    w: fc.integer({ min: 0, max: 4 }),
    s: fc.option(fc.constantFrom("a", "b", "", "ünïcode", "a text that is longer than a short one")),
    time: fc.integer({ min: 0, max: 6 }),
  },
  { noNullPrototype: true },
);

describe("aggregates", () => {
  // The others need records, and so do not read columns.
  const { lastRecord, minBy, custom: _, ...ofFields } = AGGREGATES;
  const typed = new Groups(ROW.spec, 8);
  const untyped = new Groups(null, 8);

  for (const [kind, make, groups] of [
    ["declared records, as rows", rowBatch, typed],
    ["declared records in columns", columnBatch, typed],
    ["declared records as columns", columnBatch, new Groups(ROW.spec, 8, Number.POSITIVE_INFINITY, ofFields)],
    ["undeclared records", rowBatch, untyped],
  ] as const) {
    test(`agree with a naive computation over ${kind}, whatever the parts in which they are merged`, () => {
      fc.assert(
        fc.property(fc.array(fc.array(row, { maxLength: 9 }), { maxLength: 6 }), fc.boolean(), (parts, copies) => {
          const rows = parts.flat();
          if (rows.length === 0) return;
          groups.reset();
          parts.forEach((part, i) => {
            groups.add(make(part), i + 1);
            if (copies) groups.copy(i + 1);
          });
          parts.forEach((_, i) => {
            groups.merge(0, i + 1);
          });
          assertResult(groups.result(0), rows);
          for (let i = 1; i <= parts.length; i += 1) {
            const part = parts[i - 1] as Row[];
            if (part.length > 0) assertResult(groups.result(i), part); // Merging has left them as they were.
          }
        }),
        { numRuns: 400 },
      );
    });
  }

  test("do not depend on the order in which parts are merged", () => {
    const ORDER_FREE = [
      "n",
      "present",
      "sum",
      "sumY",
      "min",
      "max",
      "mean",
      "variance",
      "stddev",
      "weighted",
      "quantiles",
      "distinct",
    ];
    fc.assert(
      fc.property(fc.array(fc.array(row, { minLength: 1, maxLength: 9 }), { minLength: 1, maxLength: 5 }), (parts) => {
        const results = [parts, parts.toReversed()].map((order) => {
          const groups = new Groups(ROW.spec, 7);
          order.forEach((part, i) => {
            groups.add(rowBatch(part), i + 1);
          });
          order.forEach((_, i) => {
            groups.merge(0, i + 1);
          });
          return ORDER_FREE.map((name) => groups.result(0)[name]);
        });
        assert.deepEqual(results[0], results[1]);
      }),
      { numRuns: 60 },
    );
  });

  test("sum without losing small numbers beside large ones", () => {
    const groups = new Groups(ROW.spec, 1);
    const rows = Array.from({ length: 3_000 }, (_, i) => [1e16, 0.5, -1e16][i % 3] as number);
    groups.add(rowBatch(rows.map((y) => ({ x: null, y, w: 0, s: null, time: 0 }))), 0);
    assert.equal(groups.result(0).sumY, 500);
  });

  test("have a variance that survives a mean far away from 0, and is 0 for equal values", () => {
    for (const [shift, deviation] of [
      [1e9, 1],
      [1.7e12, 0.5],
    ] as const) {
      const groups = new Groups(ROW.spec, 1);
      const values = Array.from({ length: 1_000 }, (_, i) => shift + deviation * ((i * 7) % 11));
      groups.add(rowBatch(values.map((y) => ({ x: null, y, w: 0, s: null, time: 0 }))), 0);
      const expected = modelVariance(values) as number;
      const tolerance = 1e-14 + (shift ** 2 / expected) * 2 ** -104;
      assertNear([groups.result(0).variance as number], [expected], tolerance, "variance");
    }
    const groups = new Groups(ROW.spec, 1);
    groups.add(rowBatch(Array.from({ length: 9_999 }, () => ({ x: 0.1, y: 1 / 3, w: 0, s: null, time: 0 }))), 0);
    assert.equal(groups.result(0).variance, 0);
    assert.equal(groups.result(0).stddev, 0);
  });

  test("skip NaN where there is an order, and pass it on in sums; infinities are numbers", () => {
    const groups = new Groups(ROW.spec, 2);
    const rows = [Number.NaN, 3, -1].map((x) => ({ x, y: x, w: 1, s: null, time: 0 }));
    groups.add(rowBatch(rows), 0);
    const { min, max, median, minByPick, sum, mean, variance } = groups.result(0);
    assert.deepEqual({ min, max, median, minByPick }, { min: -1, max: 3, median: -1, minByPick: 1 });
    assert.deepEqual({ sum, mean, variance }, { sum: Number.NaN, mean: Number.NaN, variance: Number.NaN });
    groups.add(rowBatch([1, Number.POSITIVE_INFINITY].map((y) => ({ x: null, y, w: 1, s: null, time: 0 }))), 1);
    assert.equal(groups.result(1).sumY, Number.POSITIVE_INFINITY);
    assert.equal(groups.result(1).max, Number.POSITIVE_INFINITY);
  });

  test("without event times go by arrival", () => {
    const groups = new Groups(ROW.spec, 1);
    const rows = [1, 2, 3].map((y) => ({ x: y, y, w: 0, s: `${y}`, time: 0 }));
    groups.add({ count: 3, rows, timestamps: null, reader: null }, 0);
    const { first, last, firstText, list } = groups.result(0);
    assert.deepEqual({ first, last, firstText, list }, { first: 1, last: 3, firstText: "1", list: ["1", "2", "3"] });
  });

  test("refuse to compute with what is no number, by type when declared, else by value", () => {
    const set = of.aggregateSet({ total: of.sum("s") }, []);
    assert.throws(() => aggregateLayout(set, fieldTypes(ROW.spec), false), { code: "AGGREGATE_INPUT" });
    const gone = of.aggregateSet({ total: of.sum("gone") }, []);
    assert.throws(() => aggregateLayout(gone, fieldTypes(ROW.spec), false), { code: "FIELD_UNKNOWN" });
    const groups = new Groups(null, 1);
    const rows = [{ x: "12", y: 1, w: 1, s: "", time: 0 }];
    assert.throws(() => groups.add({ count: 1, rows, timestamps: null, reader: null }, 0), {
      code: "AGGREGATE_INPUT",
      message: /x in operator op is "12\\?"?/,
    });
  });

  test("refuse to count different objects, by value", () => {
    const groups = new Groups(null, 1);
    const rows = [{ x: 1, y: 1, w: 1, s: { id: 1 }, time: 0 }];
    assert.throws(() => groups.add({ count: 1, rows, timestamps: null, reader: null }, 0), {
      code: "AGGREGATE_INPUT",
      message: /^distinct = distinctCount\(s\) counts .* not an object$/,
    });
  });

  test("charge their objects to a budget and give everything back", () => {
    const groups = new Groups(ROW.spec, 1, 60_000);
    const rows = Array.from({ length: 50 }, (_, i) => ({
      x: i,
      y: i,
      w: 1,
      s: `text number ${i} of some length`,
      time: i,
    }));
    groups.add(rowBatch(rows), 0);
    assert.throws(() => groups.add(rowBatch(Array.from({ length: 20 }, () => rows).flat()), 0), {
      code: "STATE_BUDGET_EXCEEDED",
      message: /state "groups" of operator "op"/,
    });
    groups.objects.close(groups.memory[groups.layout.slotWord] as number);
    assert.equal(groups.objects.bytes, 0);
  });

  test("share what they have in common", () => {
    const names = { n: of.count(), a: of.mean("y"), b: of.sum("y"), c: of.stddev("y"), d: of.count("y") };
    const layout = aggregateLayout(of.aggregateSet(names, []), fieldTypes(ROW.spec), true);
    assert.equal(layout.words, 11); // count, sum (2), moments (8)
  });
});

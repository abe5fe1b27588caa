import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { valuesOf } from "../../../test/arbitraries/typed-values.ts";
import { OperatorDriver } from "../../../test/operators/operator-driver.ts";
import { specText } from "../../types/spec/spec-text.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { t } from "../../types/t.ts";
import { specMismatch } from "../../types/values/spec-mismatch.ts";
import { col } from "../expressions/expr.ts";
import { fieldTypes } from "../expressions/field-types.ts";
import { AggregateOperator } from "../running/aggregate-operator.ts";
import {
  type Aggregates,
  aggregate,
  aggregateSet,
  collect,
  count,
  distinctCount,
  first,
  last,
  max,
  maxBy,
  mean,
  min,
  minBy,
  quantile,
  stddev,
  sum,
  variance,
  weightedMean,
} from "./aggregate.ts";
import { aggregateLayout } from "./aggregate-layout.ts";
import { accumulatorType, resultType } from "./result-type.ts";

const Row = t.struct({
  key: t.string,
  x: t.f64,
  n: t.i32,
  f: t.f32,
  at: t.timestamp,
  perhaps: t.f64.nullable(),
  absent: t.f64.optional(),
  small: t.i32.nullable(),
  text: t.string,
  note: t.string.nullable(),
  flag: t.bool,
  day: t.date,
  side: t.enum("buy", "sell"),
  tags: t.list(t.string),
  inner: t.struct({ deep: t.f64, maybe: t.string.optional() }).nullable(),
});

const AGGREGATES = {
  count: count(),
  counted: count("note"),
  sum: sum("x"),
  sumPerhaps: sum("perhaps"),
  mean: mean("absent"),
  deep: sum("inner.deep"),
  least: min("x"),
  most: max("perhaps"),
  newest: max("at"),
  weighted: weightedMean("x", "perhaps"),
  variance: variance("n"),
  deviation: stddev("f"),
  firstX: first("x"),
  firstN: first("n"),
  lastPerhaps: last("perhaps"),
  lastText: last("text"),
  lastNote: last("note"),
  firstMaybe: first("inner.maybe"),
  firstDay: first("day"),
  lastSide: last("side"),
  lastTags: last("tags"),
  lastSmall: last(col("small").orElse(0.5)),
  lastOther: last(col("note").orElse("none")),
  isLarge: first(col("x").gt(col("perhaps"))),
  length: last(col("text").length()),
  record: first(),
  byX: minBy("x"),
  byNote: maxBy("note", "n"),
  noteByX: minBy("x", "note"),
  nByX: maxBy("x", "n"),
  texts: collect("text"),
  notes: collect("note", { limit: 2 }),
  records: collect({ limit: 2 }),
  middle: quantile("perhaps", 0.5),
  quartiles: quantile("x", [0.25, 0.75]),
  distinct: distinctCount("text"),
};

const set = aggregateSet(AGGREGATES as unknown as Aggregates<never>, ["key"]);

/** Null when it is not known. */
const typeOf = (record: TypeSpec | null, aggregates: object, keyType: TypeSpec | null = { kind: "string" }) => {
  const { specs } = aggregateSet(aggregates as Aggregates<never>, ["key"]);
  return resultType({ specs, record, keys: [["key", keyType]], bounds: false });
};

/** The rows of a batch, or what the records are refused for. */
function rowsOf(records: readonly unknown[], record: TypeSpec | null): readonly Record<string, unknown>[] {
  const driver = new OperatorDriver(
    {
      make: () => {
        const key = { field: "key", of: null, type: { kind: "string" } } as const;
        return new AggregateOperator({
          mode: "batch",
          key,
          keyName: "key",
          set,
          fields: fieldTypes(record),
          partials: false,
        });
      },
      keyType: { kind: "string" },
      keyOf: (each) => (each as { key: unknown }).key,
      overrun: 1_000,
      room: () => 1_000,
    },
    1,
  );
  driver.records(
    records.map((each, index) => ({ record: each, timestampMs: index % 3 })),
    null,
  );
  driver.watermark(Infinity);
  driver.close();
  return driver.emitted.map(({ row }) => row);
}

const records = fc.array(
  fc.tuple(valuesOf(Row.spec), fc.constantFrom("a", "b")).map(([row, key]) => ({ ...(row as object), key })),
  { minLength: 1, maxLength: 6 },
);

/** Has every field: of undeclared types the first record tells whether there is such a field. */
const COMPLETE = {
  ...{ key: "a", x: 1, n: 1, f: 1, at: 1, perhaps: null, absent: 1, small: null, text: "text", note: "note" },
  ...{ flag: true, day: new Date(0), side: "buy", tags: [], inner: { deep: 1, maybe: "maybe" } },
};

describe("types of results", () => {
  for (const [name, record] of [
    ["declared", Row.spec],
    ["undeclared", null],
  ] as const) {
    test(`R1: rows of records of ${name} type fit the type that the plan has for them`, () => {
      const known = set.specs.filter(({ name: of }) => typeOf(record, { [of]: AGGREGATES[of as never] }) !== null);
      assert.equal(known.length === set.specs.length, record !== null);
      const type = resultType({ specs: known, record, keys: [["key", { kind: "string" }]], bounds: false });
      assert.ok(type !== null);
      const check = (given: readonly unknown[]): void => {
        for (const row of rowsOf([COMPLETE, ...given], record)) assert.equal(specMismatch(type, row, "ignore"), null);
      };
      fc.assert(fc.property(records, check), { numRuns: 300 });
    });
  }

  test("say when a result can be null, and keep the types of the fields", () => {
    const text = (aggregates: object) => specText(typeOf(Row.spec, aggregates) as TypeSpec);
    assert.equal(text({ n: count(), s: sum("x"), m: min("x") }), "{ key: string, n: f64, s: f64, m: f64 | null }");
    assert.equal(text({ s: sum("perhaps"), l: last("n") }), "{ key: string, s: f64 | null, l: i32 }");
    assert.equal(text({ d: first("day"), t: collect("note") }), "{ key: string, d: date, t: list<string> }");
    assert.equal(
      text({ from: min("at"), to: max("at") }),
      "{ key: string, from: timestamp | null, to: timestamp | null }",
    );
    assert.equal(text({ l: last(col("small").orElse(0.5)) }), "{ key: string, l: f64 }");
  });

  test("are unknown when a field's is not declared, or an aggregate is the user's own", () => {
    const own = aggregate({ create: () => 0, add: (n) => n + 1, merge: (a, b) => a + b, result: (n) => n });
    assert.equal(typeOf(Row.spec, { own }), null);
    assert.equal(typeOf(Row.spec, { n: count() }, null), null);
    assert.equal(typeOf(null, { x: last("x") }), null);
    assert.equal(typeOf(null, { record: first() }), null);
    assert.equal(typeOf(null, { x: last(col("x").eq(col("y"))) }), null);
    assert.notEqual(typeOf(null, { n: count(), s: sum("x"), q: quantile("x", 0.5) }), null);
  });

  test("of what is kept: one field for each accumulator, shared ones once", () => {
    const few = { n: count(), mean: mean("x"), total: sum("x"), last: last("text"), q: quantile("x", 0.5) };
    const layout = aggregateLayout(aggregateSet(few as never, ["key"]), fieldTypes(Row.spec), true);
    assert.equal(
      specText(accumulatorType(layout)),
      '{ "count()": f64, "sum(x)": { high: f64, low: f64 }, "last = last(text)": { time: f64, value: string | null }, "q = quantile(x)": Uint8Array }',
    );
  });
});

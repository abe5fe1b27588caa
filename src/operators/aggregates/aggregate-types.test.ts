// What the compiler accepts and refuses: this file is checked by tsc, not run.

import { test } from "node:test";
import { col, type Expr, lit } from "../expressions/expr.ts";
import type { Fields } from "../expressions/needs.ts";
import {
  type AggregateResults,
  type Aggregates,
  aggregate,
  collect,
  count,
  distinctCount,
  first,
  last,
  min,
  minBy,
  quantile,
  stddev,
  sum,
  weightedMean,
} from "./aggregate.ts";

type Trade = {
  symbol: string;
  price: number;
  qty: number | null;
  note?: string;
  side: "buy" | "sell";
  at: { venue: string; depth?: number };
  day: Date;
  tags: string[];
};

/** As much of the API as these types meet. */
interface Stream<T> {
  filter(condition: Expr<boolean, Fields<T>>): Stream<T>;
  aggregate<A extends Aggregates<T>>(aggregates: A): AggregateResults<T, A>;
}

type Equal<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Equal<A, B>): void {}

export function accepted(trades: Stream<Trade>, rows: Stream<Record<string, string>>): void {
  trades
    .filter(col("price").gt(3))
    .filter(col("note").eq("x"))
    .filter(col("side").in(["buy"]))
    .filter(col("at.depth").gt(1).and(col("at.venue").startsWith("N")))
    .filter(
      col("price")
        .mul(col("qty"))
        .gt(lit(3).add(col("price")))
        .or(col("note").isNull()),
    )
    .filter(col("price").gt(col("qty")))
    .filter(col("symbol").lower().length().eq(3).not())
    .filter(col("qty").orElse(0).lte(7));
  rows.filter(col("any").gt("3"));
}

export function refused(trades: Stream<Trade>): void {
  // @ts-expect-error no such field
  trades.filter(col("nope").gt(3));
  // @ts-expect-error no such nested field
  trades.filter(col("at.nope").gt(1));
  // @ts-expect-error a string is not compared with a number
  trades.filter(col("symbol").gt(3));
  // @ts-expect-error a number is not compared with a string
  trades.filter(col("price").eq("a"));
  // @ts-expect-error not a condition
  trades.filter(col("price").add(1));
  // @ts-expect-error a string is not a condition
  trades.filter(col("price").gt(1).and(col("symbol")));
  // @ts-expect-error sum of strings
  trades.aggregate({ volume: sum("symbol") });
  // @ts-expect-error no such field
  trades.aggregate({ volume: sum("nope") });
  // @ts-expect-error arithmetic on strings
  trades.aggregate({ volume: sum(col("symbol").add(1)) });
  // @ts-expect-error dates have no mean
  trades.aggregate({ at: weightedMean("day", "price") });
  // @ts-expect-error a custom aggregate over other records
  trades.aggregate({ total: aggregate({ ...total, add: (sum: number, r: { prize: number }) => sum + r.prize }) });
}

const total = {
  create: () => 0,
  add: (sum: number, r: { price: number }) => sum + r.price,
  merge: (left: number, right: number) => left + right,
  result: (sum: number) => `${sum}`,
};

export function inferred(trades: Stream<Trade>): void {
  const row = trades.aggregate({
    n: count(),
    sum: sum("price"),
    sumOfNullable: sum("qty"),
    min: min(col("price").mul(2)),
    minOfNullable: min(col("price").mul(col("qty"))),
    first: first("side"),
    firstRecord: first(),
    lastOptional: last("note"),
    lastNested: last("at.depth"),
    minBy: minBy("price"),
    minByPick: minBy("qty", "side"),
    list: collect("note"),
    records: collect({ limit: 3 }),
    quantiles: quantile("price", [0.5]),
    quantile: quantile("qty", 0.5),
    vwap: weightedMean("price", "qty"),
    sd: stddev("price"),
    symbols: distinctCount("symbol"),
    total: aggregate(total),
  });
  same<
    typeof row,
    {
      n: number;
      sum: number;
      sumOfNullable: number | null;
      min: number;
      minOfNullable: number | null;
      first: "buy" | "sell";
      firstRecord: Trade;
      lastOptional: string | null;
      lastNested: number | null;
      minBy: Trade;
      minByPick: "buy" | "sell" | null;
      list: string[];
      records: Trade[];
      quantiles: number[];
      quantile: number | null;
      vwap: number | null;
      sd: number | null;
      symbols: number;
      total: string;
    }
  >(true);
}

test("the types of expressions and aggregates hold (checked by the compiler)", () => {});

// `count`, `sum`, `weightedMean`, …: aggregates as users write them. What each computes: docs/aggregates.md.
//
// An `Aggregate<Needs, Result>` can be used on records that have the fields of `Needs` (contravariant, as expressions);
// its `Result` says how the type of the result follows from the record's. Missing inputs are skipped by all of them.

import { UserError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { refuseAsync } from "../../base/synchronous.ts";
import type { AggregateFunction } from "../../state/contract/keyed-state.ts";
import { checkOptions } from "../../types/check-options.ts";
import { describe } from "../../types/spec/describe.ts";
import { type Expr, isExpr, type Orderable } from "../expressions/expr.ts";
import { type ExprSpec, fieldSpec } from "../expressions/expr-spec.ts";
import type { Fields, FieldValue, MayMiss, Need } from "../expressions/needs.ts";
import type { AggregateSpec, NamedAggregate } from "./aggregate-spec.ts";

declare const aggregates: unique symbol;

export interface Aggregate<in Needs, out Result extends ResultKind> {
  readonly spec: AggregateSpec;
  /** The functions of a custom aggregate. */
  readonly custom: CustomAggregate | null;
  /** Where it was written. */
  readonly written: { readonly stack?: string };
  readonly [aggregates]: (record: Needs) => Result;
}

/**
 * How the type of a result follows from the type of the records. Except under "value", it is null when all inputs are
 * missing.
 */
type ResultKind =
  | { readonly kind: "value"; readonly of: unknown }
  | { readonly kind: "input"; readonly of: unknown }
  | { readonly kind: "field"; readonly of: string }
  | { readonly kind: "fieldList"; readonly of: string }
  | { readonly kind: "record"; readonly of: null }
  | { readonly kind: "recordList"; readonly of: null };

type As<K extends ResultKind["kind"], Of> = { readonly kind: K; readonly of: Of };

/** A set of aggregates over records of type T, by the name of their result. */
export type Aggregates<T> = { readonly [name: string]: Aggregate<Fields<T> & T, ResultKind> };

/** The row that a set of aggregates gives. */
export type AggregateResults<T, A> = { -readonly [K in keyof A]: ResultOf<T, A[K]> };

type ResultOf<T, A> =
  A extends Aggregate<infer N, infer R>
    ? R extends As<"value", infer V>
      ? V
      : R extends As<"input", infer V>
        ? V | NullIf<T, N>
        : R extends As<"field", infer P extends string>
          ? FieldValue<T, P> | NullIf<T, N>
          : R extends As<"fieldList", infer P extends string>
            ? NonNullable<FieldValue<T, P>>[]
            : R extends As<"record", null>
              ? T | NullIf<T, N>
              : T[]
    : never;

type NullIf<T, N> = MayMiss<T, N> extends true ? null : never;

/** The functions of a custom aggregate, without their types. */
export type CustomAggregate = AggregateFunction<unknown, unknown, unknown>;

/** Aggregates as the engine takes them: data, and the functions of the custom ones by the name of their result. */
export type AggregateSet = {
  readonly specs: readonly NamedAggregate[];
  readonly custom: ReadonlyMap<string, CustomAggregate>;
};

type Input = string | { readonly spec: ExprSpec };
type Primitive = number | string | boolean | bigint;

/** Records in the group, or those in which the field or expression is not missing. */
export function count(): Aggregate<unknown, As<"value", number>>;
export function count<const P extends string>(field: P): Aggregate<Need<P, unknown>, As<"value", number>>;
export function count<N>(expression: Expr<unknown, N>): Aggregate<N, As<"value", number>>;
export function count(input?: Input): never {
  return declared({ kind: "count", input: input === undefined ? null : inputSpec(input) });
}

/** Sum, computed to about 106 bits and rounded once: the order of the records does not matter. */
export function sum<const P extends string>(field: P): Aggregate<Need<P, number>, As<"input", number>>;
export function sum<N>(expression: Expr<number, N>): Aggregate<N, As<"input", number>>;
export function sum(input: Input): never {
  return declared({ kind: "sum", input: inputSpec(input) });
}

/** Smallest number; NaN is skipped. */
export function min<const P extends string>(field: P): Aggregate<Need<P, number>, As<"input", number>>;
export function min<N>(expression: Expr<number, N>): Aggregate<N, As<"input", number>>;
export function min(input: Input): never {
  return declared({ kind: "min", input: inputSpec(input) });
}

/** Largest number; NaN is skipped. */
export function max<const P extends string>(field: P): Aggregate<Need<P, number>, As<"input", number>>;
export function max<N>(expression: Expr<number, N>): Aggregate<N, As<"input", number>>;
export function max(input: Input): never {
  return declared({ kind: "max", input: inputSpec(input) });
}

export function mean<const P extends string>(field: P): Aggregate<Need<P, number>, As<"input", number>>;
export function mean<N>(expression: Expr<number, N>): Aggregate<N, As<"input", number>>;
export function mean(input: Input): never {
  return declared({ kind: "mean", input: inputSpec(input) });
}

/**
 * sum(value × weight) / sum(weight); null when the weights add up to 0. Records in which either is missing are skipped.
 */
export function weightedMean<const P extends string, const W extends string>(
  value: P,
  weight: W,
): Aggregate<Need<P, number> & Need<W, number>, As<"value", number | null>>;
export function weightedMean<N, const W extends string>(
  value: Expr<number, N>,
  weight: W,
): Aggregate<N & Need<W, number>, As<"value", number | null>>;
export function weightedMean<N, M>(
  value: Expr<number, N>,
  weight: Expr<number, M>,
): Aggregate<N & M, As<"value", number | null>>;
export function weightedMean(value: Input, weight: Input): never {
  return declared({ kind: "weightedMean", input: inputSpec(value), weight: inputSpec(weight) });
}

/** Sample variance (divided by n - 1); null below two values. */
export function variance<const P extends string>(field: P): Aggregate<Need<P, number>, As<"value", number | null>>;
export function variance<N>(expression: Expr<number, N>): Aggregate<N, As<"value", number | null>>;
export function variance(input: Input): never {
  return declared({ kind: "variance", input: inputSpec(input) });
}

/** Sample standard deviation; null below two values. */
export function stddev<const P extends string>(field: P): Aggregate<Need<P, number>, As<"value", number | null>>;
export function stddev<N>(expression: Expr<number, N>): Aggregate<N, As<"value", number | null>>;
export function stddev(input: Input): never {
  return declared({ kind: "stddev", input: inputSpec(input) });
}

/** The first by event time (without one: by arrival), ties by arrival: a record, a field or an expression. */
export function first(): Aggregate<unknown, As<"record", null>>;
export function first<const P extends string>(field: P): Aggregate<Need<P, unknown>, As<"field", P>>;
export function first<V, N>(expression: Expr<V, N>): Aggregate<N, As<"input", V>>;
export function first(input?: Input): never {
  return declared({ kind: "first", input: input === undefined ? null : inputSpec(input) });
}

/** The last by event time (without one: by arrival), ties by arrival: a record, a field or an expression. */
export function last(): Aggregate<unknown, As<"record", null>>;
export function last<const P extends string>(field: P): Aggregate<Need<P, unknown>, As<"field", P>>;
export function last<V, N>(expression: Expr<V, N>): Aggregate<N, As<"input", V>>;
export function last(input?: Input): never {
  return declared({ kind: "last", input: input === undefined ? null : inputSpec(input) });
}

/** The record, or the picked field of it, with the smallest `by`; ties as in `first`. */
export function minBy<const P extends string>(by: P): Aggregate<Need<P, Orderable>, As<"record", null>>;
export function minBy<const P extends string, const Q extends string>(
  by: P,
  pick: Q,
): Aggregate<Need<P, Orderable> & Need<Q, unknown>, As<"field", Q>>;
export function minBy(by: string, pick?: string): never {
  return declared({ kind: "minBy", input: fieldOf(by), pick: pick === undefined ? null : fieldOf(pick) });
}

/** The record, or the picked field of it, with the largest `by`; ties as in `first`. */
export function maxBy<const P extends string>(by: P): Aggregate<Need<P, Orderable>, As<"record", null>>;
export function maxBy<const P extends string, const Q extends string>(
  by: P,
  pick: Q,
): Aggregate<Need<P, Orderable> & Need<Q, unknown>, As<"field", Q>>;
export function maxBy(by: string, pick?: string): never {
  return declared({ kind: "maxBy", input: fieldOf(by), pick: pick === undefined ? null : fieldOf(pick) });
}

export type CollectOptions = {
  /** Keep the earliest so many. Without it all are kept, within the budget of the state. */
  readonly limit?: number;
};

/** Records or values as a list, ordered as in `first`. */
export function collect(options?: CollectOptions): Aggregate<unknown, As<"recordList", null>>;
export function collect<const P extends string>(
  field: P,
  options?: CollectOptions,
): Aggregate<Need<P, unknown>, As<"fieldList", P>>;
export function collect<V, N>(expression: Expr<V, N>, options?: CollectOptions): Aggregate<N, As<"value", V[]>>;
export function collect(first?: Input | CollectOptions, second?: CollectOptions): never {
  const hasInput = typeof first === "string" || isExpr(first);
  const options = (hasInput ? second : (first as CollectOptions | undefined)) ?? {};
  checkOptions({ of: "collect", given: options, takes: { limit: true } });
  const { limit = null } = options;
  if (limit !== null && !(Number.isInteger(limit) && limit > 0)) {
    throw new UserError("AGGREGATE_LIMIT", `collect cannot keep ${limit} values`, {
      fix: "give a whole number from 1 on",
    });
  }
  return declared({ kind: "collect", input: hasInput ? inputSpec(first as Input) : null, limit });
}

export type SketchOptions = {
  /** Relative error to stay within; smaller ones take more memory. */
  readonly error?: number;
};

/**
 * Values below which the given parts of all values lie, each within `error` (default 0.01 = 1 %) of the exact value.
 */
// The last overload is that of most uses: its errors are the ones that the compiler shows.
export function quantile<N>(
  expression: Expr<number, N>,
  qs: readonly number[],
  options?: SketchOptions,
): Aggregate<N, As<"input", number[]>>;
export function quantile<N>(
  expression: Expr<number, N>,
  q: number,
  options?: SketchOptions,
): Aggregate<N, As<"input", number>>;
export function quantile<const P extends string>(
  field: P,
  qs: readonly number[],
  options?: SketchOptions,
): Aggregate<Need<P, number>, As<"input", number[]>>;
export function quantile<const P extends string>(
  field: P,
  q: number,
  options?: SketchOptions,
): Aggregate<Need<P, number>, As<"input", number>>;
export function quantile(input: Input, q: number | readonly number[], options: SketchOptions = {}): never {
  checkOptions({ of: "quantile", given: options, takes: { error: true } });
  const quantiles: readonly number[] = Array.isArray(q) ? [...q] : [q];
  const wrong = quantiles.findIndex((part) => !(part >= 0 && part <= 1));
  if (wrong !== -1 || quantiles.length === 0) {
    throw new UserError("AGGREGATE_QUANTILE", `not a quantile: ${wrong === -1 ? "an empty list" : quantiles[wrong]}`, {
      fix: "give numbers from 0 to 1, for example 0.95",
    });
  }
  const error = errorChecked(options.error ?? 0.01, 0.000_1, 0.25);
  return declared({ kind: "quantile", input: inputSpec(input), quantiles, single: typeof q === "number", error });
}

/** Number of different values, with a standard error of `error` (default 0.01 = 1 %); exact for small groups. */
// The last overload is that of most uses: its errors are the ones that the compiler shows.
export function distinctCount<N>(
  expression: Expr<Primitive, N>,
  options?: SketchOptions,
): Aggregate<N, As<"value", number>>;
export function distinctCount<const P extends string>(
  field: P,
  options?: SketchOptions,
): Aggregate<Need<P, Primitive>, As<"value", number>>;
export function distinctCount(input: Input, options: SketchOptions = {}): never {
  checkOptions({ of: "distinctCount", given: options, takes: { error: true } });
  const error = errorChecked(options.error ?? 0.01, 0.003, 0.25);
  return declared({ kind: "distinctCount", input: inputSpec(input), error });
}

/**
 * An aggregate of your own. `merge` has to combine what two parts of a group gave, in any order of the parts; the
 * accumulator has to be data (what structured clone carries), because it is stored and sent.
 */
export function aggregate<T, Acc, Out>(functions: AggregateFunction<T, Acc, Out>): Aggregate<T, As<"value", Out>> {
  checkAggregateFunction(functions, "aggregate");
  return declared({ kind: "custom" }, functions as unknown as CustomAggregate);
}

export function checkAggregateFunction(functions: unknown, of: string): void {
  for (const name of ["create", "add", "merge", "result"]) {
    const given = (functions as Readonly<Record<string, unknown>> | null | undefined)?.[name];
    refuseAsync(given, `${of}.${name}`);
    if (typeof given === "function") continue;
    throw new UserError("AGGREGATE_FUNCTION", `a custom aggregate without ${name}: ${typeof given}`, {
      fix: "give the four functions create, add, merge and result",
    });
  }
}

/**
 * Splits what the user wrote into data and functions. `taken` are names of other fields of the row: its keys, `start`,
 * `end`.
 */
export function aggregateSet(aggregates: Aggregates<never>, taken: readonly string[]): AggregateSet {
  const specs: NamedAggregate[] = [];
  const custom = new Map<string, CustomAggregate>();
  for (const [name, each] of Object.entries(aggregates ?? {})) {
    if (!isAggregate(each)) throw aggregateExpected(name, each);
    const { spec, custom: functions } = each;
    if (taken.includes(name) || name === "__proto__" || name === "") {
      throw new UserError("AGGREGATE_NAME", `a result cannot be named ${JSON.stringify(name)}`, {
        fix: taken.includes(name) ? "the row has a field of that name already: choose another" : "choose another name",
      });
    }
    specs.push({ name, spec });
    if (functions !== null) custom.set(name, functions);
  }
  if (specs.length === 0) {
    throw new UserError("AGGREGATES_EMPTY", "no aggregates", { fix: "name at least one, for example { n: count() }" });
  }
  return { specs, custom };
}

function isAggregate(value: unknown): value is Aggregate<never, ResultKind> {
  return typeof value === "object" && value !== null && "spec" in value && "written" in value;
}

/** A function that was not called, or its name, tells what was meant. */
function aggregateExpected(result: string, given: unknown): UserError {
  const named = typeof given === "function" ? given.name : typeof given === "string" ? given : "";
  const meant = nearest(named, AGGREGATES);
  return new UserError("AGGREGATE_EXPECTED", `the result ${JSON.stringify(result)} is ${describe(given)}`, {
    fix: `${meant === null ? "" : `did you mean ${meant}(…)? `}write { ${result}: count() }, or another of ${AGGREGATES.join(", ")}`,
  });
}

const AGGREGATES = [
  ...["count", "sum", "min", "max", "mean", "weightedMean", "variance", "stddev", "first", "last"],
  ...["minBy", "maxBy", "collect", "quantile", "distinctCount", "aggregate"],
];

function inputSpec(input: Input): ExprSpec {
  return isExpr(input) ? input.spec : fieldOf(input);
}

function fieldOf(field: unknown): ExprSpec {
  if (typeof field === "string") return fieldSpec(field);
  throw new UserError("FIELD_PATH_MALFORMED", `an aggregate reads ${describe(field)}, which is no field`, {
    fix: 'give the name of a field, for example sum("price"), or an expression, for example sum(col("price").mul(2))',
  });
}

function errorChecked(error: number, least: number, most: number): number {
  if (error >= least && error <= most) return error;
  throw new UserError("AGGREGATE_ERROR", `a sketch cannot have a relative error of ${error}`, {
    fix: `give a number from ${least} to ${most}`,
  });
}

// The type parameters of an aggregate exist for the compiler only.
function declared(spec: AggregateSpec, custom: CustomAggregate | null = null): never {
  const written = {};
  Error.captureStackTrace(written, declared);
  return { spec, custom, written } as never;
}

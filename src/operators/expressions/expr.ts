// `col` and `lit`: expressions as users write them.
//
// The interfaces carry the types (operators/expressions/needs.ts), one untyped class does the work. An expression is
// immutable; it is nothing but a builder of an `ExprSpec`.

import {
  type BinaryOperator,
  checkLiteral,
  type ExprSpec,
  fieldSpec,
  type Literal,
  literalSpec,
  type UnaryOperator,
} from "./expr-spec.ts";
import type { Need } from "./needs.ts";

declare const evaluates: unique symbol;

/** Computes an `Out` (or a missing value) from any record that has the fields of `Needs`. */
export interface Expr<out Out, in Needs> {
  readonly spec: ExprSpec;
  readonly [evaluates]: (record: Needs) => Out;
}

/** A field, whatever its type. */
export interface ColumnRef<out P extends string> {
  readonly spec: ExprSpec;
  readonly path: P;
}

/** A field whose type is decided by how it is used. */
export interface Column<P extends string> extends ColumnRef<P> {
  eq<X extends Comparand>(other: X): BooleanExpr<Need<P, ValueOf<X>> & NeedsOf<X, Comparable>>;
  ne<X extends Comparand>(other: X): BooleanExpr<Need<P, ValueOf<X>> & NeedsOf<X, Comparable>>;
  in<V extends Literal>(values: readonly V[]): BooleanExpr<Need<P, Widen<V>>>;
  isNull(): BooleanExpr<Need<P, unknown>>;
  isNotNull(): BooleanExpr<Need<P, unknown>>;

  gt<X extends Ordered>(other: X): BooleanExpr<Need<P, ValueOf<X>> & NeedsOf<X, Orderable>>;
  gte<X extends Ordered>(other: X): BooleanExpr<Need<P, ValueOf<X>> & NeedsOf<X, Orderable>>;
  lt<X extends Ordered>(other: X): BooleanExpr<Need<P, ValueOf<X>> & NeedsOf<X, Orderable>>;
  lte<X extends Ordered>(other: X): BooleanExpr<Need<P, ValueOf<X>> & NeedsOf<X, Orderable>>;

  and<X extends Condition>(other: X): BooleanExpr<Need<P, boolean> & NeedsOf<X, boolean>>;
  or<X extends Condition>(other: X): BooleanExpr<Need<P, boolean> & NeedsOf<X, boolean>>;
  not(): BooleanExpr<Need<P, boolean>>;

  add<X extends Numeric>(other: X): NumberExpr<Need<P, number> & NeedsOf<X, number>>;
  sub<X extends Numeric>(other: X): NumberExpr<Need<P, number> & NeedsOf<X, number>>;
  mul<X extends Numeric>(other: X): NumberExpr<Need<P, number> & NeedsOf<X, number>>;
  /** JavaScript's division: by zero gives Infinity or NaN. */
  div<X extends Numeric>(other: X): NumberExpr<Need<P, number> & NeedsOf<X, number>>;
  /** JavaScript's remainder: the sign of the dividend. */
  mod<X extends Numeric>(other: X): NumberExpr<Need<P, number> & NeedsOf<X, number>>;
  neg(): NumberExpr<Need<P, number>>;
  abs(): NumberExpr<Need<P, number>>;

  lower(): TextExpr<Need<P, string>>;
  upper(): TextExpr<Need<P, string>>;
  /** Length in UTF-16 units. */
  length(): NumberExpr<Need<P, string>>;
  startsWith<X extends Textual>(text: X): BooleanExpr<Need<P, string> & NeedsOf<X, string>>;
  endsWith<X extends Textual>(text: X): BooleanExpr<Need<P, string> & NeedsOf<X, string>>;
  contains<X extends Textual>(text: X): BooleanExpr<Need<P, string> & NeedsOf<X, string>>;

  /** The field, or `value` where it is missing. */
  orElse<V extends Literal>(value: V): ExprOf<Widen<V>, Need<P, Widen<V>>>;
}

export interface NumberExpr<in Needs> extends Expr<number, Needs> {
  eq<X extends Numeric>(other: X): BooleanExpr<Needs & NeedsOf<X, number>>;
  ne<X extends Numeric>(other: X): BooleanExpr<Needs & NeedsOf<X, number>>;
  in(values: readonly number[]): BooleanExpr<Needs>;
  isNull(): BooleanExpr<Needs>;
  isNotNull(): BooleanExpr<Needs>;
  gt<X extends Numeric>(other: X): BooleanExpr<Needs & NeedsOf<X, number>>;
  gte<X extends Numeric>(other: X): BooleanExpr<Needs & NeedsOf<X, number>>;
  lt<X extends Numeric>(other: X): BooleanExpr<Needs & NeedsOf<X, number>>;
  lte<X extends Numeric>(other: X): BooleanExpr<Needs & NeedsOf<X, number>>;
  add<X extends Numeric>(other: X): NumberExpr<Needs & NeedsOf<X, number>>;
  sub<X extends Numeric>(other: X): NumberExpr<Needs & NeedsOf<X, number>>;
  mul<X extends Numeric>(other: X): NumberExpr<Needs & NeedsOf<X, number>>;
  div<X extends Numeric>(other: X): NumberExpr<Needs & NeedsOf<X, number>>;
  mod<X extends Numeric>(other: X): NumberExpr<Needs & NeedsOf<X, number>>;
  neg(): NumberExpr<Needs>;
  abs(): NumberExpr<Needs>;
  orElse(value: number): NumberExpr<Needs>;
}

export interface TextExpr<in Needs> extends Expr<string, Needs> {
  eq<X extends Textual>(other: X): BooleanExpr<Needs & NeedsOf<X, string>>;
  ne<X extends Textual>(other: X): BooleanExpr<Needs & NeedsOf<X, string>>;
  in(values: readonly string[]): BooleanExpr<Needs>;
  isNull(): BooleanExpr<Needs>;
  isNotNull(): BooleanExpr<Needs>;
  gt<X extends Textual>(other: X): BooleanExpr<Needs & NeedsOf<X, string>>;
  gte<X extends Textual>(other: X): BooleanExpr<Needs & NeedsOf<X, string>>;
  lt<X extends Textual>(other: X): BooleanExpr<Needs & NeedsOf<X, string>>;
  lte<X extends Textual>(other: X): BooleanExpr<Needs & NeedsOf<X, string>>;
  lower(): TextExpr<Needs>;
  upper(): TextExpr<Needs>;
  length(): NumberExpr<Needs>;
  startsWith<X extends Textual>(text: X): BooleanExpr<Needs & NeedsOf<X, string>>;
  endsWith<X extends Textual>(text: X): BooleanExpr<Needs & NeedsOf<X, string>>;
  contains<X extends Textual>(text: X): BooleanExpr<Needs & NeedsOf<X, string>>;
  orElse(value: string): TextExpr<Needs>;
}

export interface BooleanExpr<in Needs> extends Expr<boolean, Needs> {
  and<X extends Condition>(other: X): BooleanExpr<Needs & NeedsOf<X, boolean>>;
  or<X extends Condition>(other: X): BooleanExpr<Needs & NeedsOf<X, boolean>>;
  not(): BooleanExpr<Needs>;
  eq<X extends Condition | boolean>(other: X): BooleanExpr<Needs & NeedsOf<X, boolean>>;
  ne<X extends Condition | boolean>(other: X): BooleanExpr<Needs & NeedsOf<X, boolean>>;
}

export type Comparable = number | string | boolean;
export type Orderable = number | string;

type Numeric = number | Expr<number, never> | ColumnRef<string>;
type Textual = string | Expr<string, never> | ColumnRef<string>;
type Condition = Expr<boolean, never> | ColumnRef<string>;
type Ordered = Orderable | Expr<Orderable, never> | ColumnRef<string>;
type Comparand = Comparable | Expr<Comparable, never> | ColumnRef<string>;

type Widen<V> = V extends number ? number : V extends string ? string : boolean;
/** What the other side has to be for a comparison with X to make sense. */
type ValueOf<X> = X extends ColumnRef<string> ? Comparable : X extends Expr<infer Out, never> ? Out : Widen<X>;
/** The record that an operand needs, when a column among them is used as a `V`. */
type NeedsOf<X, V> = X extends ColumnRef<infer P> ? Need<P, V> : X extends Expr<unknown, infer N> ? N : unknown;
type ExprOf<V, N> = V extends number ? NumberExpr<N> : V extends string ? TextExpr<N> : BooleanExpr<N>;

/** A field of the record, nested ones as "order.price". */
export function col<const P extends string>(path: P): Column<P> {
  return typed(new Expression(fieldSpec(path)));
}

/** A constant. */
export function lit<V extends Literal>(value: V): ExprOf<Widen<V>, unknown> {
  return typed(new Expression(literalSpec(value)));
}

export function isExpr(value: unknown): value is Expr<unknown, never> | ColumnRef<string> {
  return typeof value === "object" && value !== null && expression in value;
}

// The one step from the untyped class to the typed interfaces.
function typed<E>(value: Expression): E {
  return value as unknown as E;
}

/** Marks expressions even across two copies of the package. */
const expression: unique symbol = Symbol.for("millrace.expression") as never;

type Operand = Expression | Literal;

class Expression {
  readonly spec: ExprSpec;
  readonly path: string | undefined;
  readonly [expression] = true;

  constructor(spec: ExprSpec) {
    this.spec = spec;
    this.path = spec.kind === "field" ? spec.path : undefined;
  }

  eq(other: Operand): Expression {
    return this.#binary("eq", other);
  }

  ne(other: Operand): Expression {
    return this.#binary("ne", other);
  }

  gt(other: Operand): Expression {
    return this.#binary("gt", other);
  }

  gte(other: Operand): Expression {
    return this.#binary("gte", other);
  }

  lt(other: Operand): Expression {
    return this.#binary("lt", other);
  }

  lte(other: Operand): Expression {
    return this.#binary("lte", other);
  }

  and(other: Operand): Expression {
    return this.#binary("and", other);
  }

  or(other: Operand): Expression {
    return this.#binary("or", other);
  }

  not(): Expression {
    return this.#unary("not");
  }

  add(other: Operand): Expression {
    return this.#binary("add", other);
  }

  sub(other: Operand): Expression {
    return this.#binary("sub", other);
  }

  mul(other: Operand): Expression {
    return this.#binary("mul", other);
  }

  div(other: Operand): Expression {
    return this.#binary("div", other);
  }

  mod(other: Operand): Expression {
    return this.#binary("mod", other);
  }

  neg(): Expression {
    return this.#unary("neg");
  }

  abs(): Expression {
    return this.#unary("abs");
  }

  lower(): Expression {
    return this.#unary("lower");
  }

  upper(): Expression {
    return this.#unary("upper");
  }

  length(): Expression {
    return this.#unary("length");
  }

  startsWith(other: Operand): Expression {
    return this.#binary("startsWith", other);
  }

  endsWith(other: Operand): Expression {
    return this.#binary("endsWith", other);
  }

  contains(other: Operand): Expression {
    return this.#binary("contains", other);
  }

  isNull(): Expression {
    return this.#unary("isNull");
  }

  isNotNull(): Expression {
    return this.#unary("isNotNull");
  }

  orElse(value: Literal): Expression {
    checkLiteral(value);
    return new Expression({ kind: "orElse", arg: this.spec, value });
  }

  in(values: readonly Literal[]): Expression {
    for (const value of values) checkLiteral(value);
    return new Expression({ kind: "in", arg: this.spec, values: [...values] });
  }

  #unary(op: UnaryOperator): Expression {
    return new Expression({ kind: "unary", op, arg: this.spec });
  }

  #binary(op: BinaryOperator, other: Operand): Expression {
    const right = isExpr(other) ? other.spec : literalSpec(other as Literal);
    return new Expression({ kind: "binary", op, left: this.spec, right });
  }
}

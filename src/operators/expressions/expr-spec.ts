// Expressions as plain data: what plans carry, what `explain` prints, what code is generated from.
//
// Missing values. A field that is null, undefined or absent is missing, and missing behaves as NaN does in JavaScript:
//   - comparisons (`eq`, `lt`, `in`, `startsWith`, …) with a missing operand are false; `ne` is the negation of `eq`,
//     so it is true
//   - arithmetic and text functions of a missing operand are missing
//   - `isNull`, `isNotNull` and `orElse` ask for it
//   - `and`, `or`, `not` take a missing boolean as false
// There is no third truth value: every condition is true or false.

import { UserError } from "../../base/errors.ts";

export type Literal = number | string | boolean;

export type UnaryOperator = "not" | "isNull" | "isNotNull" | "neg" | "abs" | "lower" | "upper" | "length";

export type BinaryOperator =
  | "eq"
  | "ne"
  | "lt"
  | "lte"
  | "gt"
  | "gte"
  | "and"
  | "or"
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "mod"
  | "startsWith"
  | "endsWith"
  | "contains";

/** `path` is a field name, nested ones joined by "." (types/spec/field-path.ts). */
export type ExprSpec =
  | { readonly kind: "field"; readonly path: string }
  | { readonly kind: "literal"; readonly value: Literal }
  | { readonly kind: "unary"; readonly op: UnaryOperator; readonly arg: ExprSpec }
  | { readonly kind: "binary"; readonly op: BinaryOperator; readonly left: ExprSpec; readonly right: ExprSpec }
  | { readonly kind: "in"; readonly arg: ExprSpec; readonly values: readonly Literal[] }
  | { readonly kind: "orElse"; readonly arg: ExprSpec; readonly value: Literal };

export function fieldSpec(path: string): ExprSpec {
  if (path === "") {
    throw new UserError("FIELD_PATH_MALFORMED", `not a field path: ${JSON.stringify(path)}`, {
      fix: 'write a field name, for example col("price"), or a nested one, for example col("order.price")',
    });
  }
  return { kind: "field", path };
}

export function literalSpec(value: Literal): ExprSpec {
  checkLiteral(value);
  return { kind: "literal", value: Object.is(value, -0) ? 0 : value };
}

/** Plans are JSON: a literal has to survive it. */
export function checkLiteral(value: unknown): void {
  if (typeof value === "string" || typeof value === "boolean" || Number.isFinite(value)) return;
  throw new UserError("EXPRESSION_LITERAL", `not a literal of an expression: ${String(value)} (${typeof value})`, {
    fix: "use a finite number, a string or a boolean; for anything else pass a function instead of an expression",
  });
}

/** Paths of the fields that an expression reads, in order of their first use. */
export function exprFields(spec: ExprSpec): readonly string[] {
  const paths = new Set<string>();
  const pending: ExprSpec[] = [spec];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.kind === "field") paths.add(next.path);
    else if (next.kind === "binary") pending.push(next.right, next.left);
    else if (next.kind !== "literal") pending.push(next.arg);
  }
  return [...paths];
}

const SYMBOLS: Readonly<Partial<Record<BinaryOperator, string>>> = {
  eq: "=",
  ne: "!=",
  lt: "<",
  lte: "<=",
  gt: ">",
  gte: ">=",
  and: "and",
  or: "or",
  add: "+",
  sub: "-",
  mul: "*",
  div: "/",
  mod: "%",
};

/** The one text of an expression, for `explain`, logs and column names. */
export function exprText(spec: ExprSpec): string {
  switch (spec.kind) {
    case "field":
      return /^[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*$/.test(spec.path) ? spec.path : `[${JSON.stringify(spec.path)}]`;
    case "literal":
      return JSON.stringify(spec.value);
    case "unary":
      return spec.op === "isNull" || spec.op === "isNotNull"
        ? `${operandText(spec.arg)} ${spec.op === "isNull" ? "is null" : "is not null"}`
        : `${spec.op}(${exprText(spec.arg)})`;
    case "binary": {
      const symbol = SYMBOLS[spec.op];
      return symbol === undefined
        ? `${spec.op}(${exprText(spec.left)}, ${exprText(spec.right)})`
        : `${operandText(spec.left)} ${symbol} ${operandText(spec.right)}`;
    }
    case "orElse":
      return `orElse(${exprText(spec.arg)}, ${JSON.stringify(spec.value)})`;
    case "in":
      return `${operandText(spec.arg)} in (${spec.values.map((value) => JSON.stringify(value)).join(", ")})`;
  }
}

function operandText(spec: ExprSpec): string {
  const infix = spec.kind === "in" || (spec.kind === "binary" && SYMBOLS[spec.op] !== undefined);
  return infix ? `(${exprText(spec)})` : exprText(spec);
}

// JavaScript text for expressions, to be pasted into generated loops.
//
// Everything in the text was made here: operators and calls from fixed tables, field names and literals through
// JSON.stringify, field access by the caller's `FieldAccess`. Missing values (expr-spec.ts) cost nothing where the
// caller knows that a field is always there; elsewhere their tests are hoisted to the nearest condition, so that no
// operand is computed twice.

import { unreachable } from "../../base/errors.ts";
import { fieldCode } from "../../types/spec/field-path.ts";
import type { BinaryOperator, ExprSpec, UnaryOperator } from "./expr-spec.ts";

/**
 * `value` is a side-effect free expression; `missing` a condition under which it means nothing, null when it always
 * does.
 */
export type ValueCode = { readonly value: string; readonly missing: string | null };

/** How generated code reads a field. Must have no side effects: it is called and evaluated more than once. */
export type FieldAccess = (path: string) => ValueCode;

/** Fields of the record in the variable `record`. `mayMiss` false leaves out the test for a missing value. */
export function recordField(record: string, mayMiss: (path: string) => boolean): FieldAccess {
  return (path) => {
    const value = fieldCode(record, path, mayMiss(path) ? "?." : "");
    return { value, missing: mayMiss(path) ? `${value} == null` : null };
  };
}

/** The value of an expression, and when it is missing. */
export function valueCode(spec: ExprSpec, field: FieldAccess): ValueCode {
  const { text, tests } = compile(spec, field);
  return { value: text, missing: anyOf(tests) };
}

/**
 * One JavaScript expression, null when missing. `reference` reads a field of a record: null or undefined when it is
 * missing.
 */
export function exprCode(spec: ExprSpec, reference: (path: string) => string): string {
  const { value, missing } = valueCode(spec, (path) => ({
    value: reference(path),
    missing: `${reference(path)} == null`,
  }));
  return missing === null ? value : `(${missing} ? null : ${value})`;
}

/** A condition: true or false, never missing. */
export function conditionCode(spec: ExprSpec, field: FieldAccess): string {
  return condition(compile(spec, field));
}

/** `tests`: the value is missing when one of them is true. */
type Compiled = { readonly text: string; readonly tests: readonly string[] };

function compile(spec: ExprSpec, field: FieldAccess): Compiled {
  switch (spec.kind) {
    case "field": {
      const { value, missing } = field(spec.path);
      return { text: value, tests: missing === null ? [] : [missing] };
    }
    case "literal":
      return present(JSON.stringify(spec.value));
    case "unary":
      return unary(spec.op, compile(spec.arg, field));
    case "binary":
      return binary(spec.op, compile(spec.left, field), compile(spec.right, field));
    case "orElse": {
      const arg = compile(spec.arg, field);
      const missing = anyOf(arg.tests);
      return missing === null ? arg : present(`(${missing} ? ${JSON.stringify(spec.value)} : ${arg.text})`);
    }
    case "in": {
      const arg = compile(spec.arg, field);
      return predicate(`${JSON.stringify(spec.values)}.includes(${arg.text})`, arg.tests);
    }
  }
}

function unary(op: UnaryOperator, arg: Compiled): Compiled {
  switch (op) {
    case "not":
      return present(`!${condition(arg)}`);
    case "isNull":
      return present(anyOf(arg.tests) ?? "false");
    case "isNotNull":
      return present(arg.tests.length === 0 ? "true" : `!${anyOf(arg.tests)}`);
    case "neg":
      return { text: `(-(${arg.text}))`, tests: arg.tests };
    case "abs":
      return { text: `Math.abs(${arg.text})`, tests: arg.tests };
    case "lower":
      return { text: `${arg.text}.toLowerCase()`, tests: arg.tests };
    case "upper":
      return { text: `${arg.text}.toUpperCase()`, tests: arg.tests };
    case "length":
      return { text: `${arg.text}.length`, tests: arg.tests };
    default:
      return unreachable(op);
  }
}

const INFIX: Readonly<Partial<Record<BinaryOperator, string>>> = {
  lt: "<",
  lte: "<=",
  gt: ">",
  gte: ">=",
  add: "+",
  sub: "-",
  mul: "*",
  div: "/",
  mod: "%",
};

const METHODS: Readonly<Partial<Record<BinaryOperator, string>>> = {
  startsWith: "startsWith",
  endsWith: "endsWith",
  contains: "includes",
};

function binary(op: BinaryOperator, left: Compiled, right: Compiled): Compiled {
  const tests = [...new Set([...left.tests, ...right.tests])];
  switch (op) {
    case "and":
      return present(`(${condition(left)} && ${condition(right)})`);
    case "or":
      return present(`(${condition(left)} || ${condition(right)})`);
    case "eq":
      return predicate(`${left.text} === ${right.text}`, tests);
    case "ne":
      return present(`(${[...tests, `${left.text} !== ${right.text}`].join(" || ")})`);
    case "lt":
    case "lte":
    case "gt":
    case "gte":
      return predicate(`${left.text} ${INFIX[op]} ${right.text}`, tests);
    case "add":
    case "sub":
    case "mul":
    case "div":
    case "mod":
      return { text: `(${left.text} ${INFIX[op]} ${right.text})`, tests };
    case "startsWith":
    case "endsWith":
    case "contains":
      return predicate(`${left.text}.${METHODS[op]}(${right.text})`, tests);
    default:
      return unreachable(op);
  }
}

function present(text: string): Compiled {
  return { text, tests: [] };
}

/** False when an operand is missing. */
function predicate(text: string, tests: readonly string[]): Compiled {
  return present(tests.length === 0 ? `(${text})` : `(!${anyOf(tests)} && ${text})`);
}

function condition(code: Compiled): string {
  return code.tests.length === 0 ? code.text : predicate(code.text, code.tests).text;
}

function anyOf(tests: readonly string[]): string | null {
  return tests.length === 0 ? null : `(${tests.join(" || ")})`;
}

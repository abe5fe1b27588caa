// Operands of expressions, checked against the declared types of the records. JavaScript takes any: 1n never equals 1,
// a text and a number are added to a text, and a condition on them would leave out records in silence.

import { UserError } from "../../base/errors.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { type ExprSpec, exprText } from "./expr-spec.ts";
import { exprType, type FieldTypes } from "./field-types.ts";

type Kind = "number" | "text" | "boolean";

/** Throws EXPRESSION_OPERAND, and so does one that is no condition. */
export function checkCondition(what: string, spec: ExprSpec, fields: FieldTypes): void {
  checkOperands(what, spec, fields);
  new Checker(what, spec, fields).takes(spec, "boolean");
}

/** Throws EXPRESSION_OPERAND. What only the records tell is taken. */
export function checkOperands(what: string, spec: ExprSpec, fields: FieldTypes): void {
  const check = new Checker(what, spec, fields);
  switch (spec.kind) {
    case "unary": {
      checkOperands(what, spec.arg, fields);
      const kind = OPERANDS[spec.op];
      if (kind !== undefined) check.takes(spec.arg, kind);
      break;
    }
    case "in":
    case "orElse": {
      checkOperands(what, spec.arg, fields);
      const values = spec.kind === "in" ? spec.values : [spec.value];
      for (const value of values) check.compares(spec.arg, { kind: "literal", value });
      break;
    }
    case "binary": {
      for (const operand of [spec.left, spec.right]) checkOperands(what, operand, fields);
      const kind = OPERANDS[spec.op];
      if (kind === undefined) check.compares(spec.left, spec.right);
      else for (const operand of [spec.left, spec.right]) check.takes(operand, kind);
      break;
    }
    default:
      break;
  }
}

/** Comparisons, and what asks for missing values, take all kinds. */
const OPERANDS: Readonly<Record<string, Kind | undefined>> = {
  ...{ add: "number", sub: "number", mul: "number", div: "number", mod: "number", neg: "number", abs: "number" },
  ...{ startsWith: "text", endsWith: "text", contains: "text", lower: "text", upper: "text", length: "text" },
  ...{ and: "boolean", or: "boolean", not: "boolean" },
};

const KINDS: Readonly<Record<string, Kind | undefined>> = {
  ...{ f64: "number", f32: "number", i32: "number", timestamp: "number" },
  ...{ string: "text", enum: "text", bool: "boolean" },
};

class Checker {
  readonly #what: string;
  readonly #whole: ExprSpec;
  readonly #fields: FieldTypes;

  constructor(what: string, whole: ExprSpec, fields: FieldTypes) {
    this.#what = what;
    this.#whole = whole;
    this.#fields = fields;
  }

  takes(operand: ExprSpec, kind: Kind): void {
    const type = this.#known(operand);
    if (type === null || KINDS[type.kind] === kind) return;
    throw this.#mistake(`${exprText(operand)} is of the type ${type.kind} where a ${kind} belongs`);
  }

  compares(left: ExprSpec, right: ExprSpec): void {
    const types = [this.#known(left), this.#known(right)].filter((type) => type !== null);
    const kinds = new Set(types.map((type) => KINDS[type.kind]));
    if (kinds.size <= 1 && !kinds.has(undefined)) return;
    throw this.#mistake(`values of the type ${types.map((type) => type.kind).join(" and ")} are not compared`);
  }

  /** Null when only the records tell. */
  #known(spec: ExprSpec): TypeSpec | null {
    const type = exprType(spec, this.#fields);
    return type === null || ["any", "union", "null", "undefined"].includes(type.kind) ? null : type;
  }

  #mistake(why: string): UserError {
    return new UserError("EXPRESSION_OPERAND", `${this.#what} cannot compute ${exprText(this.#whole)}: ${why}`, {
      fix: "give numbers, texts or booleans, and two of a kind: convert the field in a map, or pass a function instead",
    });
  }
}

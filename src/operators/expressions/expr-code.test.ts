import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { col, lit } from "./expr.ts";
import { conditionCode, exprCode, recordField } from "./expr-code.ts";
import { type ExprSpec, exprFields, exprText, type Literal } from "./expr-spec.ts";

type Row = {
  n?: number | null;
  m: number | null;
  s: string | null;
  t: string | null;
  b: boolean | null;
  o: { x: number } | null;
};

function evaluate(spec: ExprSpec, row: unknown): unknown {
  const code = exprCode(spec, (path) => recordField("row", () => true)(path).value);
  return new Function("row", `return ${code};`)(row);
}

function holds(spec: ExprSpec, row: unknown): unknown {
  const access = recordField("row", () => true);
  return new Function("row", `return ${conditionCode(spec, access)};`)(row);
}

/** The documented meaning, written down naively: undefined is missing. */
function model(spec: ExprSpec, row: Row): unknown {
  switch (spec.kind) {
    case "field": {
      const value = spec.path
        .split(".")
        .reduce<unknown>((at, name) => (at as Record<string, unknown> | null)?.[name], row);
      return value ?? undefined;
    }
    case "literal":
      return spec.value;
    case "orElse":
      return model(spec.arg, row) ?? spec.value;
    case "in":
      return spec.values.some((value) => value === model(spec.arg, row));
    case "unary":
      return modelUnary(spec.op, model(spec.arg, row));
    case "binary":
      return modelBinary(spec.op, model(spec.left, row), model(spec.right, row));
  }
}

function modelUnary(op: string, arg: unknown): unknown {
  if (op === "not") return arg !== true;
  if (op === "isNull") return arg === undefined;
  if (op === "isNotNull") return arg !== undefined;
  if (arg === undefined) return undefined;
  if (op === "neg") return -(arg as number);
  if (op === "abs") return Math.abs(arg as number);
  if (op === "lower") return (arg as string).toLowerCase();
  if (op === "upper") return (arg as string).toUpperCase();
  return (arg as string).length;
}

const MODEL: Record<string, (left: never, right: never) => unknown> = {
  eq: (left: unknown, right: unknown) => left === right,
  lt: (left: number, right: number) => left < right,
  lte: (left: number, right: number) => left <= right,
  gt: (left: number, right: number) => left > right,
  gte: (left: number, right: number) => left >= right,
  add: (left: number, right: number) => left + right,
  sub: (left: number, right: number) => left - right,
  mul: (left: number, right: number) => left * right,
  div: (left: number, right: number) => left / right,
  mod: (left: number, right: number) => left % right,
  startsWith: (left: string, right: string) => left.startsWith(right),
  endsWith: (left: string, right: string) => left.endsWith(right),
  contains: (left: string, right: string) => left.includes(right),
};

function modelBinary(op: string, left: unknown, right: unknown): unknown {
  if (op === "and") return left === true && right === true;
  if (op === "or") return left === true || right === true;
  if (op === "ne") return modelBinary("eq", left, right) !== true;
  const arithmetic = ["add", "sub", "mul", "div", "mod"].includes(op);
  if (left === undefined || right === undefined) return arithmetic ? undefined : false;
  return MODEL[op]?.(left as never, right as never);
}

type Specs = { numbers: ExprSpec; texts: ExprSpec; conditions: ExprSpec };

const { numbers, texts, conditions } = fc.letrec<Specs>((tie) => {
  const field = (path: string) => fc.constant<ExprSpec>({ kind: "field", path });
  const literal = (values: fc.Arbitrary<Literal>) => values.map<ExprSpec>((value) => ({ kind: "literal", value }));
  const number = fc.integer({ min: -3, max: 3 });
  const text = fc.constantFrom("", "a", "ab", "B", "\u2028'\"`${");
  const binary = (ops: string[], left: keyof Specs, right: keyof Specs) =>
    fc
      .tuple(fc.constantFrom(...ops), tie(left), tie(right))
      .map(([op, l, r]) => ({ kind: "binary", op, left: l, right: r }) as ExprSpec);
  const unary = (ops: string[], arg: keyof Specs) =>
    fc.tuple(fc.constantFrom(...ops), tie(arg)).map(([op, a]) => ({ kind: "unary", op, arg: a }) as ExprSpec);
  const orElse = (arg: keyof Specs, values: fc.Arbitrary<Literal>) =>
    fc.tuple(tie(arg), values).map<ExprSpec>(([a, value]) => ({ kind: "orElse", arg: a, value }));
  const all = {
    numbers: fc.oneof(
      { maxDepth: 4 },
      literal(number),
      field("n"),
      field("m"),
      field("o.x"),
      binary(["add", "sub", "mul", "div", "mod"], "numbers", "numbers"),
      unary(["neg", "abs"], "numbers"),
      orElse("numbers", number),
      unary(["length"], "texts"),
    ),
    texts: fc.oneof(
      { maxDepth: 4 },
      literal(text),
      field("s"),
      field("t"),
      unary(["lower", "upper"], "texts"),
      orElse("texts", text),
    ),
    conditions: fc.oneof(
      { maxDepth: 4 },
      literal(fc.boolean()),
      field("b"),
      binary(["eq", "ne", "lt", "lte", "gt", "gte"], "numbers", "numbers"),
      binary(["eq", "ne", "lt", "gte", "startsWith", "endsWith", "contains"], "texts", "texts"),
      binary(["and", "or", "eq"], "conditions", "conditions"),
      unary(["not"], "conditions"),
      orElse("conditions", fc.boolean()),
      unary(["isNull", "isNotNull"], "numbers"),
      unary(["isNull", "isNotNull"], "texts"),
      fc.tuple(tie("numbers"), fc.array(number)).map(([arg, values]) => ({ kind: "in", arg, values }) as ExprSpec),
      fc.tuple(tie("texts"), fc.array(text)).map(([arg, values]) => ({ kind: "in", arg, values }) as ExprSpec),
    ),
  };
  return all;
});

const rows: fc.Arbitrary<Row> = fc.record(
  {
    n: fc.option(fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constant(Number.NaN))),
    m: fc.option(fc.integer({ min: -3, max: 3 })),
    s: fc.option(fc.constantFrom("", "a", "ab", "B")),
    t: fc.option(fc.constantFrom("", "a", "ab", "\u2028'\"`${")),
    b: fc.option(fc.boolean()),
    o: fc.option(fc.record({ x: fc.integer({ min: -3, max: 3 }) })),
  },
  { requiredKeys: ["m", "s", "t", "b", "o"] },
);

describe("code of expressions", () => {
  test("computes what the documentation says, for any expression and record", () => {
    fc.assert(
      fc.property(fc.oneof(numbers, texts, conditions), rows, (spec, row) => {
        assert.deepEqual(evaluate(spec, row), model(spec, row) ?? null, exprText(spec));
      }),
      { numRuns: 3_000 },
    );
  });

  test("as a condition is true or false, and a missing value is false", () => {
    fc.assert(
      fc.property(conditions, rows, (spec, row) => {
        assert.equal(holds(spec, row), model(spec, row) === true, exprText(spec));
      }),
      { numRuns: 1_000 },
    );
  });

  test("tests nothing where fields cannot be missing", () => {
    const { spec } = col("a").add(col("b.c")).gt(3);
    assert.equal(
      conditionCode(
        spec,
        recordField("row", () => false),
      ),
      '((row["a"] + (row["b.c"] !== undefined ? row["b.c"] : row["b"]["c"])) > 3)',
    );
  });

  test("keeps names and literals of users inside JSON text", () => {
    const name = '"] || hack() || row["';
    const row = { [name]: "'; hack(); '\\" };
    assert.equal(evaluate(col(name).eq("'; hack(); '\\").spec, row), true);
  });

  test("a missing value is equal to nothing, and different from everything", () => {
    const row = { a: null };
    assert.equal(evaluate(col("a").eq(col("a")).spec, row), false);
    assert.equal(evaluate(col("a").ne(col("a")).spec, row), true);
    assert.equal(evaluate(col("a").gt(1).or(col("a").lte(1)).spec, row), false);
  });
});

describe("expressions as data", () => {
  test("survive JSON and print as one text", () => {
    const { spec } = lit(-0)
      .lt(col("price").mul(col("at.qty")))
      .and(col("side").in(["buy", "sell"]).not())
      .or(col("note").isNull());
    assert.deepEqual(JSON.parse(JSON.stringify(spec)), spec);
    assert.equal(exprText(spec), '((0 < (price * at.qty)) and not(side in ("buy", "sell"))) or note is null');
    assert.deepEqual(exprFields(spec), ["price", "at.qty", "side", "note"]);
  });

  test("refuse literals that JSON cannot carry, and paths that name nothing", () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1n as never, null as never]) {
      assert.throws(() => col("a").eq(value), { code: "EXPRESSION_LITERAL" });
      assert.throws(() => col("a").in([value]), { code: "EXPRESSION_LITERAL" });
    }
    assert.throws(() => col(""), { code: "FIELD_PATH_MALFORMED" });
  });
});

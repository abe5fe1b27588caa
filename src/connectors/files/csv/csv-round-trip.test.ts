import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { assertSame } from "../../../../test/arbitraries/same.ts";
import { recordFrom, valuesOf } from "../../../../test/arbitraries/typed-values.ts";
import { UserError } from "../../../base/errors.ts";
import { readAll } from "../../../operators/source.contract.ts";
import { simWorld } from "../../../testing/world.ts";
import { ownField } from "../../../types/spec/field-path.ts";
import { numberOf } from "../../../types/spec/source-value.ts";
import type { StructField, TypeSpec } from "../../../types/spec/type-spec.ts";
import { type Type, t } from "../../../types/t.ts";
import { csvDialect } from "../format/csv-dialect.ts";
import { type CsvOptions, csv } from "./csv.ts";
import { CsvEncoder } from "./csv-encode.ts";

type Fields = readonly StructField[];

const typeOf = (fields: Fields): Type<unknown> => ({ ...t.any, spec: { kind: "struct", fields } }) as Type<unknown>;

/** As the sink of `csv(…, options)` does. */
function written(fields: Fields, records: readonly unknown[], options: CsvOptions): string {
  const encoder = new CsvEncoder({
    dialect: csvDialect(options),
    columns: options.columns ?? fields.map(({ name }) => name),
    spec: { kind: "struct", fields },
    header: options.header ?? true,
    nulls: options.nulls ?? [""],
  });
  return encoder.begin(records[0]) + records.map((record) => encoder.line(record)).join("");
}

async function readBack(text: string, fields: Fields, options: CsvOptions): Promise<unknown[]> {
  const world = simWorld(1);
  world.env.disk.put("/f", text);
  const { records } = await readAll<unknown>(csv("/f", { ...options, type: typeOf(fields) }), world);
  return records;
}

const KINDS = ["f64", "f32", "i32", "i64", "bigint", "bool", "string", "timestamp", "date", "null"] as const;
const TOKENS = ["", "NA", "-999", "null", "0", "true", "NaN", "a b", '"', ";", " x", "#", "1970-01-01T00:00:00.000Z"];
const word = fc.oneof(
  fc.constantFrom(...TOKENS, "a,b", 'say "x"', "\n", "\r", "\r\n", "é", "日本", "\ufeff", "\\", "'", "\t"),
  fc.string(),
);
const kind = fc.oneof(
  fc.constantFrom(...KINDS).map((name): TypeSpec => ({ kind: name })),
  fc.constant<TypeSpec>({ kind: "enum", values: ["", "NA", "-999", "a,b", "#"] }),
);
const fields: fc.Arbitrary<Fields> = fc.uniqueArray(
  fc.record({
    name: fc.oneof(word, fc.constantFrom("a", "b", "__proto__", "constructor")),
    type: fc.oneof(
      kind,
      kind.map((inner): TypeSpec => ({ kind: "nullable", inner })),
    ),
    optional: fc.boolean(),
  }),
  { selector: ({ name }) => name, minLength: 1, maxLength: 4 },
);

function cellOf(spec: TypeSpec): fc.Arbitrary<unknown> {
  switch (spec.kind) {
    case "nullable":
      return fc.oneof(cellOf(spec.inner), fc.constant(null));
    case "string":
      return word;
    case "f64":
    case "timestamp":
      return fc.oneof(fc.constantFrom(-999, 0, -0, 12.5, 1e21, 1e-7), fc.double(), fc.integer());
    case "i32":
      return fc.oneof(fc.constantFrom(-999, 0), fc.integer());
    default:
      return valuesOf(spec);
  }
}

const ABSENT = Symbol("absent");
const rowsOf = (of: Fields): fc.Arbitrary<unknown[]> => {
  const cells = of.map(({ type, optional }) => (optional ? fc.oneof(cellOf(type), fc.constant(ABSENT)) : cellOf(type)));
  const row = fc
    .tuple(...cells)
    .map((values) =>
      recordFrom(of.flatMap(({ name }, at) => (values[at] === ABSENT ? [] : [[name, values[at]] as const]))),
    );
  return fc.array(row, { minLength: 1, maxLength: 6 });
};

const some = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });
const dialects: fc.Arbitrary<CsvOptions> = fc
  .record({
    delimiter: fc.constantFrom(",", ";", "\t", "|", ":"),
    quote: fc.constantFrom<string | false>('"', "'", false),
    escape: some(fc.constant("\\")),
    comment: some(fc.constant("#")),
    trim: fc.boolean(),
    decimal: fc.constantFrom<"." | ",">(".", ","),
    multiline: fc.boolean(),
    header: fc.boolean(),
    nulls: fc.oneof(fc.constant([""]), fc.array(fc.constantFrom(...TOKENS), { maxLength: 3 })),
  })
  .filter((options) => options.delimiter !== options.decimal && (options.quote !== false || !options.escape))
  .map((options) => Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)));

const isHeld = (value: unknown): boolean =>
  value instanceof Date
    ? !Number.isNaN(value.getTime())
    : typeof value !== "string" || (value.isWellFormed() && !value.includes("\0"));
const areTimes = (rows: readonly unknown[], name: string): boolean =>
  rows
    .map((row) => ownField(row, name))
    .every(
      (value) =>
        typeof value !== "number" || (!Number.isNaN(numberOf("timestamp", value)) && /^[\d.-]+$/.test(String(value))),
    );

describe("what CSV writes it reads back", () => {
  test("every value of every type of a cell, in every dialect, beside nulls and what looks like one, or it is refused", async () => {
    let refused = 0;
    const cases = fields.chain((of) => fc.tuple(fc.constant(of), rowsOf(of), dialects));
    const property = fc.asyncProperty(cases, async ([of, rows, options]) => {
      let text: string;
      try {
        text = written(of, rows, options);
      } catch (error) {
        assert.ok(error instanceof UserError && error.code === "CSV_VALUE_UNSUPPORTED", String(error));
        refused += 1;
        return;
      }
      assertSame(await readBack(text, of, options), rows);
    });
    await fc.assert(property, { numRuns: 500 });
    assert.ok(refused > 0);
  });

  test("nothing but NUL, half letters, invalid dates and what its type cannot tell is refused by default", async () => {
    const plain = fields.map((of) =>
      of.map((field) =>
        field.type.kind === "nullable" || field.type.kind === "null" ? { ...field, optional: false } : field,
      ),
    );
    const cases = plain.chain((of) => fc.tuple(fc.constant(of), rowsOf(of)));
    const property = fc.asyncProperty(cases, async ([of, rows]) => {
      fc.pre(of.every(({ name }) => isHeld(name)) && rows.every((row) => Object.values(row as object).every(isHeld)));
      fc.pre(of.every((field) => !/timestamp/.test(JSON.stringify(field.type)) || areTimes(rows, field.name)));
      assertSame(await readBack(written(of, rows, {}), of, {}), rows);
    });
    await fc.assert(property, { numRuns: 200 });
  });

  const nullable = (spec: TypeSpec): StructField => ({
    name: "v",
    type: { kind: "nullable", inner: spec },
    optional: false,
  });

  test("a null alone in its row is a blank line, an empty text beside it is in quotes", async () => {
    const texts = [nullable({ kind: "string" })];
    const rows = [{ v: null }, { v: "" }, { v: "a" }, { v: null }];
    assert.equal(written(texts, rows, {}), 'v\n\n""\na\n\n');
    for (const header of [true, false]) {
      assert.deepEqual(await readBack(written(texts, rows, { header }), texts, { header }), rows);
    }
    const optional: Fields = [{ name: "v", type: { kind: "i32" }, optional: true }];
    assert.deepEqual(await readBack(written(optional, [{}, { v: 1 }, {}], {}), optional, {}), [{}, { v: 1 }, {}]);
  });

  test("a blank line is no record where a null cannot stand", async () => {
    for (const [only, options] of [
      [{ name: "v", type: { kind: "string" }, optional: false }, {}],
      [nullable({ kind: "string" }), { nulls: ["NA"] }],
    ] as const) {
      assert.deepEqual(await readBack("v\n\na\n\n", [only], options), [{ v: "a" }]);
    }
  });

  test("what equals a null token stands in quotes, a number as well as a text", async () => {
    const of: Fields = [{ name: "id", type: { kind: "string" }, optional: false }, nullable({ kind: "f64" })];
    const rows = [
      { id: "-999", v: -999 },
      { id: "b", v: null },
    ];
    const options = { nulls: ["-999"] };
    assert.equal(written(of, rows, options), 'id,v\n"-999","-999"\nb,-999\n');
    assert.deepEqual(await readBack(written(of, rows, options), of, options), rows);
  });

  test("times whose milliseconds look like a day in digits are written as dates", async () => {
    const of: Fields = [{ name: "at", type: { kind: "timestamp" }, optional: false }];
    const rows = [20_260_105, 20_260_105.5, 20_260_199, 20_260_105_100_059].map((at) => ({ at }));
    assert.equal(
      written(of, rows, {}),
      "at\n1970-01-01T05:37:40.105Z\n20260105.5\n20260199\n2612-01-07T22:58:20.059Z\n",
    );
    assert.deepEqual(await readBack(written(of, rows, {}), of, {}), rows);
  });

  test("what cannot be read back is refused by column and reason", () => {
    const refused = (of: StructField, value: unknown, options: CsvOptions, message: RegExp) =>
      assert.throws(() => written([of], [value === undefined ? {} : { [of.name]: value }], options), {
        code: "CSV_VALUE_UNSUPPORTED",
        message,
      });
    const text = nullable({ kind: "string" });
    refused(text, "", { quote: false }, /column "v": "" needs quotes, and the dialect has none/);
    refused(text, null, { nulls: [] }, /no text of `nulls` can stand for null/);
    refused(text, null, { nulls: ["a,b"] }, /no text of `nulls` can stand for null/);
    refused({ ...text, optional: true }, undefined, {}, /cannot tell a field that is absent from one that is null/);
    refused(nullable({ kind: "date" }), new Date(Number.NaN), {}, /invalid Date/);
    refused(nullable({ kind: "timestamp" }), Number.NaN, {}, /NaN is no time/);
    refused(nullable({ kind: "timestamp" }), 8_640_000_000_000_001, {}, /8640000000000001 is no time/);
  });
});

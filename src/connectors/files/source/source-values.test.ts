import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { assertSame } from "../../../../test/arbitraries/same.ts";
import { valuesOf } from "../../../../test/arbitraries/typed-values.ts";
import { readAll } from "../../../operators/source.contract.ts";
import { simWorld } from "../../../testing/world.ts";
import { ByteCursor, ByteSink } from "../../../types/bytes/byte-buffer.ts";
import { compileRecordGuard } from "../../../types/record-guard.ts";
import type { TypeSpec } from "../../../types/spec/type-spec.ts";
import { type Type, t } from "../../../types/t.ts";
import { specMismatch } from "../../../types/values/spec-mismatch.ts";
import { compileValueCodec } from "../../../types/values/value-codec.ts";
import { csv } from "../csv/csv.ts";
import { jsonText } from "../json/json-encode.ts";
import { jsonl } from "../json/jsonl.ts";

/** What a line of JSON or a cell may hold: numbers at every edge, times, digits, and what is none of them. */
const numbers = fc.oneof(
  fc.constantFrom("0", "-0", "-0.0", "1e400", "-1e400", "1e39", "3.5e38", "0.1", "1e-400", "2147483648", "-2147483649"),
  fc.constantFrom("9007199254740991", "9007199254740992", "9007199254740993", "-9007199254740993", "1e18", "1e22"),
  fc.constantFrom("9223372036854775807", "9223372036854775808", "-9223372036854775808", "1610521604143693813"),
  fc.constantFrom("8640000000000000", "8640000000000001", "-8640000000000001", "253402300800000"),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.bigInt().map(String),
  fc.integer().map(String),
);
const texts = fc.oneof(
  fc.constantFrom(
    "2026-01-01",
    "2026-02-30",
    "2023-01-01T00:00:00+99:99",
    "2026-01-01T24:00:00",
    "+012345-01-01T00:00:00.000Z",
  ),
  fc.constantFrom(
    "+275760-09-13T00:00:00.001Z",
    "-271821-04-19T23:59:59.999Z",
    "NaN",
    "Infinity",
    "-Infinity",
    "+5",
    "007",
  ),
  fc.constantFrom("true", "FALSE", "1", "", "a", "null"),
  numbers,
);

const LEAVES = ["f64", "f32", "i32", "i64", "bigint", "bool", "string", "timestamp", "date", "null", "any"] as const;
const leaf: fc.Arbitrary<TypeSpec> = fc.oneof(
  fc.constantFrom(...LEAVES).map((kind): TypeSpec => ({ kind })),
  fc.constant<TypeSpec>({ kind: "enum", values: ["a", "1", ""] }),
);
const cell = fc.oneof(
  leaf,
  leaf.map((inner): TypeSpec => ({ kind: "nullable", inner })),
);
const value: fc.Arbitrary<TypeSpec> = fc.oneof(
  cell,
  cell.map((item): TypeSpec => ({ kind: "list", item })),
  fc.array(cell, { minLength: 1, maxLength: 3 }).map((members): TypeSpec => ({ kind: "union", members })),
  fc
    .constantFrom("Float32Array", "Int32Array", "BigInt64Array", "Uint8Array")
    .map((array): TypeSpec => ({ kind: "bytes", array })),
);
const json = fc.oneof(
  numbers,
  texts.map((text) => JSON.stringify(text)),
  fc.constantFrom("null", "true"),
);
const jsonValue = fc.oneof(
  json,
  fc.array(json, { maxLength: 3 }).map((items) => `[${items.join(",")}]`),
  json.map((item) => `{"x":${item}}`),
);

/** The record's type, as `t.*` would build it. */
const typeOf = (spec: TypeSpec): Type<unknown> =>
  ({ ...t.any, spec: { kind: "struct", fields: [{ name: "v", type: spec, optional: false }] } }) as Type<unknown>;

function assertTaken(type: Type<unknown>, records: readonly unknown[]): void {
  const fits = compileRecordGuard(type.spec, "refuse", "source values");
  const codec = compileValueCodec(type.spec);
  for (const record of records) {
    assert.equal(specMismatch(type.spec, record), null);
    assert.ok(fits(record, true));
    const sink = new ByteSink();
    codec.write(record, sink);
    assertSame(codec.read(new ByteCursor(sink.bytes, 0, sink.position)), record);
  }
}

describe("whatever a source accepts its type accepts, and gives back the same", () => {
  test("JSON Lines", async () => {
    const property = fc.asyncProperty(
      value,
      fc.array(jsonValue, { minLength: 1, maxLength: 12 }),
      async (spec, lines) => {
        const type = typeOf(spec);
        const world = simWorld(1);
        world.env.disk.put("/f", lines.map((text) => `{"v":${text}}\n`).join(""));
        const { records, invalid } = await readAll<unknown>(jsonl("/f", { type, invalid: "side" }), world);
        assert.equal(records.length + invalid.length, lines.length);
        assertTaken(type, records);
      },
    );
    await fc.assert(property, { numRuns: 400 });
  });

  test("CSV", async () => {
    const property = fc.asyncProperty(cell, fc.array(texts, { minLength: 1, maxLength: 12 }), async (spec, cells) => {
      const type = typeOf(spec);
      const world = simWorld(1);
      world.env.disk.put("/f", `v,w\n${cells.map((text) => `${text},x\n`).join("")}`);
      const { records, invalid } = await readAll<unknown>(csv("/f", { type, invalid: "side" }), world);
      assert.equal(records.length + invalid.length, cells.length);
      assertTaken(type, records);
    });
    await fc.assert(property, { numRuns: 400 });
  });
});

describe("a number that no double holds", () => {
  const read = async (text: string, spec: Type<unknown> | null) => {
    const world = simWorld(1);
    world.env.disk.put("/f", text);
    const type = spec === null ? {} : { type: t.struct({ v: spec }) as Type<unknown> };
    const { records, invalid } = await readAll<unknown>(jsonl("/f", { ...type, invalid: "side" }), world);
    return { values: (records as { v: unknown }[]).map(({ v }) => v), issues: invalid.flatMap(({ issues }) => issues) };
  };
  const big = "1610521604143693813";

  test("is read from its digits, as bigint where nothing is declared", async () => {
    const line = `{"v":${big}}`;
    const nested = `{"v":{"a":[1,${big}]}}`;
    assert.deepEqual((await read(line, t.i64)).values, [BigInt(big)]);
    assert.deepEqual((await read(line, t.bigint)).values, [BigInt(big)]);
    assert.deepEqual((await read(line, t.string)).values, [big]);
    assert.deepEqual((await read(line, t.any)).values, [BigInt(big)]);
    assert.deepEqual((await read(line, null)).values, [BigInt(big)]);
    assert.deepEqual((await read(nested, t.any)).values, [{ a: [1, BigInt(big)] }]);
    assert.deepEqual((await read(nested, null)).values, [{ a: [1, BigInt(big)] }]);
    for (const type of [t.any, null]) {
      const deep = `{"v":[[1],[[${big}],{"b":[{"c":${big}}]}]]}`;
      assert.deepEqual((await read(deep, type)).values, [[[1], [[BigInt(big)], { b: [{ c: BigInt(big) }] }]]]);
    }
    assert.deepEqual((await read(line, t.list(t.i64).nullable())).values, []);
  });

  test("is the nearest double under t.f64, and smaller numbers, fractions and exponents stay numbers", async () => {
    assert.deepEqual((await read(`{"v":${big}}`, t.f64)).values, [Number(big)]);
    assert.deepEqual((await read('{"v":9007199254740991}\n{"v":1e20}\n{"v":-0}', null)).values, [
      2 ** 53 - 1,
      1e20,
      -0,
    ]);
    assert.deepEqual((await read('{"v":"9007199254740993"}', null)).values, ["9007199254740993"]);
  });

  test("keeps a whole number a number in a union that has a text first", async () => {
    const type = t.union(t.string, t.f64);
    assert.deepEqual((await read(`{"v":5}\n{"v":"5"}`, type)).values, [5, "5"]);
    assert.deepEqual((await read(`{"v":${big}}`, t.union(t.string, t.i64))).values, [BigInt(big)]);
    assert.deepEqual((await read(`{"v":5}`, t.union(t.string, t.null))).values, ["5"]);
    assert.deepEqual((await read(`{"v":${big}}`, t.union(t.i64, t.f64))).values, [BigInt(big)]);
  });

  test("beyond their range makes the row invalid, declared or not", async () => {
    for (const type of [t.f64, t.f32, t.i64, t.timestamp, t.date, t.any, t.list(t.f64), null]) {
      const { values, issues } = await read('{"v":1e400}\n{"v":[-1e400]}', type);
      assert.deepEqual(values, []);
      assert.equal(issues.length, 2);
    }
    assert.deepEqual((await read('{"v":1e400}', null)).issues, ["expected numbers up to 1.8e308"]);
  });

  test("is shown as it was written when it is refused", async () => {
    for (const type of [t.f64, t.f32, t.i32, t.i64, t.bool, t.timestamp]) {
      assert.match((await read('{"v":1e400}', type)).issues.join(), /got a number beyond 1\.8e308$/);
    }
    for (const type of [t.i32, t.bool, t.timestamp, t.bytes, t.union(t.bool, t.i32)]) {
      assert.match((await read('{"v":9007199254740993}', type)).issues.join(), /got 9007199254740993$/);
    }
    assert.match((await read('{"v":[9007199254740993]}', t.bytes)).issues.join(), /got 9007199254740993$/);
  });

  test("beyond what a Date holds is no time, as a number or a Date, from a file or from a function", async () => {
    const lines = '{"v":1.2e22}\n{"v":8640000000000001}\n{"v":"-8640000000000001"}\n{"v":8640000000000000}';
    assert.deepEqual((await read(lines, t.timestamp)).values, [8.64e15]);
    assert.deepEqual((await read(lines, t.date)).values, [new Date(8.64e15)]);
    const fits = compileRecordGuard(t.timestamp.spec, "refuse", "times");
    for (const [ms, isTime] of [
      [-8.64e15, true],
      [8.64e15 + 1, false],
      [Number.POSITIVE_INFINITY, false],
      [Number.NaN, false],
    ] as const) {
      assert.equal(fits(ms, true), isTime);
      assert.equal(specMismatch(t.timestamp.spec, ms) === null, isTime);
    }
  });

  test("is written as its digits, and comes back", async () => {
    const property = fc.asyncProperty(valuesOf({ kind: "bigint" }), async (v) => {
      assert.equal(jsonText({ v }), `{"v":${v}}`);
      assert.deepEqual((await read(jsonText({ v }), t.bigint)).values, [v]);
    });
    await fc.assert(property, { numRuns: 200 });
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { bigintOf, dateOf, numberOf, scalarFits, TIME_MAX_MS } from "./source-value.ts";

test("whole numbers are those of their range, and -0 is 0", () => {
  const cases: [number, number][] = [
    [-0, 0],
    [2 ** 31 - 1, 2 ** 31 - 1],
    [-(2 ** 31), -(2 ** 31)],
    [2 ** 31, Number.NaN],
    [-(2 ** 31) - 1, Number.NaN],
    [1.5, Number.NaN],
    [Infinity, Number.NaN],
  ];
  for (const [value, expected] of cases) assert.ok(Object.is(numberOf("i32", value), expected), String(value));
});

test("numbers beyond their type are none, and what a 32-bit number cannot hold is rounded", () => {
  assert.equal(numberOf("f64", 1e308), 1e308);
  assert.ok(Number.isNaN(numberOf("f64", Infinity)));
  assert.equal(numberOf("f32", 0.1), Math.fround(0.1));
  assert.ok(Number.isNaN(numberOf("f32", 1e39)));
  assert.equal(numberOf("timestamp", -TIME_MAX_MS), -TIME_MAX_MS);
  assert.ok(Number.isNaN(numberOf("timestamp", TIME_MAX_MS + 1)));
});

test("digits are taken up to 64 bits for t.i64, and without a limit for bigint", () => {
  assert.equal(bigintOf("i64", "+9223372036854775807"), 2n ** 63n - 1n);
  assert.equal(bigintOf("i64", "-9223372036854775808"), -(2n ** 63n));
  assert.equal(bigintOf("i64", "9223372036854775808"), null);
  assert.equal(bigintOf("bigint", "9223372036854775808"), 2n ** 63n);
  for (const text of ["", "-", "1.0", "1e3", "0x10", " 1"]) assert.equal(bigintOf("bigint", text), null, text);
});

test("a time that no Date holds is none", () => {
  assert.equal(dateOf(TIME_MAX_MS)?.getTime(), TIME_MAX_MS);
  assert.equal(dateOf(TIME_MAX_MS + 1), null);
});

test("a value fits the type that it is of, to the last of its range", () => {
  const yes = [
    [{ kind: "f64" }, Number.NaN],
    [{ kind: "timestamp" }, -TIME_MAX_MS],
    [{ kind: "f32" }, 0.5],
    [{ kind: "i32" }, -(2 ** 31)],
    [{ kind: "i64" }, 2n ** 63n - 1n],
    [{ kind: "bigint" }, 2n ** 70n],
    [{ kind: "bool" }, false],
    [{ kind: "string", form: "duration" }, "5m"],
    [{ kind: "enum", values: ["a"] }, "a"],
  ] as const;
  const no = [
    [{ kind: "f64" }, "1"],
    [{ kind: "timestamp" }, TIME_MAX_MS + 1],
    [{ kind: "f32" }, 0.1],
    [{ kind: "i32" }, 2 ** 31],
    [{ kind: "i64" }, 2n ** 63n],
    [{ kind: "bigint" }, 2],
    [{ kind: "bool" }, 0],
    [{ kind: "string", form: "duration" }, "5 parsecs"],
    [{ kind: "enum", values: ["a"] }, "b"],
  ] as const;
  for (const [spec, value] of yes) assert.ok(scalarFits(spec, value), spec.kind);
  for (const [spec, value] of no) assert.ok(!scalarFits(spec, value), spec.kind);
});

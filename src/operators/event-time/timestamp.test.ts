import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { TIMESTAMP_UNITS, type TimestampUnit, timestampOf, timestampProblem } from "./timestamp.ts";

const NOON = Date.UTC(2026, 0, 5, 10);
const PER_MS = { s: 0.001, ms: 1, us: 1e3, ns: 1e6 } as const;

/** The unit that the fix of an error proposes. */
function advised(value: unknown, unit: TimestampUnit | null): TimestampUnit | null {
  const [, first = null] = /unit: "(\w+)"/.exec(timestampProblem(value, unit).fix) ?? [];
  return first as TimestampUnit | null;
}

describe("event times", () => {
  test("before 1970 are times, as numbers and as Dates, and -0 is 0", () => {
    for (const ms of [-1, -86_400_000, Date.UTC(1815, 5, 18), Date.UTC(1, 0, 1)]) {
      for (const unit of [null, "ms"] as const) {
        assert.equal(timestampOf(ms, unit), ms);
        assert.equal(timestampOf(new Date(ms), unit), ms);
        assert.equal(timestampOf(BigInt(ms), unit), ms);
      }
      assert.equal(timestampOf(ms / 1_000, "s"), ms);
    }
    for (const unit of [null, ...TIMESTAMP_UNITS]) assert.ok(Object.is(timestampOf(-0, unit), 0));
  });

  test("in any unit are the same milliseconds, whole ones exactly", () => {
    const whole = fc.integer({ min: -4e12, max: 4e12 });
    fc.assert(
      fc.property(whole, fc.constantFrom(...TIMESTAMP_UNITS), (ms, unit) => {
        const value = unit === "s" ? ms / 1_000 : ms * PER_MS[unit];
        assert.equal(timestampOf(value, unit), ms);
        if (unit !== "s") assert.equal(timestampOf(BigInt(ms) * BigInt(PER_MS[unit]), unit), ms);
      }),
      { numRuns: 2_000 },
    );
  });

  test("that look like another unit are refused, and what the error advises makes them the time that was meant", () => {
    const codes = { s: "SECONDS", ms: "MILLISECONDS", us: "MICROSECONDS", ns: "NANOSECONDS" } as const;
    for (const meant of TIMESTAMP_UNITS) {
      for (const unit of [null, ...TIMESTAMP_UNITS]) {
        const value = NOON * PER_MS[meant];
        if (!Number.isNaN(timestampOf(value, unit))) continue; // Said to be so, or what it is.
        assert.equal(timestampProblem(value, unit).code, `TIMESTAMP_IN_${codes[meant]}`);
        const next = advised(value, unit);
        assert.equal(next, meant);
        assert.equal(timestampOf(value, next), NOON);
      }
    }
    for (const [value, unit] of [
      [NOON / 1_000, null],
      [NOON * 1e3, null],
      [NOON * 1e6, null],
      [NOON, "s"],
      [NOON * 1e6, "us"],
      [NOON * 1e6, "ms"],
    ] as const) {
      assert.ok(Number.isNaN(timestampOf(value, unit)), `${value} ${unit}`);
    }
  });

  test("of 1970 to 1973 and far years are taken where they are said to be milliseconds; the year 9999 always", () => {
    const end = Date.UTC(9999, 11, 31);
    assert.equal(timestampOf(end, null), end);
    for (const ms of [Date.UTC(1971, 4, 3), 8.64e15, -8.64e15]) {
      for (const value of [ms, new Date(ms)]) {
        assert.ok(Number.isNaN(timestampOf(value, null)));
        assert.match(timestampProblem(value, null).fix, /or unit: "ms" if it really is/);
        assert.equal(timestampOf(value, "ms"), ms);
      }
    }
  });

  test("of 1985 on taken for seconds are refused as milliseconds, from the first to the last that could be meant", () => {
    for (const seconds of [5e8, 5e8 + 1, 1e10, 1e11 - 1]) {
      assert.ok(Number.isNaN(timestampOf(seconds, null)), `${seconds}`);
      assert.equal(timestampProblem(seconds, null).code, "TIMESTAMP_IN_SECONDS");
    }
    for (const ms of [5e8 - 1, 1e11]) assert.equal(timestampOf(ms, null), ms);
  });

  test("in bigints keep the part of a millisecond that their unit has", () => {
    assert.equal(timestampOf(1_767_607_200_000_250n, "us"), 1_767_607_200_000.25);
    assert.equal(timestampOf(1_767_607_200_000_500_000n, "ns"), 1_767_607_200_000.5);
  });

  test("that are days and clocks in digits are refused, unless they are said to be milliseconds", () => {
    for (const [value, time] of [
      [20260105, "2026-01-05"],
      [19991231, "1999-12-31"],
      [20260105100059, "2026-01-05T10:00:59"],
      [20260105100059250, "2026-01-05T10:00:59"],
    ] as const) {
      assert.ok(Number.isNaN(timestampOf(value, null)), time);
      const { code, message, fix } = timestampProblem(value, null);
      assert.equal(code, "TIMESTAMP_IN_DIGITS");
      assert.match(message, new RegExp(`looks like ${time} in digits`));
      assert.ok(fix.includes(`Date.parse("${time}`), fix);
      assert.ok(fix.endsWith('; or set such rows aside with .onError("side") behind eventTime'), fix);
      if (value < 1e16) assert.equal(timestampOf(value, "ms"), value);
    }
    for (const ms of [
      20260100, 20261301, 20260132, 21000101, 18991231, 20260105.5, -20260105, 20260105240000, 20260105106000,
    ]) {
      assert.equal(timestampOf(ms, null), ms);
    }
  });

  test("that are none are told apart", () => {
    const problems: readonly (readonly [unknown, string])[] = [
      [null, "TIMESTAMP_MISSING"],
      [undefined, "TIMESTAMP_MISSING"],
      ["2026-01-05", "TIMESTAMP_TYPE"],
      [NaN, "TIMESTAMP_NAN"],
      [new Date(NaN), "TIMESTAMP_NAN"],
      [Infinity, "TIMESTAMP_RANGE"],
      [-Infinity, "TIMESTAMP_RANGE"],
      [1e30, "TIMESTAMP_RANGE"],
    ];
    for (const [value, code] of problems) {
      for (const unit of [null, ...TIMESTAMP_UNITS]) {
        assert.ok(Number.isNaN(timestampOf(value, unit)));
        assert.equal(timestampProblem(value, unit).code, code);
      }
    }
  });
});

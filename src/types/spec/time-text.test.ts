import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { timeParse } from "./time-text.ts";

const parse = (text: string): number => timeParse(`<${text}>`, 1, text.length + 1);

describe("times as text", () => {
  test("what Date writes is read back, for every time that a Date can hold", () => {
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true }), (date) => {
        assert.equal(parse(date.toISOString()), date.getTime());
      }),
      { numRuns: 5_000 },
    );
  });

  test("dates, date-times with and without seconds, fractions and zones are read; without a zone they are UTC", () => {
    const day = Date.UTC(2024, 1, 29);
    const expected: Record<string, number> = {
      "2024-02-29": day,
      "2024-02-29T09:30": day + 34_200_000,
      "2024-02-29 09:30:15": day + 34_215_000,
      "2024-02-29t09:30:15.5z": day + 34_215_500,
      "2024-02-29T09:30:15.123456789Z": day + 34_215_123,
      "2024-02-29T00:00+05:30": day - 19_800_000,
      "2024-02-29T00:00:00-0800": day + 28_800_000,
      "2024-02-29T00:00:00.000+01": day - 3_600_000,
      "0001-01-01": Date.parse("0001-01-01"),
      "1767225600000": 1_767_225_600_000,
      "-86400000.5": -86_400_000.5,
      "2024": 2_024,
      "20241329": 20_241_329,
      "20240229.5": 20_240_229.5,
      "20240229246015": 20_240_229_246_015,
    };
    for (const [text, ms] of Object.entries(expected)) assert.equal(parse(text), ms, text);
  });

  test("forms of loggers, databases and people are read: a comma, zones by name or behind a blank, the end of a day", () => {
    const ten = Date.UTC(2026, 0, 5, 10);
    const expected: Record<string, number> = {
      "2026-01-05 10:00:00,250": ten + 250,
      "2026-01-05 10:00:00,250 UTC": ten + 250,
      "2026-01-05T10:00:00 UTC": ten,
      "2026-01-05 10:00:00UTC": ten,
      "2026-01-05 10:00:00 utc": ten,
      "2026-01-05 10:00 GMT": ten,
      "2026-01-05 10:00:00 Z": ten,
      "2026-01-05 11:00:00+0100": ten,
      "2026-01-05 11:00:00.250 +0100": ten + 250,
      "2026-01-05 11:00:00 +01:00": ten,
      "2026-01-05 09:00-01": ten,
      "2026-01-06 09:59:00+23:59": ten,
      "2026-01-04 10:01:00-23:59": ten,
      "2026-01-05 24:00:00": ten + 50_400_000,
      "2026-01-05T24:00": ten + 50_400_000,
      "2026-01-05T24:00:00.000Z": ten + 50_400_000,
      "2025-12-31 24:00:00": Date.UTC(2026, 0, 1),
      "1969-12-31T23:59:59.9999Z": -1,
      "1815-06-18 11:35:00": Date.UTC(1815, 5, 18, 11, 35),
      "0033-04-03": Date.parse("0033-04-03"),
    };
    for (const [text, ms] of Object.entries(expected)) assert.equal(parse(text), ms, text);
  });

  test("every millisecond of a fraction is itself", () => {
    for (let ms = 0; ms < 1_000; ms += 1) {
      const digits = String(ms).padStart(3, "0");
      for (const text of [`.${digits}`, `,${digits}999999`])
        assert.equal(parse(`1970-01-01 00:00:00${text}`), ms, text);
    }
  });

  test("a day is one where the calendar has it: leap years are those of the Gregorian one", () => {
    for (const year of [4, 100, 400, 1582, 1600, 1700, 1896, 1900, 1999, 2000, 2024, 2100, 2400, 9999]) {
      for (let month = 1; month <= 12; month += 1) {
        for (const day of [1, 28, 29, 30, 31, 32]) {
          const text = [year, month, day].map((part, at) => String(part).padStart(at === 0 ? 4 : 2, "0")).join("-");
          const date = new Date(`${text.slice(0, 8)}01`);
          date.setUTCDate(day);
          const isDay = date.getUTCMonth() === month - 1;
          assert.equal(parse(text), isDay ? date.getTime() : Number.NaN, text);
        }
      }
    }
  });

  test("what is no time is none", () => {
    const texts = [
      "",
      "x",
      "2024-02-30",
      "2023-02-29",
      "2024-13-01",
      "2024-00-10",
      "2024-1-1",
      "2024-02-29T",
      "2024-02-29T24:01",
      "2024-02-29T24:00:01",
      "2024-02-29T24:00:00.001",
      "2024-02-29T25:00",
      "2024-02-29T99:00",
      "2024-02-29T09:30+99:99",
      "2024-02-29T09:30+24:00",
      "2024-02-29T09:30+05:60",
      "2024-02-29T09:30-2400",
      "2024-02-29T09:30  UTC",
      "2024-02-29T09:30 CET",
      "2024-02-29 UTC",
      "2024-02-29T09:30:15,",
      "2024-02-31",
      "2024-04-31",
      "20240229",
      "19000101",
      "20991231.0",
      "20240229093015",
      "2024-02-29T09",
      "2024-02-29T09:60",
      "2024-02-29T09:30:60",
      "2024-02-29T09:30:15.",
      "2024-02-29T09:30:1",
      "2024-02-29T09:30X",
      "2024-02-29T09:30+5",
      "2024-02-29X09:30",
      "2024/02/29",
      "Feb 29 2024",
      "1e12",
      "--5",
      "2024-02-29T09:30:15Z ",
      "2024-0229T",
    ];
    for (const text of texts) assert.ok(Number.isNaN(parse(text)), text);
  });
});

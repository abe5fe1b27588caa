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
    };
    for (const [text, ms] of Object.entries(expected)) assert.equal(parse(text), ms, text);
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
      "2024-02-29T24:00",
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

import assert from "node:assert/strict";
import { test } from "node:test";
import { countText, elapsedText } from "./number-text.ts";

test("counts keep three digits once they are large, and never grow a fourth by rounding", () => {
  const cases = [
    [0, "0"],
    [9_999, "9,999"],
    [10_000, "10.0 k"],
    [99_949, "99.9 k"],
    [99_960, "100 k"],
    [999_499, "999 k"],
    [999_500, "1.00 M"],
    [1_240_000, "1.24 M"],
    [999_500_000, "1.00 G"],
  ] as const;
  for (const [count, text] of cases) assert.equal(countText(count), text);
});

test("elapsed time is told as exactly as matters", () => {
  const cases = [
    [4, "0.00 s"],
    [420, "0.42 s"],
    [12_340, "12.3 s"],
    [192_000, "3m 12s"],
    [3_725_000, "1h 2m 5s"],
  ] as const;
  for (const [ms, text] of cases) assert.equal(elapsedText(ms), text);
});

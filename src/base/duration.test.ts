import assert from "node:assert/strict";
import { test } from "node:test";
import { durationMs, durationText } from "./duration.ts";

test("durations of each unit are so many milliseconds", () => {
  const known: readonly (readonly [string, number])[] = [
    ["250ms", 250],
    ["5s", 5_000],
    ["1.5s", 1_500],
    ["2m", 120_000],
    ["3h", 10_800_000],
    ["7d", 604_800_000],
    ["0s", 0],
  ];
  for (const [text, ms] of known) assert.equal(durationMs(text), ms, text);
});

test("what is no number with a unit is refused, also when there is more behind it", () => {
  for (const text of ["", "5", "s", "5x", "5sec", "5s later", "-5s", "1e3s", "5 s s"])
    assert.throws(() => durationMs(text), { code: "DURATION_MALFORMED" }, text);
});

test("a duration in words has its two largest units, and none that is zero", () => {
  const known: readonly (readonly [number, string])[] = [
    [0, "0ms"],
    [0.125, "0.13ms"],
    [999, "999ms"],
    [1_000, "1s"],
    [1_250, "1.25s"],
    [65_000, "1m 5s"],
    [3_600_000, "1h"],
    [3_660_000, "1h 1m"],
    [90_061_000, "1d 1h"],
    [-65_000, "-1m 5s"],
    [Infinity, "–"],
  ];
  for (const [ms, text] of known) assert.equal(durationText(ms), text);
});

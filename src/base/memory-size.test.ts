import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { memorySizeExact, memorySizeParse, memorySizeText } from "./memory-size.ts";

test("sizes are read in powers of 1024, in any case and spacing", () => {
  const cases: [string, number | null][] = [
    ["32kb", 32 * 1024],
    ["32 KiB", 32 * 1024],
    ["1.5g", 1.5 * 1024 ** 3],
    ["2tb", 2 * 1024 ** 4],
    ["0", 0],
    ["7 bytes", 7],
    ["7b", 7],
    ["", null],
    ["mb", null],
    ["1e3", null],
    ["-1mb", null],
    ["0.1b", null],
    ["1 mb x", null],
    ["9007199254740993", null],
  ];
  for (const [text, bytes] of cases) assert.equal(memorySizeParse(text), bytes, text);
});

test("the exact form of a size reads back as the same size", () => {
  fc.assert(fc.property(fc.maxSafeNat(), (bytes) => assert.equal(memorySizeParse(memorySizeExact(bytes)), bytes)));
  assert.equal(memorySizeExact(64 * 1024 ** 2), "64mb");
});

test("the form for people has at most two decimals", () => {
  assert.equal(memorySizeText(0), "0 B");
  assert.equal(memorySizeText(1023), "1023 B");
  assert.equal(memorySizeText(1.5 * 1024 ** 3), "1.5 GiB");
  assert.equal(memorySizeText(1728 * 1024 ** 2), "1.69 GiB");
});

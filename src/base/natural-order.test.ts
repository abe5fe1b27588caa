import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { naturalOrder } from "./natural-order.ts";

const sorted = (...names: string[]): string[] => names.sort(naturalOrder);

describe("the natural order of names", () => {
  test("numbers in them count as numbers, wherever they stand and however many there are", () => {
    assert.deepEqual(sorted("day-10", "day-2", "day-1"), ["day-1", "day-2", "day-10"]);
    assert.deepEqual(sorted("part-0-10.csv", "part-10-0.csv", "part-0-2.csv", "part-2-0.csv"), [
      "part-0-2.csv",
      "part-0-10.csv",
      "part-2-0.csv",
      "part-10-0.csv",
    ]);
    assert.deepEqual(sorted("2026-12-1", "2026-2-28", "2025-12-31"), ["2025-12-31", "2026-2-28", "2026-12-1"]);
    assert.deepEqual(sorted("a/b/9", "a/10", "a/b/10", "a/9"), ["a/9", "a/10", "a/b/9", "a/b/10"]);
    const long = "9".repeat(30);
    assert.deepEqual(sorted(`v1${long}`, `v${long}`), [`v${long}`, `v1${long}`]);
  });

  test("leading zeros do not count, unless nothing else differs", () => {
    assert.deepEqual(sorted("day-010", "day-9", "day-0002"), ["day-0002", "day-9", "day-010"]);
    assert.deepEqual(sorted("day-2", "day-02"), ["day-02", "day-2"]);
  });

  test("without numbers it is the order of code units", () => {
    assert.deepEqual(sorted("b", "a", "B", "", "a.csv", "a10.csv"), ["", "B", "a", "a.csv", "a10.csv", "b"]);
  });

  test("it is an order: of any three names no two comparisons contradict a third, and only equal names are equal", () => {
    const name = fc.string({ unit: fc.constantFrom("0", "1", "9", "a", "-", "é"), maxLength: 6 });
    fc.assert(
      fc.property(name, name, name, (a, b, c) => {
        assert.equal(Math.sign(naturalOrder(a, b)), -Math.sign(naturalOrder(b, a)) + 0);
        assert.equal(naturalOrder(a, b) === 0, a === b);
        if (naturalOrder(a, b) <= 0 && naturalOrder(b, c) <= 0) assert.ok(naturalOrder(a, c) <= 0);
      }),
      { numRuns: 2_000 },
    );
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { addMoments, MOMENT_WORDS, mergeMoments, sampleVariance } from "./moments.ts";

type Moments = Float64Array;

const words = (of: string) => (n: number) => `${of}[${n}]`;
const add = new Function("w", "x", addMoments(words("w"), "x")) as (into: Moments, x: number) => void;
const merge = new Function("w", "v", mergeMoments(words("w"), words("v"))) as (into: Moments, from: Moments) => void;

function momentsOf(values: readonly number[]): Moments {
  const moments = new Float64Array(MOMENT_WORDS);
  for (const value of values) add(moments, value);
  return moments;
}

const UNIT_BITS = 1_074;

/** A double in units of the least one. */
function unitsOf(value: number): bigint {
  const size = Math.abs(value);
  const exponent = Math.max(-1_022, Math.floor(Math.log2(size)) - 1);
  const units = size === 0 ? 0n : BigInt(size * 2 ** -exponent * 2 ** 60) << BigInt(exponent + UNIT_BITS - 60);
  return value < 0 ? -units : units;
}

/** The variance as if numbers had no end, to the nearest double but for one step. */
function exactly(values: readonly number[]): number {
  const n = BigInt(values.length);
  const units = values.map(unitsOf);
  const sum = units.reduce((total, each) => total + each, 0n);
  const squares = units.reduce((total, each) => total + each * each, 0n);
  const bits = 400n;
  const variance = ((n * squares - sum * sum) << bits) / (n * (n - 1n));
  const excess = Math.max(0, variance.toString(2).length - 80);
  return Number(variance >> BigInt(excess)) * 2 ** (excess - Number(bits) - 2 * UNIT_BITS);
}

const steps = fc.oneof(fc.constant(0), fc.integer({ min: -3, max: 3 }), fc.double({ min: -1, max: 1, noNaN: true }));
/** Values far from 0 beside their differences, down to the last bit of a double, and others. */
const samples = fc.oneof(
  fc
    .record({
      centre: fc.double({ min: 1, max: 2, noNaN: true }),
      exponent: fc.integer({ min: -60, max: 60 }),
      closeness: fc.integer({ min: 0, max: 52 }),
      steps: fc.array(steps, { minLength: 2, maxLength: 40 }),
    })
    .map(({ centre, exponent, closeness, steps: all }) =>
      all.map((step) => (centre + step * 2 ** -closeness) * 2 ** exponent),
    ),
  fc.array(fc.double({ min: -1e20, max: 1e20, noNaN: true }), { minLength: 2, maxLength: 40 }).map((all) =>
    // What is smaller has squares that a double does not hold.
    all.map((value) => (Math.abs(value) < 1e-60 ? 0 : value)),
  ),
);

describe("the variance of a sample", () => {
  test("is that of the values, however close they lie together, whatever the order and the parts", () => {
    fc.assert(
      fc.property(samples, fc.array(fc.nat(40)), (values, cuts) => {
        const variance = sampleVariance(values.length, ...momentsOf(values));
        const expected = exactly(values);
        assert.ok(Math.abs(variance - expected) <= 2 ** -52 * expected, `${variance} for ${expected}`);
        const sorted = values.toSorted((left, right) => Math.abs(left) - Math.abs(right));
        for (const order of [sorted, sorted.toReversed(), values.toReversed()]) {
          assert.equal(sampleVariance(order.length, ...momentsOf(order)), variance);
          const bounds = [0, ...cuts.filter((cut) => cut < order.length).sort((a, b) => a - b), order.length];
          const parts = bounds.slice(1).map((end, n) => momentsOf(order.slice(bounds[n], end)));
          const merged = new Float64Array(MOMENT_WORDS);
          for (const part of parts.toReversed()) merge(merged, part);
          assert.equal(sampleVariance(order.length, ...merged), variance);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("of many values that differ in their last bit only is the same in any order", () => {
    const values = Array.from({ length: 50_000 }, (_, n) => 1_700_000_000_000 + (n % 7 === 0 ? 2 ** -12 : 0));
    const variance = sampleVariance(values.length, ...momentsOf(values));
    assert.ok(Math.abs(variance / exactly(values) - 1) < 1e-15, `${variance}`);
    assert.equal(sampleVariance(values.length, ...momentsOf(values.toSorted())), variance);
    assert.equal(sampleVariance(values.length, ...momentsOf(values.toSorted().reverse())), variance);
  });

  test("is 0 for equal values, and NaN beyond what squares can hold", () => {
    for (const value of [0, 0.1, 1 / 3, -1e9 / 7, 1e-30]) {
      assert.equal(sampleVariance(9_999, ...momentsOf(Array(9_999).fill(value))), 0);
    }
    for (const value of [NaN, Infinity, -Infinity, 1e200]) {
      assert.ok(Number.isNaN(sampleVariance(2, ...momentsOf([1, value]))));
    }
  });
});

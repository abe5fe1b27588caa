// Sums of values and of their squares, as snippets of generated code, and the variance that follows from them.
//
//   words    │ s0 │ s1 │ s2 │ s3 │ q0 │ q1 │ q2 │ q3 │      s: values, q: squares
//
// Each sum is a cascade: what rounding leaves out of a word goes exactly into the next one, and is lost only below the
// last (Klein). The words have some 2^-212 of the sum of magnitudes, so that what cancels in a variance is still there,
// down to values that differ in the last bit.
//
//   M1. `sampleVariance` is a function of the values of both sums, not of the words that they have come to. So the
//       order of records and merges does not matter, as far as the words have all bits: (mean / deviation)^2 up to
//       2^100.
//   M2. It is 0 for equal values, and never negative.

import type { Words } from "./words.ts";

const CASCADE = 4;
export const MOMENT_WORDS = 2 * CASCADE;
/** What is less than so much of what it was subtracted from is computed anew with all bits. */
const DOUBTFUL = 2 ** -45;
const NOISE_BITS = 160n;
/** More than a double's 53 bits, and one that says whether there are others. */
const QUOTIENT_BITS = 66;

export function addMoments(w: Words, x: string): string {
  // Dekker's product: p + q is exactly x * x.
  return `{ const p = ${x} * ${x}, v = 134217729 * ${x}, h = v - (v - ${x}), l = ${x} - h;
        const q = ((h * h - p) + 2 * h * l) + l * l;
        ${cascade(w, 0, 0, x)} ${cascade(w, CASCADE, 0, "p")} ${cascade(w, CASCADE, 1, "q")} }`;
}

export function mergeMoments(w: Words, v: Words): string {
  const words = [...Array(MOMENT_WORDS).keys()];
  return words.map((n) => cascade(w, n - (n % CASCADE), n % CASCADE, v(n))).join("\n        ");
}

/** Adds `x` to the sum whose words begin at `base`, beginning with its word `level`. */
function cascade(w: Words, base: number, level: number, x: string): string {
  const steps = [];
  for (let n = base + level; n < base + CASCADE - 1; n += 1) {
    steps.push(`{ const s = ${w(n)}, t = s + e, b = t - s; e = (s - (t - b)) + (e - b); ${w(n)} = t; }`);
  }
  return `{ let e = ${x}; ${steps.join(" ")} ${w(base + CASCADE - 1)} += e; }`;
}

/** Variance of a sample of `count` values, two at least, given the words of its moments. */
export function sampleVariance(count: number, ...words: readonly number[]): number {
  const [sum, sumRest] = highParts(words.slice(0, CASCADE));
  const [squares, squaresRest] = highParts(words.slice(CASCADE));
  if (!Number.isFinite(sum) || !Number.isFinite(squares)) return Number.NaN;
  const distances = squaredDistances(count, [sum, sumRest], [squares, squaresRest]);
  if (distances > squares * DOUBTFUL) return distances / (count - 1);
  return exactVariance(BigInt(count), words);
}

/** The value of a sum as the nearest double, and what is left of it. */
function highParts(words: readonly number[]): [high: number, rest: number] {
  const parts = [...words];
  for (let pass = 1; pass < CASCADE; pass += 1) {
    for (let n = CASCADE - 1; n > 0; n -= 1) {
      const [low, high] = [parts[n]!, parts[n - 1]!];
      const sum = high + low;
      const back = sum - high;
      parts[n - 1] = sum;
      parts[n] = high - (sum - back) + (low - back);
    }
  }
  return [parts[0]!, parts[1]!];
}

/** Sum of the squared distances from the mean; both sums are double-doubles. */
function squaredDistances(
  count: number,
  [sum, rest]: readonly [number, number],
  [squares, squaresRest]: readonly [number, number],
): number {
  const product = sum * sum;
  const quotient = product / count;
  const back = quotient * count;
  const remainder =
    product - back + (productError(sum, sum, product) - productError(quotient, count, back) + 2 * sum * rest);
  const difference = squares - quotient;
  const part = difference - squares;
  const error = squares - (difference - part) - (quotient + part);
  return difference + (error + squaresRest - remainder / count);
}

/** What the rounding of `left * right` to `product` left out. */
function productError(left: number, right: number, product: number): number {
  const a = 134217729 * left;
  const leftHigh = a - (a - left);
  const leftLow = left - leftHigh;
  const b = 134217729 * right;
  const rightHigh = b - (b - right);
  const rightLow = right - rightHigh;
  return leftHigh * rightHigh - product + leftHigh * rightLow + leftLow * rightHigh + leftLow * rightLow;
}

/** (n Σx² - (Σx)²) / n (n - 1), rounded once. */
function exactVariance(n: bigint, words: readonly number[]): number {
  const sum = fixedSum(words.slice(0, CASCADE));
  const squares = fixedSum(words.slice(CASCADE));
  // Both over a common power of two.
  const exponent = Math.min(2 * sum.exponent, squares.exponent);
  const all = n * (squares.value << BigInt(squares.exponent - exponent));
  const distances = all - ((sum.value * sum.value) << BigInt(2 * sum.exponent - exponent));
  if (distances <= all >> NOISE_BITS) return 0;
  return quotientOf(distances, n * (n - 1n), exponent);
}

type Fixed = {
  readonly value: bigint /** Of two, by which the value is to be multiplied. */;
  readonly exponent: number;
};

function fixedSum(words: readonly number[]): Fixed {
  const parts = words.filter((word) => word !== 0).map(fixedOf);
  const exponent = Math.min(0, ...parts.map((part) => part.exponent));
  const value = parts.reduce((sum, part) => sum + (part.value << BigInt(part.exponent - exponent)), 0n);
  return { value, exponent };
}

const DOUBLE = new Float64Array(1);
const BITS = new BigInt64Array(DOUBLE.buffer);

function fixedOf(value: number): Fixed {
  DOUBLE[0] = value;
  const bits = BigInt.asUintN(64, BITS[0]!);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xf_ffff_ffff_ffffn;
  const size = biased === 0 ? fraction : fraction | 0x10_0000_0000_0000n;
  return { value: value < 0 ? -size : size, exponent: Math.max(biased, 1) - 1_075 };
}

/** numerator / denominator · 2^exponent, both positive. */
function quotientOf(numerator: bigint, denominator: bigint, exponent: number): number {
  const shift = QUOTIENT_BITS - numerator.toString(2).length + denominator.toString(2).length;
  const [dividend, divisor] =
    shift < 0 ? [numerator, denominator << BigInt(-shift)] : [numerator << BigInt(shift), denominator];
  const quotient = dividend / divisor;
  const isRounded = quotient * divisor !== dividend;
  // In two steps, since 2^power may be no double where the product is one.
  const power = exponent - shift;
  const half = Math.trunc(power / 2);
  return Number((quotient << 1n) | (isRounded ? 1n : 0n)) * 2 ** half * 2 ** (power - half) * 0.5;
}

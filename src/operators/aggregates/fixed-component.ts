// Accumulators of a few numbers each, as snippets of generated code: what aggregates are put together from.
//
//   kind            words                    an empty one
//   count           n                        0
//   sum             high, low                0, 0       a double-double: the exact sum to about 106 bits
//   moments         see moments.ts           0, …
//   min, max        value                    NaN
//   first, last     time, value              ±Infinity, 0
//   minBy, maxBy    by, time, value          NaN, 0, 0
//
//   C1. `merge` of the parts of a group, in any order, gives what adding all of it gives: exactly for all but sums and
//       moments, for sums within 2^-100 relatively to the sum of magnitudes, so that the rounded result does not
//       depend on the order.
//   C2. Equal times keep the order of arrival, as far as the parts are merged in that order.
//   C3. NaN has no place in an order: min, max, minBy and maxBy skip it. Sums become NaN.

import { addMoments, MOMENT_WORDS, mergeMoments } from "./moments.ts";
import type { Words } from "./words.ts";

export type ComponentKind = "count" | "sum" | "moments" | "min" | "max" | "first" | "last" | "minBy" | "maxBy";

const EMPTY: Readonly<Record<ComponentKind, readonly number[]>> = {
  count: [0],
  sum: [0, 0],
  moments: Array(MOMENT_WORDS).fill(0),
  min: [Number.NaN],
  max: [Number.NaN],
  first: [Number.POSITIVE_INFINITY, 0],
  last: [Number.NEGATIVE_INFINITY, 0],
  minBy: [Number.NaN, 0, 0],
  maxBy: [Number.NaN, 0, 0],
};

/** Names of the words, for descriptions of state. */
export const WORD_NAMES: Readonly<Record<ComponentKind, readonly string[]>> = {
  count: ["n"],
  sum: ["high", "low"],
  moments: ["s0", "s1", "s2", "s3", "q0", "q1", "q2", "q3"],
  min: ["value"],
  max: ["value"],
  first: ["time", "value"],
  last: ["time", "value"],
  minBy: ["by", "time", "value"],
  maxBy: ["by", "time", "value"],
};

export function emptyWords(kind: ComponentKind): readonly number[] {
  return EMPTY[kind];
}

/** Adds one record. `inputs` are numbers that are not missing, `time` is NaN for a record without event time. */
export function addCode(kind: ComponentKind, w: Words, inputs: readonly string[], time: string): string {
  const [x = "0", pick = "0"] = inputs;
  switch (kind) {
    case "count":
      return `${w(0)} += 1;`;
    case "sum":
      return `{ ${addExactly(w, x, "0")} }`;
    case "moments":
      return addMoments(w, x);
    case "min":
      return `if (!(${w(0)} <= ${x})) ${replaceUnlessNaN(w, x)}`;
    case "max":
      return `if (!(${w(0)} >= ${x})) ${replaceUnlessNaN(w, x)}`;
    case "first":
      return `{ const t = ${order(time)}; if (t < ${w(0)}) { ${w(0)} = t; ${w(1)} = ${x}; } }`;
    case "last":
      return `{ const t = ${order(time)}; if (t >= ${w(0)}) { ${w(0)} = t; ${w(1)} = ${x}; } }`;
    case "minBy":
    case "maxBy":
      return `{ const t = ${order(time)}; if (${better(kind, w, x, "t")}) { ${w(0)} = ${x}; ${w(1)} = t; ${w(2)} = ${pick}; } }`;
  }
}

/** Merges the accumulator `v`, which stays as it is, into `w`. */
export function mergeCode(kind: ComponentKind, w: Words, v: Words): string {
  switch (kind) {
    case "count":
      return `${w(0)} += ${v(0)};`;
    case "moments":
      return mergeMoments(w, v);
    case "sum":
      return `{ const x = ${v(0)}; ${addExactly(w, "x", v(1))} }`;
    case "min":
    case "max":
      return addCode(kind, w, [v(0)], "");
    case "first":
      return `if (${v(0)} < ${w(0)}) { ${w(0)} = ${v(0)}; ${w(1)} = ${v(1)}; }`;
    case "last": // Both empty: the words are equal.
      return `if (${v(0)} >= ${w(0)}) { ${w(0)} = ${v(0)}; ${w(1)} = ${v(1)}; }`;
    case "minBy":
    case "maxBy":
      return `if (${better(kind, w, v(0), v(1))}) { ${w(0)} = ${v(0)}; ${w(1)} = ${v(1)}; ${w(2)} = ${v(2)}; }`;
  }
}

/**
 * Adds `x + low` to the double-double at `w`: Knuth's exact sum, then both parts put apart again. An infinite sum stays
 * so.
 */
function addExactly(w: Words, x: string, low: string): string {
  return `const s = ${w(0)}, t = s + ${x}, b = t - s, e = ((s - (t - b)) + (${x} - b) + (${w(1)} + ${low})) || 0, u = t + e;
        ${w(0)} = u; ${w(1)} = e - (u - t);`;
}

function replaceUnlessNaN(w: Words, x: string): string {
  return `{ if (${x} === ${x}) ${w(0)} = ${x}; }`;
}

/** Times in an order: records without one are all equal, so that arrival decides. */
function order(time: string): string {
  return `(${time} === ${time} ? ${time} : 0)`;
}

/** Whether `x` at time `t` beats what is there: better, or as good and earlier, or nothing was there. */
function better(kind: "minBy" | "maxBy", w: Words, x: string, t: string): string {
  const sign = kind === "minBy" ? "<" : ">";
  return `${x} ${sign} ${w(0)} || (${x} === ${w(0)} && ${t} < ${w(1)}) || (${w(0)} !== ${w(0)} && ${x} === ${x})`;
}

/** The value of a sum: its low part is NaN once the sum is infinite. */
export function sumCode(w: Words): string {
  return `(${w(0)} + (${w(1)} || 0))`;
}

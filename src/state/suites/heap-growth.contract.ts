// What V8's heap really grows by, for tests of estimates.

import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const COLLECTIONS_MAX = 20;

type Usage = { readonly heap: number; readonly buffers: number };

/**
 * What is live. Buffers are freed in the background, and code that was not used for a while goes too: so it is
 * collected until nothing changes.
 */
function liveBytes(): Usage {
  let last: Usage = { heap: Number.NaN, buffers: 0 };
  for (let n = 0; n < COLLECTIONS_MAX; n += 1) {
    collect();
    const { heapUsed: heap, external: buffers } = process.memoryUsage();
    if (n > 2 && Math.abs(heap + buffers - last.heap - last.buffers) < 512) break;
    last = { heap, buffers };
  }
  return last;
}

/** Bytes of the heap, and of the buffers outside, that stay taken by what `fill` makes, which `fill` returns. */
export function heapGrowth<T>(fill: () => T): {
  readonly made: T;
  readonly bytes: number;
  readonly bufferBytes: number;
} {
  const before = liveBytes();
  const made = fill();
  const after = liveBytes();
  return { made, bytes: after.heap - before.heap, bufferBytes: after.buffers - before.buffers };
}

const MEASURES_MAX = 8;

/**
 * Holds an estimate to what the heap really grows by. What else the process has may be freed in between (code that has
 * not run for a while, what an earlier test left), so a measure that is out of bounds is taken again: a wrong estimate
 * is wrong each time.
 */
export function assertRatio(least: number, most: number, measure: () => number): void {
  const ratios: number[] = [];
  do ratios.push(measure());
  while (!(ratios.at(-1)! >= least && ratios.at(-1)! <= most) && ratios.length < MEASURES_MAX);
  const ratio = ratios.at(-1)!;
  assert.ok(ratio >= least && ratio <= most, `${ratios.join(", ")} times what V8 takes, not ${least} to ${most}`);
}

// What V8's heap really grows by, for tests of estimates.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const COLLECTIONS_MAX = 20;

/**
 * Bytes of live objects, and of the buffers that belong to them. Buffers are freed in the background, and what was
 * compiled and not used for a while goes too: so it is collected until nothing changes.
 */
function usedBytes(): number {
  let last = Number.NaN;
  for (let n = 0; n < COLLECTIONS_MAX; n += 1) {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    if (n > 2 && Math.abs(heapUsed + external - last) < 512) break;
    last = heapUsed + external;
  }
  return last;
}

/** Bytes that stay taken by what `fill` makes, which `fill` returns. */
export function heapGrowth<T>(fill: () => T): { readonly made: T; readonly bytes: number } {
  const before = usedBytes();
  const made = fill();
  return { made, bytes: usedBytes() - before };
}

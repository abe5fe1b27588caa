// What V8's heap really grows by, for tests of estimates.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes of live objects, and of the buffers that belong to them. */
function usedBytes(): number {
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Bytes that stay taken by what `fill` makes, which `fill` returns. */
export function heapGrowth<T>(fill: () => T): { readonly made: T; readonly bytes: number } {
  const before = usedBytes();
  const made = fill();
  return { made, bytes: usedBytes() - before };
}

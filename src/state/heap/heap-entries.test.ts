import assert from "node:assert/strict";
import { test } from "node:test";
import { ShardedMap } from "../budget/sharded-map.ts";
import { makeHeap } from "../suites/store-makers.contract.ts";
import { F64, MAX_PARALLELISM, use, valueSpec } from "../suites/tested-store.contract.ts";

test("a write on the heap looks at no key group without entries when it looks for what has expired", (context) => {
  const { store } = makeHeap({ key: F64, maxParallelism: 4_096 * MAX_PARALLELISM });
  const value = store.value<number>(valueSpec("v", F64, 100), null);
  const looks = context.mock.method(ShardedMap.prototype, "values");
  for (let n = 0; n < 1_000; n += 1) {
    use(store, F64, n % 3);
    value.set(n);
  }
  assert.ok(looks.mock.callCount() <= 1_000 * (1 + 3), `${looks.mock.callCount()} groups`);
});

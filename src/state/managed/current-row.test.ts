import assert from "node:assert/strict";
import { test } from "node:test";
import { keyCodec } from "../../types/keys/key-bytes.ts";
import { CurrentKey } from "../keys/current-key.ts";
import type { ManagedTable } from "../table/managed-table.ts";
import { CurrentRow } from "./current-row.ts";

const RUN = 100;
const LARGE = 64 << 20;

/** Works through runs of keys, of which so many are looked up; returns how many were prefetched. */
function prefetched(bytes: number, ...lookups: readonly number[]): number[] {
  const counts: number[] = [];
  let loaded = 0;
  const table = { account: { bytes }, findIn: () => -1, prefetch: (_: Int32Array, count: number) => (loaded += count) };
  const current = new CurrentKey(keyCodec({ kind: "f64" }), 1, { first: 0, last: 0 });
  const row = new CurrentRow(table as unknown as ManagedTable, current);
  for (const looked of lookups) {
    loaded = 0;
    row.prefetch(new Int32Array(RUN), RUN);
    counts.push(loaded);
    for (let n = 0; n < RUN; n += 1) {
      current.set(n, n);
      if (n >= looked) continue;
      row.find();
      row.find();
    }
  }
  return counts;
}

test("rows are prefetched while most keys are looked up, and again once they are", () => {
  assert.deepEqual(prefetched(LARGE, RUN, RUN / 2, RUN / 2 - 1, 0, RUN, 0), [RUN, RUN, RUN, 0, 0, RUN]);
});

test("a small table is not prefetched", () => {
  assert.deepEqual(prefetched(1 << 20, RUN, RUN), [0, 0]);
});

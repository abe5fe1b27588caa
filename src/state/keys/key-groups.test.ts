import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { defaultMaxParallelism, keyGroupOf, keyGroupRangeOf, murmurStep, operatorIndexOf } from "./key-groups.ts";

type Golden = {
  readonly keyGroups: readonly { hash: number; murmur: number; group: Record<string, number> }[];
  readonly ranges: readonly {
    maxParallelism: number;
    parallelism: number;
    index: number;
    first: number;
    last: number;
  }[];
  readonly operatorIndex: readonly { maxParallelism: number; parallelism: number; group: number; index: number }[];
  readonly defaultMaxParallelism: Record<string, number>;
};
const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/flink-key-groups.json", import.meta.url), "utf8"),
) as Golden;

test("key groups of hashes are those that Flink computes", () => {
  assert.ok(golden.keyGroups.length >= 200);
  for (const { hash, murmur, group } of golden.keyGroups) {
    assert.equal(murmurStep(hash), murmur, `hash ${hash}`);
    for (const [max, expected] of Object.entries(group)) assert.equal(keyGroupOf(hash, Number(max)), expected);
  }
});

test("ranges and operator indexes are those that Flink computes", () => {
  assert.ok(golden.ranges.length > 0 && golden.operatorIndex.length > 0);
  for (const { maxParallelism, parallelism, index, first, last } of golden.ranges) {
    assert.deepEqual(keyGroupRangeOf(index, parallelism, maxParallelism), { first, last });
  }
  for (const { maxParallelism, parallelism, group, index } of golden.operatorIndex) {
    assert.equal(operatorIndexOf(group, parallelism, maxParallelism), index);
  }
});

test("the ranges of all subtasks cover every group once, and agree with the operator index", () => {
  for (const [max, parallelism] of [
    [128, 3],
    [128, 128],
    [7, 5],
    [4096, 100],
  ] as const) {
    let next = 0;
    for (let index = 0; index < parallelism; index += 1) {
      const { first, last } = keyGroupRangeOf(index, parallelism, max);
      assert.equal(first, next);
      for (let group = first; group <= last; group += 1) assert.equal(operatorIndexOf(group, parallelism, max), index);
      next = last + 1;
    }
    assert.equal(next, max);
  }
  assert.throws(() => keyGroupRangeOf(0, 8, 7), /subtask 0 of 8 with max parallelism 7/);
});

test("the default max parallelism is Flink's", () => {
  for (const [parallelism, expected] of Object.entries(golden.defaultMaxParallelism)) {
    assert.equal(defaultMaxParallelism(Number(parallelism)), expected);
  }
});

// Key groups: the unit in which keyed state is stored, snapshotted and moved when a job is rescaled.
//
// The arithmetic is Flink's, checked against values that Flink computed (test/golden/flink-key-groups.json), so that a
// plan can run on either and state keeps its place:
//
//   key group       murmurStep(key hash) % maxParallelism
//   operator index  key group * parallelism / maxParallelism, rounded down
//   range of index  ceil(index * max / parallelism) .. floor(((index + 1) * max - 1) / parallelism)

import { assert } from "../../base/errors.ts";
import { mixEnd, mixWord } from "../../types/keys/key-hash.ts";

/** Both inclusive. */
export type KeyGroupRange = { readonly first: number; readonly last: number };

export const MAX_PARALLELISM_LIMIT = 32768;
const MAX_PARALLELISM_DEFAULT_MIN = 128;

/** Flink's murmur over the four bytes of a hash, folded to a non-negative number. */
export function murmurStep(hash: number): number {
  const h = mixEnd(mixWord(0, hash), 4);
  // |-2^31| has no 32-bit form: Flink takes 0.
  return h >= 0 ? h : -h & 0x7fffffff;
}

export function keyGroupOf(hash: number, maxParallelism: number): number {
  return murmurStep(hash) % maxParallelism;
}

export function operatorIndexOf(keyGroup: number, parallelism: number, maxParallelism: number): number {
  return Math.floor((keyGroup * parallelism) / maxParallelism);
}

export function keyGroupRangeOf(index: number, parallelism: number, maxParallelism: number): KeyGroupRange {
  assert(
    index >= 0 && index < parallelism && parallelism <= maxParallelism && maxParallelism <= MAX_PARALLELISM_LIMIT,
    `no key groups for subtask ${index} of ${parallelism} with max parallelism ${maxParallelism}`,
  );
  return {
    first: Math.floor((index * maxParallelism + parallelism - 1) / parallelism),
    last: Math.floor(((index + 1) * maxParallelism - 1) / parallelism),
  };
}

/**
 * What an operator gets whose max parallelism nobody set: 1.5 times its parallelism as a power of two, within
 * 128..32768.
 */
export function defaultMaxParallelism(parallelism: number): number {
  const wanted = parallelism + Math.floor(parallelism / 2);
  let power = MAX_PARALLELISM_DEFAULT_MIN;
  while (power < wanted && power < MAX_PARALLELISM_LIMIT) power *= 2;
  return power;
}

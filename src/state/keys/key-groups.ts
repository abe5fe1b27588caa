// Key groups: the unit in which keyed state is stored, snapshotted and moved when a job is rescaled.
//
// The arithmetic is Flink's, checked against values that Flink computed (test/golden/flink-key-groups.json), so that a
// plan can run on either and state keeps its place:
//
//   key group       murmurStep(key hash) % maxParallelism
//   operator index  key group * parallelism / maxParallelism, rounded down: the subtask that has the group
//   range of index  ceil(index * max / parallelism) .. floor(((index + 1) * max - 1) / parallelism)
//
// Nobody else does this arithmetic: exchanges ask `subtaskOf`, stores and tables their `OwnGroups`.

import { assert, InternalError } from "../../base/errors.ts";
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
  return ((keyGroup * parallelism) / maxParallelism) | 0;
}

/** The subtask that a key's records go to, and its state belongs to. */
export function subtaskOf(hash: number, parallelism: number, maxParallelism: number): number {
  return operatorIndexOf(keyGroupOf(hash, maxParallelism), parallelism, maxParallelism);
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

/** The key groups that one subtask has. They are counted from its first everywhere behind this. */
export class OwnGroups {
  readonly range: KeyGroupRange;
  readonly count: number;
  readonly maxParallelism: number;
  readonly #first: number;
  /** Max parallelism - 1 when that is a power of two, else -1. */
  readonly #mask: number;

  constructor(range: KeyGroupRange, maxParallelism: number) {
    this.range = range;
    this.count = range.last - range.first + 1;
    this.maxParallelism = maxParallelism;
    this.#first = range.first;
    this.#mask = (maxParallelism & (maxParallelism - 1)) === 0 ? maxParallelism - 1 : -1;
  }

  /** Group of a key hash. A key that belongs to another subtask is a fault of the engine. */
  of(hash: number): number {
    const group = keyGroupOf(hash, this.maxParallelism) - this.#first;
    if (group >>> 0 >= this.count) this.#foreign(group);
    return group;
  }

  /** The same of the hashes `from` to `end`, written to the front of `groups`. Budget: 3 ns. */
  ofAll(hashes: Int32Array, from: number, end: number, groups: Int32Array): void {
    const { count, maxParallelism } = this;
    const first = this.#first;
    const mask = this.#mask;
    for (let i = from; i < end; i += 1) {
      const step = murmurStep(hashes[i]!);
      const group = (mask === -1 ? step % maxParallelism : step & mask) - first;
      if (group >>> 0 >= count) this.#foreign(group);
      groups[i - from] = group;
    }
  }

  #foreign(group: number): never {
    const { first, last } = this.range;
    throw new InternalError(
      "ASSERTION",
      `a key of group ${group + first} reached a subtask that has the groups ${first} to ${last}`,
    );
  }
}

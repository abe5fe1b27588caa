// Randomness from a seed: simulations, generated data. Never for secrets.
//
// SplitMix with 32 bits of state: each draw is a mix of a counter, so that a stream can be started anywhere in no time.

import type { Random } from "./env.ts";

const STEP = 0x9e3779b9;

export class SeededRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = mix32(seed);
  }

  /** Starts over: the draws that follow depend on `seed` and `index` alone. */
  restart(seed: number, index: number): void {
    this.#state = mixIndex(seed, index);
  }

  next(): number {
    this.#state = (this.#state + STEP) | 0;
    return mix32(this.#state) / 0x1_0000_0000;
  }

  /** An integer in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }
}

/** A 32-bit unsigned mix of `value` in which each input bit reaches each output bit (the finaliser of MurmurHash3). */
export function mix32(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** 32 unsigned bits from a seed and an index up to 2^53. */
function mixIndex(seed: number, index: number): number {
  const high = (index / 0x1_0000_0000) | 0;
  return mix32(mix32(seed + Math.imul(high, STEP)) + Math.imul(index | 0, STEP));
}

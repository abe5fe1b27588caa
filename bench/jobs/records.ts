// The record of the exchange benchmarks: 7 fields, 3 of them strings from pools, 115 characters in all.

import { t } from "millrace";

export const Trade = t.struct({
  id: t.f64,
  ts: t.timestamp,
  price: t.f64,
  qty: t.f64,
  symbol: t.string,
  trader: t.string,
  note: t.string,
});

export type Trade = {
  id: number;
  ts: number;
  price: number;
  qty: number;
  symbol: string;
  trader: string;
  note: string;
};

const POOL = 1_000;

function pool(length: number, seed: number): string[] {
  let state = seed;
  const letter = (): string => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return String.fromCharCode(97 + ((state >>> 16) % 26));
  };
  // Through a buffer, so that the strings are flat, as strings from a file or a socket are.
  return Array.from({ length: POOL }, () => Buffer.from(Array.from({ length }, letter).join("")).toString("latin1"));
}

const SYMBOLS = pool(8, 1);
const TRADERS = pool(27, 2);
const NOTES = pool(80, 3);

/** The n-th record: a pure function of n. `keys`: how many different ids there are. */
export function trade(n: number, keys: number): Trade {
  const mixed = Math.imul(n, 2_654_435_761) >>> 0;
  const pick = mixed % POOL;
  return {
    id: mixed % keys,
    ts: n * 10,
    price: (mixed >>> 8) * 0.001,
    qty: mixed & 255,
    symbol: SYMBOLS[pick]!,
    trader: TRADERS[(pick * 7) % POOL]!,
    note: NOTES[(pick * 13) % POOL]!,
  };
}

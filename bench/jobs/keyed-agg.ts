// count + sum + max by key over 1 M keys, in one slot; one row per key at the end.

import { blackhole, count, generate, job, max, sum, t } from "millrace";

export const KEYS = 1_000_000;

export const Reading = t.struct({ key: t.f64, value: t.f64 });
export type Reading = { key: number; value: number };

/** Keys in an order without a pattern that caches could use. */
export function reading(n: number): Reading {
  let mixed = n | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return { key: ((mixed ^ (mixed >>> 16)) >>> 0) % KEYS, value: n & 1023 };
}

export default job(
  { name: "bench-keyed-agg", mode: "batch", params: t.struct({ events: t.f64 }) },
  (env, { events }) => {
    env
      .from(
        "readings",
        generate(events, (n) => reading(n), { type: Reading }),
      )
      .keyBy("key")
      .aggregate({ n: count(), total: sum("value"), top: max("value") })
      .to("nowhere", blackhole());
  },
);

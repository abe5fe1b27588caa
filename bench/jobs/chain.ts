// generate → map → filter → map → discard, in one chain. The functions are those of the hand-written loop.

import { blackhole, generate, job, t } from "millrace";
import { Trade, trade } from "./records.ts";

export const KEYS = 1_000_000;

export const taxed = ({ id, ts, price, qty, symbol, trader, note }: Trade): Trade => {
  return { id, ts, price: price * 1.19, qty, symbol, trader, note };
};
export const isLarge = (record: Trade): boolean => record.qty > 20;
export const halved = ({ id, ts, price, qty, symbol, trader, note }: Trade): Trade => {
  return { id, ts, price, qty: qty / 2, symbol, trader, note };
};

export default job({ name: "bench-chain", params: t.struct({ events: t.f64 }) }, (env, { events }) => {
  env
    .from(
      "trades",
      generate(events, (n) => trade(n, KEYS), { type: Trade }),
    )
    .map(taxed)
    .filter(isLarge)
    .map(halved)
    .to("nowhere", blackhole());
});

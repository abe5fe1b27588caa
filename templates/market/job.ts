// Bars of one minute per symbol, from trades that are made up as they are read.

import { count, first, generate, job, last, max, min, print, sum, t, tumbling, weightedMean } from "millrace";

const Trade = t.struct({ symbol: t.string, price: t.f64, quantity: t.f64, at: t.timestamp });

const Params = t.struct({ trades: t.f64.optional() });

const SYMBOLS = ["ACME", "BOLT", "CORE"] as const;
const START = Date.UTC(2026, 0, 5, 9, 30);

/** The trade number n, always the same. A source of your own takes its place: csv("trades/*.csv", { type: Trade }). */
function trade(n: number) {
  const symbol = SYMBOLS[n % SYMBOLS.length] ?? SYMBOLS[0];
  const swing = Math.sin(n / 400) * 5 + Math.cos(n / 37);
  return { symbol, price: Math.round((100 + swing) * 100) / 100, quantity: 1 + ((n * n) % 97), at: START + n * 100 };
}

export default job({ name: "market", params: Params }, (env, { trades = 3_000 }) => {
  env
    .from("trades", generate(trades, trade, { type: Trade }))
    .eventTime({ at: "at", outOfOrder: "5s" })
    .keyBy("symbol")
    .window(tumbling("1m"))
    .aggregate({
      open: first("price"),
      high: max("price"),
      low: min("price"),
      close: last("price"),
      vwap: weightedMean("price", "quantity"),
      volume: sum("quantity"),
      trades: count(),
    })
    .map(({ start, end: _, ...bar }) => ({ minute: new Date(start), ...bar }))
    .to("bars", print());
});

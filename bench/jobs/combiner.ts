// generate → exchange by key → tumbling windows of 10 s, two slots: a few rows per key and window, so that a combiner
// before the exchange has nothing to save, or many.

import { blackhole, count, distinctCount, generate, job, max, quantile, sum, t, tumbling } from "millrace";

const WINDOW_MS = 10_000;
const Reading = t.struct({ key: t.f64, ts: t.timestamp, value: t.f64 });

const AGGREGATES = {
  numbers: { n: count(), total: sum("value"), top: max("value") },
  quantile: { p99: quantile("value", 0.99) },
  distinctCount: { values: distinctCount("value") },
};

export default job(
  {
    name: "bench-combiner",
    params: t.struct({
      events: t.f64,
      keys: t.f64,
      rows: t.f64,
      aggregate: t.enum("numbers", "quantile", "distinctCount"),
    }),
  },
  (env, { events, keys, rows, aggregate }) => {
    const msPerRecord = WINDOW_MS / (keys * rows);
    const reading = (n: number) => ({
      key: (Math.imul(n, 0x9e3779b1) >>> 0) % keys,
      ts: Math.floor(n * msPerRecord),
      value: n & 1023,
    });
    const windows = env
      .from("readings", generate(events, reading, { type: Reading }))
      .eventTime({ at: "ts", outOfOrder: "1s", unit: "ms" })
      .keyBy("key")
      .window(tumbling(`${WINDOW_MS}ms`));
    if (aggregate === "numbers") windows.aggregate(AGGREGATES.numbers).to("nowhere", blackhole());
    else if (aggregate === "quantile") windows.aggregate(AGGREGATES.quantile).to("nowhere", blackhole());
    else windows.aggregate(AGGREGATES.distinctCount).to("nowhere", blackhole());
  },
);

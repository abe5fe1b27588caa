// 10 k keys, count + sum + max in event-time windows of 10 s, tumbling or sliding by 2 s; the events cover 100 s.

import { blackhole, count, generate, job, max, sliding, sum, t, tumbling } from "millrace";

const KEYS = 10_000;
const SPAN_MS = 100_000;
const Reading = t.struct({ key: t.f64, ts: t.timestamp, value: t.f64 });

export default job(
  { name: "bench-window", params: t.struct({ events: t.f64, window: t.enum("tumbling", "sliding") }) },
  (env, { events, window }) => {
    const reading = (n: number) => ({
      key: (Math.imul(n, 0x9e3779b1) >>> 0) % KEYS,
      ts: Math.floor((n / events) * SPAN_MS),
      value: n & 1023,
    });
    env
      .from("readings", generate(events, reading, { type: Reading }))
      .eventTime({ at: "ts", outOfOrder: "1s", unit: "ms" })
      .keyBy("key")
      .window(window === "tumbling" ? tumbling("10s") : sliding("10s", "2s"))
      .aggregate({ n: count(), total: sum("value"), top: max("value") })
      .to("nowhere", blackhole());
  },
);

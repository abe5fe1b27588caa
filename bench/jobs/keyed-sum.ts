// generate → exchange by key → running sum in managed state → discard, two slots.

import { blackhole, generate, job, sum, t } from "millrace";
import { Trade, trade } from "./records.ts";

const KEYS = 1_000_000;

export default job({ name: "bench-keyed-sum", params: t.struct({ events: t.f64 }) }, (env, { events }) => {
  env
    .from(
      "trades",
      generate(events, (n) => trade(n, KEYS), { type: Trade }),
    )
    .keyBy("id")
    .aggregate({ total: sum("qty") })
    .to("nowhere", blackhole());
});

// generate in one slot → hash exchange → discard in the other: every record crosses between threads.

import { blackhole, generate, job, t } from "millrace";
import { Trade, trade } from "./records.ts";

export default job(
  { name: "bench-exchange", params: t.struct({ events: t.f64, mode: t.enum("cross", "both") }) },
  (env, { events, mode }) => {
    const trades = env.from(
      "trades",
      generate(events, (n) => trade(n, 1_000_000), { type: Trade }),
    );
    const keyed = trades.partitionBy((record, subtasks) => record.id % subtasks);
    const end = keyed.to("nowhere", blackhole());
    if (mode === "cross") {
      trades.parallelism(1).slotGroup("sending");
      end.parallelism(1).slotGroup("receiving");
    }
  },
);

// An endless source as fast as it can, one exchange between two slots, a sink that takes about 20,000 records a second.

import { generate, job, type Sink, t } from "millrace";
import { Trade, trade } from "./records.ts";

const RECORDS_PER_FLUSH = 200;
const FLUSH_MS = 10;

const slowSink: Sink<unknown> = {
  kind: "slow",
  guarantee: "at-least-once",
  describe: () => ({ recordsPerFlush: RECORDS_PER_FLUSH, flushMs: FLUSH_MS }),
  createWriter: ({ env }) => {
    let waiting = 0;
    return {
      open: async () => undefined,
      write: () => {
        waiting += 1;
        return waiting < RECORDS_PER_FLUSH;
      },
      flush: () =>
        new Promise((resolve) => {
          env.timers.after(FLUSH_MS, () => {
            waiting = 0;
            resolve();
          });
        }),
      prepareCommit: async () => [],
      abort: async () => undefined,
      close: async () => undefined,
    };
  },
};

export default job({ name: "bench-back-pressure", params: t.struct({}) }, (env) => {
  env
    .from(
      "trades",
      generate(Number.POSITIVE_INFINITY, (n) => trade(n, 1_000_000), { type: Trade }),
    )
    .parallelism(1)
    .slotGroup("sending")
    .rebalance()
    .to("slow", slowSink)
    .parallelism(1)
    .slotGroup("receiving");
});

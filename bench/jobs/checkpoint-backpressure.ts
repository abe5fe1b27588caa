// An endless source as fast as it can, one to three exchanges, and consumers a hundred times too slow: by a sink that
// keeps its thread for a millisecond per record, or by one that makes its task wait.

import { generate, type Infer, job, type KeyedProcess, type Sink, state, t } from "millrace";
import { Trade, trade } from "./records.ts";

const KEYS = 10_000;
/** Of the sink that makes the task wait: 2,000 records per second and subtask. */
const RECORDS_PER_FLUSH = 20;
const FLUSH_MS = 10;
const BUSY_MS = 1;

const COUNT = { seen: state.value(t.f64, { init: () => 0 }) };

const counted: KeyedProcess<Infer<typeof Trade>, number, typeof COUNT, typeof Trade, Record<never, never>> = {
  uid: "counted",
  state: COUNT,
  out: Trade,
  onRecord(record, ctx) {
    ctx.state.seen.set(ctx.state.seen.get() + 1);
    ctx.emit(record);
  },
};

const waitingSink: Sink<unknown> = {
  kind: "waiting",
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
          if (waiting === 0) {
            resolve();
            return;
          }
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

const busySink: Sink<unknown> = {
  kind: "busy",
  guarantee: "at-least-once",
  describe: () => ({ busyMs: BUSY_MS }),
  createWriter: ({ env: { clock } }) => ({
    open: async () => undefined,
    write: () => {
      const untilMs = clock.monotonicMs() + BUSY_MS;
      while (clock.monotonicMs() < untilMs);
      return true;
    },
    flush: async () => undefined,
    prepareCommit: async () => [],
    abort: async () => undefined,
    close: async () => undefined,
  }),
};

const params = t.struct({ slow: t.enum("busy", "wait"), exchanges: t.f64 });

export default job({ name: "bench-checkpoint-backpressure", params }, (env, { slow, exchanges }) => {
  const trades = env.from(
    "trades",
    generate(Number.POSITIVE_INFINITY, (n) => trade(n, KEYS), { type: Trade }),
  );
  const spread = exchanges > 2 ? trades.rebalance().map(Trade, (record) => record) : trades;
  const byKey = exchanges > 1 ? spread.keyBy("id").process(counted) : spread;
  byKey
    .rebalance()
    .map(Trade, (record) => record)
    .to("slow", slow === "busy" ? busySink : waitingSink);
});

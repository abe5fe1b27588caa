// generate → exchange by key → a process function with state and a timer → discard, two slots; in event-time order, or
// as records arrive.

import { blackhole, generate, type Infer, job, type KeyedProcess, state, t } from "millrace";
import { Trade, trade } from "./records.ts";

const KEYS = 100_000;
/** Event time goes on by a second every 1,000 records, which come up to 5 s out of order. */
const MS_PER_RECORD = 1;
const OUT_OF_ORDER_MS = 5_000;

const COUNT = { seen: state.value(t.f64, { init: () => 0 }) };

const watch: KeyedProcess<Infer<typeof Trade>, number, typeof COUNT, typeof t.f64, Record<never, never>> = {
  uid: "watch",
  state: COUNT,
  out: t.f64,
  onRecord({ ts }, ctx) {
    const seen = ctx.state.seen.get() + 1;
    ctx.state.seen.set(seen);
    ctx.timers.set("silent", ts + 3_600_000);
    ctx.emit(seen);
  },
  onTimer: ({ at }, ctx) => ctx.emit(at),
};

const params = t.struct({ events: t.f64, ordered: t.bool });

export default job({ name: "bench-in-order", params }, (env, { events, ordered }) => {
  const make = (n: number): Infer<typeof Trade> => {
    const late = (Math.imul(n, 2_654_435_761) >>> 0) % OUT_OF_ORDER_MS;
    return { ...trade(n, KEYS), ts: Date.UTC(2026, 0, 5) + n * MS_PER_RECORD - late };
  };
  const keyed = env
    .from("trades", generate(events, make, { type: Trade }))
    .eventTime({ at: "ts", outOfOrder: `${OUT_OF_ORDER_MS}ms` })
    .keyBy("id");
  (ordered ? keyed.inOrder().process(watch) : keyed.process(watch)).to("nowhere", blackhole());
});

// generate → exchange by key → a process function with state → discard, two slots, with watermarks among the records of
// a batch, or only after each.

import { blackhole, generate, type Infer, job, type KeyedProcess, state, t } from "millrace";
import { Trade, trade } from "./records.ts";

const KEYS = 100_000;

const COUNT = { seen: state.value(t.f64, { init: () => 0 }) };

const counted: KeyedProcess<Infer<typeof Trade>, number, typeof COUNT, typeof t.f64, Record<never, never>> = {
  uid: "counted",
  state: COUNT,
  out: t.f64,
  onRecord(_trade, ctx) {
    const seen = ctx.state.seen.get() + 1;
    ctx.state.seen.set(seen);
    ctx.emit(seen);
  },
};

const params = t.struct({ events: t.f64, every: t.duration.optional() });

/** Event time goes on by a millisecond per record. */
export default job({ name: "bench-steps", params }, (env, { events, every }) => {
  const make = (n: number): Infer<typeof Trade> => ({ ...trade(n, KEYS), ts: Date.UTC(2026, 0, 5) + n });
  env
    .from("trades", generate(events, make, { type: Trade }))
    .eventTime({ at: "ts", ...(every === undefined ? {} : { every }) })
    .keyBy("id")
    .process(counted)
    .to("nowhere", blackhole());
});

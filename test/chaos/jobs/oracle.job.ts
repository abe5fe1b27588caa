// Windows, sessions and timers over events that come out of order, and never too late: what they give is known in
// advance (../oracle-check.ts).

import { count, generate, job, jsonl, session, state, sum, t, tumbling } from "millrace";
import { eventOf, OUT_OF_ORDER_MS, SESSION_GAP_MS, SILENT_MS } from "../oracle-events.ts";
import { faultOnDemand } from "./fault-on-demand.ts";

const Event = t.struct({ device: t.string, value: t.f64, at: t.timestamp });

const params = t.struct({ out: t.string, rows: t.f64, rate: t.f64, faults: t.string.optional() });

export default job({ name: "oracle", params }, (env, { out, rows, rate, faults = "" }) => {
  const fault = faultOnDemand(faults);
  const keyed = env
    .from(
      "events",
      generate(rows === 0 ? Number.POSITIVE_INFINITY : rows, eventOf, { type: Event, ...(rate > 0 && { rate }) }),
    )
    .map(Event, (event) => {
      fault();
      return event;
    })
    .uid("check")
    .eventTime({ at: "at", outOfOrder: `${OUT_OF_ORDER_MS}ms` })
    .keyBy("device");
  keyed
    .window(tumbling("2s"))
    .aggregate({ events: count(), total: sum("value") })
    .to("windows", jsonl(`${out}/windows`));
  keyed
    .window(session(`${SESSION_GAP_MS}ms`))
    .aggregate({ events: count(), total: sum("value") })
    .to("sessions", jsonl(`${out}/sessions`));
  keyed
    .inOrder()
    .process({
      uid: "watch",
      state: { silences: state.value(t.f64, { init: () => 0 }) },
      out: t.struct({ device: t.string, silence: t.f64, at: t.timestamp }),
      onRecord({ at }, { timers }) {
        timers.set("silent", at + SILENT_MS);
      },
      onTimer({ at }, ctx) {
        if (ctx.watermark === Infinity) return;
        const silence = ctx.state.silences.get() + 1;
        ctx.state.silences.set(silence);
        ctx.emit({ device: ctx.key, silence, at });
      },
    })
    .to("silences", jsonl(`${out}/silences`));
});

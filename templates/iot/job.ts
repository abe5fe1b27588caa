// Devices that fall silent, and that are heard again: each one is watched by a timer of event time.

import { generate, job, print, state, t } from "millrace";

const Reading = t.struct({ device: t.string, celsius: t.f64, at: t.timestamp });

const Alert = t.struct({ device: t.string, kind: t.enum("silent", "back"), at: t.timestamp, lastCelsius: t.f64 });

const Params = t.struct({ readings: t.f64.optional(), silentSeconds: t.f64.optional() });

const DEVICES = 5;
const START = Date.UTC(2026, 0, 5);

/**
 * The reading number n, always the same: one of each device every ten seconds, and none of sensor-3 for a while.
 * A source of your own takes its place: jsonl("readings/*.jsonl", { type: Reading }).
 */
function reading(n: number) {
  const round = Math.floor(n / DEVICES);
  const isSilent = n % DEVICES === 3 && round >= 60 && round < 90;
  const device = `sensor-${isSilent ? 0 : n % DEVICES}`;
  return { device, celsius: 20 + Math.round(Math.sin(n / 50) * 40) / 10, at: START + round * 10_000 + (n % DEVICES) };
}

export default job({ name: "iot", params: Params }, (env, { readings = 1_000, silentSeconds = 60 }) => {
  env
    .from("readings", generate(readings, reading, { type: Reading }))
    .eventTime({ at: "at", outOfOrder: "5s" })
    .keyBy("device")
    .inOrder() // The readings of a device come in the order of time, and its timer between them.
    .process({
      uid: "watch",
      out: Alert,
      state: { celsius: state.value(t.f64), silent: state.value(t.bool) },
      onRecord({ device, celsius, at }, ctx) {
        if (ctx.state.silent.get() === true) ctx.emit({ device, kind: "back", at, lastCelsius: celsius });
        ctx.state.silent.set(false);
        ctx.state.celsius.set(celsius);
        ctx.timers.set("silence", at + silentSeconds * 1_000); // The same name: the timer is moved.
      },
      onTimer({ at }, ctx) {
        if (ctx.watermark === Infinity) return; // The data have ended, and not the device.
        ctx.state.silent.set(true);
        ctx.emit({ device: ctx.key, kind: "silent", at, lastCelsius: ctx.state.celsius.get() ?? 0 });
      },
    })
    .to("alerts", print());
});

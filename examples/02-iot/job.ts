// Weather stations replayed as devices: the hourly normals of Seattle and four years of daily records of Seattle and
// New York.
//
// Each measured quantity of each station is a device; a rain gauge reports on days with rain only. Three things are
// computed per device: rolling statistics of seven days, spikes (readings more than four standard deviations from the
// mean of all before), and silence (no reading for three days), which is told where it happens.
//
//   npx millrace run examples/02-iot/job.ts --param out=DIR

import { count, csv, job, jsonl, max, mean, min, sliding, state, stddev, t } from "millrace";
import { z } from "zod";

const Hourly = t.struct({ date: t.timestamp, pressure: t.f64, temperature: t.f64, wind: t.f64 });

const Daily = t.struct({
  location: t.string,
  date: t.timestamp,
  precipitation: t.f64,
  temp_max: t.f64,
  temp_min: t.f64,
  wind: t.f64,
  weather: t.string,
});

const Reading = t.struct({ device: t.string, ts: t.timestamp, value: t.f64 });

const Alert = t.struct({
  device: t.string,
  kind: t.enum("spike", "silent"),
  /** Of the reading; for silence, when it had lasted too long. */
  at: t.timestamp,
  value: t.f64.nullable(),
  sigmas: t.f64.nullable(),
});

/** Mean and variance of what was seen so far, by Welford's method. */
const Welford = t.struct({ count: t.f64, mean: t.f64, m2: t.f64 });

const READINGS_BEFORE_SPIKES = 30;
const SIGMAS = 4;
const SILENCE_MS = 3 * 24 * 60 * 60 * 1_000;

const Params = z.object({
  data: z.string().default("node_modules/vega-datasets/data"),
  out: z.string().default("out/iot"),
});

export default job({ name: "iot", params: Params }, (env, { data, out }) => {
  const hourly = env
    .from("hourly", csv(`${data}/seattle-weather-hourly-normals.csv`, { type: Hourly }))
    .flatMap(Reading, ({ date, pressure, temperature, wind }) => [
      { device: "seattle-normals/pressure", ts: date, value: pressure },
      { device: "seattle-normals/temperature", ts: date, value: temperature },
      { device: "seattle-normals/wind", ts: date, value: wind },
    ])
    .eventTime({ at: "ts" });
  // The file holds one station after the other: the second one starts four years back, so event time must not run
  // ahead.
  const daily = env
    .from("daily", csv(`${data}/weather.csv`, { type: Daily }))
    .flatMap(Reading, ({ location, date, precipitation, temp_max, temp_min, wind }) => [
      ...(precipitation > 0 ? [{ device: `${location}/rain`, ts: date, value: precipitation }] : []),
      { device: `${location}/temp-max`, ts: date, value: temp_max },
      { device: `${location}/temp-min`, ts: date, value: temp_min },
      { device: `${location}/wind`, ts: date, value: wind },
    ])
    .eventTime({ at: "ts", outOfOrder: "1500d" });
  const readings = hourly.union(daily).keyBy("device");

  readings
    .window(sliding("7d", "1d"))
    .aggregate({
      readings: count(),
      mean: mean("value"),
      stddev: stddev("value"),
      min: min("value"),
      max: max("value"),
    })
    .to("rolling", jsonl(`${out}/rolling`));

  // The readings of a device come in the order of time, and its timers between them: without inOrder, years of replayed
  // readings move the timer before it is looked at.
  readings
    .inOrder()
    .process({
      uid: "watch",
      out: Alert,
      state: { seen: state.value(Welford, { init: () => ({ count: 0, mean: 0, m2: 0 }) }) },
      onRecord({ device, ts, value }, ctx) {
        const { count, mean, m2 } = ctx.state.seen.get();
        const sigmas = (value - mean) / Math.sqrt(m2 / (count - 1));
        if (count >= READINGS_BEFORE_SPIKES && Math.abs(sigmas) > SIGMAS) {
          ctx.emit({ device, kind: "spike", at: ts, value, sigmas });
        }
        const delta = value - mean;
        const nextMean = mean + delta / (count + 1);
        ctx.state.seen.set({ count: count + 1, mean: nextMean, m2: m2 + delta * (value - nextMean) });
        // The same name moves the timer: it fires once no reading has come for three days.
        ctx.timers.set("silence", ts + SILENCE_MS);
      },
      onTimer({ at }, ctx) {
        if (ctx.watermark === Infinity) return; // The data have ended, and not the device.
        ctx.emit({ device: ctx.key, kind: "silent", at, value: null, sigmas: null });
      },
    })
    .to("alerts", jsonl(`${out}/alerts`));
});

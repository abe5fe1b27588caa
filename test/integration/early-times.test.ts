// Times before 1970 are times like others: what a job makes of records does not depend on the century they are of.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  blackhole,
  collection,
  count,
  first,
  job,
  last,
  max,
  mean,
  min,
  quantile,
  session,
  sliding,
  state,
  t,
  tumbling,
} from "../../src/index.ts";
import { testJob } from "../../src/testing/index.ts";

const DAY = 86_400_000;
const Reading = t.struct({ device: t.string, born: t.date, value: t.f64, at: t.timestamp });
type Reading = { device: string; born: Date; value: number; at: number };

const SINKS = ["hours", "slides", "visits", "silences", "learned"];

const readingsJob = job({ name: "readings" }, (env) => {
  const readings = env.from("readings", collection([], { type: Reading })).eventTime({ at: "at", unit: "ms" });
  const byBirth = readings.keyBy("born");
  const byDevice = readings.keyBy("device");
  const ends = { opened: first("at"), closed: last("at"), least: min("at"), most: max("at") };
  byBirth
    .window(tumbling("1h"))
    .allowLate("1h")
    .aggregate({ n: count(), ...ends })
    .to("hours", blackhole());
  byDevice
    .window(sliding("2h", "30m"))
    .aggregate({ n: count(), mean: mean("at") })
    .to("slides", blackhole());
  const middle = quantile("at", 0.5);
  byDevice
    .window(session("20m"))
    .aggregate({ n: count(), middle, ...ends })
    .to("visits", blackhole());
  byDevice
    .process({
      uid: "silence",
      out: t.struct({ key: t.string, at: t.timestamp, since: t.timestamp.nullable(), seen: t.string }),
      state: { since: state.value(t.timestamp), seen: state.map(t.timestamp, t.date) },
      onRecord({ at, born }, ctx) {
        if (ctx.state.since.get() === null) ctx.state.since.set(at);
        ctx.state.seen.set(at, born);
        ctx.timers.set("silent", at + DAY / 48);
      },
      onTimer({ at, key }, ctx) {
        const seen = [...ctx.state.seen.entries()].sort(([left], [right]) => left - right);
        const apart = seen.map(([time, born]) => [time - at, born.getTime() - at]);
        ctx.emit({ key, at, since: ctx.state.since.get(), seen: JSON.stringify(apart) });
      },
    })
    .to("silences", blackhole());
  readings
    .map(({ device, born, at }) => ({ device, born, spans: { from: born, to: new Date(at), at } }))
    .keyBy(({ device }) => device, t.string)
    .reduce("latest", (_, latest) => latest)
    .to("learned", blackhole());
});

/** What comes out of records that were moved by some days, moved back. */
async function outcome(days: number, parallelism: number): Promise<Record<string, unknown[]>> {
  const shift = days * DAY;
  const start = Date.UTC(2026, 0, 5);
  await using run = await testJob(readingsJob, { parallelism });
  const source = run.source<Reading>("readings");
  for (let n = 0; n < 60; n += 1) {
    const at = start + shift + n * 11 * 60_000 + (n % 7 === 0 ? 45 * 60_000 : 0);
    const born = new Date(start + shift - (n % 3) * 10_000 * DAY - 1);
    source.push({ device: `d${n % 4}`, born, value: n, at });
    if (n % 10 === 9) source.watermark(at - 30 * 60_000);
  }
  await run.end();
  const moved = (value: unknown): unknown => {
    if (value instanceof Date) return `date ${value.getTime() - shift}`;
    if (typeof value === "number") return Math.round(value - shift);
    if (Array.isArray(value)) return value.map(moved);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, name === "n" ? each : moved(each)]));
  };
  const rows: Record<string, unknown[]> = {};
  for (const sink of SINKS) rows[sink] = (await run.sink(sink).rows()).map((row) => JSON.stringify(moved(row))).sort();
  return rows;
}

describe("a job over times before 1970", () => {
  for (const parallelism of [1, 2]) {
    test(`gives what it gives over later ones, with ${parallelism} subtasks`, async () => {
      const today = await outcome(0, parallelism);
      for (const sink of SINKS) assert.ok((today[sink] as unknown[]).length > 0, `${sink} is empty`);
      // Before 1970, around it, and in the year 33.
      for (const days of [-60_000, -20_458, -727_850]) assert.deepEqual(await outcome(days, parallelism), today);
    });
  }
});

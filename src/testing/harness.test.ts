import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { blackhole, collection, count, job, state, sum, t, tumbling } from "../index.ts";
import { harness } from "./index.ts";

const Reading = t.struct({ device: t.string, celsius: t.f64, ts: t.timestamp });
const Alert = t.struct({ device: t.string, kind: t.string, at: t.f64 });

const sensors = job({ name: "sensors" }, (env) => {
  const readings = env.from("readings", collection([], { type: Reading })).eventTime({ at: "ts" });
  const alerts = readings.keyBy("device").process({
    uid: "detector",
    out: Alert,
    side: { hot: t.f64 },
    state: { seen: state.value(t.f64, { init: () => 0 }) },
    onRecord(reading, ctx) {
      ctx.state.seen.set(ctx.state.seen.get() + 1);
      if (reading.celsius > 50) ctx.side.hot(reading.celsius);
      ctx.timers.set("silence", reading.ts + 60_000);
      ctx.timers.processing.set("heartbeat", ctx.now + 10_000);
    },
    onTimer(timer, ctx) {
      ctx.emit({ device: ctx.key, kind: timer.name, at: timer.at });
      if (timer.name === "heartbeat") ctx.timers.processing.set("heartbeat", timer.at + 10_000);
    },
  });
  alerts.to("alerts", blackhole());
  alerts.side.hot.to("hot", blackhole());
  readings
    .keyBy("device")
    .window(tumbling("1m"))
    .aggregate({ readings: count(), sum: sum("celsius") })
    .uid("minutes")
    .to("bars", blackhole());
});

const reading = (device: string, celsius: number, ts: number) => ({ device, celsius, ts });

describe("a harness of one operator", () => {
  test("runs a process function of a job by its uid: outputs, side outputs, timers and state at once", async () => {
    const detector = await harness(sensors, "detector");
    detector.record(reading("a", 20, 1_000), { at: 1_000 });
    detector.record(reading("a", 60, 2_000), { at: 2_000 });
    detector.record(reading("b", 10, 5_000), { at: 5_000 });
    assert.deepEqual(detector.side("hot"), [60]);
    assert.deepEqual(detector.state("a"), { seen: 2 });
    assert.deepEqual(detector.timers("a", "silence", "other"), { silence: 62_000 });
    detector.watermark(61_999);
    assert.deepEqual(detector.output(), []);
    detector.watermark(62_000);
    assert.deepEqual(detector.output(), [{ device: "a", kind: "silence", at: 62_000 }]);
    assert.deepEqual(detector.output(), [], "what was read is gone");
    detector.end();
    assert.deepEqual(detector.output(), [{ device: "b", kind: "silence", at: 65_000 }]);
  });

  test("metrics of a process function are read by name", async () => {
    const counting = await harness(
      job({ name: "counting" }, (env) => {
        const counted = env
          .from("readings", collection([], { type: Reading }))
          .keyBy("device")
          .process({
            uid: "counting",
            out: t.f64,
            onRecord({ celsius }, ctx) {
              ctx.metrics.counter("readings").inc();
              ctx.metrics.gauge("celsius").set(celsius);
            },
          });
        counted.to("out", blackhole());
      }),
      "counting",
    );
    for (const celsius of [20, 30]) counting.record(reading("a", celsius, 0));
    assert.deepEqual(
      ["readings", "celsius", "other"].map((name) => counting.metric(name)),
      [2, 30, 0],
    );
    assert.throws(() => counting.metric("numLateRecordsDroped"), { code: "TEST_METRIC_UNKNOWN" });
    const minutes = await harness(sensors, "minutes");
    assert.equal(minutes.metric("numLateRecordsDropped"), 0);
    assert.throws(() => minutes.metric("late"), { code: "TEST_METRIC_UNKNOWN", fix: /numLateRecordsDropped/ });
  });

  test("processing time passes by advanceClock alone, and recurring timers fire each at its time", async () => {
    const detector = await harness(sensors, "detector", { startTime: new Date("2024-01-01T00:00:00Z") });
    const start = detector.now;
    detector.record(reading("a", 20, 1_000));
    detector.advanceClock("35s");
    assert.deepEqual(
      detector.output<{ at: number }>().map(({ at }) => at - start),
      [10_000, 20_000, 30_000],
    );
    assert.equal(detector.now, start + 35_000);
  });

  test("runs windows, too", async () => {
    const minutes = await harness(sensors, "minutes");
    minutes.record(reading("a", 1, 0), { at: 0 });
    minutes.record(reading("a", 2, 59_999), { at: 59_999 });
    minutes.record(reading("a", 4, 60_000), { at: 60_000 });
    minutes.watermark(59_999);
    assert.deepEqual(minutes.output(), [{ device: "a", start: 0, end: 60_000, readings: 2, sum: 3 }]);
    minutes.record(reading("a", 8, 10), { at: 10 });
    assert.deepEqual(minutes.side("late"), [reading("a", 8, 10)]);
  });

  describe("has the watermarks of a run between its records", () => {
    test("windows: one comes with each record, and what is beyond outOfOrder is late", async () => {
      const minutes = await harness(sensors, "minutes");
      for (const ts of [0, 59_999, 60_000, 10]) minutes.record(reading("a", 1, ts), { at: ts });
      assert.deepEqual(minutes.output(), [{ device: "a", start: 0, end: 60_000, readings: 2, sum: 2 }]);
      assert.deepEqual(minutes.side("late"), [reading("a", 1, 10)]);
      minutes.watermark(5);
      assert.deepEqual(minutes.output(), [], "event time is further already");
    });

    test("timers: one comes when event time has gone on by a step, so that others may be moved before", async () => {
      const detector = await harness(sensors, "detector");
      for (const ts of [0, 500, 60_900]) detector.record(reading("a", 20, ts), { at: ts });
      assert.deepEqual(detector.output(), [{ device: "a", kind: "silence", at: 60_500 }]);
      const coarse = job({ name: "coarse" }, (env) => {
        env
          .from("readings", collection([], { type: Reading }))
          .eventTime({ at: "ts", every: "2m" })
          .keyBy("device")
          .process({
            uid: "detector",
            out: t.f64,
            onRecord: ({ ts }, { timers }) => timers.set("silence", ts + 60_000),
            onTimer: (timer, ctx) => ctx.emit(timer.at),
          })
          .to("alerts", blackhole());
      });
      const missing = await harness(coarse, "detector");
      for (const ts of [0, 100_000, 500_000]) missing.record(reading("a", 20, ts), { at: ts });
      assert.deepEqual(missing.output(), [160_000], "the first was moved before a watermark came");
    });

    test("the slower of two inputs holds event time back; one without eventTime, and a batch job, have none", async () => {
      const joined = (mode: "stream" | "batch", isTimed: boolean) =>
        job({ name: "joined", mode }, (env) => {
          const timed = (uid: string) => env.from(uid, collection([], { type: Reading })).eventTime({ at: "ts" });
          const right = isTimed ? timed("right") : env.from("right", collection([], { type: Reading }));
          timed("left")
            .keyBy("device")
            .connect(right.keyBy("device"))
            .process({
              uid: "both",
              out: t.f64,
              onLeft: (_, ctx) => ctx.emit(ctx.watermark),
              onRight: (_, ctx) => ctx.emit(ctx.watermark),
            })
            .to("out", blackhole());
        });
      const watermarks = async (mode: "stream" | "batch", isTimed: boolean) => {
        const both = await harness(joined(mode, isTimed), "both");
        both.record(reading("a", 1, 9_000), { at: 9_000 });
        both.record(reading("a", 1, 4_000), { at: 4_000, input: 1 });
        return both.output();
      };
      assert.deepEqual(await watermarks("stream", true), [-Infinity, 3_999]);
      assert.deepEqual(await watermarks("stream", false), [-Infinity, -Infinity]);
      assert.deepEqual(await watermarks("batch", true), [-Infinity, -Infinity]);
    });
  });

  test("runs a process function that belongs to no job yet, with keys given", async () => {
    const counter = await harness({
      uid: "counter",
      out: t.string,
      state: { count: state.value(t.f64, { init: () => 0 }) },
      onRecord(word: string, ctx) {
        ctx.state.count.set(ctx.state.count.get() + 1);
        ctx.emit(`${ctx.key}: ${word} ${ctx.state.count.get()}`);
      },
    });
    counter.record("x", { key: "k" });
    counter.record("y", { key: "k" });
    counter.record("z", { key: 7 });
    assert.deepEqual(counter.output(), ["k: x 1", "k: y 2", "7: z 1"]);
    assert.deepEqual(counter.state("k"), { count: 2 });
    assert.throws(() => counter.record("x"), { code: "KEY_INVALID" });
  });

  test("refuses what is no keyed operator, keys that are none, and watermarks that go back", async () => {
    await assert.rejects(harness(sensors, "readings"), { code: "TEST_UID_UNKNOWN", fix: "it has: detector, minutes" });
    const detector = await harness(sensors, "detector");
    detector.watermark(5);
    assert.throws(() => detector.watermark(4), { code: "TEST_WATERMARK_BACK" });
    for (const time of ["x", Number.NaN, new Date("x")] as never[]) {
      assert.throws(() => detector.watermark(time), { code: "OPTION_INVALID", fix: /epoch milliseconds or a Date/ });
      assert.throws(() => detector.record(reading("a", 1, 1), { at: time }), { code: "OPTION_INVALID" });
    }
  });

  test("refuses records that do not fit the type of its input, and what comes after the end", async () => {
    const detector = await harness(sensors, "detector");
    assert.throws(() => detector.record({ device: "a", celsius: "x", ts: 1 }, { at: 1 }), {
      code: "CODEC_MISMATCH",
      message: 'celsius of the record given to "detector" does not fit its type: expected f64, got string "x"',
    });
    assert.deepEqual(detector.state("a"), { seen: 0 });
    detector.end();
    assert.throws(() => detector.record(reading("a", 1, 1), { at: 1 }), {
      code: "TEST_SOURCE_ENDED",
      message: 'the input of "detector" has ended, nothing can follow',
    });
  });

  test("what is misspelt is refused: options, uids, side outputs", async () => {
    await assert.rejects(harness(undefined as never, "detector"), { code: "JOB_EXPECTED" });
    await assert.rejects(harness(undefined as never), { code: "JOB_EXPECTED" });
    await assert.rejects(harness(sensors, undefined as never), { code: "TEST_UID_UNKNOWN" });
    await assert.rejects(harness(sensors, "detektor"), { code: "TEST_UID_UNKNOWN", fix: /^did you mean "detector"\?/ });
    await assert.rejects(harness(sensors, "detector", { sed: 1 } as never), { code: "OPTION_UNKNOWN" });
    const detector = await harness(sensors, "detector");
    assert.throws(() => detector.record(reading("a", 1, 1), { att: 1 } as never), { code: "OPTION_UNKNOWN" });
    assert.throws(() => detector.side("hott"), { code: "TEST_UID_UNKNOWN", fix: 'did you mean "hot"? it has: hot' });
  });
});

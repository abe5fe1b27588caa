// The sample of the documentation (docs/testing.md): windows under test.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  blackhole,
  collection,
  count,
  type Infer,
  job,
  type KeyedProcess,
  sum,
  t,
  tumbling,
  weightedMean,
} from "../index.ts";
import { harness, testJob } from "./index.ts";

const Tick = t.struct({ symbol: t.string, price: t.f64, qty: t.f64, ts: t.timestamp });

const vwap = job({ name: "vwap-1m" }, (env) => {
  const bars = env
    .from("ticks", collection([], { type: Tick }))
    .eventTime({ at: "ts", outOfOrder: "5s", idle: "30s" })
    .keyBy("symbol")
    .window(tumbling("1m"))
    .allowLate("30s")
    .aggregate({ vwap: weightedMean("price", "qty"), volume: sum("qty"), trades: count() });
  bars.to("bars", blackhole());
  bars.side.late.to("late-ticks", blackhole());
});

describe("windows under test", () => {
  for (const parallelism of [1, 2, 3]) {
    test(`ticks of a window come out with the watermark, late ones go aside, at parallelism ${parallelism}`, async () => {
      await using run = await testJob(vwap, { parallelism });
      const ticks = run.source<{ symbol: string; price: number; qty: number; ts: number }>("ticks");
      ticks.push({ symbol: "A", price: 10, qty: 1, ts: 1_000 }, { symbol: "A", price: 20, qty: 3, ts: 2_000 });
      assert.deepEqual(await run.sink("bars").rows(), []);
      ticks.watermark(60_000);
      assert.deepEqual(await run.sink("bars").take(), [
        { symbol: "A", start: 0, end: 60_000, vwap: 17.5, volume: 4, trades: 2 },
      ]);
      ticks.push({ symbol: "A", price: 30, qty: 4, ts: 3_000 });
      assert.deepEqual(await run.sink("bars").take(), [
        { symbol: "A", start: 0, end: 60_000, vwap: 23.75, volume: 8, trades: 3 },
      ]);
      ticks.watermark(120_000);
      const late = { symbol: "A", price: 1, qty: 1, ts: 3_000 };
      ticks.push(late);
      assert.deepEqual(await run.sink("late-ticks").rows(), [late]);
      assert.deepEqual(await run.sink("bars").take(), []);
    });
  }

  test("a record pushed after a watermark is late for it, however many exchanges lie between, whatever the seed", async () => {
    const far = job({ name: "far" }, (env) => {
      const bars = env
        .from("ticks", collection([], { type: Tick }))
        .eventTime({ at: "ts" })
        .rebalance()
        .map((tick) => ({ ...tick }))
        .rebalance()
        .filter((tick) => tick.qty > 0)
        .keyBy("symbol")
        .window(tumbling("1m"))
        .aggregate({ trades: count() });
      bars.to("bars", blackhole());
      bars.side.late.to("late", blackhole());
    });
    for (let seed = 1; seed <= 20; seed += 1) {
      await using run = await testJob(far, { parallelism: 3, seed });
      const ticks = run.source("ticks");
      for (let minute = 0; minute < 10; minute += 1) {
        for (let i = 0; i < 20; i += 1) ticks.push({ symbol: "A", price: 1, qty: 1, ts: minute * 60_000 + i });
        ticks.watermark(minute * 60_000 + 59_999);
        ticks.push({ symbol: "A", price: 9, qty: 9, ts: minute * 60_000 });
      }
      const bars = await run.sink("bars").rows<{ trades: number }>();
      assert.deepEqual(
        bars.map((bar) => bar.trades),
        Array.from({ length: 10 }, () => 20),
        `SEED=${seed}`,
      );
      assert.equal((await run.sink("late").rows()).length, 10, `SEED=${seed}`);
    }
  });

  test("watermarks that the test alone says pass an eventTime behind an exchange, too", async () => {
    const behind = job({ name: "behind" }, (env) => {
      env
        .from("ticks", collection([], { type: Tick }))
        .rebalance()
        .eventTime({ at: "ts" })
        .keyBy("symbol")
        .window(tumbling("1m"))
        .aggregate({ trades: count() })
        .to("bars", blackhole());
    });
    await using run = await testJob(behind, { parallelism: 3, watermarks: "test" });
    for (let i = 0; i < 10; i += 1) run.source("ticks").push({ symbol: "A", price: 1, qty: 1, ts: i });
    run.source("ticks").watermark(59_998);
    assert.deepEqual(await run.sink("bars").rows(), []);
    run.source("ticks").watermark(59_999);
    assert.deepEqual(await run.sink("bars").rows(), [{ symbol: "A", start: 0, end: 60_000, trades: 10 }]);
  });

  test("a batch job has no watermark before the end, in a test as in a run", async () => {
    const batch = job({ name: "batch", mode: "batch" }, (env) => {
      env
        .from("ticks", collection([], { type: Tick }))
        .eventTime({ at: "ts" })
        .keyBy("symbol")
        .window(tumbling("1m"))
        .aggregate({ trades: count() })
        .to("bars", blackhole());
    });
    await using run = await testJob(batch, { parallelism: 2 });
    for (const ts of [120_000, 60_000, 0]) run.source("ticks").push({ symbol: "A", price: 1, qty: 1, ts });
    assert.throws(() => run.source("ticks").watermark(200_000), { code: "TEST_WATERMARK_BATCH" });
    assert.deepEqual(await run.sink("bars").rows(), []);
    await run.end();
    const bars = await run.sink("bars").rows<{ start: number; trades: number }>();
    assert.deepEqual(
      bars.map(({ start, trades }) => [start, trades]),
      [0, 60_000, 120_000].map((start) => [start, 1]),
    );
  });
});

describe("with the watermarks of a run", () => {
  const Reading = t.struct({ device: t.string, at: t.timestamp });

  /** Tells of devices that are silent for a minute; `inOrder`: as the documentation recommends it. */
  const silence = (inOrder: boolean, outOfOrder: "0ms" | "1h" = "0ms") =>
    job({ name: "silence" }, (env) => {
      const keyed = env
        .from("readings", collection([], { type: Reading }))
        .eventTime({ at: "at", outOfOrder, every: "1h" })
        .keyBy("device");
      const watch: KeyedProcess<Infer<typeof Reading>, string, Nothing, typeof Reading, Nothing> = {
        uid: "watch",
        out: Reading,
        onRecord: ({ at }, { timers }) => timers.set("silent", at + 60_000),
        onTimer({ at }, ctx) {
          if (ctx.watermark !== Infinity) ctx.emit({ device: ctx.key, at });
        },
      };
      (inOrder ? keyed.inOrder().process(watch) : keyed.process(watch)).to("alerts", blackhole());
    });
  type Nothing = Record<never, never>;

  const readings = [0, 30_000, 200_000, 210_000].map((at) => ({ device: "a", at }));

  for (const parallelism of [1, 3]) {
    test(`a test misses what a run misses, and finds what it finds, at parallelism ${parallelism}`, async () => {
      for (const [declared, found] of [
        [silence(false), []],
        [silence(true), [{ device: "a", at: 90_000 }]],
        [silence(true, "1h"), [{ device: "a", at: 90_000 }]],
      ] as const) {
        await using run = await testJob(declared, { parallelism });
        run.source("readings").push(...readings);
        await run.end();
        assert.deepEqual(await run.sink("alerts").rows(), found);
      }
    });
  }

  /** Counts per minute, and what is late. Behind an exchange, one subtask gives event time to all that is read. */
  const minutes = (isBehind: boolean) =>
    job({ name: "minutes" }, (env) => {
      const read = env.from("readings", collection([], { type: Reading }));
      const timed = read.eventTime({ at: "at", outOfOrder: "10s" });
      const bars = (isBehind ? timed.parallelism(1) : timed)
        .keyBy("device")
        .window(tumbling("1m"))
        .aggregate({ readings: count() });
      bars.to("bars", blackhole());
      bars.side.late.to("late", blackhole());
    });
  const reading = (at: number) => ({ device: "a", at });
  const bar = (minute: number, readings: number) => {
    return { device: "a", start: minute * 60_000, end: (minute + 1) * 60_000, readings };
  };

  for (const parallelism of [1, 3]) {
    for (const isBehind of [false, true]) {
      const title = `at parallelism ${parallelism}${isBehind ? ", behind an exchange" : ""}`;
      test(`windows fire once records have passed them, and what comes after that is late, ${title}`, async () => {
        for (let seed = 1; seed <= 5; seed += 1) {
          await using run = await testJob(minutes(isBehind), { parallelism, seed });
          const readings = run.source("readings");
          readings.push(...[1_000, 65_000, 55_001, 69_999].map(reading));
          assert.deepEqual(await run.sink("bars").take(), [], "event time has come to 59,998");
          readings.push(reading(70_000));
          assert.deepEqual(await run.sink("bars").take(), [bar(0, 2)]);
          readings.push(reading(59_999));
          assert.deepEqual(await run.sink("late").rows(), [reading(59_999)]);
          await run.end();
          assert.deepEqual(await run.sink("bars").take(), [bar(1, 3)]);
        }
      });

      test(`the test takes event time further, and never holds it back, ${title}`, async () => {
        await using run = await testJob(minutes(isBehind), { parallelism });
        const readings = run.source("readings");
        readings.push(reading(1_000));
        readings.watermark(59_999);
        assert.deepEqual(await run.sink("bars").take(), [bar(0, 1)]);
        readings.push(reading(130_000));
        readings.watermark(60_000);
        readings.push(reading(119_999));
        assert.deepEqual(await run.sink("late").rows(), [reading(119_999)], "event time has come to 119,999");
        readings.watermark(179_999);
        assert.deepEqual(await run.sink("bars").take(), [bar(2, 1)]);
      });
    }
  }

  for (const isBehind of [false, true]) {
    const title = isBehind ? ", behind an exchange" : "";
    test(`the slowest of the subtasks that are fed holds event time back, and those that are not do not${title}`, async () => {
      for (let seed = 1; seed <= 5; seed += 1) {
        await using run = await testJob(minutes(isBehind), { parallelism: 3, seed });
        const readings = run.source("readings");
        readings.pushTo(0, reading(130_000));
        readings.pushTo(1, reading(1_000));
        assert.deepEqual(await run.sink("bars").take(), []);
        readings.pushTo(1, reading(70_000));
        assert.deepEqual(await run.sink("bars").take(), [bar(0, 1)]);
        readings.pushTo(1, reading(130_000));
        assert.deepEqual(await run.sink("bars").take(), [bar(1, 1)], "nothing was pushed to the third");
        readings.pushTo(2, reading(125_000));
        readings.pushTo(0, reading(190_000));
        readings.pushTo(1, reading(190_000));
        assert.deepEqual(await run.sink("bars").take(), [], "and now something was");
        assert.deepEqual(await run.sink("late").rows(), []);
      }
    });
  }

  test("who says them has to be known", async () => {
    await assert.rejects(testJob(silence(true), { watermarks: "mine" as never }), { code: "OPTION_INVALID" });
  });

  test("and where the test says them, event time comes to its greatest as well before the input ends", async () => {
    await using run = await testJob(silence(true), { watermarks: "test" });
    run.source("readings").push(...readings);
    await run.end();
    assert.deepEqual(await run.sink("alerts").rows(), [{ device: "a", at: 90_000 }]);
    const single = await harness(silence(true), "watch");
    for (const reading of readings) single.record(reading, { at: reading.at });
    single.end();
    assert.deepEqual(single.output(), [{ device: "a", at: 90_000 }]);
  });
});

// What operators count, through jobs under test.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { blackhole, collection, count, job, t, tumbling } from "../../index.ts";
import { testJob } from "../../testing/index.ts";

const Row = t.struct({ key: t.string, n: t.f64, at: t.timestamp });
const row = (n: number) => ({ key: n % 2 === 0 ? "even" : "odd", n, at: n * 1_000 });

const pipeline = job({ name: "metrics" }, (env) => {
  const rows = env.from("rows", collection([], { type: Row }));
  const others = env.from("others", collection([], { type: Row }));
  const big = rows.filter(({ n }) => n >= 2).uid("big");
  const twice = big.flatMap((each) => [each, each]).uid("twice");
  const risky = twice
    .map(({ n }) => checked(n))
    .uid("risky")
    .onError("side");
  risky.to("numbers", blackhole());
  risky.side.errors
    .map(({ record }) => record)
    .uid("errors")
    .to("rejects", blackhole());
  big
    .union(others)
    .map((each) => each)
    .uid("both")
    .to("all", blackhole());
  const minutes = rows.eventTime({ at: "at" }).uid("time").keyBy("key").window(tumbling("1m"));
  minutes.aggregate({ n: count() }).uid("minutes").to("bars", blackhole());
});

function checked(n: number): number {
  if (n === 3) throw new Error("three");
  return n;
}

describe("metrics of operators", () => {
  for (const chaining of [true, false]) {
    test(`numRecordsIn is what came, ${chaining ? "chained" : "not chained"}`, async () => {
      await using run = await testJob(pipeline, { config: { "pipeline.operator-chaining.enabled": chaining } });
      run.source("rows").push(...[0, 1, 2, 3, 4].map(row));
      run.source("others").push(row(9));
      const counts = async (uid: string) => [
        await run.metric("numRecordsIn", uid),
        await run.metric("numRecordsOut", uid),
      ];
      assert.deepEqual(await counts("rows"), [5, 5]);
      assert.deepEqual(await counts("big"), [5, 3]);
      assert.deepEqual(await counts("twice"), [3, 6]);
      assert.deepEqual(await counts("risky"), [6, 4]);
      assert.deepEqual(await counts("numbers"), [4, 4]);
      assert.deepEqual(await counts("errors"), [2, 2]);
      assert.deepEqual(await counts("rejects"), [2, 2]);
      assert.deepEqual(await counts("both"), [4, 4]);
      assert.equal(await run.metric("numRecordsInErrors", "risky"), 2);
      assert.equal(await run.metric("numRecordsOut.errors", "risky"), 2);
    });
  }

  test("watermarks are those that operators got and gave, the last finite ones after the end", async () => {
    await using run = await testJob(pipeline);
    run.source("rows").push(row(1));
    run.source("rows").watermark(70_000);
    assert.equal(await run.metric("currentInputWatermark", "minutes"), 70_000);
    assert.equal(await run.metric("currentOutputWatermark", "minutes"), 70_000);
    assert.equal(await run.metric("currentOutputWatermark", "rows"), 70_000);
    assert.equal(await run.metric("currentInputWatermark", "time"), 70_000);
    await run.end();
    assert.equal(await run.metric("currentInputWatermark", "minutes"), 70_000);
    assert.equal(await run.metric("currentInputWatermark", "bars"), 70_000);
  });

  test("late records without a reader are counted where they are dropped", async () => {
    await using run = await testJob(pipeline);
    run.source("rows").watermark(120_000);
    run.source("rows").push(row(1), row(2));
    assert.equal(await run.metric("numLateRecordsDropped", "minutes"), 2);
  });

  test("the task counts what its exchanges take, and rates run since the start", async () => {
    await using run = await testJob(pipeline, { config: { "pipeline.operator-chaining.enabled": false } });
    run.source("rows").push(...[0, 1].map(row));
    await run.advanceClock("10s");
    assert.equal(await run.metric("numRecordsOut", "rows"), 2);
    assert.equal(await run.metric("numRecordsOutPerSecond", "rows"), 0.2);
  });
});

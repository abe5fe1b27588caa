// Checkpoints, crashes and other parallelisms in tests of users (T5 of test-job.ts).

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { collection, count, csv, type Job, job, jsonl, print, state, t, tumbling } from "../index.ts";
import { testJob } from "./test-job.ts";

const Row = t.struct({ key: t.string, n: t.f64 });
type Row = { readonly key: string; readonly n: number };

/** Running sums by key, shown exactly once and at once. */
const sums = job({ name: "sums" }, (env) => {
  const summed = env
    .from("rows", csv("rows.csv", { type: Row }))
    .keyBy("key")
    .process({
      uid: "sum",
      state: { sum: state.value(t.f64, { init: () => 0 }) },
      out: t.struct({ key: t.string, sum: t.f64 }),
      onRecord({ key, n }, ctx) {
        const sum = ctx.state.sum.get() + n;
        ctx.state.sum.set(sum);
        ctx.emit({ key, sum });
      },
    });
  summed.to("once", jsonl("out"));
  summed.to("again", print());
});

const keys = ["a", "b", "c", "d", "e"];
const pushed = (n: number): Row[] => keys.map((key) => ({ key, n }));
const texts = (rows: readonly { key: string; sum: number }[]): string[] =>
  rows.map(({ key, sum }) => `${key}${sum}`).sort();

describe("a test that crashes its job", () => {
  test("goes on from its checkpoint: what was pushed since comes again, and is shown once (T5)", async () => {
    for (const parallelism of [1, 2, 5]) {
      await using run = await testJob(sums, { parallelism: 2 });
      const rows = run.source<Row>("rows");
      rows.push(...pushed(1));
      await run.checkpoint();
      rows.push(...pushed(10));
      assert.equal((await run.sink("once").take()).length, 10);
      await run.crash();
      assert.equal((await run.sink("once").rows()).length, 5, "what no checkpoint covers was never shown");
      rows.push(...pushed(100));
      await run.restore({ parallelism });
      const once = await run.sink("once").rows<{ key: string; sum: number }>();
      assert.deepEqual(texts(once), keys.flatMap((key) => [`${key}1`, `${key}11`, `${key}111`]).sort());
      const again = await run.sink("again").rows();
      assert.equal(again.length, 20, "a sink that shows rows at once shows some of them twice");
      assert.deepEqual(await run.state("sum", "c"), { sum: 111 });
      assert.equal((await run.sink("once").take()).length, 10);
    }
  });

  test("without a checkpoint begins anew, however often", async () => {
    await using run = await testJob(sums);
    run.source<Row>("rows").push(...pushed(1));
    for (let times = 0; times < 3; times += 1) {
      await run.crash();
      await run.restore();
    }
    run.source<Row>("rows").push(...pushed(2));
    await run.end();
    assert.equal((await run.sink("once").rows()).length, 10);
    assert.equal((await run.sink("again").rows()).length, 25);
  });

  test("keeps timers, time, windows and watermarks", async () => {
    const windows = job({ name: "windows" }, (env) => {
      env
        .from("rows", csv("rows.csv", { type: t.struct({ at: t.timestamp }) }))
        .eventTime({ at: "at" })
        .keyBy(() => "all", t.string)
        .window(tumbling("1m"))
        .aggregate({ n: count() })
        .to("out", jsonl("out"));
    });
    await using run = await testJob(windows);
    const rows = run.source("rows");
    rows.push({ at: 1_000 }, { at: 2_000 });
    rows.watermark(30_000);
    await run.checkpoint();
    rows.push({ at: 40_000 });
    await run.crash();
    await run.restore();
    rows.watermark(90_000);
    assert.deepEqual(
      (await run.sink("out").rows<{ n: number }>()).map(({ n }) => n),
      [3],
    );
    const reminded = job({ name: "reminded" }, (env) => {
      env
        .from("rows", csv("rows.csv", { type: Row }))
        .keyBy("key")
        .process({
          uid: "remind",
          out: t.string,
          onRecord: (_row, ctx) => ctx.timers.processing.set("due", ctx.now + 60_000),
          onTimer: (_timer, ctx) => ctx.emit(ctx.key),
        })
        .to("out", jsonl("out"));
    });
    await using timed = await testJob(reminded);
    timed.source<Row>("rows").push({ key: "a", n: 1 });
    await timed.advanceClock("40s");
    await timed.rescale(3);
    assert.deepEqual(await timed.sink("out").rows(), []);
    await timed.advanceClock("21s");
    assert.deepEqual(await timed.sink("out").rows(), ["a"], "the timer is due when it was due");
  });

  test("rescales to any parallelism and back, and its state is the same", async () => {
    await using run = await testJob(sums);
    let total = 0;
    for (const parallelism of [3, 1, 4, 2]) {
      run.source<Row>("rows").push(...pushed(parallelism));
      total += parallelism;
      await run.rescale(parallelism);
      for (const key of keys) assert.deepEqual(await run.state("sum", key), { sum: total });
    }
    await run.end();
    assert.equal((await run.sink("once").rows()).length, 20);
  });

  test("can crash when its own function has thrown, and go on once that is mended", async () => {
    let isBroken = true;
    const broken: Job = job({ name: "broken" }, (env) => {
      env
        .from("in", collection([{ n: 0 }]))
        .map((row) => {
          if (isBroken) throw new Error("the service is gone");
          return row;
        })
        .to("out", jsonl("out"));
    });
    await using run = await testJob(broken);
    run.source("in").push({ n: 1 });
    await assert.rejects(run.settle(), { code: "USER_FUNCTION_THREW" });
    await run.crash();
    isBroken = false;
    await run.restore();
    assert.deepEqual(await run.sink("out").rows(), [{ n: 1 }]);
  });

  test("is told when there is nothing to crash, to restore, or to look at", async () => {
    const run = await testJob(sums);
    await assert.rejects(run.restore(), { code: "TEST_NOT_RUNNING", message: /the job runs/ });
    await run.crash();
    await assert.rejects(run.crash(), { code: "TEST_NOT_RUNNING", message: /has crashed/ });
    await assert.rejects(run.checkpoint(), { code: "TEST_NOT_RUNNING" });
    await assert.rejects(run.state("sum", "a"), { code: "TEST_NOT_RUNNING" });
    await run.restore();
    await run.end();
    await assert.rejects(run.checkpoint(), { code: "TEST_NOT_RUNNING", message: /has ended/ });
    await assert.rejects(run.crash(), { code: "TEST_NOT_RUNNING", message: /has finished/ });
    await run[Symbol.asyncDispose]();
  });
});

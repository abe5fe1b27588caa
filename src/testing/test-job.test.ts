import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { changes } from "../../test/connectors/changes.ts";
import type { UserError } from "../base/errors.ts";
import { blackhole, col, collection, count, job, print, type Sink, type Source, state, t, tumbling } from "../index.ts";
import { harness, testJob } from "./index.ts";

const Tick = t.struct({ symbol: t.string, price: t.f64, qty: t.f64, ts: t.timestamp });
const Alert = t.struct({ symbol: t.string, kind: t.string, at: t.f64 });

/** Real connectors must never be opened under test. */
const neverSource = (type: unknown = null) =>
  ({
    kind: "never",
    type: (type as { spec?: unknown } | null)?.spec ?? null,
    bounded: false,
    invalid: "side",
    describe: () => ({ topic: "t" }),
    createEnumerator: () => assert.fail("the real source was opened"),
    createReader: () => assert.fail("the real source was opened"),
  }) as unknown as Source<{ symbol: string; price: number; qty: number; ts: number }>;
const neverSink = {
  kind: "never",
  guarantee: "at-least-once",
  describe: () => ({}),
  createWriter: () => assert.fail("the real sink was opened"),
} as unknown as Sink<unknown>;

const tick = (symbol: string, price: number, seconds: number) => ({ symbol, price, qty: 1, ts: seconds * 1_000 });

const silence = job({ name: "silence" }, (env) => {
  const alerts = env
    .from("ticks", neverSource(Tick))
    .eventTime({ at: "ts", outOfOrder: "10s" })
    .keyBy("symbol")
    .process({
      uid: "detector",
      out: Alert,
      side: { jumps: t.struct({ symbol: t.string, by: t.f64 }) },
      state: { last: state.value(t.f64), seen: state.list(t.f64), counts: state.map(t.string, t.f64) },
      onRecord(record, ctx) {
        const last = ctx.state.last.get();
        if (last !== null && Math.abs(record.price - last) > 10)
          ctx.side.jumps({ symbol: ctx.key, by: record.price - last });
        ctx.state.last.set(record.price);
        ctx.state.seen.add(record.price);
        ctx.state.counts.set("ticks", (ctx.state.counts.get("ticks") ?? 0) + 1);
        ctx.timers.set("silence", record.ts + 60_000);
        ctx.timers.processing.set("heartbeat", ctx.now + 3_600_000);
      },
      onTimer(timer, ctx) {
        ctx.emit({ symbol: ctx.key, kind: timer.name, at: timer.at });
      },
    });
  alerts.to("alerts", neverSink);
  alerts.side.jumps.to("jumps", neverSink);
});

describe("a job under test", () => {
  test("event-time timers fire with the watermarks that the test gives, whatever outOfOrder says", async () => {
    await using run = await testJob(silence, { parallelism: 2 });
    const ticks = run.source("ticks");
    ticks.push(tick("A", 10, 1), tick("B", 20, 2));
    assert.deepEqual(await run.sink("alerts").rows(), []);
    ticks.watermark(60_999);
    assert.deepEqual(await run.sink("alerts").rows(), []);
    ticks.watermark(61_000);
    assert.deepEqual(await run.sink("alerts").take(), [{ symbol: "A", kind: "silence", at: 61_000 }]);
    ticks.watermark(new Date(70_000));
    assert.deepEqual(await run.sink("alerts").take(), [{ symbol: "B", kind: "silence", at: 62_000 }]);
    assert.equal((await run.sink("alerts").rows()).length, 2);
  });

  test("processing time stands still but for advanceClock, which lets timers fire in their order", async () => {
    await using run = await testJob(silence, { startTime: new Date("2024-05-01T00:00:00Z") });
    const start = run.now;
    assert.equal(start, Date.UTC(2024, 4, 1));
    run.source("ticks").push(tick("A", 10, 1));
    await run.settle();
    assert.equal(run.now, start);
    await run.advanceClock("59m");
    assert.deepEqual(await run.sink("alerts").rows(), []);
    await run.advanceClock("1m");
    assert.deepEqual(await run.sink("alerts").rows(), [{ symbol: "A", kind: "heartbeat", at: start + 3_600_000 }]);
    assert.equal(run.now, start + 3_600_000);
  });

  test("side outputs end in sinks of their own, state can be read by name, metrics by operator", async () => {
    await using run = await testJob(silence, { parallelism: 3 });
    run.source("ticks").push(tick("A", 10, 1), tick("A", 30, 2), tick("B", 1, 3));
    assert.deepEqual(await run.sink("jumps").rows(), [{ symbol: "A", by: 20 }]);
    assert.deepEqual(await run.state("detector", "A"), { last: 30, seen: [10, 30], counts: new Map([["ticks", 2]]) });
    assert.deepEqual(await run.state("detector", "nobody"), { last: null, seen: [], counts: new Map() });
    assert.equal(await run.metric("numRecordsOut", "ticks"), 3);
    assert.equal(await run.metric("numRecordsIn"), 3);
  });

  test("the end of the input fires what is left in event time, and the job finishes", async () => {
    await using run = await testJob(silence, { parallelism: 2 });
    run.source("ticks").push(tick("A", 10, 1), tick("B", 20, 2), tick("C", 3, 3));
    await run.end();
    const rows = await run.sink("alerts").rows<{ symbol: string }>();
    assert.deepEqual(rows.map((row) => row.symbol).sort(), ["A", "B", "C"]);
    assert.throws(() => run.source("ticks").push(tick("A", 1, 9)), { code: "TEST_SOURCE_ENDED" });
  });

  test("equal seeds give equal results in equal order", async () => {
    const rows = async (seed: number) => {
      await using run = await testJob(silence, { parallelism: 4, seed });
      for (let i = 0; i < 50; i += 1) run.source("ticks").push(tick(`S${i % 7}`, i, i));
      run.source("ticks").watermark(200_000);
      return run.sink("alerts").rows();
    };
    assert.deepEqual(await rows(5), await rows(5));
    const sorted = (all: unknown[]) => all.map((row) => JSON.stringify(row)).sort();
    assert.deepEqual(sorted(await rows(6)), sorted(await rows(5)));
  });

  test("rows that the source could not read take the source's way", async () => {
    const declared = job({ name: "invalid" }, (env) => {
      const ticks = env.from("ticks", neverSource(Tick));
      ticks.to("good", neverSink);
      ticks.side.invalid.to("bad", neverSink);
    });
    await using run = await testJob(declared);
    run.source("ticks").invalid({ raw: "x,y", issues: ["price: not a number"] });
    assert.deepEqual(await run.sink("bad").rows(), [{ raw: "x,y", issues: ["price: not a number"] }]);
    assert.deepEqual(await run.sink("good").rows(), []);
  });

  test("subtasks of a source can be fed apart: event time follows the slowest", async () => {
    await using run = await testJob(silence, { parallelism: 2 });
    const ticks = run.source("ticks");
    ticks.pushTo(0, tick("A", 1, 1));
    ticks.pushTo(1, tick("A", 2, 2));
    assert.deepEqual((await run.state<{ seen: number[] }>("detector", "A")).seen.sort(), [1, 2]);
    assert.throws(() => ticks.pushTo(2, tick("A", 1, 1)), { code: "TEST_SUBTASK_UNKNOWN" });
  });
});

describe("a job under test that fails", () => {
  const doubling = job({ name: "doubling" }, (env) => {
    env
      .from<{ n: number | null }>("numbers", neverSource() as never)
      .map((row) => ({ n: (row.n as number).toFixed(1) }))
      .name("double")
      .to("out", neverSink);
  });

  test("rejects the next verb with the engine's error: operator, record and the user's own error", async () => {
    const run = await testJob(doubling);
    run.source("numbers").push({ n: 1 });
    assert.deepEqual(await run.sink("out").rows(), [{ n: "1.0" }]);
    run.source("numbers").push({ n: null });
    await assert.rejects(run.sink("out").rows(), (error: { code: string; message: string; cause: Error }) => {
      assert.equal(error.code, "USER_FUNCTION_THREW");
      assert.match(error.message, /map "double".*n: null/);
      assert.match(error.cause.stack ?? "", /test-job\.test\.ts/);
      return true;
    });
    await assert.rejects(run.settle(), { code: "USER_FUNCTION_THREW" });
    await run[Symbol.asyncDispose](); // The failure was seen.
  });

  test("a failure that nobody looked at fails the end of the test", async () => {
    const run = await testJob(doubling);
    run.source("numbers").push({ n: null });
    await assert.rejects(async () => run[Symbol.asyncDispose](), { code: "USER_FUNCTION_THREW" });
  });

  test("a function that changes a record fails at its own line", async () => {
    const changing = job({ name: "changing" }, (env) => {
      env
        .from<{ n: number }>("numbers", neverSource() as never)
        .map((row) => {
          (row as { n: number }).n += 1;
          return row;
        })
        .to("out", neverSink);
    });
    const run = await testJob(changing);
    run.source("numbers").push({ n: 1 });
    await assert.rejects(run.settle(), { code: "RECORD_MUTATED" });
    await run[Symbol.asyncDispose]();
  });

  test("uids that the job does not have, and watermarks that go back, are told at once", async () => {
    await using run = await testJob(silence);
    assert.throws(() => run.source("tick"), { code: "TEST_UID_UNKNOWN", fix: 'did you mean "ticks"? it has: ticks' });
    assert.throws(
      () => run.source("tick"),
      ({ location }: UserError) => location?.file === import.meta.filename,
    );
    assert.throws(() => run.sink("bars"), { code: "TEST_UID_UNKNOWN", fix: "it has: alerts, jumps" });
    await assert.rejects(run.state("ticks", "A"), { code: "TEST_UID_UNKNOWN" });
    run.source("ticks").watermark(100);
    run.source("ticks").watermark(100);
    assert.throws(() => run.source("ticks").watermark(99), { code: "TEST_WATERMARK_BACK" });
    for (const time of ["x", Number.NaN, new Date("x")] as never[])
      assert.throws(() => run.source("ticks").watermark(time), { code: "OPTION_INVALID", fix: /epoch milliseconds/ });
    for (const row of [{}, null, "x", { raw: "x" }, { raw: "x", issues: "bad" }, { raw: "x", issues: [], line: "2" }])
      assert.throws(() => run.source("ticks").invalid(row as never), {
        code: "OPTION_INVALID",
        fix: /\{ raw, issues: \["…"\] \}/,
      });
  });

  test("a record that is not of the source's declared type is refused at the line that pushes it", async () => {
    await using run = await testJob(silence);
    const pushed = { symbol: "A", price: "1", qty: 1, ts: 1_000 };
    assert.throws(() => run.source("ticks").push(tick("A", 1, 1), pushed), {
      code: "CODEC_MISMATCH",
      message: 'price of the record pushed to "ticks" does not fit its type: expected f64, got string "1"',
    });
    const { symbol, ...unnamed } = tick("A", 1, 1);
    assert.throws(
      () => run.source("ticks").push({ ...unnamed, symbl: symbol }),
      (error: UserError) => error.code === "CODEC_MISMATCH" && error.location?.file === import.meta.filename,
    );
    await run.end();
    assert.deepEqual(await run.sink("alerts").rows(), [], "none of them was pushed");
  });

  test("parameters are values, and what is wrong with them is told as a test writes it", async () => {
    const limited = job({ name: "limited", params: t.struct({ least: t.f64, on: t.bool }) }, (env, { least, on }) => {
      env
        .from("in", collection([1], { type: t.f64 }))
        .filter((n) => on && n >= least)
        .keyBy((n) => n, t.f64)
        .reduce("most", Math.max)
        .to("out", blackhole());
    });
    const params = { least: 2, on: "true" };
    await using run = await testJob(limited, { params });
    run.source("in").push(1, 2);
    assert.deepEqual(await run.sink("out").rows(), [2]);
    await harness(limited, "most", { params });
    await assert.rejects(testJob(limited), {
      code: "PARAMS_INVALID",
      fix: "give parameters: testJob(job, { params: { name: … } })",
    });
    await assert.rejects(testJob(limited, { params: { least: 1, on: "yes" } }), {
      code: "PARAMS_INVALID",
      fix: "give true or false: testJob(job, { params: { on: … } })",
    });
    await assert.rejects(harness(limited, "most"), { fix: /^give parameters: harness\(job, "most", \{ params: / });
  });

  test("metrics that no operator has are refused, those that counted nothing are 0", async () => {
    await using run = await testJob(silence);
    assert.equal(await run.metric("numLateRecordsDropped"), 0);
    assert.equal(await run.metric("numRecordsInPerSecond"), 0);
    assert.equal(await run.metric("ofItsOwn"), 0, "a process function may make it later");
    await assert.rejects(run.metric("numLateRecordsDroped"), {
      code: "TEST_METRIC_UNKNOWN",
      fix: "did you mean numLateRecordsDropped?",
    });
    await assert.rejects(run.metric("numRecordsIn", "tiks"), { code: "TEST_UID_UNKNOWN" });
  });

  test("what is no job, and misspelt options, are refused", async () => {
    await assert.rejects(testJob({ name: "like a job" } as never), { code: "JOB_EXPECTED" });
    await assert.rejects(testJob(undefined as never), { code: "JOB_EXPECTED" });
    await assert.rejects(testJob(silence, { sed: 2 } as never), { code: "OPTION_UNKNOWN", fix: "did you mean seed?" });
    await assert.rejects(testJob(silence, { startTime: "2026" } as never), { code: "OPTION_INVALID" });
  });

  test("a job that cannot be built is refused before it starts", async () => {
    await assert.rejects(testJob(job({ name: "empty" }, () => undefined)), { code: "JOB_EMPTY" });
    await assert.rejects(testJob(silence, { params: { a: 1 } }), { code: "PARAMS_UNKNOWN" });
  });
});

describe("network memory under test", () => {
  const windows = job({ name: "windows" }, (env) => {
    const ticks = env.from("ticks", neverSource(Tick)).eventTime({ at: "ts" }).keyBy("symbol");
    for (let i = 1; i <= 18; i++)
      ticks
        .window(tumbling(`${i}m`))
        .aggregate({ n: count() })
        .to(`out${i}`, neverSink);
  });

  test("is enough for a job of many windows", async () => {
    await using run = await testJob(windows, { parallelism: 3 });
    run.source("ticks").push(tick("A", 1, 1));
    await run.end();
    assert.deepEqual(await run.sink("out18").rows(), [{ symbol: "A", start: 0, end: 18 * 60_000, n: 1 }]);
  });

  for (const [key, value] of [
    ["taskmanager.memory.network.min", "80mb"],
    ["taskmanager.memory.network.max", "48mb"],
    ["taskmanager.memory.network.fraction", 0.02],
  ] as const) {
    test(`is set by ${key} alone`, async () => {
      await using run = await testJob(windows, { parallelism: 3, config: { [key]: value } });
      await run.settle();
    });
  }
});

test("rows that are more than inserts are shown with what they are, whatever the sink makes of them", async () => {
  const totals = job({ name: "totals" }, (env) => {
    const rows = env.from("in", collection<{ id: number }>([], { type: t.struct({ id: t.f64 }) }));
    rows.keyBy("id").aggregate({ n: count() }).to("out", blackhole());
  });
  await using run = await testJob(totals);
  run.source("in").push({ id: 1 }, { id: 2 }, { id: 1 });
  assert.deepEqual(await run.sink("out").changes(), [
    { op: "+I", row: { id: 1, n: 1 } },
    { op: "+I", row: { id: 2, n: 1 } },
    { op: "+U", row: { id: 1, n: 2 } },
  ]);
  assert.equal((await run.sink("out").rows()).length, 3);
});

test("a source that changes its rows is fed with what they are, and with nothing that it does not give", async () => {
  const Row = t.struct({ id: t.string, n: t.f64 });
  const changing = (deletes: boolean) =>
    job({ name: "changing" }, (env) => {
      const rows = env.from("in", changes([], { kind: "upsert", key: ["id"], deletes }, Row));
      rows.filter(col("n").gt(1)).to("out", print({ op: true }));
    });
  await using run = await testJob(changing(true));
  const rows = run.source("in");
  rows.push({ id: "a", n: 2 });
  rows.change("+U", { id: "a", n: 3 }, { id: "a", n: 1 });
  rows.change("-D", { id: "b", n: 0 });
  assert.deepEqual(await run.sink("out").changes(), [
    { op: "+I", row: { id: "a", n: 2 } },
    { op: "+U", row: { id: "a", n: 3 } },
    { op: "-D", row: { id: "a", n: 1 } },
    { op: "-D", row: { id: "b", n: 0 } },
  ]);
  assert.throws(() => rows.change("delete" as never, { id: "a", n: 1 }), { code: "OPTION_INVALID" });
  await assert.rejects(
    async () => {
      await using other = await testJob(changing(false));
      other.source("in").change("-D", { id: "a", n: 1 });
      await other.settle();
    },
    { code: "SOURCE_ROW_KIND" },
  );
});

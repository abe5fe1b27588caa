// Aggregates computed in parts before an exchange: the same results as without, from fewer rows over the edge.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  blackhole,
  collection,
  count,
  distinctCount,
  generate,
  type Job,
  type JobEnv,
  job,
  jsonl,
  last,
  max,
  mean,
  min,
  minBy,
  quantile,
  sliding,
  stddev,
  sum,
  t,
  tumbling,
  weightedMean,
} from "../../src/index.ts";
import { testJob } from "../../src/testing/index.ts";
import { simulateJob } from "../../src/testing/simulate-job.ts";
import { outcomeOf } from "../simulation/outcome.ts";
import { millrace } from "./cli-process.ts";

const KEY = "millrace.pipeline.pre-aggregation";
const Trade = t.struct({ symbol: t.string, price: t.f64, qty: t.f64.nullable(), id: t.f64, ts: t.timestamp });
type Trade = { symbol: string; price: number; qty: number | null; id: number; ts: number };

const FIGURES = {
  n: count(),
  priced: count("qty"),
  volume: sum("qty"),
  vwap: weightedMean("price", "qty"),
  spread: stddev("price"),
  low: min("price"),
  middle: quantile("price", [0.25, 0.75]),
  prices: distinctCount("price"),
  latest: last("id"),
  cheapest: minBy("price", "id"),
};

const tradesOf = (env: JobEnv, uid: string) => env.from(uid, collection([], { type: Trade })).eventTime({ at: "ts" });

/** Several kinds of windows over two united sources; with a field, a function and a nested window's row as the key. */
const windows = job({ name: "windows" }, (env) => {
  const trades = tradesOf(env, "left").union(tradesOf(env, "right"));
  const bySymbol = trades.keyBy("symbol");
  const tens = bySymbol.window(tumbling("10ms")).allowLate("20ms").aggregate(FIGURES);
  tens.to("tens", blackhole());
  bySymbol.window(sliding("30ms", "10ms")).aggregate(FIGURES).to("thirties", blackhole());
  trades
    .keyBy((trade) => trade.id % 3, t.f64)
    .window(sliding("20ms", "15ms"))
    .allowLate("10ms")
    .aggregate({ n: count(), mean: mean("price") })
    .to("thirds", blackhole());
  bySymbol
    .window(tumbling("10ms"))
    .aggregate({ n: count() })
    .keyBy(({ start }) => start, t.timestamp)
    .window(tumbling("50ms"))
    .aggregate({ symbols: count(), most: max("n") })
    .to("fifties", blackhole());
});

const SINKS = ["tens", "thirties", "thirds", "fifties"];

type Step =
  | { readonly trades: readonly Trade[]; readonly source: "left" | "right"; readonly subtask: number }
  | { readonly watermark: number; readonly source: "left" | "right" };

const source = fc.constantFrom("left", "right");
const steps: fc.Arbitrary<Step[]> = fc
  .array(
    fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({
          drafts: fc.array(
            fc.tuple(
              fc.constantFrom("A", "B", "Ünïcode"),
              fc.nat(5),
              fc.option(fc.nat(4)),
              fc.integer({ min: -25, max: 5 }),
            ),
            { minLength: 1, maxLength: 12 },
          ),
          source,
          subtask: fc.nat(1),
        }),
      },
      { weight: 2, arbitrary: fc.record({ passed: fc.nat(12), source }) },
    ),
    { minLength: 5, maxLength: 25, size: "max" },
  )
  .map((shapes) => {
    let now = 100;
    let id = 0;
    return shapes.map((shape): Step => {
      if ("passed" in shape) {
        now += shape.passed;
        return { watermark: now, source: shape.source };
      }
      const trades = shape.drafts.map(([symbol, price, qty, distance]): Trade => {
        id += 1;
        // No two at one time: which of equal times is the last one depends on the ways that they take.
        return { symbol, price, qty, id, ts: now + distance + id / 1_000 };
      });
      return { trades, source: shape.source, subtask: shape.subtask };
    });
  });

type RunOptions = {
  readonly parallelism: number;
  readonly seed: number;
  readonly config: Record<string, string | boolean>;
};

/** The rows that each step brought, and how many records were late. */
async function outcomes(script: readonly Step[], options: RunOptions): Promise<unknown[]> {
  await using run = await testJob(windows, options);
  const seen: unknown[] = [];
  for (const step of script) {
    const from = run.source<Trade>(step.source);
    if ("watermark" in step) from.watermark(step.watermark);
    else from.pushTo(step.subtask, ...step.trades);
    for (const sink of SINKS) seen.push((await run.sink(sink).take()).map((row) => JSON.stringify(row)).sort());
    seen.push(await run.metric("numLateRecordsDropped"));
  }
  await run.end();
  for (const sink of SINKS) seen.push((await run.sink(sink).take()).map((row) => JSON.stringify(row)).sort());
  return seen;
}

type WindowSeen = { rows: string[]; records: number; bytes: number };

/** Four windows of 4,000 symbols, each with a trade by each sender: their rows, and what the edge had carried. */
async function seldomRun(of: Job, combines: boolean): Promise<WindowSeen[]> {
  await using run = await testJob(of, { parallelism: 2, config: { [KEY]: combines } });
  const trades = run.source<Trade>("trades");
  const windows: WindowSeen[] = [];
  for (let window = 0; window < 4; window += 1) {
    for (let n = 0; n < 8_000; n += 1) {
      const symbol = n >> 1;
      const trade = { symbol: `S${symbol}`, price: n, qty: n % 7 === 0 ? null : n, id: window * 8_000 + n };
      trades.pushTo(n & 1, { ...trade, ts: window * 1_000 + n / 10_000 });
    }
    trades.watermark(window * 1_000 + 999);
    const rows = (await run.sink("out").take()).map((row) => JSON.stringify(row)).sort();
    const [records, bytes] = [await run.metric("numRecordsIn", "windows"), await run.metric("numBytesIn")];
    if (combines) assert.equal(await run.metric("numRecordsOut", "windows/combiner"), records);
    windows.push({ rows, records, bytes });
  }
  return windows;
}

describe("pre-aggregation before the exchange", () => {
  test("gives the same rows at the same watermarks, the same updates and late records, as without it", async () => {
    const settings = fc.record({
      parallelism: fc.constantFrom(2, 3),
      seed: fc.nat(1_000),
      // Without time-outs partial rows wait as long as they can.
      timeouts: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(steps, settings, async (script, { timeouts, ...options }) => {
        const config = {
          "execution.buffer-timeout.enabled": timeouts,
          // Late records of one batch update a window once: batches are to be the same.
          "taskmanager.network.memory.buffer-debloat.enabled": false,
        };
        const off = await outcomes(script, { ...options, config: { ...config, [KEY]: false } });
        assert.deepEqual(await outcomes(script, { ...options, config }), off);
      }),
      { numRuns: 15 },
    );
  });

  test("one row per key and pane goes over the edge, and the results come with the watermark, without a wait", async () => {
    const perMinute = job({ name: "per-minute" }, (env) => {
      tradesOf(env, "trades")
        .keyBy("symbol")
        .window(tumbling("1m"))
        .aggregate(FIGURES)
        .uid("windows")
        .to("out", blackhole());
    });
    const config = { "execution.buffer-timeout.interval": "100ms" };
    await using run = await testJob(perMinute, { parallelism: 2, config });
    const trades = run.source<Trade>("trades");
    const received = () => run.metric("numRecordsIn", "windows");
    const pushMinute = async (fromMs: number): Promise<void> => {
      for (let id = 0; id < 4_000; id += 1) {
        trades.pushTo(id % 2, { symbol: `S${id % 7}`, price: id, qty: 1, id, ts: fromMs + id });
      }
      await run.settle();
    };
    await pushMinute(0); // Of which records go as they are until it is known that rows stand for many.
    trades.watermark(59_999);
    assert.equal((await run.sink("out").take()).length, 7);
    const before = await received();
    assert.ok(before < 4_000, `${before} rows`);
    await pushMinute(60_000);
    assert.equal(await received(), before);
    trades.watermark(119_999);
    assert.equal((await run.sink("out").take()).length, 7);
    assert.equal(await run.metric("numRecordsIn", "windows/combiner"), 8_000);
    assert.equal(await received(), before + 14);
    // Without a watermark they wait for the buffer time-out, as records do.
    trades.push({ symbol: "S1", price: 1, qty: 1, id: 1, ts: 120_000 });
    await run.advanceClock("50ms");
    assert.equal(await received(), before + 14);
    await run.advanceClock("50ms");
    assert.equal(await received(), before + 15);
  });

  for (const [name, figures] of [
    ["numbers, a quantile and the last of equal times", FIGURES],
    ["a count, whose rows have all that travels of a record", { n: count() }],
  ] as const) {
    test(`where it saves nothing, records go as they would without it: ${name}`, async () => {
      const seldom = job({ name: "seldom" }, (env) => {
        const bySymbol = tradesOf(env, "trades").keyBy("symbol");
        bySymbol.window(tumbling("1s")).aggregate(figures).uid("windows").to("out", blackhole());
      });
      const [on, off] = await Promise.all([seldomRun(seldom, true), seldomRun(seldom, false)]);
      assert.deepEqual(
        on.map(({ rows }) => rows),
        off.map(({ rows }) => rows),
      );
      // The first window shows it that it saves nothing.
      const [first, second, , last] = on as [(typeof on)[0], (typeof on)[0], unknown, (typeof on)[0]];
      assert.equal(second.records - first.records, 8_000);
      const [bytesOn, bytesOff] = [last.bytes - second.bytes, off[3]!.bytes - off[1]!.bytes];
      assert.ok(bytesOn <= 1.01 * bytesOff, `${bytesOn} bytes instead of ${bytesOff}`);
    });
  }

  test("a batch job sends one row per key and sender", async () => {
    const totals = job({ name: "totals", mode: "batch" }, (env) => {
      env
        .from("trades", collection([], { type: Trade }))
        .keyBy("symbol")
        .aggregate(FIGURES)
        .uid("totals")
        .to("out", blackhole());
    });
    const rowsOf = async (config: Record<string, boolean>) => {
      await using run = await testJob(totals, { parallelism: 2, config });
      for (let id = 0; id < 1_000; id += 1) {
        run.source<Trade>("trades").pushTo(id % 2, { symbol: `S${id % 5}`, price: id % 31, qty: id % 3, id, ts: id });
      }
      await run.end();
      const rows = await run.sink("out").rows<Record<string, unknown>>();
      // Without event times the last one is that which arrived last, from any sender.
      const ordered = rows.map(({ latest: _, cheapest: __, ...row }) => JSON.stringify(row)).sort();
      return { ordered, sent: await run.metric("numRecordsIn", "totals") };
    };
    const [on, off] = await Promise.all([rowsOf({}), rowsOf({ [KEY]: false })]);
    assert.deepEqual(on.ordered, off.ordered);
    assert.deepEqual([on.sent, off.sent], [10, 1_000]);
  });

  test("an idle sender holds nothing back: receivers no longer wait for its watermark", async () => {
    const Tick = t.struct({ key: t.string, at: t.timestamp });
    const tick = (at: number) => ({ key: "k", at });
    const ticking: Job = job({ name: "ticking" }, (env) => {
      const seldom = env
        .from(
          "seldom",
          generate(2, (n) => tick(500 + n * 20_000), { type: Tick, rate: 0.1 }),
        )
        .eventTime({ at: "at", idle: "1s" })
        .parallelism(1);
      const often = env
        .from(
          "often",
          generate(200, (n) => tick(n * 100), { type: Tick, rate: 10 }),
        )
        .eventTime({ at: "at" });
      seldom.union(often).keyBy("key").window(tumbling("1s")).aggregate({ n: count() }).to("out", jsonl("/out/counts"));
    });
    for (let seed = 1; seed <= 10; seed += 1) {
      const config = { "execution.buffer-timeout.enabled": false, [KEY]: true };
      const simulation = await simulateJob(ticking, { seed, config });
      const { rows } = outcomeOf(simulation);
      assert.equal(simulation.metrics.sum("numLateRecordsDropped"), 0, `SEED=${seed}`);
      assert.ok(rows.includes('counts {"key":"k","start":0,"end":1000,"n":11}'), `SEED=${seed}: ${rows[0]}`);
    }
  });

  test("in slot threads few rows travel instead of 200,000 once it is known that they pay, and the files are the same", async () => {
    const folder = mkdtempSync(join(tmpdir(), "millrace-figures-"));
    try {
      const run = async (name: string, ...args: string[]) => {
        const params = ["--param", "count=200000", "--param", `out=${join(folder, name)}`];
        const { code, stdout, stderr } = await millrace([
          ...["run", "figures.job.ts", "--json", "--parallelism", "2"],
          ...params,
          ...args,
        ]);
        assert.equal(code, 0, stderr);
        const { operators, rows } = JSON.parse(stdout) as {
          rows: { late: number };
          operators: { uid: string; metrics: Record<string, number> }[];
        };
        const received = operators.find(({ uid }) => uid === "minutes")?.metrics.numRecordsIn ?? 0;
        return { received, late: rows.late, lines: linesOf(join(folder, name)) };
      };
      // Without time-outs, so that the figure does not depend on how fast the machine is.
      const on = await run("on", "-D", "execution.buffer-timeout.enabled=false");
      const off = await run("off", "-D", `${KEY}=false`);
      assert.deepEqual(on.lines, off.lines);
      assert.equal(on.lines.length, 400);
      assert.deepEqual([on.late, off.late], [0, 0]);
      assert.equal(off.received, 200_000);
      assert.ok(on.received < 50_000, `${on.received} rows over the edge`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

function linesOf(folder: string): string[] {
  const files = readdirSync(folder).filter((name) => name.endsWith(".jsonl"));
  return files.flatMap((name) => readFileSync(join(folder, name), "utf8").trim().split("\n")).sort();
}

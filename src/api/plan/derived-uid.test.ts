import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { blackhole, col, count, generate, job, max, sum, t, tumbling } from "../../index.ts";
import { type JobEnv, jobBuild } from "../job.ts";
import type { Stream } from "../stream.ts";

const Tick = t.struct({ symbol: t.string, price: t.f64, ts: t.timestamp });
type Tick = { symbol: string; price: number; ts: number };
const ticks = generate(1, (n): Tick => ({ symbol: "a", price: n, ts: n }), { type: Tick });

async function uidsOf(build: (env: JobEnv) => void): Promise<readonly string[]> {
  const defaults = { parallelism: 1, maxParallelism: null, preAggregation: false };
  const { plan } = await jobBuild(job({ name: "uids" }, build), {}, defaults);
  return plan.operators.map(({ uid }) => uid);
}

/** The uid of the only operator that aggregates. */
async function stateUid(before: (rows: Stream<Tick>) => Stream<Tick>, around?: (rows: Stream<Tick>) => void) {
  const uids = await uidsOf((env) => {
    const rows = env.from("ticks", ticks);
    around?.(rows);
    before(rows)
      .keyBy("symbol")
      .aggregate({ n: count(), high: max("price") })
      .to("out", blackhole());
  });
  return uids.filter((uid) => uid.includes("count("));
}

describe("derived uids", () => {
  const expected = ["ticks/symbol/n = count(),high = max(price)"];
  const jobs: readonly [what: string, ...Parameters<typeof stateUid>][] = [
    ["nothing else", (rows) => rows],
    ["a filter before it", (rows) => rows.filter(col("price").gt(1))],
    ["several stateless operators before it", (rows) => rows.map(Tick, (row) => row).filter(() => true)],
    ["a new distribution before it", (rows) => rows.rebalance().filter(() => true)],
    ["event time before it", (rows) => rows.eventTime({ at: "ts" })],
    ["a sink beside it", (rows) => rows, (rows) => rows.to("copy", blackhole())],
    [
      "other state beside it, declared first",
      (rows) => rows,
      (rows) =>
        rows
          .keyBy("symbol")
          .aggregate({ s: sum("price") })
          .to("sums", blackhole()),
    ],
    [
      "other state beside it, in another source",
      (rows) => rows,
      (rows) =>
        rows
          .map(Tick, (row) => row)
          .keyBy("price")
          .reduce("by-price", (row) => row)
          .to("x", blackhole()),
    ],
    [
      "settings of what stands before",
      (rows) =>
        rows
          .filter(() => true)
          .name("f")
          .parallelism(2)
          .slotGroup("g"),
    ],
  ];
  for (const [what, before, around] of jobs) {
    test(`that of state stays the same with ${what}`, async () => {
      assert.deepEqual(await stateUid(before, around), expected);
    });
  }

  test("that of state changes with what it does, and with the nearest uid that was written before it", async () => {
    const uids = await uidsOf((env) => {
      const rows = env.from("ticks", ticks).eventTime({ at: "ts" });
      const keyed = rows.keyBy("symbol");
      keyed.aggregate({ n: count() }).to("a", blackhole());
      keyed.aggregate({ m: count() }).to("b", blackhole());
      rows.keyBy("price").aggregate({ n: count() }).to("c", blackhole());
      keyed.window(tumbling("1m")).aggregate({ n: count() }).to("d", blackhole());
      keyed.window(tumbling("2m")).aggregate({ n: count() }).to("e", blackhole());
      rows
        .filter(() => true)
        .uid("some")
        .keyBy("symbol")
        .aggregate({ n: count() })
        .to("f", blackhole());
    });
    assert.deepEqual(
      uids.filter((uid) => uid.includes("count(")),
      [
        "ticks/symbol/n = count()",
        "ticks/symbol/m = count()",
        "ticks/price/n = count()",
        "ticks/symbol/tumbling(1m)/n = count()",
        "ticks/symbol/tumbling(2m)/n = count()",
        "some/symbol/n = count()",
      ],
    );
  });

  test("state behind state, behind a side output and behind a union is named after all of them", async () => {
    const uids = await uidsOf((env) => {
      const rows = env.from("ticks", ticks).eventTime({ at: "ts" });
      const windows = rows.keyBy("symbol").window(tumbling("1m")).aggregate({ n: count() });
      windows
        .keyBy("symbol")
        .aggregate({ most: max("n") })
        .to("a", blackhole());
      windows.side.late.keyBy("symbol").aggregate({ late: count() }).to("b", blackhole());
      env.from("more", ticks).union(rows).keyBy("symbol").aggregate({ all: count() }).to("c", blackhole());
    });
    const window = "ticks/symbol/tumbling(1m)/n = count()";
    assert.deepEqual(
      uids.filter((uid) => uid.includes(" = ")),
      [
        window,
        `${window}/symbol/most = max(n)`,
        `${window}.late/symbol/late = count()`,
        "more+ticks/symbol/all = count()",
      ],
    );
  });

  test("those of stateless operators are numbered where they would be equal", async () => {
    const uids = await uidsOf((env) => {
      const rows = env.from("ticks", ticks);
      rows
        .map((row) => row)
        .map((row) => row)
        .to("a", blackhole());
      rows.filter(() => true).to("b", blackhole());
    });
    assert.deepEqual(uids, ["ticks", "ticks/map", "ticks/map#2", "a", "ticks/filter", "b"]);
  });

  test("two operators that keep the same state are told of, with both places", async () => {
    const twice = uidsOf((env) => {
      const keyed = env.from("ticks", ticks).keyBy("symbol");
      keyed.aggregate({ n: count() }).to("a", blackhole());
      keyed.aggregate({ n: count() }).to("b", blackhole());
    });
    await assert.rejects(twice, {
      code: "UID_DUPLICATE",
      message: /two operators have the uid "ticks\/symbol\/n = count\(\)" \(the other: .*derived-uid\.test\.ts:\d+\)/,
      fix: 'operators without a uid are named by their kind and fields; tell these apart with .uid("…")',
    });
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Plan } from "../../graph/plan.ts";
import {
  aggregate,
  blackhole,
  collect,
  collection,
  count,
  first,
  type Job,
  type JobEnv,
  job,
  last,
  quantile,
  session,
  sliding,
  sum,
  t,
  tumbling,
} from "../../index.ts";
import { jobBuild } from "../job.ts";

const Click = t.struct({ user: t.string, page: t.string, ms: t.f64, at: t.timestamp });
const own = aggregate({ create: () => 0, add: (n, _: unknown) => n + 1, merge: (a, b) => a + b, result: (n) => n });

type Build = Parameters<typeof jobBuild>[2];

async function planOf(of: Job, defaults: Partial<Build> = {}): Promise<Plan> {
  const { plan } = await jobBuild(of, {}, { parallelism: 2, maxParallelism: 128, preAggregation: true, ...defaults });
  return plan;
}

const clicksOf = (env: JobEnv, uid = "clicks") =>
  env.from(uid, collection([], { type: Click })).eventTime({ at: "at" });

type Clicks = ReturnType<typeof clicksOf>;

/** The combiners of a job in which `declare` makes something of clicks. */
async function combinersOf(
  declare: (clicks: Clicks) => { to(uid: string, sink: ReturnType<typeof blackhole>): unknown },
  options: { readonly mode?: "stream" | "batch"; readonly defaults?: Partial<Build> } = {},
): Promise<number> {
  const { mode = "stream", defaults } = options;
  const plan = await planOf(
    job({ name: "clicks", mode }, (env) => void declare(clicksOf(env)).to("out", blackhole())),
    defaults,
  );
  return plan.operators.filter(({ kind }) => kind === "preAggregate").length;
}

describe("where combiners stand", () => {
  test("before windows of panes whose aggregates are small", async () => {
    const figures = { n: count(), ms: sum("ms"), p95: quantile("ms", 0.95) };
    assert.equal(await combinersOf((clicks) => clicks.keyBy("user").window(tumbling("1m")).aggregate(figures)), 1);
    assert.equal(await combinersOf((clicks) => clicks.keyBy("user").window(sliding("1h", "1m")).aggregate(figures)), 1);
    const byLength = (clicks: Clicks) => clicks.keyBy((click) => click.page.length, t.f64);
    assert.equal(await combinersOf((clicks) => byLength(clicks).window(tumbling("1m")).aggregate(figures)), 1);
  });

  test("not before sessions, lists, whole records and aggregates of the user's own", async () => {
    const windowed = (clicks: Clicks) => clicks.keyBy("user").window(tumbling("1m"));
    assert.equal(
      await combinersOf((clicks) => clicks.keyBy("user").window(session("1m")).aggregate({ n: count() })),
      0,
    );
    assert.equal(await combinersOf((clicks) => windowed(clicks).aggregate({ pages: collect("page") })), 0);
    assert.equal(await combinersOf((clicks) => windowed(clicks).aggregate({ click: first() })), 0);
    assert.equal(await combinersOf((clicks) => windowed(clicks).aggregate({ page: last("page") })), 0);
    assert.equal(await combinersOf((clicks) => windowed(clicks).aggregate({ n: count(), own })), 0);
  });

  test("not when somebody reads the late records, which are whole", async () => {
    const late = (clicks: Clicks) => clicks.keyBy("user").window(tumbling("1m")).aggregate({ n: count() }).side.late;
    assert.equal(await combinersOf(late), 0);
  });

  test("not where every record gives a row, but where a batch gives one for each key at its end", async () => {
    const running = (clicks: Clicks) => clicks.keyBy("user").aggregate({ n: count() });
    assert.equal(await combinersOf(running), 0);
    assert.equal(await combinersOf(running, { mode: "batch" }), 1);
  });

  test("not where records go by reference, nor when they are switched off", async () => {
    const windowed = (clicks: Clicks) => clicks.keyBy("user").window(tumbling("1m")).aggregate({ n: count() });
    const elsewhere = (clicks: Clicks) => windowed(clicks).slotGroup("other");
    assert.equal(await combinersOf(windowed, { defaults: { parallelism: 1 } }), 0);
    assert.equal(await combinersOf(elsewhere, { defaults: { parallelism: 1 } }), 1);
    assert.equal(await combinersOf((clicks) => windowed(clicks).parallelism(3), { defaults: { parallelism: 1 } }), 1);
    assert.equal(await combinersOf(windowed, { defaults: { preAggregation: false } }), 0);
  });

  test("before each edge of a union, as a part of its sender", async () => {
    const united = job({ name: "united" }, (env) => {
      const left = clicksOf(env, "left").parallelism(3).slotGroup("left");
      const right = clicksOf(env, "right").parallelism(1).maxParallelism(4);
      left
        .union(right)
        .keyBy("user")
        .window(tumbling("1m"))
        .aggregate({ n: count() })
        .uid("windows")
        .to("out", blackhole());
    });
    const { operators, edges } = await planOf(united);
    const combiners = operators.filter(({ kind }) => kind === "preAggregate");
    assert.deepEqual(
      combiners.map(({ uid, parallelism, maxParallelism, slotGroup }) => [uid, parallelism, maxParallelism, slotGroup]),
      [
        ["windows/combiner", 3, 128, "left"],
        ["windows/combiner#2", 1, 4, "default"],
      ],
    );
    assert.deepEqual(
      edges.filter(({ to }) => to.startsWith("windows")).map(({ from, to }) => `${from} → ${to}`),
      [
        "left/eventTime → windows/combiner",
        "right/eventTime → windows/combiner#2",
        "windows/combiner → windows",
        "windows/combiner#2 → windows",
      ],
    );
  });

  test("C1: with and without them a plan has the same other operators, uids, rows and state", async () => {
    const chained = job({ name: "chained" }, (env) => {
      const perMinute = clicksOf(env)
        .keyBy("user")
        .window(tumbling("1m"))
        .aggregate({ n: count(), ms: sum("ms") });
      perMinute.map((row) => row).to("minutes", blackhole());
      perMinute
        .keyBy("user")
        .window(tumbling("1h"))
        .aggregate({ most: quantile("n", 1) })
        .to("hours", blackhole());
    });
    const [on, off] = await Promise.all([planOf(chained), planOf(chained, { preAggregation: false })]);
    const others = on.operators.filter(({ kind }) => kind !== "preAggregate");
    assert.equal(on.operators.length - others.length, 2);
    const withoutPartials = others.map(({ options, ...operator }) => {
      const { partials: _, ...rest } = (options ?? {}) as Record<string, unknown>;
      return { ...operator, options: rest };
    });
    assert.deepEqual(
      withoutPartials,
      off.operators.map((operator) => ({ ...operator, options: operator.options ?? {} })),
    );
    assert.notEqual(on.hash, off.hash);
  });
});

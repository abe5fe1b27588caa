import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { Configuration } from "../../config/configuration.ts";
import {
  blackhole,
  col,
  count,
  csv,
  datagen,
  gen,
  type Job,
  job,
  jsonl,
  max,
  print,
  sliding,
  state,
  sum,
  t,
} from "../../index.ts";
import { jobPlan } from "../job-plan.ts";
import { explain } from "./explain.ts";
import { explainDot, explainMermaid } from "./explain-graph.ts";
import { explainText } from "./explain-text.ts";
import { operatorNames } from "./operator-names.ts";

const GOLDEN = new URL("../../../test/golden/explain.txt", import.meta.url);
const Trade = t.struct({ symbol: t.string, price: t.f64, qty: t.f64, ts: t.timestamp, note: t.string.nullable() });
const Alert = t.struct({ symbol: t.string, price: t.f64 });

/** One operator of each kind, every partitioner but custom, two slot-sharing groups. */
const everything: Job = job({ name: "everything" }, (env) => {
  const trades = env
    .from("trades", csv("trades.csv", { type: Trade }))
    .filter(col("price").gt(3).and(col("symbol").ne("X")))
    .parse(Trade, { invalid: "side" });
  trades.side.invalid.global().to("invalid", print()).parallelism(1);
  const timed = trades.eventTime({ at: "ts", outOfOrder: "5s", idle: "30s" });
  const bars = timed
    .keyBy("symbol")
    .window(sliding("1m", "10s"))
    .allowLate("30s")
    .aggregate({ n: count(), top: max("price"), volume: sum(col("qty").mul(col("price"))) });
  bars.broadcast().to("bars", print());
  timed
    .keyBy((trade) => trade.symbol, t.string)
    .process({
      uid: "detector",
      out: Alert,
      side: { quiet: Alert },
      state: { last: state.value(t.f64, { ttl: "7d" }), seen: state.map(t.string, t.f64) },
      onRecord(trade, ctx) {
        ctx.emit({ symbol: trade.symbol, price: trade.price });
      },
    })
    .slotGroup("slow")
    .flatMap((alert) => [alert])
    .name("twice")
    .onError("skip")
    .keyBy("symbol")
    .reduce("last", (_, right) => right)
    .rebalance()
    .map((alert) => alert)
    .disableChaining()
    .rescale()
    .to("alerts", print());
});

async function graphOf(values: Record<string, unknown> = {}) {
  const configuration = new Configuration([
    { origin: { kind: "command line" }, values: { "parallelism.default": 2, ...values } },
  ]);
  return (await jobPlan(everything, {}, configuration)).graph;
}

/** Places in this file change with each edit. */
const samePlace = {
  locate: () => ({ file: "job.ts", line: 1, column: 1 }),
  text: () => "call((record) => record)",
  configuration: new Configuration([]),
};

test("the text of a job with everything in it is as reviewed (UPDATE_GOLDEN=1 writes it)", async () => {
  const explanation = explain(await graphOf(), samePlace);
  const text = `${explainText({ ...explanation, plan: { ...explanation.plan, hash: "0".repeat(64) } }, { columns: 100 })}\n`;
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(GOLDEN, text);
  assert.equal(text, readFileSync(GOLDEN, "utf8"));
});

test("two operators never have one name: a uid that is short without its aggregates keeps them where it has to", async () => {
  const twice = job({ name: "twice" }, (env) => {
    const paths = env
      .from("requests", csv("requests.csv", { type: Trade }))
      .eventTime({ at: "ts" })
      .keyBy("symbol");
    for (const field of ["price", "qty"] as const) {
      paths
        .window(sliding("1m", "10s"))
        .aggregate({ n: count(), highest: max(field) })
        .to(field, print());
    }
    paths
      .window(sliding("2m", "10s"))
      .aggregate({ n: count(), highest: max("qty") })
      .to("other", print());
  });
  const { graph } = await jobPlan(twice, {}, new Configuration([]));
  const names = [...operatorNames(graph.plan)].filter(([uid]) => uid.includes("sliding"));
  assert.deepEqual(names.map(([, name]) => name).sort(), [
    "requests/symbol/sliding(1m,10s)/n = count(),highest = max(price)",
    "requests/symbol/sliding(1m,10s)/n = count(),highest = max(qty)",
    "requests/symbol/sliding(2m,10s)",
  ]);
});

test("every operator is in exactly one task, every edge is in a chain or an exchange", async () => {
  const { plan, tasks, exchanges } = explain(await graphOf(), samePlace);
  assert.deepEqual(tasks.flatMap(({ operators }) => operators).sort(), plan.operators.map(({ uid }) => uid).sort());
  const taskOf = new Map(tasks.flatMap(({ number, operators }) => operators.map((uid) => [uid, number])));
  const crossing = plan.edges.filter(({ from, to }) => taskOf.get(from) !== taskOf.get(to));
  assert.deepEqual(
    exchanges.map(({ from, output, to, input }) => ({ from, output, to, input })),
    crossing.map(({ from, output, to, input }) => ({ from, output, to, input })),
  );
  for (const { from, to, fromTask, toTask, whyNotChained } of exchanges) {
    assert.deepEqual([taskOf.get(from), taskOf.get(to)], [fromTask, toTask]);
    assert.notEqual(whyNotChained, "");
  }
});

test("slots needed are the greatest parallelisms of the groups together", async () => {
  const { slots, tasks } = explain(await graphOf(), samePlace);
  assert.deepEqual(
    slots.groups.map(({ name, slots: needed }) => [name, needed]),
    [
      ["default", 2],
      ["slow", 2],
    ],
  );
  assert.equal(slots.needed, 4);
  assert.deepEqual(
    slots.groups.flatMap(({ tasks: members }) => members).sort(),
    tasks.map(({ number }) => number),
  );
});

test("without chaining every operator is a task of its own, and the reason is told", async () => {
  const { tasks, exchanges, plan } = explain(await graphOf({ "pipeline.operator-chaining.enabled": false }), samePlace);
  // But for combiners, which are part of an exchange.
  assert.equal(tasks.length, plan.operators.filter(({ kind }) => kind !== "preAggregate").length);
  assert.ok(exchanges.some(({ whyNotChained }) => whyNotChained === "pipeline.operator-chaining.enabled is false"));
});

const branching = job({ name: 'a "tree"' }, (env) => {
  const trades = env.from("trades", csv("trades.csv", { type: Trade })).parse(Trade, { invalid: "side" });
  trades.side.invalid.to("bad", print());
  const cheap = trades.filter(col("price").lt(3));
  cheap.to("cheap", print()).parallelism(2);
  cheap
    .map(({ symbol }) => ({ symbol }))
    .name("<b>")
    .to("names", print());
});

test("with checkpoints it says where and how often, and what each sink guarantees then", async () => {
  const values = { "execution.checkpointing.dir": "cp", "execution.checkpointing.interval": "5s" };
  const configuration = new Configuration([{ origin: { kind: "command line" }, values }]);
  const explained = async (count?: number) => {
    const sinks = job({ name: "sinks" }, (env) => {
      const fields = { id: gen.sequence() };
      const rows = env.from("in", datagen({ fields, ...(count !== undefined && { count }) }));
      rows.to("files", jsonl("out/"));
      rows.to("soon", jsonl("soon", { roll: { everyCheckpoint: true } }));
      rows.to("file", jsonl("out.jsonl"));
      rows.to("screen", print());
      const table = { ...blackhole(), kind: "table", guarantee: "idempotent-upsert", takes: "upsert" } as const;
      rows
        .keyBy("id")
        .reduce("last", (_, row) => row)
        .to("table", table);
    });
    const { graph } = await jobPlan(sinks, {}, configuration);
    return { with: explain(graph, { ...samePlace, configuration }), without: explain(graph, samePlace) };
  };
  const bounded = await explained(10);
  const again = "at-least-once: after a failure, rows since the last checkpoint come again";
  const finished = "exactly-once, shown when the job has finished";
  const over =
    "idempotent-upsert: after a failure, rows since the last checkpoint come again, and overwrite those of their keys";
  const files3 = { files: finished, soon: finished, file: finished };
  assert.deepEqual(bounded.with.guarantees, { ...files3, screen: again, table: over });
  assert.deepEqual(bounded.without.guarantees, {
    files: "exactly-once",
    soon: "exactly-once",
    file: "exactly-once",
    screen: "at-least-once",
    table: "idempotent-upsert",
  });
  assert.equal(bounded.without.checkpoints, null);
  const text = explainText(bounded.with, { columns: 100 });
  assert.match(text, /\nneeds .*\ncheckpoints each 5s in cp\n/);
  assert.match(text, / jsonl paths=\["out\/"\]; exactly-once, shown when the job has finished\n/);
  const endless = await explained();
  const { files, soon } = endless.with.guarantees;
  const complete = "exactly-once, shown with the checkpoint at which a part is complete: full, or 1m old";
  assert.deepEqual([files, soon], [complete, "exactly-once, shown with each checkpoint"]);
});

async function branches() {
  const values = { "parallelism.default": 1 };
  const configuration = new Configuration([{ origin: { kind: "command line" }, values }]);
  return explain((await jobPlan(branching, {}, configuration)).graph, samePlace);
}

test("a task is drawn as the tree that it is: what hangs on which output, side outputs named", async () => {
  const lines = explainText(await branches(), { columns: 100 }).split("\n");
  const heads = lines.filter((line) => line.includes("job.ts:1:1")).map((line) => line.replace(/ {2}job.ts.*/, ""));
  assert.deepEqual(heads, [
    "  trades  source",
    "  trades/parse  parse",
    "  ├─ side.invalid → bad  sink",
    "  └─ trades/filter  filter",
    '     trades/map "<b>"  map',
    "     names  sink",
    "  cheap  sink",
  ]);
  const at = lines.findIndex((line) => line.includes("bad"));
  assert.match(lines[at + 1] ?? "", /^ {2}│ {6}print/);
});

test("a picture has every operator in the frame of its task, and every edge with what it is", async () => {
  const explanation = await branches();
  const dot = explainDot(explanation);
  assert.match(dot, /^digraph "a \\"tree\\"" \{\n/);
  assert.equal(dot.match(/^ {4}o\d+ \[label=/gm)?.length, 7);
  assert.equal(dot.match(/subgraph/g)?.length, 2);
  assert.match(dot, /o1 -> o2 \[label="side\.invalid"\];/);
  assert.match(dot, /\[label="forward", style=bold\];/);
  const mermaid = explainMermaid(explanation);
  assert.match(mermaid, /^flowchart LR\n {2}subgraph t1\["task 1, parallelism 1"\]\n {4}o0\["trades<br>source"\]\n/);
  assert.match(mermaid, /o1 -->\|"side\.invalid"\| o2/);
  assert.match(mermaid, /==>\|"forward"\|/);
  assert.equal(mermaid.match(/-->|==>/g)?.length, explanation.plan.edges.length);
});

test("an explanation is plain data: JSON loses nothing of it", async () => {
  const explanation = explain(await graphOf(), samePlace);
  assert.deepEqual(JSON.parse(JSON.stringify(explanation)), explanation);
});

test("what is more than inserts is told on each edge, in the text, the pictures and the JSON", async () => {
  const totals = job({ name: "totals" }, (env) => {
    const perKey = env
      .from("trades", csv("trades.csv", { type: Trade }))
      .keyBy(["symbol", "price"])
      .aggregate({ n: count() });
    perKey.to("out", print());
    perKey.map(({ n }) => n).to("counts", print());
  });
  const { graph } = await jobPlan(totals, {}, new Configuration([]));
  const explanation = explain(graph, samePlace);
  const told = explanation.plan.edges.map(({ to }, index) => [to, explanation.changelogs[index]?.kind]);
  const kinds = Object.fromEntries(told);
  assert.equal(kinds.out, "upsert");
  assert.equal(kinds.counts, "upsert");
  assert.deepEqual(Object.values(kinds).sort(), ["append", "upsert", "upsert", "upsert"]);
  const text = explainText(explanation, { columns: 100 });
  assert.match(text, /^ {6}updates by symbol, price \(upsert\)$/m);
  assert.match(text, /updates by a key that is not known \(upsert\)$/m);
  assert.match(explainDot(explanation), /label="updates by symbol, price \(upsert\)"/);
  assert.match(explainMermaid(explanation), /\|"updates by symbol, price \(upsert\)"\|/);
});

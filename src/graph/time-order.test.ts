import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { jobBuild } from "../api/job.ts";
import {
  blackhole,
  collection,
  csv,
  generate,
  type JobEnv,
  type JobOptions,
  job,
  jsonl,
  type Stream,
  state,
  t,
} from "../index.ts";
import { jobGraphOf } from "./job-graph.ts";
import { timeOrder } from "./time-order.ts";

const Row = t.struct({ n: t.f64, at: t.timestamp });
type Row = { readonly n: number; readonly at: number };
type Mode = NonNullable<JobOptions<never>["mode"]>;

async function built(mode: Mode, declare: (env: JobEnv) => void) {
  const defaults = { parallelism: 2, maxParallelism: null, preAggregation: true };
  const { plan } = await jobBuild(job({ name: "times", mode }, declare), {}, defaults);
  return jobGraphOf(plan, { chaining: true });
}

const timed = (rows: Stream<Row>): Stream<Row> => rows.eventTime({ at: "at" }).uid("time");

/** What the watermarks of the operator "time" wait for. */
async function orderOf(rows: (env: JobEnv) => Stream<Row>, mode: Mode = "stream"): Promise<string> {
  const graph = await built(mode, (env) => void timed(rows(env)).to("out", blackhole()));
  return timeOrder(graph, graph.plan.operators.find(({ uid }) => uid === "time")!);
}

const files = (env: JobEnv) => env.from("files", csv("*.csv", { type: Row }));
const logs = (env: JobEnv) => env.from("logs", jsonl("*.jsonl", { type: Row, inTimeOrder: true }));
const made = (env: JobEnv, uid = "made") =>
  env.from(
    uid,
    generate(10, (n): Row => ({ n, at: n }), { type: Row }),
  );
const listed = (env: JobEnv) => env.from("listed", collection<Row>([], { type: Row }));
const endless = (env: JobEnv) =>
  env.from(
    "endless",
    generate(Infinity, (n): Row => ({ n, at: n }), { type: Row }),
  );
const mapped = (rows: Stream<Row>) => rows.map(Row, (row) => row);
const counted = (rows: Stream<Row>) =>
  rows.keyBy("n").process({
    uid: "counted",
    out: Row,
    state: { seen: state.value(t.f64) },
    onRecord: (row, ctx) => ctx.emit(row),
  });

describe("what an eventTime waits for", () => {
  test("in the task of its source: the splits", async () => {
    for (const rows of [files, logs, made, listed, endless]) {
      assert.equal(await orderOf(rows), "splits");
      assert.equal(await orderOf((env) => mapped(rows(env)).filter(() => true)), "splits");
    }
  });

  test("behind an exchange: its channels, where each brings records in the order of one stream", async () => {
    for (const rows of [logs, made, listed]) assert.equal(await orderOf((env) => rows(env).rebalance()), "channels");
    assert.equal(await orderOf((env) => mapped(made(env).parallelism(1))), "channels");
    assert.equal(await orderOf((env) => made(env).union(made(env, "more"), logs(env))), "channels");
  });

  test("behind an exchange where nobody knows which record follows which: the end", async () => {
    assert.equal(await orderOf((env) => files(env).rebalance()), "end");
    assert.equal(await orderOf((env) => made(env).union(files(env))), "end");
    assert.equal(await orderOf((env) => mapped(made(env).rebalance()).rebalance()), "end");
    assert.equal(await orderOf((env) => counted(made(env))), "end");
  });

  test("behind another eventTime: the same as without it", async () => {
    const before = (rows: Stream<Row>) => rows.eventTime({ at: "at" });
    assert.equal(await orderOf((env) => before(made(env))), "splits");
    assert.equal(await orderOf((env) => before(made(env)).rebalance()), "channels");
    assert.equal(await orderOf((env) => before(files(env)).rebalance()), "end");
    assert.equal(await orderOf((env) => counted(before(files(env)))), "end");
    assert.equal(await orderOf((env) => before(endless(env)).rebalance()), "arrival");
  });

  test("of endless input: nothing", async () => {
    assert.equal(await orderOf((env) => endless(env).rebalance()), "arrival");
    assert.equal(await orderOf((env) => endless(env).union(files(env))), "arrival");
  });

  test("in batch mode: the end, always", async () => {
    for (const rows of [files, made, (env: JobEnv) => made(env).rebalance()])
      assert.equal(await orderOf(rows, "batch"), "end");
  });
});

test("batch mode with an endless source is refused, at the line of the source", async () => {
  await assert.rejects(
    built("batch", (env) => void mapped(endless(env)).union(files(env)).to("out", blackhole())),
    (error: { code: string; operator: string; location: { file: string } }) => {
      assert.deepEqual([error.code, error.operator], ["BATCH_ENDLESS", "endless"]);
      assert.match(error.location.file, /time-order\.test\.ts$/);
      return true;
    },
  );
});

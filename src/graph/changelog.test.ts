// What the plan knows of the rows on each edge. What becomes of them when a job runs: task/changelog.test.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BUILD_DEFAULTS } from "../../test/api/job-refusal.ts";
import { ChangesKept, changes } from "../../test/connectors/changes.ts";
import { jobBuild } from "../api/job.ts";
import { col, count, type JobEnv, job, type Stream, t } from "../index.ts";
import type { SinkTakes } from "../operators/changelog.ts";
import type { Sink } from "../operators/sink.ts";
import { changelogsOf, changelogText, inputChangelog } from "./changelog.ts";
import type { Plan } from "./plan.ts";

const Row = t.struct({ id: t.f64, v: t.f64 });
type Row = { readonly id: number; readonly v: number };
type Rows = Stream<Row>;

const UPSERT = { kind: "upsert", key: ["id"], deletes: false } as const;
const sink = (takes?: SinkTakes) => new ChangesKept<unknown>().sink(takes);

const inserts = (env: JobEnv, uid = "inserts"): Rows => env.from(uid, changes<Row>([], { kind: "append" }, Row));
const updates = (env: JobEnv): Rows => env.from("updates", changes<Row>([], UPSERT, Row));
const deletes = (env: JobEnv): Rows => env.from("deletes", changes<Row>([], { ...UPSERT, deletes: true }, Row));
const retractions = (env: JobEnv): Rows => env.from("retractions", changes<Row>([], { kind: "retract" }, Row));

async function planned(build: (env: JobEnv) => void, mode: Plan["mode"] = "stream"): Promise<Plan> {
  return (await jobBuild(job({ name: "changelogs", mode }, build), {}, { ...BUILD_DEFAULTS, parallelism: 2 })).plan;
}

/** In words, what each sink gets, by its uid. */
async function intoSinks(build: (env: JobEnv) => void, mode?: Plan["mode"]): Promise<Record<string, string>> {
  const plan = await planned(build, mode);
  const changelogs = changelogsOf(plan);
  const sinks = plan.operators.filter(({ kind }) => kind === "sink");
  return Object.fromEntries(sinks.map(({ uid }) => [uid, changelogText(inputChangelog(plan, changelogs, { uid }))]));
}

const INSERTS = "inserts alone";
const RETRACT = "changes that take back the row before (retract)";
const BY_ID = "updates by id (upsert)";
const LOST = "updates by a key that is not known (upsert)";

describe("the rows that a sink gets are", () => {
  const given: Record<string, [(env: JobEnv) => { to(uid: string, sink: Sink<unknown>): unknown }, string]> = {
    "those of the source": [updates, BY_ID],
    "those of a running aggregate, by the name of its key": [
      (env) =>
        inserts(env)
          .keyBy((row) => row.id, t.f64)
          .aggregate({ n: count() }),
      "updates by key (upsert)",
    ],
    "those of one by several fields": [
      (env) => inserts(env).keyBy("v", "id").aggregate({ n: count() }),
      "updates by v, id (upsert)",
    ],
    "those of a reduce by a function: nobody knows the key": [
      (env) =>
        inserts(env)
          .keyBy((row) => row.id, t.f64)
          .reduce("last", (_, row) => row),
      LOST,
    ],
    "inserts of a process function": [
      (env) =>
        updates(env)
          .keyBy("id")
          .process({ uid: "own", out: Row, onRecord() {} }),
      INSERTS,
    ],
    "retractions, with inserts beside them": [(env) => inserts(env).union(retractions(env)), RETRACT],
    "updates, with inserts beside them": [(env) => inserts(env).union(updates(env)), LOST],
    "updates and deletes of either": [
      (env) => updates(env).union(deletes(env)),
      "updates and deletes by a key that is not known (upsert)",
    ],
    "inserts of two": [(env) => inserts(env).union(inserts(env, "more")), INSERTS],
    "in the order of their key by way of one subtask": [(env) => updates(env).global(), BY_ID],
    "in the order of their key at each of all": [(env) => updates(env).broadcast(), BY_ID],
    "retractions of a key one way": [
      (env) => retractions(env).partitionBy(({ id }, subtasks) => id % subtasks),
      RETRACT,
    ],
    "updates of a key one way, though nobody knows": [(env) => updates(env).partitionBy(() => 0), LOST],
  };
  const spread: Record<string, (rows: Rows) => Rows> = {
    rebalance: (rows) => rows.rebalance(),
    rescale: (rows) => rows.rescale(),
  };

  for (const [name, [rows, expected]] of Object.entries(given)) {
    test(name, async () => {
      assert.deepEqual(await intoSinks((env) => void rows(env).to("out", sink("changes"))), {
        out: expected,
      });
    });
  }

  for (const [name, way] of Object.entries(spread)) {
    test(`in any order, by ${name}, which a sink that takes each change is not given`, async () => {
      assert.deepEqual(await intoSinks((env) => void way(updates(env)).to("out", sink())), {
        out: `${LOST}, in any order`,
      });
      const streams: ((env: JobEnv) => Rows)[] = [
        (env) => way(updates(env)),
        (env) => way(retractions(env)).filter(({ v }) => v > 0),
        (env) => inserts(env).union(way(retractions(env))),
        (env) => updates(env).union(way(deletes(env))),
      ];
      for (const rows of streams) {
        const plan = planned((env) => void rows(env).to("out", sink("changes")));
        await assert.rejects(plan, {
          code: "CHANGELOG_NOT_TAKEN",
          message: /^sink "out" takes changes in their order, and rows of one key may overtake one another on the way/,
          fix: /same parallelism.*global.*partitionBy;.*without op: true$/,
        });
      }
    });
  }

  test("in any order, by another parallelism on the way", async () => {
    for (const [parallelism, expected] of [
      [3, `${LOST}, in any order`],
      [1, BY_ID],
    ] as const) {
      const counted = (env: JobEnv) => updates(env).filter(col("id").gt(0)).parallelism(parallelism);
      const rows = await intoSinks((env) => void counted(env).to("out", sink()).parallelism(parallelism));
      assert.deepEqual(rows, { out: expected });
    }
  });

  test("in order, however they come, where there is one subtask", async () => {
    for (const way of Object.values(spread)) {
      for (const takes of ["upsert", "changes"] as const) {
        const rows = await intoSinks((env) => void way(updates(env)).to("out", sink(takes)).parallelism(1));
        assert.deepEqual(rows, { out: BY_ID });
      }
    }
  });

  test("inserts where a function has set them aside", async () => {
    const rows = await intoSinks((env) => {
      const mapped = retractions(env)
        .map((row) => row)
        .onError("side");
      mapped.to("out", sink("changes"));
      mapped.side.errors.to("aside", sink());
    });
    assert.deepEqual(rows, { out: RETRACT, aside: INSERTS });
  });

  test("inserts of a batch job's aggregate", async () => {
    const rows = (env: JobEnv) => void inserts(env).keyBy("id").aggregate({ n: count() }).to("out", sink("upsert"));
    assert.deepEqual(await intoSinks(rows), { out: BY_ID });
    assert.deepEqual(await intoSinks(rows, "batch"), { out: INSERTS });
  });
});

describe("a filter of updates gives", () => {
  const WITH_DELETES = "updates and deletes by id (upsert)";
  const given: Record<string, [(env: JobEnv) => void, string]> = {
    "deletes for a sink that takes them": [
      (env) => void updates(env).filter(col("v").gt(0)).to("out", sink("upsert")),
      WITH_DELETES,
    ],
    "none for one that does not": [(env) => void updates(env).filter(col("v").gt(0)).to("out", sink()), BY_ID],
    "none by the key's own fields": [
      (env) => void updates(env).filter(col("id").gt(0)).to("out", sink("upsert")),
      BY_ID,
    ],
    "deletes by the key's fields and others": [
      (env) =>
        void updates(env)
          .filter(col("id").gt(col("v")))
          .to("out", sink("upsert")),
      WITH_DELETES,
    ],
    "deletes by what was the key": [
      (env) =>
        void updates(env)
          .map(Row, (row) => row)
          .filter(col("id").gt(0))
          .to("out", sink("changes")),
      "updates and deletes by a key that is not known (upsert)",
    ],
    "deletes for a sink behind functions": [
      (env) =>
        void updates(env)
          .filter(({ v }) => v > 0)
          .map((row) => row)
          .flatMap((row) => [row])
          .to("out", sink("changes")),
      "updates and deletes by a key that is not known (upsert)",
    ],
    "none for a sink of what a function behind it sets aside": [
      (env) => {
        const mapped = updates(env)
          .filter(({ v }) => v > 0)
          .map((row) => row)
          .onError("side");
        mapped.to("out", sink());
        mapped.side.errors.to("aside", sink("changes"));
      },
      LOST,
    ],
  };
  for (const [name, [build, expected]] of Object.entries(given)) {
    test(name, async () => assert.equal((await intoSinks(build)).out, expected));
  }
});

describe("what cannot be taken is refused", () => {
  const own = { uid: "own", out: Row, onLeft() {}, onRight() {} };
  const given: Record<string, [(env: JobEnv) => void, RegExp]> = {
    "deletes by the second input of a function": [
      (env) => void inserts(env).keyBy("id").connect(deletes(env).keyBy("id")).process(own).to("out", sink()),
      /^process "own" takes no deletes/,
    ],
    "retractions by a sink that keeps rows by key": [
      (env) => void retractions(env).to("out", sink("upsert")),
      /^sink "out" keeps one row per key, and the key of its input is not known$/,
    ],
    "updates beside retractions, in whatever takes all": [
      (env) => void updates(env).union(retractions(env)).to("out", sink("changes")),
      /^sink "out" cannot tell updates by a key from those/,
    ],
  };
  for (const [name, [build, message]] of Object.entries(given)) {
    test(name, () => assert.rejects(planned(build), { code: "CHANGELOG_NOT_TAKEN", message }));
  }

  test("and updates by either input of a function are not", async () => {
    for (const [left, right] of [
      [updates, inserts],
      [inserts, updates],
    ] as const) {
      await planned((env) => void left(env).keyBy("id").connect(right(env).keyBy("id")).process(own).to("out", sink()));
    }
  });
});

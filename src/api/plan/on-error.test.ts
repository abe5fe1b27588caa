import assert from "node:assert/strict";
import { test } from "node:test";
import { blackhole, col, collection, count, type JobEnv, job, type Stream, t, tumbling } from "../../index.ts";
import { jobBuild } from "../job.ts";

const Row = t.struct({ n: t.f64, at: t.timestamp });
type Row = { readonly n: number; readonly at: number };

async function planOf(declare: (rows: Stream<Row>, env: JobEnv) => void) {
  const declared = job({ name: "policies", unread: "allow" }, (env) => {
    const rows = env.from("in", collection<Row>([], { type: Row }));
    rows.to("rows", blackhole());
    declare(rows, env);
  });
  const { plan } = await jobBuild(declared, {}, { parallelism: 1, maxParallelism: null } as never);
  return plan;
}

test("onError is refused where it could have no effect, at its place", async () => {
  const keyed = (rows: Stream<Row>) => rows.eventTime({ at: "at" }).keyBy("n");
  const cases: Record<string, (rows: Stream<Row>) => Stream<never>> = {
    'source "in"': (rows) => rows as never,
    "filter by an expression": (rows) => rows.filter(col("n").gt(1)) as never,
    parse: (rows) => rows.parse(Row) as never,
    aggregate: (rows) => keyed(rows).aggregate({ rows: count() }) as never,
    window: (rows) => keyed(rows).window(tumbling("1m")).aggregate({ rows: count() }) as never,
  };
  for (const [what, build] of Object.entries(cases)) {
    for (const policy of ["skip", "side"] as const) {
      await assert.rejects(
        planOf((rows) => build(rows).onError(policy as "skip")),
        (error: { code: string; message: string; fix: string; location: { file: string } }) => {
          assert.equal(error.code, "ON_ERROR_WITHOUT_EFFECT");
          assert.equal(error.message, `onError("${policy}") has no effect on ${what}`);
          assert.match(error.location.file, /on-error\.test\.ts$/);
          return error.fix !== "";
        },
      );
    }
    await planOf((rows) => build(rows).onError("fail")); // What holds anyway.
  }
});

test("the last onError of an operator holds, with one side output at most", async () => {
  const plan = await planOf((rows) => {
    rows
      .map((row) => row)
      .onError("side")
      .onError("side")
      .uid("aside")
      .to("a", blackhole());
    rows
      .map((row) => row)
      .onError("side")
      .onError("skip")
      .uid("skips")
      .to("b", blackhole());
  });
  const policies = plan.operators.filter(({ kind }) => kind === "map");
  assert.deepEqual(
    policies.map(({ uid, onError, sides }) => [uid, onError, sides.map(({ name }) => name)]),
    [
      ["aside", "side", ["errors"]],
      ["skips", "skip", []],
    ],
  );
});

test("a side output of a process function cannot be called errors, which belongs to onError, or nothing", async () => {
  for (const name of ["errors", ""]) {
    const declaring = planOf((rows) =>
      rows
        .keyBy("n")
        .process({ uid: "p", out: t.f64, side: { [name]: t.f64 } as never, onRecord: () => undefined })
        .to("out", blackhole()),
    );
    await assert.rejects(declaring, (error: { code: string; location: { file: string } }) => {
      assert.equal(error.code, "SIDE_NAME_RESERVED");
      assert.match(error.location.file, /on-error\.test\.ts$/);
      return true;
    });
  }
});

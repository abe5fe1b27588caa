import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { jobPlan } from "../client/job-plan.ts";
import { Configuration } from "../config/configuration.ts";
import { csv, generate, type Job, job, jsonl, print, state, t } from "../index.ts";
import { chaosRun } from "./chaos.ts";
import { SimEnv } from "./sim-env.ts";

const Row = t.struct({ n: t.f64, key: t.string });

/** `make` is called for each process that starts: it keeps nothing of the one before. */
async function chaos(make: () => Job, { crashes = 6, seed = 1 } = {}) {
  const env = new SimEnv({ seed: 1 });
  env.disk.faults.latencyMaxMs = 0;
  const lines = Array.from({ length: 300 }, (_, n) => `${n},k${n % 5}`);
  env.disk.put("/in/rows.csv", ["n,key", ...lines, ""].join("\n"));
  const { plan } = (await jobPlan(make(), {}, new Configuration([]))).graph;
  const run = chaosRun({
    ...{ job: async () => make(), plan, params: {}, parallelism: 2, crashes, seed, disk: env.disk },
  });
  let isOver = false;
  const report = run.finally(() => {
    isOver = true;
  });
  report.catch(() => undefined);
  for (let turn = 0; !isOver && turn < 1_000; turn += 1) await env.advance(0); // The input is read from here.
  return report;
}

type Kept = "state" | "variable" | "chance" | "thrown";

const sums =
  (kept: Kept): (() => Job) =>
  () => {
    const variable = new Map<string, number>();
    return job({ name: "sums" }, (env) => {
      const out = env
        .from("rows", csv("/in/*.csv", { type: Row }))
        .keyBy("key")
        .process({
          uid: "sum",
          state: { sum: state.value(t.f64, { init: () => 0 }) },
          out: t.struct({ key: t.string, sum: t.f64 }),
          onRecord({ n, key }, ctx) {
            if (kept === "thrown" && n === 200) throw new Error("too much");
            const before = kept === "variable" ? (variable.get(key) ?? 0) : ctx.state.sum.get();
            ctx.state.sum.set(before + n);
            variable.set(key, before + n);
            ctx.emit({ key, sum: kept === "chance" ? Math.random() : before + n });
          },
        });
      out.to("files", jsonl("out"));
      out.to("screen", print());
    });
  };

describe("a job whose process dies again and again", () => {
  test("has the rows of an undisturbed run when it keeps what it knows in its state", async () => {
    const report = await chaos(sums("state"));
    assert.deepEqual([report.rows, report.crashes, report.failed], [600, 6, null]);
    assert.ok(report.runs >= 2);
    assert.deepEqual(await chaos(sums("state")), report, "the same seed, the same crashes");
  });

  test("is found out when it keeps something outside of its state, with the rows and the sink", async () => {
    const { failed } = await chaos(sums("variable"), { crashes: 60 });
    assert.equal(failed?.isUndisturbed, false);
    assert.deepEqual(
      failed?.differences.map(({ sink }) => sink),
      ["files", "screen"],
    );
    const [{ lost, added } = assert.fail()] = failed?.differences ?? [];
    assert.ok(lost.length > 0 && lost.length === added.length);
    assert.match(added[0] ?? "", /^\{"key":"k\d","sum":\d+\}$/);
  });

  test("is told apart when it gives other rows by itself (Z2)", async () => {
    const { failed, crashes } = await chaos(sums("chance"));
    assert.deepEqual([failed?.isUndisturbed, failed?.crashes, crashes], [true, 0, 0]);
  });

  test("fails as it does anywhere when it fails by itself, and is refused without an end", async () => {
    await assert.rejects(chaos(sums("thrown")), { code: "USER_FUNCTION_THREW" });
    const endless = (): Job =>
      job({ name: "endless" }, (env) => {
        env
          .from(
            "in",
            generate(Infinity, (n) => ({ n })),
          )
          .to("out", jsonl("out"));
      });
    await assert.rejects(chaos(endless), { code: "CHAOS_ENDLESS" });
  });

  test("is refused when it waits for something that nothing here will give", async () => {
    const waits = (): Job =>
      job({ name: "waits" }, (env) => {
        const source = generate(3, (n) => ({ n }));
        const never = {
          ...source,
          createEnumerator: (context: Parameters<typeof source.createEnumerator>[0]) => ({
            ...source.createEnumerator(context),
            start: () => new Promise<void>(() => undefined),
          }),
        };
        env.from("in", never).to("out", jsonl("out"));
      });
    await assert.rejects(chaos(waits), { code: "CHAOS_STANDS" });
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { BUILD_DEFAULTS } from "../../test/api/job-refusal.ts";
import { jobBuild } from "../api/job.ts";
import { blackhole, count, type Duration, generate, job, t, tumbling } from "../index.ts";
import { carriesMarks, stepMs } from "./watermark-steps.ts";

const Row = t.struct({ id: t.string, at: t.timestamp });

/** The exchanges with marks of a job with a window, a function with timers behind another one, and one in order. */
async function marked(options: { every?: Duration; timers: boolean; parallelism?: number }): Promise<string[]> {
  const { every, timers, parallelism = 1 } = options;
  const declared = job({ name: "steps" }, (env) => {
    const rows = env
      .from(
        "rows",
        generate(1, () => ({ id: "", at: 0 }), { type: Row }),
      )
      .eventTime({ at: "at", ...(every !== undefined && { every }) })
      .uid("time");
    const plain = { out: Row, onRecord() {} };
    const timed = { ...plain, onTimer() {} };
    rows.keyBy("id").window(tumbling("1m")).aggregate({ n: count() }).uid("window").to("windows", blackhole());
    rows
      .keyBy("id")
      .inOrder()
      .process({ uid: "ordered", ...timed })
      .to("ordered-out", blackhole());
    const first = rows.keyBy("id").process({ uid: "first", ...plain });
    first
      .keyBy("id")
      .process({ uid: "second", ...(timers ? timed : plain) })
      .to("out", blackhole());
  });
  const { plan } = await jobBuild(declared, {}, { ...BUILD_DEFAULTS, parallelism, preAggregation: parallelism > 1 });
  return plan.edges.filter((edge) => carriesMarks(plan, edge)).map(({ from, to }) => `${from} → ${to}`);
}

test("watermarks among the records go where functions with timers follow, and nowhere else", async () => {
  assert.deepEqual(await marked({ timers: false }), []);
  assert.deepEqual(await marked({ timers: true }), ["rows → time", "time → first", "first → second"]);
});

test("and wherever a step is asked for, but behind a combiner", async () => {
  const all = await marked({ timers: false, every: "5s" });
  for (const edge of ["time → window", "time → ordered", "time → first", "first → second"]) {
    assert.ok(all.includes(edge), `${edge} of ${all.join(", ")}`);
  }
  assert.ok(!all.includes("rows → time"), "there are none before there are times");
  const combined = await marked({ timers: false, every: "5s", parallelism: 2 });
  assert.ok(combined.includes("time → ordered"));
  assert.ok(!combined.some((edge) => edge.includes("combiner → window")));
});

test("a step is a second, or a part of what may be out of order, unless it is named", () => {
  assert.equal(stepMs({ outOfOrderMs: 0 }), 1_000);
  assert.equal(stepMs({ outOfOrderMs: 60_000, everyMs: null }), 6_000);
  assert.equal(stepMs({ outOfOrderMs: 60_000, everyMs: 5 }), 5);
});

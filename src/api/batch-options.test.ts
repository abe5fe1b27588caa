// Options that batch mode would ignore.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BUILD_DEFAULTS, jobRefusal } from "../../test/api/job-refusal.ts";
import { blackhole, collection, count, type Job, job, t, tumbling } from "../index.ts";
import { jobBuild } from "./job.ts";

type Mode = "stream" | "batch";
type Times = { outOfOrder?: "0ms" | "1s"; idle?: "1m"; every?: "1s" };

const days = (mode: Mode, times: Times, lateness: "0ms" | "1h" = "0ms"): Job =>
  job({ name: "days", mode }, (env) => {
    env
      .from("in", collection([{ k: "a", ts: 0 }], { type: t.struct({ k: t.string, ts: t.timestamp }) }))
      .eventTime({ at: "ts", ...times })
      .keyBy("k")
      .window(tumbling("1d"))
      .allowLate(lateness)
      .aggregate({ n: count() })
      .to("out", blackhole());
  });

const WITHOUT_EFFECT: Record<string, (mode: Mode) => Job> = {
  outOfOrder: (mode) => days(mode, { outOfOrder: "1s" }),
  idle: (mode) => days(mode, { idle: "1m" }),
  every: (mode) => days(mode, { every: "1s" }),
  allowLate: (mode) => days(mode, {}, "1h"),
};

describe("batch mode has no watermark before the end, and refuses at its line", () => {
  for (const [name, made] of Object.entries(WITHOUT_EFFECT)) {
    test(`${name}, which would have no effect`, async () => {
      const error = await jobRefusal(made("batch"), /batch-options\.test\.ts$/);
      assert.equal(error.code, "OPTION_WITHOUT_EFFECT");
      assert.equal(error.message, `${name} has no effect in a job with mode: "batch"`);
      await jobBuild(made("stream"), {}, BUILD_DEFAULTS);
    });
  }
});

test("what an option means that is left out may be written in batch mode, too", async () => {
  await jobBuild(days("batch", { outOfOrder: "0ms" }), {}, BUILD_DEFAULTS);
});

// Settings of a job that would have no effect.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BUILD_DEFAULTS, jobRefusal } from "../../../test/api/job-refusal.ts";
import {
  blackhole,
  collection,
  count,
  csv,
  type Job,
  type JobEnv,
  job,
  jsonl,
  type Stream,
  stdin,
  stdout,
  sum,
  t,
  tumbling,
} from "../../index.ts";
import { jobBuild } from "../job.ts";

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

const Click = t.struct({ k: t.string, ts: t.timestamp });

const WITHOUT_EFFECT: Record<string, (mode: Mode) => Job> = {
  outOfOrder: (mode) => days(mode, { outOfOrder: "1s" }),
  idle: (mode) => days(mode, { idle: "1m" }),
  every: (mode) => days(mode, { every: "1s" }),
  allowLate: (mode) => days(mode, {}, "1h"),
  inTimeOrder: (mode) =>
    job({ name: "days", mode }, (env) => {
      env.from("in", jsonl("logs/*.jsonl", { type: Click, inTimeOrder: true })).to("out", blackhole());
    }),
};

describe("batch mode has no watermark before the end, and refuses at its line", () => {
  for (const [name, made] of Object.entries(WITHOUT_EFFECT)) {
    test(`${name}, which would have no effect`, async () => {
      const error = await jobRefusal(made("batch"), /option-effects\.test\.ts$/);
      assert.equal(error.code, "OPTION_WITHOUT_EFFECT");
      assert.equal(error.message, `${name} has no effect in a job with mode: "batch"`);
      await jobBuild(made("stream"), {}, BUILD_DEFAULTS);
    });
  }
});

test("what an option means that is left out may be written in batch mode, too", async () => {
  await jobBuild(days("batch", { outOfOrder: "0ms" }), {}, BUILD_DEFAULTS);
});

describe("in stream mode, too, what has no effect whatever the input is refused at its line", () => {
  type Clicks = Stream<{ k: string; ts: number }>;
  const made = (declare: (clicks: Clicks, env: JobEnv) => void): Job =>
    job({ name: "effects" }, (env) => declare(env.from("in", collection([], { type: Click })), env));
  const refusals: readonly (readonly [string, (clicks: Clicks, env: JobEnv) => void])[] = [
    ["outOfOrder", (clicks) => clicks.eventTime({ at: "ts", outOfOrder: "1s" }).to("out", blackhole())],
    [
      "idle",
      (clicks) =>
        clicks
          .eventTime({ at: "ts", idle: "1s" })
          .filter(() => true)
          .to("out", blackhole()),
    ],
    ["every", (clicks) => counted(clicks.eventTime({ at: "ts", every: "1s" }))],
    [
      "outOfOrder", // The second eventTime makes its own watermarks.
      (clicks) => minutes(clicks.eventTime({ at: "ts", outOfOrder: "1s" }).eventTime({ at: "ts" })),
    ],
    ["rebalance(…)", (clicks) => counted(clicks.rebalance())],
    ["partitionBy(…)", (clicks) => counted(clicks.partitionBy(() => 0))],
    ["global(…)", (clicks) => clicks.global().broadcast().to("out", blackhole())],
    ["rescale(…)", (clicks) => counted(clicks.union(clicks.map((click) => click).rescale()))],
    ["parallelism(2)", (_, env) => env.from("rows", jsonl(stdin)).parallelism(2).to("out", blackhole())],
    ["parallelism(3)", (clicks) => clicks.to("out", jsonl("out.jsonl")).maxParallelism(8).parallelism(3)],
    ["parallelism(4)", (clicks) => clicks.to("out", csv(stdout)).parallelism(4)],
  ];
  for (const [index, [name, declare]] of refusals.entries()) {
    test(`${name} (${index})`, async () => {
      const error = await jobRefusal(made(declare), /option-effects\.test\.ts$/);
      assert.equal(error.code, "OPTION_WITHOUT_EFFECT");
      assert.ok(error.message.startsWith(`${name} has no effect `), error.message);
      assert.ok(error.fix !== undefined && error.fix !== "");
    });
  }

  const counted = (clicks: Clicks): void => {
    clicks
      .keyBy("k")
      .aggregate({ n: count(), last: sum("ts") })
      .to("counts", blackhole());
  };
  const minutes = (clicks: Clicks): void => {
    clicks.keyBy("k").window(tumbling("1m")).aggregate({ n: count() }).to("minutes", blackhole());
  };

  const taken: Readonly<Record<string, (clicks: Clicks, env: JobEnv) => void>> = {
    "on one of several ways": (clicks) => {
      const timed = clicks.eventTime({ at: "ts", outOfOrder: "1s", idle: "1m", every: "1s" });
      timed.to("out", blackhole());
      minutes(timed.map(Click, (click) => ({ ...click })));
    },
    "by inOrder": (clicks) => {
      const ordered = clicks.eventTime({ at: "ts", outOfOrder: "1s" }).keyBy("k").inOrder();
      ordered.aggregate({ n: count() }).to("out", blackhole());
    },
    "by a process function": (clicks) => {
      const timed = clicks.eventTime({ at: "ts", outOfOrder: "1s" }).keyBy("k");
      timed.process({ uid: "p", out: t.f64, onRecord: (_, ctx) => ctx.emit(ctx.watermark) }).to("out", blackhole());
    },
    "as it would be anyway": (clicks, env) => {
      clicks.eventTime({ at: "ts", outOfOrder: "0ms" }).to("out", blackhole());
      env.from("rows", jsonl(stdin)).parallelism(1).to("file", jsonl("out.jsonl")).parallelism(1);
    },
    "by an operator between": (clicks) => counted(clicks.rebalance().filter(() => true)),
  };
  for (const [how, declare] of Object.entries(taken)) {
    test(`and what is heeded ${how} is not`, async () => {
      await jobBuild(made(declare), {}, BUILD_DEFAULTS);
    });
  }
});

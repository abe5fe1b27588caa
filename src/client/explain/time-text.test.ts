import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SourceLocation } from "../../base/errors.ts";
import { Configuration } from "../../config/configuration.ts";
import type { JobGraph } from "../../graph/job-graph.ts";
import {
  blackhole,
  count,
  csv,
  generate,
  type JobEnv,
  job,
  type KeyedProcess,
  type Stream,
  session,
  t,
  tumbling,
} from "../../index.ts";
import { jobPlan } from "../job-plan.ts";
import { explain } from "./explain.ts";
import { neverLateTexts, timeTexts } from "./time-text.ts";

const Click = t.struct({ user: t.string, at: t.timestamp });
type Click = { readonly user: string; readonly at: number };

const files = (env: JobEnv) => env.from("clicks", csv("*.csv", { type: Click }));
const logs = (env: JobEnv) => env.from("clicks", csv("*.csv", { type: Click, inTimeOrder: true }));
const made = (env: JobEnv) =>
  env.from(
    "clicks",
    generate(10, (at): Click => ({ user: "ada", at }), { type: Click }),
  );

async function graphOf(
  declare: (env: JobEnv) => void,
  { parallelism = 4, mode = "stream" as "stream" | "batch" } = {},
): Promise<JobGraph> {
  const values = { "parallelism.default": parallelism };
  const configuration = new Configuration([{ origin: { kind: "command line" }, values }]);
  return (await jobPlan(job({ name: "times", mode }, declare), {}, configuration)).graph;
}

/** What is said of an operator's event time, at a parallelism. */
async function said(
  uid: string,
  declare: (env: JobEnv) => void,
  options: { parallelism?: number; mode?: "stream" | "batch" } = {},
): Promise<string> {
  const configuration = new Configuration([]);
  const here = { locate: (place: SourceLocation) => place, text: () => null, configuration };
  const explanation = explain(await graphOf(declare, options), here);
  const operator = explanation.plan.operators.find((each) => each.uid === uid)!;
  return timeTexts(operator, explanation).join("");
}

test("an eventTime behind an exchange waits for its channels where these bring one stream, else for the end", async () => {
  const timed = (source: (env: JobEnv) => Stream<Click>) => (env: JobEnv) =>
    void source(env).rebalance().eventTime({ at: "at" }).uid("time").to("out", blackhole());
  for (const source of [logs, made])
    assert.match(await said("time", timed(source)), /^no watermark before each of its/);
  assert.match(await said("time", timed(files)), /^no watermark before the end of the input: behind an exchange/);
});

describe("an eventTime that is kept from the task of its source by the parallelism of operators", () => {
  const late =
    ({
      filter,
      reads = true,
      every = { every: "1s" },
    }: {
      filter?: number;
      reads?: boolean;
      every?: { every?: "1s" };
    }) =>
    (env: JobEnv): void => {
      const all = files(env).parallelism(1);
      const some = all.filter(() => true).uid("some");
      const timed = (filter === undefined ? some : some.parallelism(filter)).eventTime({ at: "at", ...every });
      const visits = timed
        .uid("time")
        .parallelism(1)
        .keyBy("user")
        .window(session("30m"))
        .aggregate({ n: count() })
        .uid("visits");
      visits.to("out", blackhole());
      if (reads) visits.side.late.to("late", blackhole());
    };
  const remedy = "in the task of its source with .parallelism(1) behind some";

  test("names them, and that nothing can be late for those who read late records", async () => {
    assert.ok((await said("time", late({}))).endsWith(`; have it ${remedy}`));
    assert.match(await said("visits", late({})), /^no record is ever late: no watermark comes before the end/);
    assert.deepEqual(neverLateTexts(await graphOf(late({}))), [
      `nothing can be late for visits: no watermark comes before the end; have time ${remedy}`,
    ]);
  });

  test("and not where nobody reads them, where they can be late, or where the job asked for that", async () => {
    assert.deepEqual(neverLateTexts(await graphOf(late({ reads: false }))), []);
    assert.equal(await said("visits", late({ reads: false })), "");
    assert.deepEqual(neverLateTexts(await graphOf(late({ filter: 1 }))), []);
    assert.equal(await said("visits", late({ filter: 1 })), "");
    assert.deepEqual(neverLateTexts(await graphOf(late({ every: {} }), { mode: "batch" })), []);
  });
});

describe("timers", () => {
  type Watch = KeyedProcess<Click, string, Record<never, never>, typeof t.string, Record<never, never>>;
  const untimed: Watch = {
    uid: "watch",
    out: t.string,
    onRecord: ({ at }, { timers }) => timers.set("silent", at + 60_000),
  };
  const watch: Watch = { ...untimed, onTimer: ({ key }, ctx) => ctx.emit(key) };
  const watched = (clicks: (env: JobEnv) => Stream<Click>, each = watch) => {
    return (env: JobEnv): void => void clicks(env).keyBy("user").process(each).to("out", blackhole());
  };
  const ordered = (clicks: (env: JobEnv) => Stream<Click>) => {
    return (env: JobEnv): void => void clicks(env).keyBy("user").inOrder().process(watch).to("out", blackhole());
  };
  const timed = (source: (env: JobEnv) => Stream<Click>) => (env: JobEnv) => source(env).eventTime({ at: "at" });

  test("that no watermark reaches before all files have been begun, or before the end, are told of inOrder", async () => {
    const advice = "; .inOrder() behind keyBy has each fire between the records";
    assert.equal(
      await said("watch", watched(timed(files)), { parallelism: 1 }),
      `no timer in event time fires before every file of clicks has been begun${advice}`,
    );
    const atEnd = `no timer in event time fires before the end of the input${advice}`;
    assert.equal(await said("watch", watched(timed((env) => files(env).rebalance()))), atEnd);
    assert.equal(await said("watch", watched(timed(made)), { mode: "batch" }), atEnd);
  });

  test("that fire as event time goes on, or in order, or are none, need no word", async () => {
    for (const source of [logs, made]) assert.equal(await said("watch", watched(timed(source))), "");
    assert.equal(await said("watch", ordered(timed(files))), "");
    assert.equal(await said("watch", watched(timed(files), untimed)), "");
  });
});

describe("which records are late", () => {
  type Options = { every?: "1s"; source?: 1; time?: 1; reads?: boolean; from?: (env: JobEnv) => Stream<Click> };
  const sessions =
    ({ every, source, time, reads = true, from = logs }: Options) =>
    (env: JobEnv): void => {
      const clicks = from(env);
      const timed = (source === 1 ? clicks.parallelism(1) : clicks)
        .eventTime({ at: "at", ...(every !== undefined && { every }) })
        .uid("time");
      const keyed = (time === 1 ? timed.parallelism(1) : timed).keyBy("user");
      const visits = keyed.window(session("30m")).aggregate({ n: count() }).uid("visits");
      visits.to("out", blackhole());
      if (reads) visits.side.late.to("late", blackhole());
      // Its rows are in order, whatever was late before.
      visits.keyBy("n").window(session("1h")).aggregate({ visits: count() }).uid("again").to("again-out", blackhole());
    };
  const chance = "which records are late depends on the pace of reading; the same in every run with ";

  test("is told to be chance where somebody wants to know, with what makes it certain", async () => {
    const remedies: [Options, string][] = [
      [{}, 'every: "1s" in eventTime, .parallelism(1) behind clicks and time'],
      [{ every: "1s" }, ".parallelism(1) behind clicks and time"],
      [{ every: "1s", source: 1 }, ".parallelism(1) behind time"],
      [{ source: 1, time: 1 }, 'every: "1s" in eventTime'],
    ];
    for (const [options, remedy] of remedies) {
      assert.equal(await said("visits", sessions(options)), chance + remedy);
      assert.equal(await said("again", sessions(options)), "");
    }
  });

  test("is certain with one subtask and a step, and of no interest where nobody asks, or nothing is late", async () => {
    assert.equal(await said("visits", sessions({ every: "1s", source: 1, time: 1 })), "");
    assert.equal(await said("visits", sessions({ every: "1s" }), { parallelism: 1 }), "");
    assert.equal(await said("visits", sessions({ reads: false })), "");
    assert.equal(await said("visits", sessions({ from: files }), { mode: "batch" }), "");
  });

  test("is chance where two inputs meet", async () => {
    const both = (env: JobEnv) =>
      logs(env).union(env.from("more", csv("more/*.csv", { type: Click, inTimeOrder: true })));
    const text = "which records are late depends on which input is read faster";
    assert.equal(await said("visits", sessions({ every: "1s", from: both }), { parallelism: 1 }), text);
  });

  test("is chance behind a combiner, which holds records back", async () => {
    const daily = (env: JobEnv): void =>
      void logs(env)
        .parallelism(1)
        .eventTime({ at: "at", every: "1s" })
        .parallelism(1)
        .keyBy("user")
        .window(tumbling("30m"))
        .aggregate({ n: count() })
        .uid("visits")
        .to("out", blackhole());
    assert.equal(await said("visits", daily), `${chance}millrace.pipeline.pre-aggregation: false`);
  });
});

// What windows give for late records are updates of the rows that they gave before: in plans, and in sinks.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { jobPlan } from "../client/job-plan.ts";
import { Configuration } from "../config/configuration.ts";
import { changelogText } from "../graph/changelog.ts";
import { collection, count, type JobEnv, job, jsonl, print, session, sliding, t, tumbling } from "../index.ts";
import { testJob } from "./index.ts";

const Click = t.struct({ user: t.string, page: t.string, at: t.timestamp });

const clicksOf = (env: JobEnv) => env.from("clicks", collection([], { type: Click })).eventTime({ at: "at" });

/** `[op, start, end, n]` of each row of one sink. */
type Given = readonly [op: string, start: number, end: number, n: number];

/** Runs windows over clicks of one user at these times; a text is a watermark. */
async function given(window: ReturnType<typeof tumbling | typeof session>, steps: readonly (number | string)[]) {
  const windows = job({ name: "windows" }, (env) => {
    const counted = clicksOf(env).keyBy("user").window(window).allowLate("1s").aggregate({ n: count() });
    counted.to("out", print({ op: true }));
  });
  await using run = await testJob(windows, { parallelism: 2 });
  const clicks = run.source<{ user: string; page: string; at: number }>("clicks");
  for (const step of steps) {
    if (typeof step === "string") clicks.watermark(Number(step));
    else clicks.push({ user: "ada", page: "/", at: step });
  }
  await run.end();
  const changes = await run.sink("out").changes<{ start: number; end: number; n: number }>();
  return changes.map(({ op, row: { start, end, n } }): Given => [op, start, end, n]);
}

describe("a late record", () => {
  test("updates the row of its window, or gives the first one", async () => {
    assert.deepEqual(await given(tumbling("10ms"), [1, 2, "30", 3, 12, 13]), [
      ["+I", 0, 10, 2],
      ["+U", 0, 10, 3],
      ["+I", 10, 20, 1],
      ["+U", 10, 20, 2],
    ]);
  });

  test("updates each sliding window that had rows, and gives the others their first", async () => {
    assert.deepEqual(await given(sliding("20ms", "10ms"), [15, "60", 25]), [
      ["+I", 0, 20, 1],
      ["+I", 10, 30, 1],
      ["+U", 10, 30, 2],
      ["+I", 20, 40, 1],
    ]);
  });

  test("within a session updates its row", async () => {
    assert.deepEqual(await given(session("10ms"), [5, 9, "30", 7]), [
      ["+I", 5, 19, 2],
      ["+U", 5, 19, 3],
    ]);
  });

  test("that makes a session longer deletes its row, for one of other bounds", async () => {
    assert.deepEqual(await given(session("10ms"), [5, "30", 3, "40"]), [
      ["+I", 5, 15, 1],
      ["-D", 5, 15, 1],
      ["+I", 3, 15, 2],
    ]);
    assert.deepEqual(await given(session("10ms"), [5, "15", 14, "40"]), [
      ["+I", 5, 15, 1],
      ["-D", 5, 15, 1],
      ["+I", 5, 24, 2],
    ]);
  });

  test("that joins two sessions deletes both rows, and gives one for both", async () => {
    assert.deepEqual(await given(session("10ms"), [0, 18, "40", 9]), [
      ["+I", 0, 10, 1],
      ["+I", 18, 28, 1],
      ["-D", 0, 10, 1],
      ["-D", 18, 28, 1],
      ["+I", 0, 28, 3],
    ]);
  });
});

describe("the plan", () => {
  type Clicks = ReturnType<typeof clicksOf>;
  const N = { n: count() };
  const ALL = print({ op: true });

  /** What the rows of the sink "out" are, in words. */
  async function kindOf(build: (clicks: Clicks) => void): Promise<string> {
    const built = job({ name: "kinds" }, (env) => build(clicksOf(env)));
    const { graph } = await jobPlan(built, {}, new Configuration([]));
    const edge = graph.plan.edges.find(({ to }) => to === "out");
    assert.ok(edge);
    return changelogText(graph.changelogs.get(edge) ?? { kind: "append" });
  }

  test("says that windows with allowLate give updates by key, start and end, and sessions deletes as well", async () => {
    const days = (clicks: Clicks) => clicks.keyBy("user").window(tumbling("1d"));
    const visits = (clicks: Clicks) => clicks.keyBy(({ page }) => page, t.string).window(session("1m"));
    const hours = (clicks: Clicks) => clicks.keyBy("user", "page").window(sliding("1h", "1m"));
    const kinds: [string, (clicks: Clicks) => void][] = [
      ["inserts alone", (clicks) => days(clicks).aggregate(N).to("out", ALL)],
      ["inserts alone", (clicks) => days(clicks).allowLate("0s").aggregate(N).to("out", ALL)],
      ["updates by user, start, end (upsert)", (clicks) => days(clicks).allowLate("1h").aggregate(N).to("out", ALL)],
      [
        "updates by user, page, start, end (upsert)",
        (clicks) => hours(clicks).allowLate("1h").aggregate(N).to("out", ALL),
      ],
      ["inserts alone", (clicks) => visits(clicks).aggregate(N).to("out", ALL)],
      [
        "updates and deletes by key, start, end (upsert)",
        (clicks) => visits(clicks).allowLate("1h").aggregate(N).to("out", ALL),
      ],
      ["inserts alone", (clicks) => visits(clicks).allowLate("1h").aggregate(N).side.late.to("out", ALL)],
    ];
    for (const [kind, build] of kinds) assert.equal(await kindOf(build), kind, String(build));
  });

  test("refuses what cannot take them, with the way out", async () => {
    const refused = async (build: (clicks: Clicks) => void, message: RegExp, fix: RegExp): Promise<void> => {
      await assert.rejects(kindOf(build), { code: "CHANGELOG_NOT_TAKEN", message, fix });
    };
    const days = (clicks: Clicks) => clicks.keyBy("user").window(tumbling("1d")).allowLate("1h").aggregate(N);
    const visits = (clicks: Clicks) => clicks.keyBy("user").window(session("1m")).allowLate("1h").aggregate(N);
    await refused(
      (clicks) => days(clicks).keyBy("user").window(tumbling("7d")).aggregate({ days: count() }).to("out", ALL),
      /^window "window" would count each update as a record of its own, .* updates by user, start, end \(upsert\)$/,
      /^aggregate in a window without allowLate before it/,
    );
    await refused(
      (clicks) => visits(clicks).to("out", jsonl("out")),
      /^sink "out" takes no deletes, and its input is updates and deletes by user, start, end \(upsert\)$/,
      /op: true/,
    );
    assert.ok(await kindOf((clicks) => days(clicks).to("out", jsonl("out"))));
    assert.ok(await kindOf((clicks) => visits(clicks).to("out", jsonl("out", { op: true }))));
  });
});

// Streams that nobody reads.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BUILD_DEFAULTS, jobRefusal } from "../../test/api/job-refusal.ts";
import { blackhole, collection, count, type JobEnv, job, state, t, tumbling } from "../index.ts";
import { jobBuild } from "./job.ts";

const Row = t.struct({ k: t.string, ts: t.timestamp });
const rows = () => collection([{ k: "a", ts: 0 }], { type: Row });

/** Jobs of which one stream has a sink and another has none. */
const UNREAD: Record<string, { message: RegExp; build: (env: JobEnv) => unknown }> = {
  "an unused source": {
    message: /nobody reads what the source "unused" gives$/,
    build(env) {
      env.from("unused", rows());
      return env.from("in", rows()).to("out", blackhole());
    },
  },
  "a map behind which nothing comes": {
    message: /a map/,
    build(env) {
      const from = env.from("in", rows());
      from.map((row) => row.k);
      return from.to("out", blackhole());
    },
  },
  "a filter that was meant to change the stream": {
    message: /the filter "only a"/,
    build(env) {
      const from = env.from("in", rows());
      from.filter(({ k }) => k === "a").name("only a");
      return from.to("out", blackhole());
    },
  },
  "an aggregate": {
    message: /what an aggregate gives/,
    build(env) {
      const from = env.from("in", rows());
      from.keyBy("k").aggregate({ n: count() });
      return from.to("out", blackhole());
    },
  },
  "a window of which only another part is read": {
    message: /a window gives, nor what the process "p"/,
    build(env) {
      const keyed = env.from("in", rows()).eventTime({ at: "ts" }).keyBy("k");
      keyed.window(tumbling("1m")).aggregate({ n: count() });
      keyed.process({ uid: "p", state: { n: state.value(t.f64) }, out: Row, onRecord: () => undefined });
      return keyed.reduce("last", (_, right) => right).to("out", blackhole());
    },
  },
  "a keyBy on which nothing is called": {
    message: /^nobody reads what keyBy\(…\) gives$/,
    build(env) {
      const from = env.from("in", rows());
      from.map((row) => row).keyBy("k");
      return from.to("out", blackhole());
    },
  },
  "a window that nobody aggregates": {
    message: /^nobody reads what window\(…\) gives$/,
    build(env) {
      const keyed = env.from("in", rows()).eventTime({ at: "ts" }).keyBy("k");
      keyed.window(tumbling("1m")).allowLate("1m");
      return keyed.reduce("last", (_, right) => right).to("out", blackhole());
    },
  },
  "an order that nobody needs": {
    message: /^nobody reads what inOrder\(…\) gives$/,
    build(env) {
      const keyed = env.from("in", rows()).eventTime({ at: "ts" }).keyBy("k");
      keyed.inOrder();
      return keyed.reduce("last", (_, right) => right).to("out", blackhole());
    },
  },
  "two streams that are connected for nothing": {
    message: /^nobody reads what connect\(…\) gives, nor what inOrder\(…\) gives$/,
    build(env) {
      const keyed = env.from("in", rows()).eventTime({ at: "ts" }).keyBy("k");
      keyed.connect(keyed);
      keyed.connect(keyed).inOrder();
      return keyed.reduce("last", (_, right) => right).to("out", blackhole());
    },
  },
};

describe("a stream that leads to no sink is refused at its line", () => {
  for (const [what, { message, build }] of Object.entries(UNREAD)) {
    test(what, async () => {
      const error = await jobRefusal(job({ name: "unread" }, build), /unread-stream\.test/);
      assert.equal(error.code, "STREAM_UNREAD");
      assert.match(error.message, message);
    });

    test(`${what}, unless the job says that it is meant`, async () => {
      const { plan } = await jobBuild(job({ name: "unread", unread: "allow" }, build), {}, BUILD_DEFAULTS);
      assert.ok(plan.operators.length > 1);
    });
  }
});

test("a keyed stream in windows, in order or connected is read once something is called on that", async () => {
  const made = job({ name: "read" }, (env) => {
    const keyed = env.from("in", rows()).eventTime({ at: "ts" }).keyBy("k");
    const other = env.from("other", rows()).eventTime({ at: "ts" }).keyBy("k");
    const own = { out: Row, onLeft: () => undefined, onRight: () => undefined };
    keyed.window(tumbling("1m")).allowLate("1m").aggregate({ n: count() }).to("windows", blackhole());
    keyed.inOrder().aggregate({ n: count() }).to("ordered", blackhole());
    keyed
      .connect(other)
      .inOrder()
      .process({ ...own, uid: "pairs" })
      .to("pairs-out", blackhole());
  });
  await jobBuild(made, {}, BUILD_DEFAULTS);
});

test("an operator is read if one of its outputs is", async () => {
  const made = job({ name: "sides" }, (env) => {
    const parsed = env.from("in", rows()).parse(Row, { invalid: "side" });
    parsed.side.invalid.to("invalid", blackhole());
  });
  await jobBuild(made, {}, BUILD_DEFAULTS);
});

// What user code holds of a process function: its context's methods, its timers, its side outputs.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { blackhole, collection, job, type Stream, state, t } from "../../index.ts";
import { testJob } from "../../testing/index.ts";

type Login = { readonly user: string; readonly at: number };
const Login = t.struct({ user: t.string, at: t.timestamp });
const LOGINS: readonly Login[] = ["ada", "bob", "cyd"].map((user, n) => ({ user, at: n * 1_000 }));

async function rowsOf(build: (logins: Stream<Login>) => void, parallelism = 1) {
  await using run = await testJob(
    job({ name: "guards" }, (env) => {
      build(env.from("in", collection<Login>([], { type: Login })).eventTime({ at: "at" }));
    }),
    { parallelism },
  );
  run.source<Login>("in").push(...LOGINS);
  await run.end();
  const rows = await run.sink("out").rows<{ name: string; key: string; record: { key: string } }>();
  return rows.sort((left, right) => ((left.key ?? left.record.key) < (right.key ?? right.record.key) ? -1 : 1));
}

const TIMERS = LOGINS.map(({ user, at }) => ({ name: "late", at: at + 60_000, key: user, domain: "event" }));

/** A process function whose timers do as `onTimer` says. */
const guard = (logins: Stream<Login>, onTimer: (timer: unknown, ctx: { emit(record: unknown): void }) => void) =>
  logins.keyBy("user").process({
    uid: "guard",
    out: t.any,
    onRecord: ({ at }, { timers }) => timers.set("late", at + 60_000),
    onTimer,
  });

describe("a timer is an object of its own", () => {
  for (const parallelism of [1, 2]) {
    test(`so that it can be emitted (parallelism ${parallelism})`, async () => {
      const build = (logins: Stream<Login>) =>
        void guard(logins, (timer, ctx) => ctx.emit(timer))
          .rebalance()
          .to("out", blackhole());
      assert.deepEqual(await rowsOf(build, parallelism), TIMERS);
    });

    test(`so that those on which onTimer throws go aside one by one (parallelism ${parallelism})`, async () => {
      const build = (logins: Stream<Login>) =>
        void guard(logins, () => {
          throw new Error("no");
        })
          .onError("side")
          .side.errors.rebalance()
          .to("out", blackhole());
      const rows = TIMERS.map((record) => ({ record, error: "Error: no" }));
      assert.deepEqual(await rowsOf(build, parallelism), rows);
    });
  }
});

describe("the methods of a context", () => {
  test("work without it, in onRecord and in onTimer", async () => {
    const build = (logins: Stream<Login>) =>
      void logins
        .keyBy("user")
        .process({
          uid: "guard",
          out: t.any,
          state: { seen: state.value(t.f64, { init: () => 0 }) },
          side: { early: t.any },
          onRecord({ at }, { emit, key, state: { seen }, side: { early }, timers: { set } }) {
            seen.set(seen.get() + 1);
            set("late", at + 60_000);
            early({ key });
            emit({ key, seen: seen.get() });
          },
          onTimer: ({ name, key }, { emit }) => emit({ key: `${key} ${name}` }),
        })
        .to("out", blackhole());
    assert.deepEqual(await rowsOf(build), [
      { key: "ada", seen: 1 },
      { key: "ada late" },
      { key: "bob", seen: 1 },
      { key: "bob late" },
      { key: "cyd", seen: 1 },
      { key: "cyd late" },
    ]);
  });
});

test("a context that is used after its call has returned throws, whatever of it is used", async () => {
  const STATE = {
    value: state.value(t.f64),
    list: state.list(t.f64),
    map: state.map(t.string, t.f64),
    sum: state.reducing(t.f64, (left, right) => left + right),
    count: state.aggregating(t.f64, { create: () => 0, add: (n) => n + 1, merge: (a, b) => a + b, result: (n) => n }),
  };
  const late: Record<string, () => unknown> = {};
  const kept = job({ name: "kept" }, (env) => {
    const left = env.from("in", collection([1])).keyBy((n) => n, t.f64);
    const right = env.from("more", collection([1])).keyBy((n) => n, t.f64);
    left
      .connect(right)
      .process({
        uid: "keeper",
        out: t.f64,
        state: STATE,
        side: { aside: t.f64 },
        onLeft(n, ctx) {
          const { emit, side, timers } = ctx;
          const { value, list, map, sum, count } = ctx.state;
          ctx.timers.set("once", n);
          Object.assign(late, {
            "ctx.emit": () => emit(n),
            "ctx.side.aside": () => side.aside(n),
            "ctx.key": () => ctx.key,
            "ctx.timestamp": () => ctx.timestamp,
            "ctx.timers": () => timers.set("once", n),
            "ctx.timers.processing": () => timers.processing.get("once"),
            "ctx.state.value": () => value.set(n),
            "ctx.state.list": () => list.get(),
            "ctx.state.map": () => map.size,
            "ctx.state.sum": () => sum.add(n),
            "ctx.state.count": () => count.get(),
          });
        },
        onRight(n, ctx) {
          late["ctx.emit "] = () => ctx.emit(n);
          throw new Error("no");
        },
        onTimer(_, ctx) {
          late["ctx.emit  "] = () => ctx.emit(0);
        },
      })
      .onError("skip")
      .to("out", blackhole());
  });
  await using run = await testJob(kept);
  run.source("in").push(1);
  run.source("more").push(1);
  await run.end();
  assert.deepEqual(await run.sink("out").rows(), []);
  assert.equal(Object.keys(late).length, 13);
  for (const [what, use] of Object.entries(late)) {
    assert.throws(use, {
      code: "CONTEXT_USED_LATE",
      operator: "keeper",
      message: `${what.trim()} of "keeper" was used when no call was under way`,
    });
  }
});

test("a timer that no onTimer would hear is an error where it is set, whatever onError says", async () => {
  for (const domain of ["event", "processing"] as const) {
    const deaf = job({ name: "deaf" }, (env) => {
      env
        .from("in", collection([1]))
        .keyBy((n) => n, t.f64)
        .process({
          uid: "deaf",
          out: t.f64,
          onRecord(n, { timers }) {
            (domain === "event" ? timers : timers.processing).set("wake", n);
          },
        })
        .onError("skip")
        .to("out", blackhole());
    });
    await using run = await testJob(deaf);
    run.source("in").push(1);
    await assert.rejects(run.sink("out").rows(), {
      code: "TIMER_WITHOUT_HANDLER",
      operator: "deaf",
      message: /"wake"/,
    });
  }
});

test("a timer in processing time that fails has no event time aside", async () => {
  await using run = await testJob(
    job({ name: "clock" }, (env) => {
      env
        .from("in", collection<Login>([], { type: Login }))
        .keyBy("user")
        .process({
          uid: "guard",
          out: t.any,
          onRecord: (_, { now, timers }) => timers.processing.set("tick", now + 10),
          onTimer() {
            throw new Error("no");
          },
        })
        .onError("side")
        .side.errors.keyBy(() => 0, t.f64)
        .process({ uid: "times", out: t.any, onRecord: (_, { emit, timestamp }) => emit({ timestamp }) })
        .to("out", blackhole());
    }),
  );
  run.source<Login>("in").push({ user: "ada", at: 1 });
  await run.advanceClock("1s");
  assert.deepEqual(await run.sink("out").rows(), [{ timestamp: NaN }]);
});

test("a timer that always sets itself again fires once past the last record, and what was dropped is counted", async () => {
  await using run = await testJob(
    job({ name: "ticks" }, (env) => {
      env
        .from("in", collection<Login>([], { type: Login }))
        .eventTime({ at: "at" })
        .keyBy("user")
        .process({
          uid: "ticks",
          out: t.struct({ at: t.timestamp }),
          onRecord: ({ at }, { timers }) => timers.set("tick", at + 1_000),
          onTimer: ({ at }, { emit, timers }) => {
            emit({ at });
            timers.set("tick", at + 1_000);
          },
        })
        .to("out", blackhole());
    }),
  );
  run.source<Login>("in").push(...LOGINS);
  await run.end();
  const times = (await run.sink("out").rows<{ at: number }>()).map(({ at }) => at).sort((left, right) => left - right);
  assert.deepEqual(times, [1_000, 2_000, 2_000, 3_000, 3_000, 3_000]); // The last record is of 2,000.
  assert.equal(await run.metric("numTimersDropped", "ticks"), LOGINS.length);
});

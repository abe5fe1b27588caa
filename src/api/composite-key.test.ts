// Keys of several fields.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inEveryMode, MODES } from "../../test/api/every-mode.ts";
import { BUILD_DEFAULTS, jobRefusal } from "../../test/api/job-refusal.ts";
import { blackhole, collection, count, type JobEnv, job, print, session, state, sum, t, tumbling } from "../index.ts";
import { compileKeyHash } from "../types/keys/key-hash.ts";
import { jobBuild } from "./job.ts";

const Trade = t.struct({
  symbol: t.string,
  venue: t.enum("X", "Y"),
  at: t.struct({ day: t.i32 }),
  qty: t.f64,
  ts: t.f64,
});
const TRADES = [
  { symbol: "a", venue: "X", at: { day: 1 }, qty: 1, ts: 1 },
  { symbol: "a", venue: "Y", at: { day: 1 }, qty: 10, ts: 2 },
  { symbol: "b", venue: "X", at: { day: 2 }, qty: 100, ts: 3 },
  { symbol: "a", venue: "X", at: { day: 1 }, qty: 1_000, ts: 4 },
  { symbol: "a", venue: "X", at: { day: 2 }, qty: 10_000, ts: 70_000 },
] as const;

const trades = (env: JobEnv) => env.from("in", collection(TRADES, { type: Trade }));
const untyped = (env: JobEnv) => env.from("in", collection(TRADES)).map((trade) => ({ ...trade }));

const GROUPED: Record<string, { build: (env: JobEnv) => unknown; mode?: "batch"; printed: readonly string[] }> = {
  "at the end of a batch, over a combiner": {
    mode: "batch",
    build: (env) =>
      trades(env)
        .keyBy("symbol", "venue")
        .aggregate({ q: sum("qty") })
        .to("out", print()),
    printed: [
      'out { symbol: "a" venue: "X" q: 11001 }',
      'out { symbol: "a" venue: "Y" q: 10 }',
      'out { symbol: "b" venue: "X" q: 100 }',
    ],
  },
  "named in an array, in another order, of records without a type": {
    mode: "batch",
    build: (env) => untyped(env).keyBy(["venue", "symbol"]).aggregate({ n: count() }).to("out", print()),
    printed: [
      'out { venue: "X" symbol: "a" n: 3 }',
      'out { venue: "X" symbol: "b" n: 1 }',
      'out { venue: "Y" symbol: "a" n: 1 }',
    ],
  },
  "with a nested one": {
    mode: "batch",
    build: (env) =>
      trades(env)
        .keyBy("at.day", "symbol")
        .aggregate({ q: sum("qty") })
        .to("out", print()),
    printed: [
      'out { at.day: 1 symbol: "a" q: 1011 }',
      'out { at.day: 2 symbol: "a" q: 10000 }',
      'out { at.day: 2 symbol: "b" q: 100 }',
    ],
  },
  "in windows": {
    build: (env) =>
      trades(env)
        .eventTime({ at: "ts", outOfOrder: "1h", unit: "ms" })
        .keyBy("symbol", "venue")
        .window(tumbling("1m"))
        .aggregate({ q: sum("qty") })
        .map(({ symbol, venue, end, q }) => ({ symbol, venue, end, q }))
        .to("out", print()),
    printed: [
      'out { symbol: "a" venue: "X" end: 120000 q: 10000 }',
      'out { symbol: "a" venue: "X" end: 60000 q: 1001 }',
      'out { symbol: "a" venue: "Y" end: 60000 q: 10 }',
      'out { symbol: "b" venue: "X" end: 60000 q: 100 }',
    ],
  },
  "in sessions": {
    build: (env) =>
      trades(env)
        .eventTime({ at: "ts", outOfOrder: "1h", unit: "ms" })
        .keyBy("symbol", "venue")
        .window(session("1m"))
        .aggregate({ n: count() })
        .map(({ symbol, venue, n }) => ({ symbol, venue, n }))
        .to("out", print()),
    printed: [
      'out { symbol: "a" venue: "X" n: 1 }',
      'out { symbol: "a" venue: "X" n: 2 }',
      'out { symbol: "a" venue: "Y" n: 1 }',
      'out { symbol: "b" venue: "X" n: 1 }',
    ],
  },
  "in a process function, connected to a key by a function": {
    build(env) {
      const byFunction = env
        .from("other", collection(TRADES, { type: Trade }))
        .keyBy(({ symbol, venue }) => ({ symbol, venue }), t.struct({ symbol: t.string, venue: t.enum("X", "Y") }));
      trades(env)
        .keyBy("venue", "symbol")
        .connect(byFunction)
        .process({
          uid: "both",
          state: { left: state.value(t.f64, { init: () => 0 }), right: state.value(t.f64, { init: () => 0 }) },
          out: t.struct({ key: t.string, left: t.f64, right: t.f64 }),
          onLeft(_, { key, state: { left }, timers }) {
            left.set(left.get() + 1);
            assert.deepEqual(Object.keys(key).sort(), ["symbol", "venue"]);
            timers.set("end", Number.MAX_SAFE_INTEGER);
          },
          onRight: (_, { state: { right } }) => right.set(right.get() + 1),
          onTimer({ key }, { emit, state: { left, right } }) {
            emit({ key: `${key.symbol} ${key.venue}`, left: left.get(), right: right.get() });
          },
        })
        .to("out", print());
    },
    printed: [
      'out { key: "a X" left: 3 right: 3 }',
      'out { key: "a Y" left: 1 right: 1 }',
      'out { key: "b X" left: 1 right: 1 }',
    ],
  },
};

describe("a key of several fields groups by all of them, which are columns of the rows", () => {
  for (const [what, { build, mode, printed }] of Object.entries(GROUPED)) {
    test(what, async () => {
      const modes = MODES.filter(({ store }) => store === "managed");
      for (const outcome of await inEveryMode(() => job({ name: "keys", mode: mode ?? "stream" }, build), modes)) {
        assert.equal(outcome.error, null, outcome.mode.name);
        assert.deepEqual(outcome.printed, printed, outcome.mode.name);
      }
    });
  }
});

test("equal parts are one key with one hash, in whatever order the fields are named", async () => {
  const specs = await Promise.all(
    [["symbol", "venue"] as const, ["venue", "symbol"] as const].map(async ([a, b]) => {
      const made = job({ name: "keys" }, (env) =>
        trades(env).keyBy(a, b).aggregate({ n: count() }).to("out", blackhole()),
      );
      const { plan } = await jobBuild(made, {}, BUILD_DEFAULTS);
      return plan.operators.find(({ kind }) => kind === "aggregate")?.key?.type;
    }),
  );
  assert.deepEqual(specs[0], specs[1]);
  const struct = t.struct({ venue: t.enum("X", "Y"), symbol: t.string }).spec;
  const key = { symbol: "a", venue: "X" };
  assert.equal(compileKeyHash(specs[0]!, "fields")(key), compileKeyHash(struct, "function")(key));
});

const keyed = (env: JobEnv) => trades(env).keyBy("symbol");

test("what is no set of fields is refused at its line", async () => {
  const wrong: [string, readonly unknown[]][] = [
    ["KEY_FIELDS", ["symbol", "symbol"]],
    ["KEY_FIELDS", [[]]],
    ["KEY_FIELDS", [["symbol", 5]]],
    ["FIELD_UNKNOWN", ["symbol", "venu"]],
  ];
  for (const [code, by] of wrong) {
    const made = job({ name: "keys" }, (env) =>
      (trades(env) as unknown as { keyBy(...by: readonly unknown[]): ReturnType<typeof keyed> })
        .keyBy(...by)
        .aggregate({ n: count() })
        .to("out", blackhole()),
    );
    assert.equal((await jobRefusal(made, /composite-key\.test/)).code, code);
  }
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BUILD_DEFAULTS, jobRefusal } from "../../../test/api/job-refusal.ts";
import type { EngineError } from "../../base/errors.ts";
import {
  aggregate,
  blackhole,
  col,
  collect,
  count,
  csv,
  distinctCount,
  first,
  generate,
  job,
  last,
  max,
  maxBy,
  mean,
  min,
  minBy,
  print,
  quantile,
  stddev,
  sum,
  t,
  tumbling,
  variance,
  weightedMean,
} from "../../index.ts";
import { jobBuild } from "../job.ts";

const Row = t.struct({ id: t.f64, name: t.string, at: t.struct({ lat: t.f64 }).nullable(), note: t.string.optional() });
const rows = generate(1, (id) => ({ id, name: "n", at: null }), { type: Row as never });

// biome-ignore lint/suspicious/noExplicitAny: what JavaScript and casts let through
type Anything = any;

/** The error of a job that does this with a stream of rows; it has to name a place in this file. */
async function refusal(build: (rows: Anything, env: Anything) => void): Promise<EngineError> {
  const declared = job({ name: "wrong" }, (env) => {
    const stream = env.from("rows", rows);
    build(stream, env);
    stream.to("out", blackhole());
  });
  const error = await jobRefusal(declared, /check-argument\.test\.ts$/);
  assert.match(error.fix ?? "", /\S/);
  return error;
}

const UPSERT = { kind: "upsert", key: ["id"], deletes: true };

const changing = (changelog: unknown, type: unknown = t.struct({ id: t.string }).spec) => {
  return (_: unknown, env: { from(uid: string, source: unknown): unknown }) =>
    env.from("x", { ...csv("rows.csv"), changelog, type });
};

describe("what is no argument of a call is refused there, when the job is built", () => {
  const declaration = { uid: "p", out: Row, onRecord() {} };
  const connected = { uid: "p", out: Row, onLeft() {}, onRight() {} };
  const calls: readonly [code: string, message: RegExp, build: (rows: Anything, env: Anything) => void][] = [
    ["STREAM_EXPECTED", /^union takes streams, not undefined$/, (s) => s.union(undefined)],
    ["STREAM_EXPECTED", /^union takes streams, not an instance of Keyed$/, (s) => s.union(s, s.keyBy("id"))],
    ["STREAM_EXPECTED", /^connect takes a keyed stream, not an instance of Stream$/, (s) => s.keyBy("id").connect(s)],
    ["STREAM_EXPECTED", /^connect takes a keyed stream, not undefined$/, (s) => s.keyBy("id").connect()],
    [
      "KEY_TYPES_DIFFER",
      /keys are strings and numbers$/,
      (s) => s.keyBy("name").connect(s.keyBy("id")).process(connected),
    ],
    [
      "KEY_TYPES_DIFFER",
      /keys are \{ a: numbers \} and \{ a: strings \}$/,
      (s) => {
        const right = s.keyBy(() => ({ a: "" }), t.struct({ a: t.string }));
        s.keyBy(() => ({ a: 1 }), t.struct({ a: t.i32 })).connect(right);
      },
    ],
    ["PROCESS_INVALID", /^process takes a declaration, not undefined$/, (s) => s.keyBy("id").process()],
    [
      "PROCESS_INVALID",
      /^process takes a declaration, not a function$/,
      (s) =>
        s
          .keyBy("id")
          .connect(s.keyBy("id"))
          .process(() => undefined),
    ],
    ["SCHEMA_EXPECTED", /^out takes a type/, (s) => s.keyBy("id").process({ ...declaration, out: undefined })],
    ["SCHEMA_EXPECTED", /^side output x takes/, (s) => s.keyBy("id").process({ ...declaration, side: { x: "t" } })],
    ["SCHEMA_EXPECTED", /^parse takes a type, not an object$/, (s) => s.parse({})],
    ["SCHEMA_EXPECTED", /^map takes a type/, (s) => s.map("text", () => "")],
    ["SCHEMA_EXPECTED", /^flatMap takes a type/, (s) => s.flatMap(null, () => [])],
    ["SCHEMA_EXPECTED", /^keyBy takes a type/, (s) => s.keyBy(() => 1, "f64")],
    ["WINDOW_INVALID", /not string "1m"$/, (s) => s.eventTime({ at: "id" }).keyBy("id").window("1m")],
    ["WINDOW_INVALID", /not undefined$/, (s) => s.eventTime({ at: "id" }).keyBy("id").window()],
    ["UID_MISSING", /^sink print has no uid$/, (s) => s.to(print())],
    ["UID_MISSING", /^reduce has no uid$/, (s) => s.keyBy("id").reduce((a: unknown) => a)],
    ["UID_MISSING", /^source csv has no uid$/, (_, env) => env.from(csv("rows.csv"))],
    ["SINK_INVALID", /^"x" has no sink: it is undefined$/, (s) => s.to("x")],
    ["SINK_INVALID", /^"x" has no sink: it is an object$/, (s) => s.to("x", {})],
    ["SOURCE_INVALID", /^"x" has no source: it is null$/, (_, env) => env.from("x", null)],
    ["SOURCE_INVALID", /^the changelog of the source "x" has the kind string "upsrt"$/, changing({ kind: "upsrt" })],
    ["SOURCE_INVALID", /^the changelog of the source "x" has the kind undefined$/, changing("retract")],
    ["SOURCE_INVALID", /has no fields as its key$/, changing({ kind: "upsert", key: [], deletes: true })],
    [
      "SOURCE_INVALID",
      /has in its key string "nope", which is no field$/,
      changing({ ...UPSERT, key: ["id", "nope"] }),
    ],
    ["SOURCE_INVALID", /has in its key number 1, which is no field$/, changing({ ...UPSERT, key: [1] }, null)],
    ["SOURCE_INVALID", /does not say whether there are deletes$/, changing({ ...UPSERT, deletes: undefined })],
    [
      "SINK_INVALID",
      /^the sink "x" takes string "upserts"$/,
      (s) => s.to("x", { ...blackhole(), takes: "upserts" } as never),
    ],
    [
      "SINK_INVALID",
      /^the guarantee of the sink "x" is string "exactly"$/,
      (s) => s.to("x", { ...blackhole(), guarantee: "exactly" } as never),
    ],
    [
      "SINK_INVALID",
      /^the sink "x" is idempotent-upsert, and takes no rows by their key$/,
      (s) => s.to("x", { ...blackhole(), guarantee: "idempotent-upsert" }),
    ],
    [
      "SOURCE_INVALID",
      /^the type of the source "x" is an object, not a layout$/,
      (_, env) => env.from("x", { ...csv("rows.csv"), type: t.struct({ id: t.f64 }) }),
    ],
    ["CALL_MISPLACED", /^a keyed stream has no method map$/, (s) => s.keyBy("id").map((row: unknown) => row)],
    ["CALL_MISPLACED", /^a stream without a key has no method aggregate$/, (s) => s.aggregate({ n: count() })],
    [
      "CALL_MISPLACED",
      /^a stream in windows has no method to$/,
      (s) => s.eventTime({ at: "id" }).keyBy("id").window(tumbling("1m")).to("x", print()),
    ],
    ["CALL_MISPLACED", /^a pair of .* no method map$/, (s) => s.keyBy("id").connect(s.keyBy("id")).map(String)],
    ["ORDER_WITHOUT_EVENT_TIME", /^inOrder needs event times/, (s) => s.keyBy("id").inOrder()],
    [
      "ORDER_WITHOUT_EVENT_TIME",
      /^inOrder needs event times/,
      (s) => s.eventTime({ at: "id" }).keyBy("id").connect(s.keyBy("id")).inOrder(),
    ],
    [
      "CALL_MISPLACED",
      /^a keyed stream in event-time order has no method window$/,
      (s) => s.eventTime({ at: "id" }).keyBy("id").inOrder().window(tumbling("1m")),
    ],
    [
      "CALL_MISPLACED",
      /^a keyed stream in event-time order has no method connect$/,
      (s) => s.eventTime({ at: "id" }).keyBy("id").inOrder().connect(s.keyBy("id")),
    ],
    [
      "SIDE_NAME_RESERVED",
      /^process function "p" names a side output "late"$/,
      (s) =>
        s
          .eventTime({ at: "id" })
          .keyBy("id")
          .inOrder()
          .process({ ...declaration, side: { late: Row } }),
    ],
    ["CALL_MISPLACED", /^a sink has no method map$/, (s) => s.to("x", print()).map(String)],
    ["JOB_BUILDER_THREW", /s\.mapp is not a function$/, (s) => s.mapp(String)],
    ["SIDE_OUTPUT_UNKNOWN", /"errors": it has none$/, (s) => s.map(String).side.errors.to("x", print())],
    [
      "SIDE_OUTPUT_UNKNOWN",
      /"lat": it has late$/,
      (s) => s.eventTime({ at: "id" }).keyBy("id").window(tumbling("1m")).aggregate({ n: count() }).side.lat.to("x"),
    ],
    ["SIDE_OUTPUT_UNKNOWN", /"late": it has none$/, (_, env) => env.from("x", csv("a")).side.late.to("y", print())],
    ...["start", "end"].map((name): [string, RegExp, (s: Anything) => void] => [
      "WINDOW_KEY_NAME",
      new RegExp(`^the key is called "${name}"`),
      (s) =>
        s
          .map(() => ({ k: 1, [name]: 1 }))
          .eventTime({ at: "k" })
          .keyBy("k", name)
          .window(tumbling("1m"))
          .aggregate({ n: count() }),
    ]),
    ["SINK_WITHOUT_INPUT", /^the sink string "x" has no input/, (_, env) => env.to("x", print())],
    ["SIDE_OUTPUT_OFF", /^the source "x" sets no invalid rows/, (_, env) => env.from("x", csv("a")).side.invalid],
  ];
  for (const [code, message, build] of calls) {
    test(`${code}: ${message.source}`, async () => {
      const error = await refusal(build);
      assert.equal(error.code, code);
      assert.match(error.message, message);
    });
  }

  test("the fix of a wrong call names the right one", async () => {
    const fixOf = async (build: (rows: Anything, env: Anything) => void) => (await refusal(build)).fix;
    assert.equal(await fixOf((s) => s.mapp(String)), "did you mean .map(…)?");
    assert.equal(await fixOf((_, env) => env.form("x")), "did you mean .from(…)?");
    assert.equal(await fixOf((s) => s.reduce("x", String)), 'key it first: .keyBy("…").reduce(…)');
    assert.equal(await fixOf((s) => s.parse(Row, { invalid: "side" }).side.invalids), "did you mean .side.invalid?");
    assert.equal(await fixOf(() => (1 as Anything).map(String)), "mend the builder; it runs before the job starts");
  });

  test("keys that can be equal can be connected, and keys of unknown type", async () => {
    const declared = job({ name: "fine" }, (env) => {
      const stream: Anything = env.from("rows", rows);
      const learned = stream.map((row: unknown) => row).keyBy("id");
      const pairs = [
        [stream.keyBy("id"), stream.keyBy(() => 1, t.i32)],
        [stream.keyBy("name"), stream.keyBy(() => "a", t.enum("a", "b"))],
        [stream.keyBy("name"), learned],
      ];
      pairs.forEach(([left, right], index) => {
        left
          .connect(right)
          .process({ ...connected, uid: `p${index}` })
          .to(`out${index}`, blackhole());
      });
      env.from("set-aside", csv("a.csv", { invalid: "side" })).side.invalid.to("invalid", blackhole());
    });
    await jobBuild(declared, {}, BUILD_DEFAULTS);
  });
});

describe("a field that a declared type does not have is refused when the job is built", () => {
  const aggregates: Readonly<Record<string, Anything>> = {
    count: count("idd" as never),
    sum: sum("idd" as never),
    min: min("idd" as never),
    max: max("idd" as never),
    mean: mean("idd" as never),
    value: weightedMean("idd" as never, "id" as never),
    weight: weightedMean("id" as never, "idd" as never),
    variance: variance("idd" as never),
    stddev: stddev("idd" as never),
    first: first("idd" as never),
    last: last("idd" as never),
    minBy: minBy("idd" as never),
    maxBy: maxBy("id" as never, "idd" as never),
    collect: collect("idd" as never),
    quantile: quantile("idd" as never, 0.5),
    distinctCount: distinctCount("idd" as never),
    expression: sum(col("id").add(col("idd")) as never),
    orElse: sum(col("idd").orElse(0) as never),
  };
  const builds: readonly (readonly [what: string, build: (rows: Anything) => void])[] = [
    ["filter", (s) => s.filter(col("idd").gt(3))],
    ["filter", (s) => s.filter(col("name").eq("n").and(col("idd").isNull().not()))],
    ["eventTime", (s) => s.eventTime({ at: "idd" })],
    ["keyBy", (s) => s.keyBy("idd")],
    ...Object.entries(aggregates).map(([name, one]) => {
      const build = (s: Anything) => s.keyBy("name").aggregate({ ok: count(), [name]: one });
      return [`aggregate ${name}`, build] as const;
    }),
  ];
  for (const [what, build] of builds) {
    test(`by ${what}`, async () => {
      const error = await refusal(build);
      assert.equal(error.code, "FIELD_UNKNOWN");
      assert.equal(error.message, `${what} names the field "idd", which the records do not have`);
      assert.equal(error.fix, 'did you mean "id"? The records have id, name, at, note');
    });
  }

  test("also a nested one", async () => {
    const error = await refusal((s) => s.filter(col("at.lon").gt(3)));
    assert.equal(error.message, 'filter names the field "at.lon", which the records do not have');
    assert.equal(error.fix, 'did you mean "at.lat"? The records have at.lat');
  });

  test("but not an optional one, a nested one that is there, or one of a type that is not declared", async () => {
    const whole = aggregate({
      create: () => 0,
      add: (n: number) => n,
      merge: (n: number) => n,
      result: (n: number) => n,
    });
    const declared = job({ name: "fine" }, (env) => {
      const stream: Anything = env.from("rows", rows);
      stream.filter(col("note").eq("x").or(col("at.lat").gt(1))).to("a", blackhole());
      stream
        .map((row: unknown) => row)
        .filter(col("any.thing").gt(1))
        .to("b", blackhole());
      stream.keyBy("id").aggregate({ whole, all: collect() }).to("c", blackhole());
    });
    await jobBuild(declared, {}, BUILD_DEFAULTS);
  });
});

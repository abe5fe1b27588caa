import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { BUILD_DEFAULTS, jobRefusal } from "../../test/api/job-refusal.ts";
import type { EngineError } from "../base/errors.ts";
import {
  aggregate,
  blackhole,
  collect,
  collection,
  count,
  csv,
  datagen,
  distinctCount,
  gen,
  generate,
  job,
  jsonl,
  minBy,
  print,
  quantile,
  session,
  sliding,
  state,
  sum,
  t,
  tumbling,
} from "../index.ts";
import { jobBuild } from "./job.ts";

// What JavaScript and casts let through: the builders as functions of anything.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Anything = any;
type Build = (rows: Anything) => unknown;
const loose = <T>(value: T): Anything => value;
const [anyCsv, anyJsonl, anyDatagen, anyGenerate] = [csv, jsonl, datagen, generate].map(loose);
const [anyJob, anyCollection, anyPrint, anyState, anyGen] = [job, collection, print, state, gen].map(loose);
const [anyTumbling, anySliding, anySession] = [tumbling, sliding, session].map(loose);
const [anyCollect, anyQuantile, anyDistinct, anySum, anyMinBy, anyAggregate] = [
  collect,
  quantile,
  distinctCount,
  sum,
  minBy,
  aggregate,
].map(loose);

const Row = t.struct({ id: t.f64, name: t.string });
const Foreign = z.object({ id: z.number() });
const process = { uid: "p", out: Row, onRecord() {} };
const one = (): number => 1;

async function refusal(build: Build): Promise<EngineError> {
  const declared = job({ name: "wrong" }, (env) => {
    const rows = env.from(
      "rows",
      generate(1, (id) => ({ id, name: "n" }), { type: Row }),
    );
    rows.to("out", blackhole());
    build(rows);
  });
  return jobRefusal(declared, /check-options\.test\.ts$/);
}

describe("an option that no builder reads is refused where it is written, with the one that was meant", () => {
  const cases: readonly [of: string, given: string, meant: string, build: Build][] = [
    ["job", "parms", "params", () => anyJob({ name: "j", parms: Row }, one)],
    ["parse", "invald", "invalid", (s) => s.parse(Row, { invald: "side" })],
    ["eventTime", "outOfOrdr", "outOfOrder", (s) => s.eventTime({ at: "id", outOfOrdr: "5s" })],
    ["tumbling", "zoen", "zone", () => anyTumbling("1d", { zoen: "UTC" })],
    ["sliding", "ofset", "offset", () => anySliding("1d", "1h", { ofset: "1h" })],
    ["process", "ontimer", "onTimer", (s) => s.keyBy("id").process({ ...process, ontimer() {} })],
    ["process", "stat", "state", (s) => s.keyBy("id").process({ ...process, stat: {} })],
    [
      "process",
      "onleft",
      "onLeft",
      (s) =>
        s
          .keyBy("id")
          .connect(s.keyBy("id"))
          .process({ uid: "p", out: Row, onleft() {}, onRight() {} }),
    ],
    ["state.value", "int", "init", () => anyState.value(t.f64, { int: one })],
    ["state.list", "tll", "ttl", () => anyState.list(t.f64, { tll: "1d" })],
    ["state.map", "tll", "ttl", () => anyState.map(t.string, t.f64, { tll: "1d" })],
    ["state.reducing", "tll", "ttl", () => anyState.reducing(t.f64, one, { tll: "1d" })],
    [
      "state.aggregating",
      "tll",
      "ttl",
      () => anyState.aggregating(t.f64, { create: one, add: one, merge: one, result: one }, { tll: "1d" }),
    ],
    ["csv", "delimitr", "delimiter", () => anyCsv("f", { delimitr: ";" })],
    ["csv", "delimeter", "delimiter", () => anyCsv("f", { delimeter: ";" })],
    ["jsonl", "invlid", "invalid", () => anyJsonl("f", { invlid: "skip" })],
    ["roll", "row", "rows", () => anyJsonl("f", { roll: { row: 5 } })],
    ["generate", "rat", "rate", () => anyGenerate(1, one, { rat: 5 })],
    ["datagen", "coount", "count", () => anyDatagen({ fields: {}, coount: 3 })],
    ["gen.string", "lenght", "length", () => anyGen.string({ distinct: 1, lenght: 4 })],
    ["gen.timestamp", "jiter", "jitter", () => anyGen.timestamp({ start: 0, step: 1, jiter: 1 })],
    ["collection", "typ", "type", () => anyCollection([], { typ: Row })],
    ["print", "limt", "limit", () => anyPrint({ limt: 1 })],
    ["table", "lst", "last", () => anyPrint({ table: { lst: 1 } })],
    ["collect", "limt", "limit", () => anyCollect("id", { limt: 1 })],
    ["quantile", "eror", "error", () => anyQuantile("id", 0.5, { eror: 0.1 })],
    ["distinctCount", "eror", "error", () => anyDistinct("id", { eror: 0.1 })],
  ];
  for (const [of, given, meant, build] of cases) {
    test(`${of}: ${given}`, async () => {
      const { code, message, fix } = await refusal(build);
      assert.deepEqual([code, message], ["OPTION_UNKNOWN", `${of} has no option "${given}"`]);
      assert.equal(fix, `did you mean ${meant}?`);
    });
  }

  test("with all there are when none is near", async () => {
    const { fix } = await refusal((s) => s.parse(Row, { onMistake: "skip" }));
    assert.equal(fix, "it has invalid");
  });
});

const OPTION = "OPTION_INVALID";
const CONNECTOR = "CONNECTOR_OPTION_INVALID";
const SCHEMA = "SCHEMA_EXPECTED";

describe("a value that no builder takes is refused where it is written", () => {
  const cases: readonly [code: string, message: string, fix: RegExp, build: Build][] = [
    [
      OPTION,
      'the option mode of job is string "Batch"',
      /did you mean "batch"/,
      () => anyJob({ name: "j", mode: "Batch" }, one),
    ],
    [SCHEMA, "params takes a type, not an object", /t\.\*/, () => anyJob({ name: "j", params: {} }, one)],
    [
      SCHEMA,
      "params takes a type, not an object",
      /t\.struct\(\{ n: …/,
      () => anyJob({ name: "j", params: { n: t.i32 } }, one),
    ],
    [
      OPTION,
      'the option invalid of parse is string "sid"',
      /did you mean "side"/,
      (s) => s.parse(Row, { invalid: "sid" }),
    ],
    [OPTION, 'parse takes its options in an object, not string "side"', /invalid/, (s) => s.parse(Row, "side")],
    [OPTION, 'the policy of onError is string "skp"', /did you mean "skip"/, (s) => s.map(one).onError("skp")],
    [OPTION, "the policy of onError is undefined", /one of "fail"/, (s) => s.map(one).onError()],
    [
      OPTION,
      'the option unit of eventTime is string "h"',
      /"ms", "s", "us"/,
      (s) => s.eventTime({ at: "id", unit: "h" }),
    ],
    [OPTION, "the option at of eventTime is undefined", /the name of the field/, (s) => s.eventTime({})],
    [OPTION, "eventTime takes its options in an object, not undefined", /at, /, (s) => s.eventTime()],
    [
      "DURATION_MALFORMED",
      "the option outOfOrder of eventTime is not a duration: 5",
      /"5s"/,
      (s) => s.eventTime({ at: "id", outOfOrder: 5 }),
    ],
    [
      "DURATION_MALFORMED",
      "the option idle of eventTime is not a duration: 5",
      /"5s"/,
      (s) => s.eventTime({ at: "id", idle: 5 }),
    ],
    [
      OPTION,
      'the option idle of eventTime is string "0.5ms"',
      /at least "1ms"/,
      (s) => s.eventTime({ at: "id", idle: "0.5ms" }),
    ],
    [
      "DURATION_MALFORMED",
      "the time of allowLate is not a duration: 5",
      /"5s"/,
      (s) => s.eventTime({ at: "id" }).keyBy("id").window(tumbling("1m")).allowLate(5),
    ],
    ["DURATION_MALFORMED", "the gap of a window is not a duration: 60000", /"5s"/, () => anySession(60_000)],
    [OPTION, 'tumbling takes its options in an object, not string "UTC"', /zone/, () => anyTumbling("1d", "UTC")],
    ["WINDOW_ZONE", "not a time zone: 5", /IANA/, () => anySliding("1d", "1h", { zone: 5 })],
    [OPTION, "the name of an operator is number 5", /text/, (s) => s.map(one).name(5)],
    [OPTION, 'the slot-sharing group is string ""', /text/, (s) => s.map(one).slotGroup("")],
    [OPTION, "the slot-sharing group is number 5", /text/, (s) => s.to("x", blackhole()).slotGroup(5)],
    [OPTION, 'the name of a sink is string ""', /text/, (s) => s.to("x", blackhole()).name("")],
    [
      "PROCESS_INVALID",
      'process: the state "v" is an object',
      /state\.value/,
      (s) => s.keyBy("id").process({ ...process, state: { v: t.f64 } }),
    ],
    [
      "PROCESS_INVALID",
      "process: the state is number 5",
      /state\.value/,
      (s) => s.keyBy("id").process({ ...process, state: 5 }),
    ],
    [
      "PROCESS_INVALID",
      'process: the side outputs are string "late"',
      /side: /,
      (s) => s.keyBy("id").process({ ...process, side: "late" }),
    ],
    [
      "FUNCTION_EXPECTED",
      "process.onTimer takes a function, not null",
      /process\(\{ uid, out, onTimer\(/,
      (s) => s.keyBy("id").process({ ...process, onTimer: null }),
    ],
    [SCHEMA, "state.value takes a type, not undefined", /such as t\.string/, () => anyState.value()],
    [SCHEMA, "the value of state.map takes a type, not undefined", /t\.\*/, () => anyState.map(t.string)],
    [OPTION, "the option init of state.value is number 0", /a function/, () => anyState.value(t.f64, { init: 0 })],
    [
      "DURATION_MALFORMED",
      'the option ttl of state.list is not a duration: "a week"',
      /"5s"/,
      () => anyState.list(t.f64, { ttl: "a week" }),
    ],
    [
      OPTION,
      'the option ttl of state.value is string "0ms"',
      /at least "1ms"/,
      () => anyState.value(t.f64, { ttl: "0ms" }),
    ],
    [
      OPTION,
      'the option ttl of state.map is string "0.5ms"',
      /at least "1ms"/,
      () => anyState.map(t.string, t.f64, { ttl: "0.5ms" }),
    ],
    [
      "FUNCTION_EXPECTED",
      "the second argument of state.reducing is undefined",
      /a function/,
      () => anyState.reducing(t.f64),
    ],
    [
      "AGGREGATE_FUNCTION",
      "a custom aggregate without create: undefined",
      /four functions/,
      () => anyState.aggregating(t.f64),
    ],
    ["AGGREGATE_FUNCTION", "a custom aggregate without create: undefined", /four functions/, () => anyAggregate()],
    [
      "AGGREGATE_EXPECTED",
      'the result "d" is an object',
      /write { d: count\(\) }/,
      (s) => s.keyBy("id").aggregate({ d: {} }),
    ],
    [
      "AGGREGATE_EXPECTED",
      'the result "c" is string "count"',
      /did you mean count\(/,
      (s) => s.keyBy("id").aggregate({ c: "count" }),
    ],
    [
      "AGGREGATE_EXPECTED",
      'the result "c" is a function',
      /did you mean count\(/,
      (s) => s.keyBy("id").aggregate({ c: count }),
    ],
    ["AGGREGATES_EMPTY", "no aggregates", /count/, (s) => s.keyBy("id").aggregate()],
    ["FIELD_PATH_MALFORMED", "an aggregate reads undefined, which is no field", /sum/, () => anySum()],
    ["FIELD_PATH_MALFORMED", "an aggregate reads number 1, which is no field", /sum/, () => anyMinBy("id", 1)],
    [OPTION, "collect takes its options in an object, not number 5", /limit/, () => anyCollect(5)],
    ["AGGREGATE_QUANTILE", "not a quantile: undefined", /0 to 1/, () => anyQuantile("id")],
    [CONNECTOR, "an option cannot be used: the path of csv is undefined", /environment/, () => anyCsv(undefined)],
    [
      CONNECTOR,
      "an option cannot be used: the path of jsonl is undefined",
      /environment/,
      () => anyJsonl(["a", undefined]),
    ],
    [
      CONNECTOR,
      'the option invalid of csv is string "fial"',
      /did you mean "fail"/,
      () => anyCsv("f", { invalid: "fial" }),
    ],
    [CONNECTOR, 'the option header of csv is string "no"', /true or false/, () => anyCsv("f", { header: "no" })],
    [CONNECTOR, 'the option columns of csv is string "a,b"', /array of texts/, () => anyCsv("f", { columns: "a,b" })],
    [
      CONNECTOR,
      'the option mode of jsonl is string "apend"',
      /did you mean "append"/,
      () => anyJsonl("f", { mode: "apend" }),
    ],
    [CONNECTOR, 'the option compression of jsonl is string "gz"', /"gzip"/, () => anyJsonl("f", { compression: "gz" })],
    [
      SCHEMA,
      "the type of csv takes a type, not a schema of zod",
      /\.parse\(schema\)/,
      () => anyCsv("f", { type: Foreign }),
    ],
    [SCHEMA, 'the type of generate takes a type, not string "x"', /t\.\*/, () => anyGenerate(1, one, { type: "x" })],
    ["FUNCTION_EXPECTED", "generate takes a function, not undefined", /generate\(1e6, \(index\)/, () => anyGenerate(1)],
    [
      "DATAGEN_INVALID",
      'the option seed of generate is string "x"',
      /a number/,
      () => anyGenerate(1, one, { seed: "x" }),
    ],
    [
      "DATAGEN_INVALID",
      'the field "a" of datagen is number 5, which makes no values',
      /gen\./,
      () => anyDatagen({ fields: { a: 5 } }),
    ],
    ["DATAGEN_INVALID", "datagen takes its options in an object, not undefined", /count/, () => anyDatagen()],
    [
      "DATAGEN_INVALID",
      "gen.timestamp takes its options in an object, not undefined",
      /start/,
      () => anyGen.timestamp(),
    ],
    [CONNECTOR, "csv takes its options in an object, not a type alone", /\{ type: … \}/, () => anyCsv("in.csv", Row)],
    [CONNECTOR, "the first argument of collection is undefined", /an array/, () => anyCollection()],
    [CONNECTOR, "the option limit of print is number -1", /from 0 on/, () => anyPrint({ limit: -1 })],
    [CONNECTOR, "table takes its options in an object, not number 20", /last/, () => anyPrint({ table: 20 })],
  ];
  for (const [code, message, fix, build] of cases) {
    test(message, async () => {
      const error = await refusal(build);
      assert.deepEqual([error.code, error.message], [code, message]);
      assert.match(error.fix ?? "", fix);
    });
  }
});

describe("a schema of another library is refused where values are not validated by it", () => {
  const keyed = (s: Anything): Anything => s.keyBy("id");
  const cases: Readonly<Record<string, Build>> = {
    map: (s) => s.map(Foreign, one),
    flatMap: (s) => s.flatMap(Foreign, one),
    keyBy: (s) => s.keyBy(one, z.number()),
    out: (s) => keyed(s).process({ ...process, out: Foreign }),
    "side output late": (s) => keyed(s).process({ ...process, side: { late: Foreign } }),
    "state.value": () => anyState.value(Foreign),
    "state.list": () => anyState.list(Foreign),
    "the key of state.map": () => anyState.map(z.string(), t.f64),
    'the field "id" of t.struct': () => t.struct({ id: loose(z.number()) }),
    "t.list": () => t.list(loose(Foreign)),
  };
  for (const [what, build] of Object.entries(cases)) {
    test(what, async () => {
      const error = await refusal(build);
      assert.equal(error.code, "SCHEMA_EXPECTED");
      assert.equal(error.message, `${what} takes a type, not a schema of zod`);
      assert.match(error.fix ?? "", /t\.\*.*\.parse\(schema\)/);
    });
  }

  test("but not in parse and as params", async () => {
    const declared = job({ name: "fine", params: z.object({}) }, (env) => {
      env
        .from("in", collection([{ id: 1 }]))
        .parse(Foreign, { invalid: "skip" })
        .to("out", print({ limit: 0 }));
    });
    await jobBuild(declared, {}, BUILD_DEFAULTS);
  });
});

// What users declare holds: records, state and times that do not fit their type are refused at the user's line, whether
// operators are chained, in one slot or in several, under checks or not.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inEveryMode, MODES } from "../../../test/api/every-mode.ts";
import {
  blackhole,
  collection,
  count,
  generate,
  type Job,
  job,
  type Keyed,
  type Source,
  session,
  state,
  t,
  tumbling,
} from "../../index.ts";

const In = t.struct({ k: t.string, v: t.f64 });
const ROWS = [
  { k: "a", v: 1 },
  { k: "b", v: 2 },
];

/** What a type of `t` does not admit, behind the compiler's back. */
const WRONG = {
  "a text for a number": [t.struct({ k: t.string, a: t.f64 }), { k: "a", a: "1" }],
  "a fraction for t.i32": [t.struct({ k: t.string, a: t.i32 }), { k: "a", a: 1.5 }],
  "2^70 for t.i64": [t.struct({ k: t.string, a: t.i64 }), { k: "a", a: 2n ** 70n }],
  "null for a text": [t.struct({ k: t.string, a: t.string }), { k: "a", a: null }],
  "a field that is missing": [t.struct({ k: t.string, a: t.f64 }), { k: "a" }],
  "a field that nobody declared": [t.struct({ k: t.string, a: t.f64 }), { k: "a", a: 1, b: 2 }],
} as unknown as Record<string, [typeof In, { k: string; v: number }]>;

const MAKERS: Record<string, (type: typeof In, wrong: { k: string; v: number }) => Job> = {
  "map, in a chain": (type, wrong) =>
    job({ name: "map" }, (env) => {
      env
        .from("in", collection(ROWS))
        .map(type, () => wrong)
        .uid("wrong")
        .to("out", blackhole());
    }),
  "map, over an exchange of all fields": (type, wrong) =>
    job({ name: "exchange" }, (env) => {
      env
        .from("in", collection(ROWS))
        .map(type, () => wrong)
        .uid("wrong")
        .rebalance()
        .map((record) => record)
        .to("out", blackhole());
    }),
  "map, over an exchange of some fields": (type, wrong) =>
    job({ name: "projection" }, (env) => {
      env
        .from("in", collection(ROWS))
        .map(type, () => wrong)
        .uid("wrong")
        .keyBy("k")
        .aggregate({ n: count() })
        .to("out", blackhole());
    }),
  flatMap: (type, wrong) =>
    job({ name: "flatMap" }, (env) => {
      env
        .from("in", collection(ROWS))
        .flatMap(type, () => [wrong])
        .uid("wrong")
        .to("out", blackhole());
    }),
  emit: (out, wrong) =>
    job({ name: "emit" }, (env) => {
      env
        .from("in", collection(ROWS))
        .keyBy("k")
        .process({ uid: "wrong", out, onRecord: (_, { emit }) => emit(wrong) })
        .to("out", blackhole());
    }),
  "emit of a timer": (out, wrong) =>
    job({ name: "timer" }, (env) => {
      env
        .from("in", collection(ROWS))
        .keyBy("k")
        .process({
          uid: "wrong",
          out,
          onRecord: (_, { timers }) => timers.set("t", 1),
          onTimer: (_, { emit }) => emit(wrong),
        })
        .to("out", blackhole());
    }),
  "a side output": (aside, wrong) =>
    job({ name: "side" }, (env) => {
      const all = env
        .from("in", collection(ROWS))
        .keyBy("k")
        .process({ uid: "wrong", out: In, side: { aside }, onRecord: (_, { side }) => side.aside(wrong) });
      all.to("out", blackhole());
      all.side.aside.to("aside", blackhole());
    }),
  "state that is set": (type, wrong) =>
    job({ name: "state" }, (env) => {
      env
        .from("in", collection(ROWS))
        .keyBy("k")
        .process({
          uid: "wrong",
          state: { it: state.value(type) },
          out: In,
          onRecord: (_, ctx) => ctx.state.it.set(wrong),
        })
        .to("out", blackhole());
    }),
  "a record of collection": (type, wrong) =>
    job({ name: "collection" }, (env) => {
      env.from("wrong", collection([wrong], { type })).to("out", blackhole());
    }),
  "a generated record": (type, wrong) =>
    job({ name: "generate" }, (env) => {
      env
        .from(
          "wrong",
          generate(2, () => wrong, { type }),
        )
        .to("out", blackhole());
    }),
  "a source of one's own": (type, wrong) =>
    job({ name: "own source" }, (env) => {
      const source: Source<{ k: string; v: number }> = { ...collection([wrong], { type }), kind: "own" };
      env.from("wrong", source).to("out", blackhole());
    }),
};

for (const [what, make] of Object.entries(MAKERS)) {
  describe(`${what} is held to its type`, () => {
    for (const [wrong, [type, record]] of Object.entries(WRONG)) {
      test(wrong, async () => {
        const modes = what.startsWith("state") ? MODES : MODES.filter(({ store }) => store === "managed");
        for (const { error, mode } of await inEveryMode(() => make(type, record), modes)) {
          assert.equal(error?.code, "CODEC_MISMATCH", mode.name);
          assert.equal(error?.operator, "wrong", mode.name);
        }
      });
    }
  });
}

test("keys are held to their type, those of state as well", async () => {
  const rows = collection([{ at: 0 }], { type: t.struct({ at: t.timestamp }) });
  const keyed = (name: string, end: (stream: Keyed<{ at: number }, number, { key: number }>) => unknown) => () =>
    job({ name }, (env) => {
      const stream = env.from("in", rows).eventTime({ at: "at" });
      end(stream.keyBy(() => 1.5, t.i32));
    });
  const process = (entry: number) => ({
    uid: "process",
    state: { m: state.map(t.i32, t.f64) },
    out: t.f64,
    onRecord: (_: unknown, ctx: { state: { m: { set(key: number, value: number): void } } }) => {
      ctx.state.m.set(entry, 1);
    },
  });
  const jobs = [
    keyed("running", (stream) => stream.aggregate({ n: count() }).to("out", blackhole())),
    keyed("window", (stream) => stream.window(tumbling("1m")).aggregate({ n: count() }).to("out", blackhole())),
    keyed("session", (stream) => stream.window(session("1m")).aggregate({ n: count() }).to("out", blackhole())),
    keyed("process", (stream) => stream.process(process(1)).to("out", blackhole())),
    keyed("in order", (stream) => stream.inOrder().process(process(1)).to("out", blackhole())),
    () =>
      job({ name: "map state" }, (env) => {
        env.from("in", rows).keyBy("at").process(process(1.5)).to("out", blackhole());
      }),
  ];
  for (const make of jobs) {
    for (const { error, mode } of await inEveryMode(make)) {
      assert.equal(error?.code, "KEY_INVALID", `${make().name}, ${mode.name}`);
      assert.match(error?.message ?? "", /the number 1\.5, where the key's type is i32/);
    }
  }
});

test("what a reduce gives is held to the type of its records", async () => {
  const reducing = () =>
    job({ name: "reduce" }, (env) => {
      env
        .from("in", collection([...ROWS, ...ROWS], { type: In }))
        .keyBy("k")
        .reduce("wrong", (left) => ({ ...left, v: "1" as unknown as number }))
        .to("out", blackhole());
    });
  for (const { error, mode } of await inEveryMode(reducing)) {
    assert.equal(error?.code, "CODEC_MISMATCH", mode.name);
    assert.equal(error?.operator, "wrong", mode.name);
  }
});

test("records of files are made by their type, and those of other sources are checked", async () => {
  const { csv, jsonl } = await import("../../index.ts");
  assert.equal(csv("x.csv", { type: In }).fits, true);
  assert.equal(jsonl("x.jsonl", { type: In }).fits, true);
  assert.equal(collection(ROWS, { type: In }).fits, undefined);
});

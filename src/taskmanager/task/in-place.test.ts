// What user code changes in place: state, accumulators, records that were handed on.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inEveryMode } from "../../../test/api/every-mode.ts";
import { aggregate, collection, type Job, job, min, print, state, t } from "../../index.ts";
import type { StateDeclaration } from "../../operators/process/state-declaration.ts";
import { testJob } from "../../testing/index.ts";

const Row = t.struct({ k: t.string, v: t.f64 });
const Acc = t.struct({ n: t.f64, seen: t.list(t.f64), by: t.map(t.string, t.f64), at: t.date });
type Changeable = { n: number; seen: number[]; by: Map<string, number>; at: Date };
const fresh = (): Changeable => ({ n: 0, seen: [], by: new Map(), at: new Date(0) });
const rows = () => [1, 2, 3].map((v) => ({ k: "a", v }));

/** Reads state, changes it, and does not set it. */
function changing(declared: StateDeclaration<unknown>, change: (state: never, first: boolean) => unknown): Job {
  return job({ name: "changing" }, (env) => {
    let first = true;
    env
      .from("in", collection(rows(), { type: Row }))
      .keyBy("k")
      .process({
        uid: "p",
        state: { it: declared },
        out: t.struct({ it: t.string }),
        onRecord(_record, ctx) {
          ctx.emit({ it: JSON.stringify(change(ctx.state.it as never, first)) });
          first = false;
        },
      })
      .to("out", print());
  });
}

type Value = { get(): Changeable; set(value: Changeable): void };
type List = { get(): Changeable[]; add(value: Changeable): void };
type Entries = {
  get(key: string): Changeable;
  set(key: string, value: Changeable): void;
  values(): Iterable<Changeable>;
};

const CHANGES: Record<string, () => Job> = {
  "a field of a value": () =>
    changing(state.value(Acc, { init: fresh }), (it: Value, first) => {
      if (first) it.set(fresh());
      it.get().n += 1;
      return it.get().n;
    }),
  "a list in a value": () =>
    changing(state.value(Acc, { init: fresh }), (it: Value) => {
      it.set(fresh());
      it.get().seen.push(1);
      return it.get().seen;
    }),
  "a map in a value": () =>
    changing(state.value(Acc, { init: fresh }), (it: Value) => {
      it.set(fresh());
      it.get().by.set("x", 1);
      return [...it.get().by];
    }),
  "a date in a value": () =>
    changing(state.value(Acc, { init: fresh }), (it: Value) => {
      it.set(fresh());
      it.get().at.setTime(5);
      return it.get().at;
    }),
  "an initial value": () =>
    changing(state.value(Acc, { init: fresh }), (it: Value) => {
      it.get().n += 1;
      return it.get().n;
    }),
  "a value of any type": () =>
    changing(state.value(t.any), (it: Value, first) => {
      if (first) it.set(fresh());
      it.get().n += 1;
      return it.get().n;
    }),
  "an item of a list": () =>
    changing(state.list(Acc), (it: List) => {
      it.add(fresh());
      it.get()[0]!.n += 1;
      return it.get();
    }),
  "the array of a list": () =>
    changing(state.list(Acc), (it: List) => {
      it.get().push(fresh());
      return it.get();
    }),
  "a value that was added": () =>
    changing(state.list(Acc), (it: List) => {
      const item = fresh();
      it.add(item);
      item.n = 99;
      return it.get();
    }),
  "an entry of a map": () =>
    changing(state.map(t.string, Acc), (it: Entries) => {
      it.set("x", fresh());
      it.get("x").n += 1;
      return it.get("x").n;
    }),
  "an entry that was walked to": () =>
    changing(state.map(t.string, Acc), (it: Entries) => {
      it.set("x", fresh());
      for (const value of it.values()) value.n += 1;
      return it.get("x").n;
    }),
};

describe("state changed in place is the same in both stores, and an error with the line under checks", () => {
  for (const [what, make] of Object.entries(CHANGES)) {
    test(what, async () => {
      const outcomes = await inEveryMode(make);
      const inSlots = outcomes.filter(({ mode }) => !mode.checks);
      for (const { printed, error, mode } of inSlots) {
        assert.equal(error, null, mode.name);
        assert.deepEqual(printed, inSlots[0]?.printed, mode.name);
      }
      for (const { error } of outcomes.filter(({ mode }) => mode.checks)) {
        assert.equal(error?.code, "RECORD_MUTATED");
        assert.equal(error?.operator, "p");
        assert.match((error?.cause as Error | undefined)?.stack ?? "", /in-place\.test\.ts/);
      }
    });
  }

  test("in tests, too", async () => {
    const run = await testJob(CHANGES["a field of a value"]!());
    run.source("in").push({ k: "a", v: 1 });
    await assert.rejects(run.settle(), { code: "RECORD_MUTATED" });
    await run[Symbol.asyncDispose]();
  });
});

describe("what a folding function has made is its own to change and give back", () => {
  const ZERO = { n: 0, all: [] as number[] };
  const FOLDS: Record<string, { make: () => Job; printed: readonly string[] }> = {
    "the left value of a reduce": {
      make: () =>
        job({ name: "reduce" }, (env) => {
          const keyed = env.from("in", collection(rows(), { type: Row })).keyBy("k");
          keyed
            .reduce("sum", (left, right) => {
              left.v += right.v;
              return left;
            })
            .to("out", print());
          keyed.aggregate({ least: min("v") }).to("least", print());
        }),
      printed: [
        'least { k: "a" least: 1 }',
        'least { k: "a" least: 1 }',
        'least { k: "a" least: 1 }',
        'out { k: "a" v: 1 }',
        'out { k: "a" v: 3 }',
        'out { k: "a" v: 6 }',
      ],
    },
    "an accumulator that create gives to every group, and result gives out": {
      make: () =>
        job({ name: "custom" }, (env) => {
          env
            .from("in", collection([...rows(), { k: "b", v: 7 }], { type: Row }))
            .map((row) => row)
            .parallelism(1)
            .keyBy("k")
            .aggregate({
              all: aggregate({
                create: () => ZERO,
                add(into, record: { v: number }) {
                  into.all.push(record.v);
                  into.n += 1;
                  return into;
                },
                merge: (left) => left,
                result: (into) => into,
              }),
            })
            .map(({ k, all }) => ({ k, n: all.n, all: all.all.join() }))
            .to("out", print());
        }),
      printed: [
        'out { k: "a" n: 1 all: "1" }',
        'out { k: "a" n: 2 all: "1,2" }',
        'out { k: "a" n: 3 all: "1,2,3" }',
        'out { k: "b" n: 1 all: "7" }',
      ],
    },
  };

  for (const [what, { make, printed }] of Object.entries(FOLDS)) {
    test(what, async () => {
      for (const outcome of await inEveryMode(make)) {
        assert.equal(outcome.error, null, outcome.mode.name);
        assert.deepEqual(outcome.printed, printed, outcome.mode.name);
      }
    });
  }
});

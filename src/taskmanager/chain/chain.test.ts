// Generated chains, through jobs under test: every kind of stateless operator, and what happens when user functions
// misbehave.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import {
  aggregate,
  blackhole,
  col,
  collection,
  count,
  generate,
  job,
  type Sink,
  type Source,
  type Stream,
  state,
  t,
} from "../../index.ts";
import { testJob } from "../../testing/index.ts";
import { simulateJob } from "../../testing/simulate-job.ts";

type Row = { readonly n: number };
const Row = t.struct({ n: t.f64 });

/** A stream of whatever. */
type AnyStream = { to(uid: string, sink: Sink<unknown>): unknown };

/** Rows through `build`, chained or not, to "out" and whatever else it declares. */
async function through(build: (rows: Stream<Row>) => AnyStream, ns: readonly number[], parallelism = 1) {
  const run = await testJob(
    job({ name: "chain" }, (env) => {
      build(env.from("in", collection<Row>([], { type: Row }))).to("out", blackhole());
    }),
    {
      parallelism,
      config: { "pipeline.operator-chaining.enabled": parallelism < 3, "millrace.task.overdraft-records": 10_000 },
    },
  );
  run.source<Row>("in").push(...ns.map((n) => ({ n })));
  return run;
}

async function rowsThrough(build: (rows: Stream<Row>) => AnyStream, ns: readonly number[], parallelism = 1) {
  await using run = await through(build, ns, parallelism);
  return run.sink("out").rows();
}

const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe("operators of a chain, and the same ones behind exchanges", () => {
  for (const parallelism of [1, 3]) {
    const kind = parallelism === 1 ? "chained" : "not chained";
    const sorted = (rows: unknown[]) => rows.map((row) => JSON.stringify(row)).sort();
    const check = async (build: (rows: Stream<Row>) => AnyStream, ns: number[], expected: unknown[]) =>
      assert.deepEqual(sorted(await rowsThrough(build, ns, parallelism)), sorted(expected));

    test(`map, filter by function and by expression (${kind})`, async () => {
      await check((rows) => rows.map(({ n }) => ({ twice: 2 * n })), [1, 2], [{ twice: 2 }, { twice: 4 }]);
      await check((rows) => rows.filter(({ n }) => n % 2 === 1), range(5), [{ n: 1 }, { n: 3 }]);
      await check((rows) => rows.filter(col("n").gt(2)).map(({ n }) => n), range(5), [3, 4]);
    });

    test(`flatMap with arrays and with generators, one behind the other, more than the outputs hold (${kind})`, async () => {
      const build = (rows: Stream<Row>) =>
        rows
          .flatMap(({ n }) => [n, n + 1])
          .flatMap(function* (n) {
            for (let i = 0; i < 1_000; i += 1) yield n * 1_000 + i;
          })
          .rebalance()
          .map((n) => n);
      const expected = [0, 1, 1, 2].flatMap((n) => range(1_000).map((i) => n * 1_000 + i));
      await check(build, [0, 1], expected);
    });

    test(`flatMap with arrays that no output has room for, and which the function uses again (${kind})`, async () => {
      const own: number[] = [];
      const build = (rows: Stream<Row>) =>
        rows
          .flatMap(({ n }) => {
            own.length = 0;
            for (let i = 0; i < 50_000; i += 1) own.push(2 * i + n);
            return own;
          })
          .flatMap((n) => [n])
          .rebalance()
          .map((n) => n);
      await check(build, [0, 1], range(100_000));
    });

    test(`union and a stream read twice (${kind})`, async () => {
      await check(
        (rows) =>
          rows
            .map(({ n }) => n)
            .union(
              rows.map(({ n }) => -n),
              rows.map(({ n }) => `${n}`),
            ),
        [1, 2],
        [1, 2, -1, -2, "1", "2"],
      );
    });
  }
});

describe("a user function that throws", () => {
  const picky = ({ n }: Row): Row => {
    if (n === 2) throw new RangeError("two is too much");
    return { n };
  };

  test("fails the job with the record shown, unless told otherwise", async () => {
    const run = await through((rows) => rows.map(picky), range(5));
    await assert.rejects(run.settle(), {
      code: "USER_FUNCTION_THREW",
      message: /RangeError: two is too much on the record \{ n: 2 \}/,
    });
    await run[Symbol.asyncDispose]();
  });

  const guarded: Record<string, (rows: Stream<Row>) => Stream<Row>> = {
    map: (rows) => rows.map(picky),
    filter: (rows) => rows.filter((row) => picky(row).n >= 0),
    flatMap: (rows) => rows.flatMap((row) => [picky(row)]),
    "flatMap by a generator": (rows) =>
      rows.flatMap(function* (row) {
        yield picky(row);
      }),
  };
  for (const [name, build] of Object.entries(guarded)) {
    test(`${name}: onError("skip") leaves the record out and counts it`, async () => {
      await using run = await through((rows) => build(rows).onError("skip"), range(5));
      assert.deepEqual(await run.sink("out").rows(), [{ n: 0 }, { n: 1 }, { n: 3 }, { n: 4 }]);
      assert.equal(await run.metric("numRecordsInErrors"), 1);
      assert.equal(await run.metric("numRecordsInErrors.RangeError: two is too much"), 1);
    });

    test(`${name}: onError("side") sets it aside with the reason`, async () => {
      const build2 = (rows: Stream<Row>) => {
        const split = build(rows).onError("side");
        split.side.errors.to("errors", blackhole());
        return split;
      };
      await using run = await through(build2, range(5));
      assert.deepEqual(await run.sink("out").rows(), [{ n: 0 }, { n: 1 }, { n: 3 }, { n: 4 }]);
      assert.deepEqual(await run.sink("errors").rows(), [{ record: { n: 2 }, error: "RangeError: two is too much" }]);
    });
  }

  test("a generator that throws after it was stopped by a full output follows the policy, too", async () => {
    const build = (rows: Stream<Row>) =>
      rows
        .flatMap(function* ({ n }) {
          for (let i = 0; i < 5_000; i += 1) yield { n: i };
          if (n === 0) throw new Error("late");
        })
        .onError("skip")
        .rebalance()
        .map(({ n }) => n);
    await using run = await through(build, [0, 1], 2);
    assert.equal((await run.sink("out").rows()).length, 10_000);
    assert.equal(await run.metric("numRecordsInErrors"), 1);
  });

  test("an error behind a guarded operator is not taken for its own", async () => {
    const run = await through(
      (rows) =>
        rows
          .map((row) => ({ ...row }))
          .onError("skip")
          .map(picky),
      range(5),
    );
    await assert.rejects(run.settle(), { code: "USER_FUNCTION_THREW" });
    await run[Symbol.asyncDispose]();
  });
});

const promise = Promise.resolve(1);
const OWN = { uid: "own", out: t.any } as const;
const whole = {
  create: () => 0,
  add: (n: number, { n: more }: Row) => n + more,
  merge: (a: number, b: number) => a + b,
  result: (n: number): unknown => n,
};
/** All of one key. */
const one = (rows: Stream<Row>) => rows.keyBy(() => 1, t.f64);

describe("a user function that returns what it must not", () => {
  const cases: Record<string, readonly [string, (rows: Stream<Row>) => AnyStream]> = {
    "a promise from map": ["FUNCTION_RETURNED_PROMISE", (rows) => rows.map((row) => Promise.resolve(row)) as never],
    "a promise from filter": ["FUNCTION_RETURNED_PROMISE", (rows) => rows.filter(() => Promise.resolve(true) as never)],
    "a promise from flatMap": ["FUNCTION_RETURNED_PROMISE", (rows) => rows.flatMap(() => Promise.resolve([]) as never)],
    "promises in an array of flatMap": ["FUNCTION_RETURNED_PROMISE", (rows) => rows.flatMap(() => [promise])],
    "promises from a generator of flatMap": [
      "FUNCTION_RETURNED_PROMISE",
      (rows) =>
        rows.flatMap(function* () {
          yield promise;
        }),
    ],
    "a promise that a process function emits": [
      "FUNCTION_RETURNED_PROMISE",
      (rows) => rows.keyBy("n").process({ ...OWN, onRecord: (_, ctx) => ctx.emit(promise) }),
    ],
    "a promise that it emits to a side": [
      "FUNCTION_RETURNED_PROMISE",
      (rows) =>
        rows.keyBy("n").process({ ...OWN, side: { aside: t.any }, onRecord: (_, ctx) => ctx.side.aside(promise) }),
    ],
    "a promise from reduce": ["FUNCTION_RETURNED_PROMISE", (rows) => one(rows).reduce("own", () => promise as never)],
    "a promise from reducing state": [
      "FUNCTION_RETURNED_PROMISE",
      (rows) =>
        one(rows).process({
          ...OWN,
          state: { sum: state.reducing(t.any, () => promise) },
          onRecord: ({ n }, ctx) => ctx.state.sum.add(n),
        }),
    ],
    "a promise from aggregating state": [
      "FUNCTION_RETURNED_PROMISE",
      (rows) =>
        one(rows).process({
          ...OWN,
          state: { sum: state.aggregating(t.any, { ...whole, add: () => promise }) },
          onRecord: (row, ctx) => ctx.state.sum.add(row),
        }),
    ],
    "a promise from an aggregate's add": [
      "FUNCTION_RETURNED_PROMISE",
      (rows) => one(rows).aggregate({ own: aggregate({ ...whole, add: () => promise as never }) }),
    ],
    "a promise from an aggregate's result": [
      "FUNCTION_RETURNED_PROMISE",
      (rows) => one(rows).aggregate({ own: aggregate({ ...whole, result: () => promise }) }),
    ],
    "a promise from keyBy": [
      "KEY_INVALID",
      (rows) => rows.keyBy(() => promise as never, t.f64).aggregate({ n: count() }),
    ],
    "a promise from eventTime": ["TIMESTAMP_TYPE", (rows) => rows.eventTime({ at: () => promise as never })],
    "a promise from partitionBy": ["PARTITION_OUT_OF_RANGE", (rows) => rows.partitionBy(() => promise as never)],
    "no records from flatMap": ["FLATMAP_NOT_ITERABLE", (rows) => rows.flatMap(() => undefined as never)],
    "text from flatMap": ["FLATMAP_NOT_ITERABLE", (rows) => rows.flatMap(() => "abc" as never)],
    "a channel out of range": ["PARTITION_OUT_OF_RANGE", (rows) => rows.partitionBy(() => 7)],
    "a bigint for a channel": ["PARTITION_OUT_OF_RANGE", (rows) => rows.partitionBy(() => 0n as never)],
    "an object without a prototype for a channel": [
      "PARTITION_OUT_OF_RANGE",
      (rows) => rows.partitionBy(() => Object.create(null) as never),
    ],
    "no event time": ["TIMESTAMP_MISSING", (rows) => rows.eventTime({ at: () => undefined as never })],
    "an event time in seconds": ["TIMESTAMP_IN_SECONDS", (rows) => rows.eventTime({ at: () => 1_700_000_000 })],
  };
  for (const [name, [code, build]] of Object.entries(cases)) {
    test(`${name} fails the job with ${code}`, async () => {
      const run = await through(build, [1, 1]);
      await assert.rejects(run.settle(), { code, message: name.includes("promise") ? /a promise/ : /./ });
      await run[Symbol.asyncDispose]();
    });
  }
});

describe("records of a source that are promises", () => {
  const given: Record<string, () => Source<unknown>> = {
    generated: () => generate(4, (n) => Promise.resolve(n)),
    "of a collection": () => collection([1, Promise.resolve(2)]),
  };
  for (const [name, source] of Object.entries(given)) {
    test(`fail the job when they are ${name}`, async () => {
      const promising = job({ name: "promising" }, (env) => {
        env
          .from("in", source())
          .map((record) => ({ record }))
          .to("out", blackhole());
      });
      const { error } = await simulateJob(promising, { seed: 1 });
      assert.deepEqual([error?.code, error?.operator], ["FUNCTION_RETURNED_PROMISE", "in"]);
      assert.match(error?.message ?? "", /source "in".* a promise/);
    });
  }

  test("asynchronous functions are refused when they are declared", () => {
    const code = "FUNCTION_ASYNC";
    assert.throws(() => generate(4, async (n) => n), { code, message: /of generate is/ });
    const add = async (): Promise<never> => assert.fail();
    assert.throws(() => aggregate({ ...whole, add: add as never }), { code, message: /of aggregate\.add is/ });
    assert.throws(() => state.reducing(t.any, add), { code, message: /of state\.reducing is/ });
    assert.throws(() => state.aggregating(t.any, { ...whole, add: add as never }), { code });
  });
});

describe("under checks a record is held to its declared type at once, in the middle of a chain", () => {
  const odd = { n: "str" } as never as Row;
  const message = /^field n is string "str", not f64, in a record that leaves "own": \{ n: 'str' \}$/;
  const cases: Record<string, (rows: Stream<Row>) => AnyStream> = {
    map: (rows) => rows.map(Row, () => odd).uid("own"),
    flatMap: (rows) => rows.flatMap(Row, () => [odd]).uid("own"),
    "flatMap by a generator, whatever its policy": (rows) =>
      rows
        .flatMap(Row, function* () {
          yield odd;
        })
        .uid("own")
        .onError("skip"),
    "process function": (rows) => rows.keyBy("n").process({ ...OWN, out: Row, onRecord: (_, ctx) => ctx.emit(odd) }),
    "side output": (rows) =>
      rows.keyBy("n").process({ ...OWN, side: { aside: Row }, onRecord: (_, ctx) => ctx.side.aside(odd) }).side.aside,
  };
  for (const [name, build] of Object.entries(cases)) {
    test(`of a ${name}`, async () => {
      const run = await through(build, [1]);
      await assert.rejects(run.settle(), { code: "CODEC_MISMATCH", operator: "own", message });
      await run[Symbol.asyncDispose]();
    });
  }

  test("of a source", async () => {
    const sources = [generate(4, () => odd, { type: Row }), collection([odd], { type: Row })];
    for (const source of sources) {
      const misread = job({ name: "misread" }, (env) => {
        env.from("own", source).to("out", blackhole());
      });
      const { error } = await simulateJob(misread, { seed: 1 });
      assert.deepEqual([error?.code, error?.operator], ["CODEC_MISMATCH", "own"]);
      assert.match(error?.message ?? "", message);
    }
  });
});

describe("parse", () => {
  const Even = z.object({ n: z.number().refine((n) => n % 2 === 0, "odd") });

  test("invalid records fail the job, are skipped and counted, or go aside with their issues", async () => {
    const failing = await through((rows) => rows.parse(Even), [2, 3]);
    await assert.rejects(failing.settle(), { code: "RECORD_INVALID", message: /n: odd/ });
    await failing[Symbol.asyncDispose]();
    {
      await using run = await through((rows) => rows.parse(Even, { invalid: "skip" }), [2, 3, 4]);
      assert.deepEqual(await run.sink("out").rows(), [{ n: 2 }, { n: 4 }]);
      assert.equal(await run.metric("numRecordsInErrors.n: odd"), 1);
    }
    const aside = (rows: Stream<Row>) => {
      const split = rows.parse(Even, { invalid: "side" });
      split.side.invalid.to("invalid", blackhole());
      return split;
    };
    await using run = await through(aside, [2, 3, 4]);
    assert.deepEqual(await run.sink("out").rows(), [{ n: 2 }, { n: 4 }]);
    assert.deepEqual(await run.sink("invalid").rows(), [{ raw: { n: 3 }, issues: ["n: odd"] }]);
  });
});

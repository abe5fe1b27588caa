// What user functions throw, and what the engine throws at them: who is told of it, and what `onError` decides about.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  aggregate,
  blackhole,
  collection,
  job,
  type Sink,
  type Stream,
  session,
  state,
  t,
  tumbling,
  UserError,
} from "../../index.ts";
import { type TestJobOptions, testJob } from "../../testing/index.ts";

const Row = t.struct({ n: t.f64, at: t.timestamp });
type Row = { readonly n: number; readonly at: number };
type AnyStream = { to(uid: string, sink: Sink<unknown>): unknown };

const KEEPER = { uid: "keeper", out: t.any } as const;

/** Rows 0, 1, 2 … through `build` into "out", then the end of the input. */
async function through(build: (rows: Stream<Row>) => AnyStream, count = 4, options: TestJobOptions = {}) {
  const run = await testJob(
    job({ name: "failures" }, (env) => {
      build(env.from("in", collection<Row>([], { type: Row }))).to("out", blackhole());
    }),
    options,
  );
  run.source<Row>("in").push(...Array.from({ length: count }, (_, n) => ({ n, at: n * 1_000 })));
  run.source("in").end();
  return run;
}

type Expected = { readonly code: string; readonly operator?: string; readonly message?: RegExp; readonly fix?: RegExp };

async function fails(
  build: (rows: Stream<Row>) => AnyStream,
  expected: Expected,
  { count = 4, ...options }: TestJobOptions & { readonly count?: number } = {},
) {
  const run = await through(build, count, options);
  await assert.rejects(run.settle(), expected);
  await run[Symbol.asyncDispose]();
}

const boom = (): never => {
  throw new RangeError("boom");
};

describe("onError decides about what concerns one record", () => {
  const cases: Record<string, (rows: Stream<Row>) => unknown> = {
    "an error of the engine's class that the user's function throws": (rows) =>
      rows.map((row) => {
        if (row.n === 1) throw new UserError("MY_OWN", "one");
        return row;
      }),
    "a flatMap result that is no iterable": (rows) => rows.flatMap((row) => (row.n === 1 ? (7 as never) : [row])),
    "a value that does not fit its state": (rows) =>
      rows
        .keyBy(() => "", t.string)
        .process({
          ...KEEPER,
          state: { last: state.value(t.f64) },
          onRecord({ n }, ctx) {
            ctx.state.last.set(n === 1 ? ("one" as never) : n);
            ctx.emit(n);
          },
        }),
    "a function of eventTime that throws": (rows) => rows.eventTime({ at: ({ n, at }) => (n === 1 ? boom() : at) }),
    "an event time that is none": (rows) => rows.eventTime({ at: ({ n, at }) => (n === 1 ? NaN : at) }),
  };
  for (const [name, declare] of Object.entries(cases)) {
    const build = declare as (rows: Stream<Row>) => Stream<unknown>;
    test(`${name} is skipped, or set aside`, async () => {
      {
        await using run = await through((rows) => build(rows).onError("skip"));
        assert.equal((await run.sink("out").rows()).length, 3);
        assert.equal(await run.metric("numRecordsInErrors"), 1);
      }
      await using run = await through((rows) => {
        const split = build(rows).onError("side");
        split.side.errors.to("errors", blackhole());
        return split;
      });
      const [first, ...more] = await run.sink("errors").rows<{ record: Row }>();
      assert.deepEqual([first?.record.n, more], [1, []]);
    });
  }
});

describe("onError decides nothing about", () => {
  const process = (onRecord: (row: Row, ctx: { emit(value: unknown): void }) => unknown) => (rows: Stream<Row>) =>
    rows
      .keyBy("n")
      .process({ ...KEEPER, onRecord: onRecord as never })
      .onError("skip");

  test("a budget that is used up", async () => {
    const hoard = (rows: Stream<Row>) =>
      rows
        .keyBy("n")
        .process({
          ...KEEPER,
          state: { note: state.value(t.string) },
          onRecord: (_, ctx) => ctx.state.note.set("x".repeat(1_000)),
        })
        .onError("skip");
    const config = { "taskmanager.memory.managed.size": "2mb" };
    await fails(hoard, { code: "STATE_BUDGET_EXCEEDED", operator: "keeper" }, { count: 4_000, config });
  });

  test("what one call emits beyond all room, and the call's further records are not worked on", async () => {
    let mapped = 0;
    const config = { "millrace.task.overdraft-records": 1_000 };
    const emits = process((_, { emit }) => {
      for (let n = 0; n < 100_000; n += 1) emit(n);
    });
    const spread = (rows: Stream<Row>) =>
      emits(rows)
        .map((n) => {
          mapped += 1;
          return n;
        })
        .rebalance()
        .map((n) => n);
    await fails(spread, { code: "EMIT_OVERDRAFT", operator: "keeper" }, { parallelism: 2, config });
    assert.ok(mapped < 20_000, `${mapped} records after the failure`);
  });

  test("functions that are wrong for every record", async () => {
    const promised = () => Promise.resolve([]) as never;
    const code = "FUNCTION_RETURNED_PROMISE";
    await fails((rows) => rows.map(promised).onError("skip"), { code });
    await fails((rows) => rows.flatMap(promised).onError("skip"), { code });
    await fails(process(promised), { code });
    const changing = (row: Row) => {
      (row as { n: number }).n += 1;
      return row;
    };
    await fails((rows) => rows.map(changing).onError("skip"), { code: "RECORD_MUTATED" });
  });
});

describe("a function that throws is told of at its own operator", () => {
  const code = "USER_FUNCTION_THREW";
  const noPolicy = /^(?!.*onError)/;

  test("a function of keyBy and of partitionBy: at the operator that takes the records", async () => {
    const keyed = (rows: Stream<Row>) =>
      rows
        .keyBy(({ n }) => (n === 2 ? boom() : n), t.f64)
        .aggregate({ n: aggregate({ create: () => 0, add: (n) => n, merge: (n) => n, result: (n) => n }) })
        .uid("sums");
    const message = /keyBy before "sums" threw RangeError: boom on the record \{ n: 2, at: 2000 \}/;
    await fails(keyed, { code, operator: "sums", message, fix: noPolicy });
    const parted = (rows: Stream<Row>) =>
      rows
        .partitionBy(boom)
        .map(({ n }) => n)
        .uid("numbers");
    const partedBy = /partitionBy before "numbers" threw RangeError: boom on the record \{ n: 0, at: 0 \}/;
    await fails(parted, { code, operator: "numbers", message: partedBy, fix: noPolicy });
  });

  test("onTimer: with the timer and its key", async () => {
    const timed = (rows: Stream<Row>) =>
      rows
        .eventTime({ at: "at" })
        .keyBy("n")
        .process({ ...KEEPER, onRecord: ({ at }, ctx) => ctx.timers.set("late", at + 5), onTimer: boom });
    const message = /onTimer of process "keeper" threw RangeError: boom on the timer "late" of the key 0 at 5/;
    await fails(timed, { code, operator: "keeper", message });
  });

  const custom = { create: () => 0, add: (n: number) => n + 1, merge: (a: number, b: number) => a + b };
  const whole = { ...custom, result: (n: number) => n };
  const steps: Record<string, readonly [Partial<typeof whole>, RegExp]> = {
    create: [{ create: boom }, /create of the aggregate "own" threw RangeError: boom for a new group/],
    add: [{ add: boom }, /add of the aggregate "own" threw RangeError: boom on the record \{ n: 0, at: 0 \}/],
    merge: [{ merge: boom }, /merge of the aggregate "own" threw RangeError: boom on the accumulators/],
    result: [{ result: boom }, /result of the aggregate "own" threw RangeError: boom on the accumulator 1/],
  };
  for (const [step, [functions, message]] of Object.entries(steps)) {
    test(`${step} of an aggregate of one's own`, async () => {
      const own = aggregate({ ...whole, ...functions });
      const expected = { code, operator: "sums", message, fix: noPolicy };
      const keyed = (rows: Stream<Row>) => rows.eventTime({ at: "at" }).keyBy("n");
      if (step !== "merge") {
        await fails((rows) => keyed(rows).aggregate({ own }).uid("sums"), expected);
        const window = tumbling("1m");
        await fails((rows) => keyed(rows).window(window).aggregate({ own }).uid("sums"), expected);
      } else {
        const at = ({ n }: Row) => [0, 20_000, 10_000][n] ?? 15_000; // The third joins the sessions of the first two.
        const all = (rows: Stream<Row>) => rows.eventTime({ at }).keyBy(() => 1, t.f64);
        await fails((rows) => all(rows).window(session("15s")).aggregate({ own }).uid("sums"), expected);
      }
    });
  }
});

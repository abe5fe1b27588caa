// What a batch job's aggregates give at their end comes to what is behind them in time: further aggregates with their
// combiners, windows, timers.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ChangesKept } from "../../../test/connectors/changes.ts";
import { collection, count, type JobEnv, job, max, type Stream, sum, t, tumbling } from "../../index.ts";
import type { Sink } from "../../operators/sink.ts";
import { simulateJob } from "../../testing/simulate-job.ts";

const Visit = t.struct({ user: t.string, page: t.string, at: t.f64 });
type Visit = { readonly user: string; readonly page: string; readonly at: number };

const VISITS: readonly Visit[] = Array.from({ length: 500 }, (_, n) => {
  return { user: `u${(n * n) % 37}`, page: `p${n % 5}`, at: 10_000 + n * 10 };
});

type Row = Readonly<Record<string, unknown>>;
type Rows = { to(uid: string, sink: Sink<unknown>): unknown };

/** What a job over the visits gives, as sorted lines, at each parallelism. */
async function given(build: (visits: Stream<Visit>) => Rows): Promise<readonly (readonly string[])[]> {
  const all: string[][] = [];
  for (const parallelism of [1, 2, 3]) {
    const kept = new ChangesKept<unknown>();
    const batch = job({ name: "batch", mode: "batch" }, (env: JobEnv) => {
      build(env.from("visits", collection(VISITS, { type: Visit }))).to("out", kept.sink());
    });
    const { error } = await simulateJob(batch, { seed: parallelism, parallelism });
    assert.equal(error, null);
    all.push(kept.got.map(({ row }) => JSON.stringify(row)).sort());
  }
  return all;
}

const counted = <T>(values: readonly T[], keyOf: (value: T) => string | number): [string, number][] =>
  [...Map.groupBy(values, (value) => String(keyOf(value)))].map(([key, { length }]) => [key, length]);

async function expectRows(build: (visits: Stream<Visit>) => Rows, expected: readonly Row[]): Promise<void> {
  const lines = expected.map((row) => JSON.stringify(row)).sort();
  for (const rows of await given(build)) assert.deepEqual(rows, lines);
}

describe("at the end of a batch job, at every parallelism, what an aggregate gives", () => {
  const perUser = counted(VISITS, ({ user }) => user).map(([, n]) => n);
  const perNumber = counted(perUser, (n) => n).map(([n, users]) => ({ n: Number(n), users }));

  test("is counted by one behind it, and by one behind that", async () => {
    const numbers = (visits: Stream<Visit>) =>
      visits.keyBy("user").aggregate({ n: count() }).keyBy("n").aggregate({ users: count() });
    await expectRows(numbers, perNumber);
    const often = counted(perNumber, ({ users }) => users).map(([users, k]) => ({ users: Number(users), k }));
    await expectRows((visits) => numbers(visits).keyBy("users").aggregate({ k: count() }), often);
  });

  test("is counted behind functions, and beside the rows of another aggregate", async () => {
    const rows = (visits: Stream<Visit>) => {
      const users = visits.keyBy("user").aggregate({ n: count() });
      const pages = visits.keyBy("page").aggregate({ n: count() });
      const ns = [users.map(({ n }) => ({ n, one: 1 })), pages.map(({ n }) => ({ n, one: 1 }))] as const;
      return ns[0]
        .union(ns[1])
        .keyBy("n")
        .aggregate({ all: sum("one") });
    };
    const perPage = counted(VISITS, ({ page }) => page).map(([, n]) => n);
    const all = counted([...perUser, ...perPage], (n) => n);
    await expectRows(
      rows,
      all.map(([n, k]) => ({ n: Number(n), all: k })),
    );
  });

  const lasts = [...Map.groupBy(VISITS, ({ user }) => user)].map(([user, visits]) => ({
    user,
    last: Math.max(...visits.map(({ at }) => at)),
  }));
  const timed = (visits: Stream<Visit>) =>
    visits
      .keyBy("user")
      .aggregate({ last: max("at") })
      .eventTime({ at: "last", unit: "ms" });

  test("comes to windows by its own event time, and none of it late", async () => {
    await expectRows(
      (visits) =>
        timed(visits)
          .keyBy(() => 0, t.f64)
          .window(tumbling("100ms"))
          .aggregate({ users: count() }),
      counted(lasts, ({ last }) => Math.floor(last / 100) * 100).map(([start, users]) => {
        return { key: 0, start: Number(start), end: Number(start) + 100, users };
      }),
    );
  });

  test("has its timers fire in event time before the end of it", async () => {
    const Fired = t.struct({ user: t.string, at: t.f64 });
    await expectRows(
      (visits) =>
        timed(visits)
          .keyBy("user")
          .process({
            uid: "timers",
            out: Fired,
            onRecord: ({ last }, context) => context.timers.set("now", last ?? 0),
            onTimer: ({ at }, { key, watermark, emit }) =>
              emit({ user: key, at: watermark < Infinity ? at : watermark }),
          }),
      lasts.map(({ user, last }) => ({ user, at: last })),
    );
  });
});

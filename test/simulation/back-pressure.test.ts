// Back-pressure from a sink to the source, and idle sources, in whole jobs on virtual time.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Env } from "../../src/base/env.ts";
import { embeddedStart } from "../../src/client/embedded.ts";
import { jobPlan } from "../../src/client/job-plan.ts";
import { Configuration } from "../../src/config/configuration.ts";
import { OPTIONS } from "../../src/config/options.ts";
import { count, generate, type Job, job, type Sink, tumbling } from "../../src/index.ts";
import { localSlotRunner } from "../../src/taskmanager/runner/slot-runner-local.ts";
import { SimEnv } from "../../src/testing/sim-env.ts";
import { simulateJob } from "../../src/testing/simulate-job.ts";

const MINUTE_MS = 60_000;
/** Rows that a sink takes until it has to flush. */
const SINK_ROOM = 7;
const TEXT = "x".repeat(1_000);

type Seen<T> = { readonly rows: T[]; readonly atMs: number[] };

/** Takes SINK_ROOM rows, and no more until `drain` is called; `onFull` says when that is. */
function stuckSink<T>(seen: Seen<T>, onFull: (env: Env, drain: () => void) => void): Sink<T> {
  return {
    kind: "stuck",
    guarantee: "at-least-once",
    describe: () => ({}),
    createWriter: ({ env }) => {
      let room = SINK_ROOM;
      return {
        open: async () => undefined,
        write: (row) => {
          seen.rows.push(row);
          seen.atMs.push(env.clock.monotonicMs());
          room -= 1;
          return room > 0;
        },
        flush: () =>
          new Promise((resolve) => {
            if (room > 0) {
              resolve();
              return;
            }
            onFull(env, () => {
              room = Infinity;
              resolve();
            });
          }),
        prepareCommit: async () => [],
        abort: async () => undefined,
        close: async () => undefined,
      };
    },
  };
}

/** Rows of 1 KB from a source that counts what left it, over a redistribution, to the sink. */
function pressed(rows: number, sink: Sink<{ id: number }>, made: { rows: number }): Job {
  return job({ name: "pressed" }, (env) => {
    env
      .from(
        "in",
        generate(rows, (id) => {
          made.rows += 1;
          return { id, text: TEXT };
        }),
      )
      .rebalance()
      .map(({ id, text }) => ({ id, text }))
      .to("out", sink);
  });
}

describe("a sink that does not drain", () => {
  test("stops an endless source after what links and batches hold; segments stay those of the links", async () => {
    const env = new SimEnv({ seed: 5 });
    const seen: Seen<{ id: number }> = { rows: [], atMs: [] };
    const made = { rows: 0 };
    const declared = pressed(
      Infinity,
      stuckSink(seen, () => undefined),
      made,
    );
    const values = {
      [OPTIONS.parallelism.key]: 2,
      [OPTIONS.watchdogTimeout.key]: "100000d",
      [OPTIONS.flinkSize.key]: "4gb",
      [OPTIONS.managedSize.key]: "128mb",
      [OPTIONS.networkMin.key]: "16mb",
      [OPTIONS.networkMax.key]: "16mb",
      [OPTIONS.debloatEnabled.key]: false,
    };
    const configuration = new Configuration([{ origin: { kind: "job" }, values }]);
    const run = embeddedStart({
      env,
      planned: await jobPlan(declared, {}, configuration),
      bundle: null,
      params: {},
      configuration,
      runner: localSlotRunner({ env, load: async () => declared }),
      checks: true,
      machineBytes: 8 * 1024 ** 3,
      print: () => undefined,
      log: () => undefined,
    });
    await env.advance(1_000);
    const early = { made: made.rows, leased: run.taskManager.network.stats().leased };
    await env.advance(10 * MINUTE_MS);
    // Per source subtask one ring: its segments, 31 rows each; two batches of 256 to the neighbour in the slot; what
    // is being filled; and the batch that each receiver holds.
    const segments =
      2 * (configuration.get(OPTIONS.buffersPerChannel) + configuration.get(OPTIONS.floatingBuffersPerGate));
    const bound = 31 * segments + 2 * (3 * 256 + 31) + 2 * SINK_ROOM;
    assert.equal(seen.rows.length, 2 * SINK_ROOM);
    assert.ok(made.rows > 500, `only ${made.rows} rows: the links were not filled`);
    assert.ok(made.rows <= bound, `${made.rows} rows left the source, ${bound} have room`);
    assert.deepEqual({ made: made.rows, leased: run.taskManager.network.stats().leased }, early, "nothing grows");
    assert.equal(early.leased, segments);
    assert.equal(
      run.metrics.sum("numRecordsOut", (entry) => entry.operator === "in"),
      made.rows,
    );
    run.cancel();
    await env.advance(configuration.get(OPTIONS.cancellationTimeout) + 1_000); // The flush does not end, either.
    await run.result;
    assert.equal(run.taskManager.network.stats().leased, 0);
  });

  test("holds back the source under 20 seeds of delays and room, and loses nothing once it drains", async () => {
    const rows = 20_000;
    for (let seed = 1; seed <= 20; seed += 1) {
      const seen: Seen<{ id: number }> = { rows: [], atMs: [] };
      const made = { rows: 0 };
      const looks = { half: 0, whole: 0 };
      const sink = stuckSink(seen, (world, drain) => {
        world.timers.after(MINUTE_MS / 2, () => {
          looks.half = made.rows;
        });
        world.timers.after(MINUTE_MS, () => {
          looks.whole ||= made.rows; // Before the first subtask of the sink drains.
          drain();
        });
      });
      const declared = pressed(rows, sink, made);
      const { error } = await simulateJob(declared, { seed, parallelism: 1 + (seed % 3), realLinks: seed % 2 === 0 });
      assert.equal(error, null, `SEED=${seed}`);
      assert.ok(looks.whole > 0 && looks.whole < 6_000, `SEED=${seed}: ${looks.whole} rows left the source`);
      assert.equal(looks.whole, looks.half, `SEED=${seed}: rows go on leaving the source`);
      const ids = new Set(seen.rows.map(({ id }) => id));
      assert.deepEqual([ids.size, seen.rows.length], [rows, rows], `SEED=${seed}`);
    }
  });
});

describe("a source that falls silent", () => {
  type Row = { k: string; n: number; start: number };

  /** Ten seconds of event time from one source; the other gives one record, and its second one a minute later. */
  async function windowsOf(seed: number, idle: boolean): Promise<Seen<Row>> {
    const seen: Seen<Row> = { rows: [], atMs: [] };
    const made = job({ name: "silent" }, (env) => {
      const at = { at: "ts", ...(idle && { idle: "500ms" as const }) } as const;
      const source = (uid: string, rows: number, rate: number, stepMs: number) =>
        env
          .from(
            uid,
            generate(rows, (id) => ({ k: uid, ts: 1_700_000_000_000 + id * stepMs }), { rate }),
          )
          .parallelism(1)
          .eventTime(at);
      source("fast", 100, 10, 100)
        .union(source("slow", 2, 1 / 60, 20_000))
        .keyBy("k")
        .window(tumbling("1s"))
        .aggregate({ n: count() })
        .to("out", stuckSink(seen, (_world, drain) => drain()) as Sink<unknown>);
    });
    const { error } = await simulateJob(made, { seed, parallelism: 1 + (seed % 3), realLinks: seed % 2 === 0 });
    assert.equal(error, null, `SEED=${seed}`);
    return seen;
  }

  const fastWindows = ({ rows, atMs }: Seen<Row>) =>
    rows.flatMap((row, index) => (row.k === "fast" ? [{ n: row.n, atMs: atMs[index]! }] : []));

  test("does not hold back windows when it has an idle time; without one it does, until it ends", async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const all = await windowsOf(seed, true);
      assert.equal(all.rows.length - 10, 2, `SEED=${seed}: a record was late, though its source had given none since`);
      const idle = fastWindows(all);
      assert.deepEqual(
        idle.map(({ n }) => n),
        Array.from({ length: 10 }, () => 10),
        `SEED=${seed}`,
      );
      // The end of the fast source is not the end of event time: the idle one may go on from where it was.
      assert.ok(idle.pop()!.atMs >= 55_000, `SEED=${seed}: the last window fired though one source goes on`);
      idle.forEach(({ atMs }, index) => {
        assert.ok(atMs < (index + 1) * 1_000 + 2_500, `SEED=${seed}: window ${index} fired after ${atMs} ms`);
      });
      const held = fastWindows(await windowsOf(seed, false));
      assert.equal(held.length, 10, `SEED=${seed}`);
      assert.ok(
        held.every(({ atMs }) => atMs >= 55_000),
        `SEED=${seed}: a window fired though one source had not reached it`,
      );
    }
  });
});

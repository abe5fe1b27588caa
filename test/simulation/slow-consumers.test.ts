// Checkpoints while consumers are far too slow, in whole jobs on virtual time: how long they take, how much is in
// flight then, and that nothing is lost or doubled when such a job dies.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { checkpointsOpen } from "../../src/client/checkpoints.ts";
import { type EmbeddedJob, embeddedStart } from "../../src/client/embedded.ts";
import { OPTIONS } from "../../src/config/options.ts";
import { generate, type Job, job, jsonl, type Sink, state, t } from "../../src/index.ts";
import type { SimEnv } from "../../src/testing/sim-env.ts";
import { faultPlanOf, withoutDrains } from "../../src/testing/sim-fault-plan.ts";
import { SimFaults } from "../../src/testing/sim-faults.ts";
import { SimMachine } from "../../src/testing/sim-machine.ts";
import { simulateStarts } from "../../src/testing/simulate-starts.ts";
import { checkpointsConfig } from "./checkpoints-config.ts";
import { type Slowness, slowed } from "./slow-sink.ts";

const Row = t.struct({ n: t.f64, key: t.f64 });
type Row = { readonly n: number; readonly key: number };
const KEYS = 100;
const EXCHANGES = 3;
const SUBTASKS = 4;
/** Of an exchange. */
const CHANNELS = SUBTASKS * SUBTASKS;
/** What a task gets through in this time is in flight to it, and ... */
const TARGET_MS = 200;
/** ... a quarter more that is staged, and what is told only once it has changed by a quarter. */
const IN_FLIGHT = 1.25 * 1.25;
/** One that is worked on, one that waits, one that is staged. */
const LEAST_PER_CHANNEL = 3;

type Counts = { made: number; written: number };

/** Counts what it is given. */
function countingSink(counts: Counts): Sink<unknown> {
  return {
    kind: "counting",
    guarantee: "at-least-once",
    describe: () => ({}),
    createWriter: () => ({
      open: async () => undefined,
      write: () => {
        counts.written += 1;
        return true;
      },
      flush: async () => undefined,
      prepareCommit: async () => [],
      abort: async () => undefined,
      close: async () => undefined,
    }),
  };
}

/** As fast as it can, over three exchanges, into the sink. */
function pressed(rows: number, sink: Sink<Row>, onMade: () => void = () => undefined): Job {
  return job({ name: "pressed" }, (env) => {
    env
      .from(
        "in",
        generate(
          rows,
          (n) => {
            onMade();
            return { n, key: n % KEYS };
          },
          { type: Row },
        ),
      )
      .rebalance()
      .map(Row, (row) => row)
      .keyBy("key")
      .process({
        uid: "counted",
        out: Row,
        state: { seen: state.value(t.f64, { init: () => 0 }) },
        onRecord(row, ctx) {
          ctx.state.seen.set(ctx.state.seen.get() + 1);
          ctx.emit(row);
        },
      })
      .rebalance()
      .map(Row, (row) => row)
      .to("out", sink);
  });
}

type Pressed = {
  readonly env: SimEnv;
  readonly run: EmbeddedJob;
  readonly counts: Counts;
  /** What was said of it. */
  readonly log: readonly string[];
};

/** An endless job, slow by its sink, with a checkpoint each second. */
async function started(seed: number, slowness: Slowness, config: Readonly<Record<string, unknown>>): Promise<Pressed> {
  const machine = new SimMachine(seed);
  const { env } = machine;
  const counts = { made: 0, written: 0 };
  const declared = pressed(Number.POSITIVE_INFINITY, slowed(countingSink(counts), slowness), () => {
    counts.made += 1;
  });
  const process = await machine.process(declared, {
    parallelism: SUBTASKS,
    realLinks: seed % 2 === 0,
    cuts: false,
    config: {
      [OPTIONS.checkpointDirectory.key]: "/checkpoints",
      [OPTIONS.checkpointingInterval.key]: "1s",
      ...(config as Record<string, string>),
    },
  });
  const { plan } = process.planned.graph;
  const { configuration } = process;
  const opening = checkpointsOpen({
    ...{ env, cwd: "/", plan, configuration, log: () => undefined },
    ...{ fresh: false, allowNonRestored: false },
  });
  await env.runUntilIdle();
  const checkpoints = await opening;
  assert.ok(checkpoints !== null);
  const log: string[] = [];
  const run = embeddedStart({ ...process, checkpoints, log: (line) => void log.push(line) });
  return { env, run, counts, log };
}

type Seen = { readonly durationsMs: readonly number[]; readonly inFlightMax: number; readonly written: number };

/** What was to be seen in so many seconds; of a checkpoint that is under way at the end, how long it was until then. */
async function watched({ env, run, counts }: Pressed, seconds: number): Promise<Seen> {
  const durationsMs: number[] = [];
  let last = 0;
  let lastAtMs = env.clock.monotonicMs();
  let inFlightMax = 0;
  for (let steps = seconds * 20; steps > 0; steps -= 1) {
    await env.advance(50);
    inFlightMax = Math.max(inFlightMax, counts.made - counts.written);
    const metrics = run.jobManagerMetrics(env.clock.monotonicMs());
    const id = metrics.lastCompletedCheckpointId ?? 0;
    if (id === last) continue;
    last = id;
    lastAtMs = env.clock.monotonicMs();
    durationsMs.push(metrics.lastCheckpointDuration ?? Number.NaN);
  }
  const openMs = env.clock.monotonicMs() - lastAtMs - 1_000;
  if (openMs > 1_000) durationsMs.push(openMs);
  const { written } = counts;
  run.cancel();
  await env.advance(10_000);
  await run.result;
  return { durationsMs, inFlightMax, written };
}

describe("a checkpoint while the sink is far too slow", () => {
  const SLOW: readonly Slowness[] = [
    { rows: 20, ms: 10 },
    { rows: 1, ms: 5 },
    { rows: 1, ms: 50 },
  ];
  const SECONDS = 5;

  for (const slowness of SLOW)
    test(`is through in two seconds, and little is in flight: ${slowness.rows} rows each ${slowness.ms} ms`, async () => {
      const rowsPerMs = (SUBTASKS * slowness.rows) / slowness.ms;
      const bound = EXCHANGES * (IN_FLIGHT * TARGET_MS * rowsPerMs + CHANNELS * LEAST_PER_CHANNEL) + SUBTASKS;
      for (let seed = 1; seed <= 2; seed += 1) {
        const { durationsMs, inFlightMax, written } = await watched(await started(seed, slowness, {}), SECONDS);
        assert.ok(durationsMs.length >= SECONDS - 2, `SEED=${seed}: ${durationsMs.length} checkpoints`);
        assert.ok(Math.max(...durationsMs) < 2_000, `SEED=${seed}: ${durationsMs}`);
        assert.ok(inFlightMax <= bound, `SEED=${seed}: ${inFlightMax} rows in flight, of ${bound}`);
        const full = rowsPerMs * SECONDS * 1_000;
        assert.ok(written > 0.9 * full, `SEED=${seed}: the sink had ${written} rows of ${full}: it was made to wait`);
      }
    });

  test("is given up after its time-out, which names whom it waited for, and the job goes on", async () => {
    const config = { [OPTIONS.checkpointingTimeout.key]: "500ms" };
    const pressedBy = await started(2, { rows: 1, ms: 3_000 }, config);
    const { durationsMs, written } = await watched(pressedBy, SECONDS);
    assert.ok(written > SUBTASKS, `${written} rows`);
    assert.equal(durationsMs.length, 1, "none was completed, one is under way");
    const late = pressedBy.log.filter((line) => line.includes("acknowledged it within 500 ms"));
    assert.ok(late.length >= 3, pressedBy.log.join("\n"));
    for (const line of late)
      assert.match(line, /within 500 ms: 16 of 16 have not, from in \(1\/4\) to .*out \(4\/4\)$/);
  });

  test("is not, as long as all that there is room for is in flight", async () => {
    const config = { [OPTIONS.debloatEnabled.key]: false };
    const { durationsMs, inFlightMax } = await watched(await started(2, { rows: 1, ms: 5 }, config), SECONDS);
    assert.ok(Math.min(...durationsMs) > 2_000, `${durationsMs}`);
    assert.ok(inFlightMax > 10_000, `${inFlightMax} rows in flight`);
  });
});

describe("a job whose sink is far too slow", () => {
  test("has each row once in its files, whatever dies, in 30 worlds", async () => {
    for (let seed = 1; seed <= 30; seed += 1) {
      const random = new SeededRandom(seed ^ 0x510e);
      const rows = 1 + random.below(1_000);
      const faults = new SimFaults(withoutDrains(faultPlanOf(random, seed)), random);
      const sink = slowed(jsonl("/out"), { rows: 1 + random.below(30), ms: 1 + random.below(50) });
      const parallelism = Array.from({ length: 100 }, () => 1 + random.below(4));
      const { disk, log } = await simulateStarts(pressed(rows, sink, faults.pass), {
        seed,
        faults,
        realLinks: seed % 3 === 0,
        config: checkpointsConfig(random),
        parallelism: (start) => parallelism[start]!,
      });
      const parts = disk.paths().filter((path) => /^\/out\/part-/.test(path));
      const lines = parts.flatMap((path) => new TextDecoder().decode(disk.get(path)!).trimEnd().split("\n"));
      const written = lines.map((line) => (JSON.parse(line) as Row).n).sort((left, right) => left - right);
      const story = [`SEED=${seed}`, ...log].join("\n");
      assert.deepEqual(
        written,
        Array.from({ length: rows }, (_, n) => n),
        story,
      );
    }
  });
});

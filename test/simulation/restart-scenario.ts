// A job that begins anew, some times, at moments that the seed draws: while it is deployed, while it runs, while some
// of its tasks have prepared, while it begins anew already. Its slots outlive the attempts; some of their threads end
// meanwhile; connections break.
//
// What is visible in the end is what one undisturbed attempt gives: no row is lost, and none of an earlier attempt is
// among them. Nothing of the attempts is left in the pools, and no hidden file.

import assert from "node:assert/strict";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { collection, count, generate, job, jsonl, sum } from "../../src/index.ts";
import type { JobMaster } from "../../src/jobmanager/job-master.ts";
import type { TaskManager } from "../../src/taskmanager/task-manager.ts";
import type { SimDisk } from "../../src/testing/sim-disk.ts";
import { type Simulation, simulateJob } from "../../src/testing/simulate-job.ts";

const ROWS = 120;
const KEYS = 7;

type Weather = {
  readonly parallelism: number;
  /** When the job begins anew. */
  readonly restartsMs: readonly number[];
  /** Which "closed" of a task its slot's thread does not outlive, while the job begins anew; 0: none. */
  readonly dies: number;
};

/** What a seed came to, so that a test can see that each happens. */
export type Restarts = { deploying: number; running: number; prepared: number; died: number };

export async function restartScenario(seed: number): Promise<Simulation & { readonly restarts: Restarts }> {
  const random = new SeededRandom(seed ^ 0x2e57a27);
  const weather = weatherOf(random);
  let taskManager: TaskManager | null = null;
  let master: JobMaster | null = null;
  const restarts = { deploying: 0, running: 0, prepared: 0, died: 0 };
  let closed = 0;
  const simulation = await simulateJob(restarted, {
    seed,
    parallelism: weather.parallelism,
    realLinks: random.next() < 0.5,
    during: (run, env) => {
      ({ taskManager, master } = run);
      const restart = (): void => {
        const { phase, prepared } = run.master.state;
        if (phase === "deploying") restarts.deploying += 1;
        if (phase === "running") restarts[prepared.size > 0 ? "prepared" : "running"] += 1;
        run.master.restart();
      };
      for (const atMs of weather.restartsMs) env.timers.after(atMs, restart);
    },
    // While the job begins anew that is no failure: the slot has no tasks then, as it was to have.
    slots: {
      says: (message) => {
        if (message.kind !== "closed" || master?.state.phase !== "restarting") return null;
        closed += 1;
        if (closed !== weather.dies) return null;
        restarts.died += 1;
        return random.next() < 0.5 ? "heard" : "unheard";
      },
    },
  });
  check(simulation, taskManager ?? assert.fail(), JSON.stringify(weather));
  return { ...simulation, restarts };
}

function weatherOf(random: SeededRandom): Weather {
  const restarts = random.below(6);
  return {
    parallelism: 1 + random.below(3),
    restartsMs: Array.from({ length: restarts }, () => random.next() * 700),
    dies: random.next() < 0.5 ? 1 + random.below(6) : 0,
  };
}

/** Two regions: the tasks of one are linked to none of the other's, though they share slots. */
const restarted = job({ name: "restarted" }, (env) => {
  const rows = Array.from({ length: ROWS }, (_, n) => ({ n, key: n % KEYS }));
  const read = env.from("in", collection(rows)).map((row) => row);
  read
    .uid("read")
    .rebalance()
    .map((row) => row)
    .uid("spread")
    .to("all", jsonl("/out/all"));
  const summed = read.keyBy("key").reduce("last", (before, row) => ({ ...row, n: before.n + row.n }));
  summed.to("sums", jsonl("/out/sums"));
  env
    .from(
      "other",
      generate(ROWS, (n) => ({ n, key: n % KEYS }), { rate: 400 }),
    )
    .keyBy("key")
    .aggregate({ rows: count(), n: sum("n") })
    .uid("counted")
    .to("counts", jsonl("/out/counts"));
});

function check({ outcome, error, disk, metrics }: Simulation, { network, managed }: TaskManager, what: string): void {
  assert.deepEqual([outcome, error], ["finished", null], what);
  const read = metrics.sum("numRecordsOut", ({ operator }) => operator === "in");
  assert.equal(read, ROWS, `metrics are those of the last attempt: ${what}`);
  const all = rowsOf(disk, "all").map(({ n }) => n);
  assert.deepEqual(
    all.sort((a, b) => a - b),
    Array.from({ length: ROWS }, (_, n) => n),
    what,
  );
  for (const sink of ["sums", "counts"]) {
    const last = new Map<number, number>();
    for (const { key, n } of rowsOf(disk, sink)) last.set(key, Math.max(n, last.get(key) ?? 0));
    for (let key = 0; key < KEYS; key += 1) {
      const expected = Array.from({ length: ROWS }, (_, n) => n).filter((n) => n % KEYS === key);
      assert.equal(
        last.get(key),
        expected.reduce((total, n) => total + n, 0),
        `${sink} ${key}: ${what}`,
      );
    }
    if (sink === "sums") assert.equal(rowsOf(disk, sink).length, ROWS, what);
  }
  assert.deepEqual(
    disk.paths().filter((path) => path.endsWith(".tmp")),
    [],
    what,
  );
  for (const pool of [network, managed])
    assert.deepEqual([pool.stats().leased, pool.report(), pool.verify()], [0, [], []], what);
}

type Row = { readonly n: number; readonly key: number };

function rowsOf(disk: SimDisk, sink: string): Row[] {
  const paths = disk.paths().filter((path) => path.startsWith(`/out/${sink}/part-`));
  const texts = paths.flatMap((path) => new TextDecoder().decode(disk.get(path)!).trimEnd().split("\n"));
  return texts.filter((text) => text !== "").map((text) => JSON.parse(text) as Row);
}

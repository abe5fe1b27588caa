import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Job, jobBuild } from "../api/job.ts";
import { UserError } from "../base/errors.ts";
import { Configuration } from "../config/configuration.ts";
import { blackhole } from "../connectors/blackhole/index.ts";
import { collection } from "../connectors/collection/index.ts";
import { jobGraphOf } from "../graph/job-graph.ts";
import { job } from "../index.ts";
import { metricMemory } from "../metrics/metric-registry.ts";
import { errorData } from "../protocol/error-data.ts";
import type { JobDescriptor, ToSlot } from "../protocol/slot-messages.ts";
import { SimEnv } from "../testing/sim-env.ts";
import { JobMaster } from "./job-master.ts";

/** Two slots; vertex 0 is the source, vertex 1 what follows the exchange. */
const exchanged: Job = job({ name: "exchanged" }, (env) => {
  env
    .from("in", collection([{ id: 1 }]))
    .rebalance()
    .map((record) => record)
    .uid("same")
    .to("out", blackhole());
});

const TASKS = ["0/0/0", "0/1/0", "1/0/0", "1/1/0"];

async function setUp() {
  const env = new SimEnv({ seed: 1 });
  const defaults = { parallelism: 2, maxParallelism: null, preAggregation: false };
  const { plan } = await jobBuild(exchanged, {}, defaults);
  const graph = jobGraphOf(plan, { chaining: true });
  const posted: [slot: number, message: ToSlot["kind"], to: string | null][] = [];
  const ended: number[] = [];
  const printed: string[] = [];
  const logged: string[] = [];
  const end = { fails: false };
  const master = new JobMaster({
    env,
    configuration: new Configuration([]),
    graph,
    job: { jobId: "job" } as JobDescriptor,
    slots: {
      start: () => undefined,
      deploy: (slot, _job, tasks) => posted.push([slot, "deploy", tasks.map(({ id }) => id).join()]),
      post: (slot, message) => posted.push([slot, message.kind, "task" in message ? message.task : null]),
      end: async (slot) => {
        if (end.fails) throw new Error("the thread is odd");
        ended.push(slot);
      },
      metricMemories: () => [metricMemory(), metricMemory()],
    },
    print: (line) => printed.push(line),
    log: (line) => logged.push(line),
    onRows: () => undefined,
  });
  master.start();
  const both = (message: Parameters<JobMaster["onMessage"]>[1]): void => {
    for (const slot of [0, 1]) master.onMessage(slot, message);
  };
  const run = (): void => both({ kind: "deployed" });
  const finish = (): void => {
    for (const task of TASKS) master.onMessage(Number(task.charAt(2)), { kind: "finished", task });
  };
  return { env, master, posted, ended, printed, logged, both, run, finish, end };
}

const CLOSED = { kind: "closed", error: null } as const;
const failure = (code: string) => errorData(new UserError(code, code));

describe("a job master", () => {
  test("deploys every slot, commits once all tasks have finished, and is done when each slot was ended", async () => {
    const { env, master, posted, ended, both, run, finish } = await setUp();
    assert.deepEqual(posted, [
      [0, "deploy", "0/0/0,1/0/0"],
      [1, "deploy", "0/1/0,1/1/0"],
    ]);
    let running = false;
    void master.running().then(() => {
      running = true;
    });
    master.onMessage(0, { kind: "deployed" });
    await env.advance(0);
    assert.equal(running, false);
    master.onMessage(1, { kind: "deployed" });
    await env.advance(0);
    assert.equal(running, true);
    run();
    finish();
    assert.deepEqual(posted.slice(2), [
      [0, "commit", null],
      [1, "commit", null],
    ]);
    both(CLOSED);
    assert.deepEqual(await master.result, { outcome: "finished", error: null });
    assert.deepEqual(ended, [0, 1]);
  });

  test("hands requests for splits to the slot of the source's first subtask, and splits to that of their task", async () => {
    const { master, posted, run } = await setUp();
    run();
    master.onMessage(1, { kind: "splitRequest", vertex: 0, subtask: 1, task: "0/1/0" });
    master.onMessage(0, { kind: "split", task: "0/1/0", split: { id: "a", position: null } });
    master.onMessage(0, { kind: "split", task: "0/0/0", split: null });
    assert.deepEqual(posted.slice(2), [
      [0, "splitRequest", "0/1/0"],
      [1, "split", "0/1/0"],
      [0, "split", "0/0/0"],
    ]);
  });

  test("cancels all slots after the first failure, which is the result, and commits nothing", async () => {
    const { master, posted, both, run, finish } = await setUp();
    run();
    master.onMessage(1, { kind: "failed", task: "1/1/0", error: failure("FIRST") });
    master.onMessage(0, { kind: "failed", task: "0/0/0", error: failure("SECOND") });
    finish();
    both(CLOSED);
    const { outcome, error } = await master.result;
    assert.deepEqual([outcome, error?.code], ["failed", "FIRST"]);
    assert.deepEqual(
      posted.slice(2).map(([slot, kind]) => [slot, kind]),
      [
        [0, "cancel"],
        [1, "cancel"],
      ],
    );
  });

  test("an endless job that is stopped and cannot commit has failed", async () => {
    const { master, both, run } = await setUp();
    run();
    master.cancel(true);
    master.onMessage(0, { kind: "closed", error: failure("DISK_FULL") });
    both(CLOSED);
    const { outcome, error } = await master.result;
    assert.deepEqual([outcome, error?.code], ["failed", "DISK_FULL"]);
  });

  test("ends the slots that have not closed in time after they were cancelled, and those only, and says which", async () => {
    const { env, master, ended, logged, run } = await setUp();
    run();
    master.cancel(false);
    master.onMessage(0, CLOSED);
    await env.advance(1_000);
    assert.deepEqual(ended, [0]);
    await env.advance(3_600_000);
    assert.deepEqual(ended, [0, 1]);
    assert.match(logged[0] ?? "", /^slots 1 did not end in time/);
    assert.equal((await master.result).outcome, "cancelled");
    await env.advance(3_600_000);
    assert.equal(logged.length, 1);
  });

  test("a slot that was lost fails the job and needs no further word; one that cannot be ended is told", async () => {
    const lost = await setUp();
    lost.run();
    lost.master.onSlotLost(1, new UserError("SLOT_OUT_OF_MEMORY", "too much"));
    lost.master.onMessage(0, CLOSED);
    assert.equal((await lost.master.result).error?.code, "SLOT_OUT_OF_MEMORY");
    assert.deepEqual(lost.ended, [0]);
    const odd = await setUp();
    odd.run();
    odd.finish();
    odd.end.fails = true;
    odd.both(CLOSED);
    const { outcome, error } = await odd.master.result;
    assert.deepEqual([outcome, error?.code], ["failed", "SLOT_END"]);
  });
});

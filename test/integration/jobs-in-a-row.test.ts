// One TaskManager, many jobs, two at a time, whatever becomes of each: what they have used is there for the next ones.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { totalmem } from "node:os";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { nodeEnv } from "../../src/base/env-node.ts";
import { type EmbeddedHost, embeddedHost, embeddedStart } from "../../src/client/embedded.ts";
import { jobPlan } from "../../src/client/job-plan.ts";
import { Configuration } from "../../src/config/configuration.ts";
import type { JobResult } from "../../src/jobmanager/job-master.ts";
import { nodeDisk } from "../../src/storage/node-disk.ts";
import type { SlotRunner } from "../../src/taskmanager/runner/slot-runner.ts";
import { localSlotRunner } from "../../src/taskmanager/runner/slot-runner-local.ts";
import { threadSlotRunner } from "../../src/taskmanager/runner/slot-runner-node.ts";
import inARow from "./fixtures/in-a-row/in-a-row.job.ts";

const MIB = 1024 ** 2;
const AT_A_TIME = 2;
/** Garbage, caches and code vary by this much; a job whose threads or pools stayed would leave far more. */
const VARIES_BYTES = 64 * MIB;
const BYTES_PER_JOB = MIB;

/** How jobs end, in turn: by themselves, by their code, on request, with a slot's thread. */
const WAYS = ["finish", "fail", "cancel", "kill"] as const;
const OUTCOMES = { finish: "finished", fail: "failed", cancel: "cancelled", kill: "failed" } as const;
const CODES = { finish: undefined, fail: "USER_FUNCTION_THREW", cancel: undefined, kill: "SLOT_EXITED" } as const;

const configuration = new Configuration([
  {
    origin: { kind: "command line" },
    values: {
      "parallelism.default": 2,
      "taskmanager.numberOfTaskSlots": 2 * AT_A_TIME,
      "taskmanager.memory.flink.size": "800mb",
      "millrace.memory.poison": true,
      "millrace.task.watchdog-timeout": "1h",
    },
  },
]);
const env = nodeEnv(nodeDisk(), { logLevel: "error" });
const BUNDLE = new URL("./fixtures/in-a-row/in-a-row.job.ts", import.meta.url).href;

type Runner = { readonly runner: SlotRunner; readonly bundle: string | null };

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

async function run(how: Way, runner: Runner, host: EmbeddedHost): Promise<JobResult> {
  const job = embeddedStart({
    ...{ env, configuration, machineBytes: totalmem(), ...runner },
    host,
    planned: await jobPlan(inARow, { how }, configuration),
    params: { how },
    checks: false,
    print: () => undefined,
    log: () => undefined,
  });
  if (how === "cancel") {
    await job.master.running();
    job.cancel();
  }
  return job.result;
}

type Way = (typeof WAYS)[number];

type Used = { readonly threads: number; readonly files: number; readonly bytes: number };

/** What the process uses, once threads that have ended are gone and garbage is collected. */
async function used(): Promise<Used> {
  await delay(200);
  collect();
  const count = (what: "task" | "fd"): number => readdirSync(`/proc/self/${what}`).length;
  return { threads: count("task"), files: count("fd"), bytes: process.memoryUsage.rss() };
}

/** Runs so many jobs, compares what is used after the first ones with what is used after all. */
async function inOneTaskManager(runner: Runner, ways: readonly Way[], jobs: number, first: number): Promise<void> {
  const host = embeddedHost({ env, configuration, machineBytes: totalmem(), ...runner });
  let started = 0;
  const several = async (until: number): Promise<void> => {
    const oneAfterTheOther = async (): Promise<void> => {
      while (started < until) {
        const how = ways[started % ways.length] ?? "finish";
        started += 1;
        const { outcome, error } = await run(how, runner, host);
        assert.deepEqual([outcome, error?.code], [OUTCOMES[how], CODES[how]], error?.stack);
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, oneAfterTheOther));
    const { taskManager } = host.gateway;
    for (const pool of [taskManager.network, taskManager.managed]) {
      assert.deepEqual([pool.stats().leased, pool.report(), pool.verify()], [0, [], []], pool.name);
    }
  };
  await several(first);
  const before = await used();
  await several(jobs);
  const after = await used();
  assert.ok(after.threads <= before.threads, `threads: ${before.threads}, then ${after.threads}`);
  assert.ok(after.files <= before.files, `descriptors: ${before.files}, then ${after.files}`);
  const grown = after.bytes - before.bytes;
  assert.ok(grown < VARIES_BYTES + (jobs - first) * BYTES_PER_JOB, `${jobs - first} jobs left ${grown} bytes`);
  await host.gateway.close();
}

test("jobs in slots of one thread, 200 in one TaskManager, leave it as the first ones did", async () => {
  const runner = { runner: localSlotRunner({ env, load: async () => inARow }), bundle: null };
  await inOneTaskManager(runner, ["finish", "fail", "cancel"], 200, 60);
});

/** A job starts two threads, which takes half a second of a core: the nightly run has time for more. */
const THREADED = process.env.PROPERTY_FACTOR === undefined ? 16 : 200;

test(`jobs in threads, ${THREADED} in one TaskManager, leave it as the first ones did`, async () => {
  const runner = { runner: threadSlotRunner(), bundle: BUNDLE };
  await inOneTaskManager(runner, WAYS, THREADED, 8);
});

// A job that begins anew, many times, in the threads that it has: they stay, and so does what the process uses.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { totalmem } from "node:os";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { nodeEnv } from "../../src/base/env-node.ts";
import { type EmbeddedJob, embeddedStart } from "../../src/client/embedded.ts";
import { jobPlan } from "../../src/client/job-plan.ts";
import { Configuration } from "../../src/config/configuration.ts";
import { nodeDisk } from "../../src/storage/node-disk.ts";
import type { SlotRunner } from "../../src/taskmanager/runner/slot-runner.ts";
import { threadSlotRunner } from "../../src/taskmanager/runner/slot-runner-node.ts";
import inARow from "./fixtures/in-a-row/in-a-row.job.ts";

const MIB = 1024 ** 2;
const BUNDLE = new URL("./fixtures/in-a-row/in-a-row.job.ts", import.meta.url).href;
const SLOTS = 2;
const ATTEMPTS = 200;
/** By then caches and code are there. */
const FIRST = 60;
/** Garbage and code vary by this much; attempts whose code, state or channels stayed would leave far more. */
const VARIES_BYTES = 96 * MIB;

const configuration = new Configuration([
  {
    origin: { kind: "command line" },
    values: {
      "parallelism.default": SLOTS,
      "taskmanager.memory.flink.size": "800mb",
      "millrace.memory.poison": true,
      "millrace.task.watchdog-timeout": "1h",
    },
  },
]);

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

type Used = { readonly threads: number; readonly files: number; readonly bytes: number };

async function used(): Promise<Used> {
  await delay(200);
  collect();
  const count = (what: "task" | "fd"): number => readdirSync(`/proc/self/${what}`).length;
  return { threads: count("task"), files: count("fd"), bytes: process.memoryUsage.rss() };
}

/** Until all tasks of an attempt run. */
async function running({ master }: EmbeddedJob): Promise<void> {
  while (master.state.phase !== "running") {
    assert.ok(master.state.error === null, master.state.error?.stack ?? "");
    await delay(1);
  }
}

async function begins(job: EmbeddedJob, times: number): Promise<void> {
  for (let attempt = 0; attempt < times; attempt += 1) {
    job.master.restart();
    assert.notEqual(job.master.state.phase, "running");
    await running(job);
  }
}

test(`a job that begins anew ${ATTEMPTS} times keeps its threads, and uses no more in the end than after the first times`, async () => {
  const threads = threadSlotRunner();
  let started = 0;
  const runner: SlotRunner = {
    ...threads,
    start: (...slot) => {
      started += 1;
      return threads.start(...slot);
    },
  };
  const job = embeddedStart({
    ...{ env: nodeEnv(nodeDisk(), { logLevel: "error" }), configuration, machineBytes: totalmem(), runner },
    bundle: BUNDLE,
    planned: await jobPlan(inARow, { how: "cancel" }, configuration),
    params: { how: "cancel" },
    checks: false,
    print: () => undefined,
    log: () => undefined,
  });
  await running(job);
  await begins(job, FIRST);
  const [before, leased] = [await used(), job.taskManager.network.stats().leased];
  await begins(job, ATTEMPTS - FIRST);
  const after = await used();
  assert.equal(started, SLOTS);
  assert.ok(after.threads <= before.threads, `threads: ${before.threads}, then ${after.threads}`);
  assert.ok(after.files <= before.files, `descriptors: ${before.files}, then ${after.files}`);
  assert.ok(after.bytes - before.bytes < VARIES_BYTES, `${after.bytes - before.bytes} bytes more`);
  assert.equal(job.taskManager.network.stats().leased, leased, "an attempt has what the one before had");
  assert.equal(job.dropped.counts.twice + job.dropped.counts.early + job.dropped.counts.foreign, 0);
  job.cancel();
  assert.equal((await job.result).outcome, "cancelled");
  for (const pool of [job.taskManager.network, job.taskManager.managed])
    assert.deepEqual([pool.stats().leased, pool.report(), pool.verify()], [0, [], []], pool.name);
});

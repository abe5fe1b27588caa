// Some tasks of a job end and begin anew, over their exchange between two slots, while the others of the same slots go
// on. Whoever restarts them is written out here: it gives tasks to the slots, and routes what these say.

import assert from "node:assert/strict";
import { totalmem } from "node:os";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { canonicalJson } from "../../src/base/canonical-json.ts";
import { nodeEnv } from "../../src/base/env-node.ts";
import type { Attempt, JobId, LeaderEpoch } from "../../src/base/ids.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { embeddedHost } from "../../src/client/embedded.ts";
import { jobPlan } from "../../src/client/job-plan.ts";
import { Configuration } from "../../src/config/configuration.ts";
import { deploymentOf } from "../../src/jobmanager/deployment.ts";
import type { Fence } from "../../src/protocol/fence.ts";
import { DialedSession } from "../../src/protocol/session.ts";
import type { FromSlot, JobDescriptor, TaskId } from "../../src/protocol/slot-messages.ts";
import type { FromTaskManager, ToTaskManager } from "../../src/protocol/task-manager-messages.ts";
import { nodeDisk } from "../../src/storage/node-disk.ts";
import type { SlotRunner } from "../../src/taskmanager/runner/slot-runner.ts";
import { localSlotRunner } from "../../src/taskmanager/runner/slot-runner-local.ts";
import { threadSlotRunner } from "../../src/taskmanager/runner/slot-runner-node.ts";
import { simTransport } from "../../src/testing/sim-transport.ts";
import regions, { ROWS } from "./fixtures/regions/regions.job.ts";

const env = nodeEnv(nodeDisk(), { logLevel: "error" });
const BUNDLE = new URL("./fixtures/regions/regions.job.ts", import.meta.url).href;
const SLOTS = 2;
const ATTEMPTS = 6;
const FENCE: Fence = { job: "job" as JobId, attempt: 0 as Attempt, epoch: 0 as LeaderEpoch };
const configuration = new Configuration([
  {
    origin: { kind: "command line" },
    values: {
      "parallelism.default": SLOTS,
      "taskmanager.numberOfTaskSlots": SLOTS,
      "taskmanager.memory.flink.size": "800mb",
      "millrace.memory.poison": true,
      "millrace.task.watchdog-timeout": "1h",
    },
  },
]);

/** Tells tasks what to do, and hears what they say. */
class Leader implements AsyncDisposable {
  readonly #host;
  readonly #session: DialedSession<ToTaskManager, FromTaskManager>;
  readonly #graph;
  readonly #job: JobDescriptor;
  readonly #states = new Map<TaskId, FromSlot["kind"]>();
  /** Lines by the task that has printed them. */
  readonly printed = new Map<TaskId, string[]>();

  constructor(runner: SlotRunner, bundle: string | null, { graph, defaults }: Awaited<ReturnType<typeof jobPlan>>) {
    this.#host = embeddedHost({ env, configuration, machineBytes: totalmem(), runner });
    this.#graph = graph;
    const { plan } = graph;
    this.#job = {
      ...{ jobId: FENCE.job, bundle, params: {}, defaults, checks: false, config: configuration.layers },
      ...{ planHash: plan.hash, planText: canonicalJson(plan) },
    };
    const { transport, dropped } = this.#host;
    this.#session = new DialedSession<ToTaskManager, FromTaskManager>({
      ...{ env, transport, dropped, fence: FENCE, address: "taskmanager" },
      timing: { heartbeatIntervalMs: 1_000, heartbeatTimeoutMs: 100_000 },
      receive: (message) => this.#onMessage(message),
      lost: (error) => assert.fail(error),
    });
  }

  /** Vertices that are linked to this source, itself included. */
  region(source: string): number[] {
    const { vertices, edges } = this.#graph;
    const region = [vertices.findIndex(({ operators }) => operators[0]?.uid === source)];
    for (const vertex of region)
      for (const { fromVertex, toVertex } of edges) if (fromVertex === vertex) region.push(toVertex);
    return region;
  }

  deploy(region: readonly number[], attempt: number): TaskId[] {
    const ids: TaskId[] = [];
    for (const [slot, all] of deploymentOf(this.#graph, attempt).tasks.entries()) {
      const tasks = all.filter(({ vertex }) => region.includes(vertex));
      this.#session.send({ kind: "deploy", slot, job: this.#job, tasks });
      ids.push(...tasks.map(({ id }) => id));
    }
    return ids;
  }

  cancel(tasks: readonly TaskId[]): void {
    for (let slot = 0; slot < SLOTS; slot += 1)
      this.#session.send({ kind: "toSlot", slot, message: { kind: "cancel", tasks, discard: true } });
  }

  async until(tasks: readonly TaskId[], kind: FromSlot["kind"]): Promise<void> {
    while (!tasks.every((task) => this.#states.get(task) === kind)) await delay(1);
  }

  async untilPrinted(tasks: readonly TaskId[]): Promise<void> {
    while (!tasks.some((task) => this.printed.has(task))) await delay(1);
  }

  rows(tasks: readonly TaskId[]): number[] {
    const lines = tasks.flatMap((task) => this.printed.get(task) ?? []);
    return lines.map((line) => Number(/n: +(\d+)/.exec(line)?.[1])).sort((left, right) => left - right);
  }

  get leased(): readonly number[] {
    const { network, managed } = this.#host.gateway.taskManager;
    return [network.stats().leased, managed.stats().leased];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session.close();
    await this.#host.gateway.close();
  }

  #onMessage(message: FromTaskManager): void {
    assert.equal(message.kind, "fromSlot");
    if (message.kind === "fromSlot") this.#onSlotMessage(message.message);
  }

  #onSlotMessage(message: FromSlot): void {
    const { kind } = message;
    if (kind === "failed") assert.fail(message.error.stack);
    else if (kind === "deployed") for (const task of message.tasks) this.#states.set(task, kind);
    else if (kind === "prepared" || kind === "closed") this.#states.set(message.task, kind);
    else if (kind === "splitRequest") this.#session.send({ kind: "toSlot", slot: 0, message });
    else if (kind === "splits" || kind === "splitsFollow")
      this.#session.send({ kind: "toSlot", slot: Number(message.task.split("/")[1]), message });
    else if (kind === "print") {
      const { task, sink, lines } = message;
      this.printed.set(task, [...(this.printed.get(task) ?? []), ...lines.split("\n")]);
      const read = { kind: "rowsRead", task, sink, bytes: lines.length } as const;
      this.#session.send({ kind: "toSlot", slot: Number(task.split("/")[1]), message: read });
    }
  }
}

const EVERY_ROW = Array.from({ length: ROWS }, (_, n) => n);

async function redeploys(runner: SlotRunner, bundle: string | null): Promise<void> {
  await using leader = new Leader(runner, bundle, await jobPlan(regions, {}, configuration));
  const others = leader.deploy(leader.region("slow"), 0);
  const region = leader.region("quick");
  const earlier: TaskId[][] = [];
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const tasks = leader.deploy(region, attempt);
    await leader.untilPrinted(tasks); // In the middle of its rows, mostly.
    leader.cancel(tasks);
    await leader.until(tasks, "closed");
    earlier.push(tasks);
  }
  const before = earlier.map((tasks) => leader.rows(tasks));
  const last = leader.deploy(region, ATTEMPTS);
  await leader.until([...last, ...others], "prepared");
  assert.deepEqual(leader.rows(last), EVERY_ROW, "each row once, and none of an earlier attempt");
  assert.deepEqual(leader.rows(others), EVERY_ROW, "who goes on loses and doubles nothing");
  assert.deepEqual(
    earlier.map((tasks) => leader.rows(tasks)),
    before,
    "an attempt that is closed says nothing more",
  );
  for (const rows of before) assert.deepEqual([...new Set(rows)], rows);
  leader.cancel([...last, ...others]);
  await leader.until([...last, ...others], "closed");
  assert.deepEqual(leader.leased, [0, 0]);
}

describe("tasks that begin anew in slots where others go on give each row once", () => {
  test("in threads", () => redeploys(threadSlotRunner(), BUNDLE));

  test("in the calling thread", () => redeploys(localSlotRunner({ env, load: async () => regions }), null));

  test("in the calling thread, with messages that take their time", () => {
    const transport = simTransport({ env, random: new SeededRandom(1), delayMaxMs: 10 });
    return redeploys(localSlotRunner({ env, load: async () => regions, transport }), null);
  });
});

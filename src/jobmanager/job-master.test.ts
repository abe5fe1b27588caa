import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Job, jobBuild } from "../api/job.ts";
import { ExternalError, UserError } from "../base/errors.ts";
import { Configuration } from "../config/configuration.ts";
import { blackhole } from "../connectors/blackhole/index.ts";
import { collection } from "../connectors/collection/index.ts";
import { jobGraphOf } from "../graph/job-graph.ts";
import { job } from "../index.ts";
import { directTransport } from "../network/direct-transport.ts";
import type { Connection } from "../network/transport.ts";
import { errorData } from "../protocol/error-data.ts";
import { fenceContract } from "../protocol/fence.contract.ts";
import { dropCounts, type Fenced } from "../protocol/fence.ts";
import type { Attempt, JobId, LeaderEpoch } from "../protocol/ids.ts";
import { type Session, SessionListener, type SessionSays } from "../protocol/session.ts";
import type { FromSlot, JobDescriptor, ToSlot } from "../protocol/slot-messages.ts";
import type { FromTaskManager, ToTaskManager } from "../protocol/task-manager-messages.ts";
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

async function planned() {
  const defaults = { parallelism: 2, maxParallelism: null, preAggregation: false };
  const { plan } = await jobBuild(exchanged, {}, defaults);
  return { graph: jobGraphOf(plan, { chaining: true }) };
}

async function setUp() {
  const env = new SimEnv({ seed: 1 });
  const { graph } = await planned();
  const posted: [slot: number, message: ToSlot["kind"], to: string | null][] = [];
  const ended: number[] = [];
  const printed: string[] = [];
  const logged: string[] = [];
  const end = { fails: false };
  const transport = directTransport(env);
  const dropped = dropCounts();
  const fence = { job: "job" as JobId, attempt: 0 as Attempt, epoch: 0 as LeaderEpoch };
  let session: Session<FromTaskManager> = assert.fail as never;
  const released = (slot: number): FromTaskManager => {
    if (!end.fails) ended.push(slot);
    return { kind: "released", slot, error: end.fails ? failure("SLOT_END") : null };
  };
  new SessionListener<FromTaskManager, ToTaskManager>(transport, "taskmanager", {
    ...{ env, dropped, timing: { heartbeatIntervalMs: 1_000, heartbeatTimeoutMs: 5_000 } },
    open: (_fence, opened) => {
      session = opened;
      return {
        receive: (message) => {
          if (message.kind === "deploy")
            posted.push([message.slot, "deploy", message.tasks.map(({ id }) => id).join()]);
          else if (message.kind === "release") session.send(released(message.slot));
          else
            posted.push([message.slot, message.message.kind, "task" in message.message ? message.message.task : null]);
        },
        lost: () => undefined,
      };
    },
  });
  const master = new JobMaster({
    ...{ env, transport, dropped, fence, graph, taskManager: "taskmanager" },
    configuration: new Configuration([]),
    job: { jobId: "job" } as JobDescriptor,
    print: (line) => printed.push(line),
    log: (line) => logged.push(line),
    onRows: () => undefined,
  });
  master.start();
  await env.advance(0);
  const tell = async (message: FromTaskManager): Promise<void> => {
    session.send(message);
    await env.advance(0);
  };
  const say = (slot: number, message: FromSlot): Promise<void> => tell({ kind: "fromSlot", slot, message });
  const both = async (message: FromSlot): Promise<void> => {
    for (const slot of [0, 1]) await say(slot, message);
  };
  const run = (): Promise<void> => both({ kind: "deployed" });
  const finish = async (): Promise<void> => {
    for (const task of TASKS) {
      const slot = Number(task.charAt(2));
      const sinks = task.startsWith("1/") ? [{ sink: "out", committables: [slot] }] : [];
      await say(slot, { kind: "prepared", task, sinks });
    }
  };
  const commit = async (): Promise<void> => {
    for (const slot of [0, 1]) await say(slot, { kind: "committed", task: `1/${slot}/0`, sink: "out" });
  };
  const leave = (): void => session.close();
  return { env, master, posted, ended, printed, logged, tell, say, both, run, finish, commit, leave, end };
}

const SPLIT = { kind: "splitRequest", vertex: 0, subtask: 1, task: "0/1/0" } as const;

fenceContract<FromTaskManager["kind"], FromTaskManager>(
  "a job master",
  {
    fromSlot: { kind: "fromSlot", slot: 1, message: SPLIT },
    slotLost: { kind: "slotLost", slot: 1, error: errorData(new UserError("LOST", "it is gone")) },
    released: { kind: "released", slot: 1, error: null },
  },
  async () => {
    const env = new SimEnv({ seed: 1 });
    const transport = directTransport(env);
    const dropped = dropCounts();
    const fence = { job: "job" as JobId, attempt: 1 as Attempt, epoch: 1 as LeaderEpoch };
    const heard: unknown[] = [];
    type Side = Connection<SessionSays<FromTaskManager>, SessionSays<ToTaskManager>>;
    const { promise, resolve } = Promise.withResolvers<Side>();
    transport.listen<SessionSays<FromTaskManager>, SessionSays<ToTaskManager>>("taskmanager", (side) => {
      side.receive({ request: () => ({ kind: "heard", heard: 0 }), message: (message) => heard.push(message) });
      resolve(side);
    });
    const { graph } = await planned();
    const master = new JobMaster({
      ...{ env, transport, dropped, fence, graph, taskManager: "taskmanager" },
      configuration: new Configuration([]),
      job: { jobId: "job" } as JobDescriptor,
      print: () => undefined,
      log: () => undefined,
      onRows: () => undefined,
    });
    master.start();
    await env.advance(0);
    const side = await promise;
    const send = async (message: Fenced<FromTaskManager>): Promise<void> => {
      side.send({ kind: "said", message });
      await env.advance(0);
    };
    await send({ fence, sequence: 1, body: { kind: "fromSlot", slot: 0, message: { kind: "ready" } } });
    return { fence, heard: 1, dropped, send, seen: () => ({ heard, state: master.state }) };
  },
);

const CLOSED = { kind: "closed", error: null } as const;
const failure = (code: string) => errorData(new UserError(code, code));

describe("a job master", () => {
  test("deploys every slot, commits once all tasks have prepared, closes once all is committed, and is done when each slot was ended", async () => {
    const { env, master, say, posted, ended, both, run, finish, commit } = await setUp();
    assert.deepEqual(posted, [
      [0, "deploy", "0/0/0,1/0/0"],
      [1, "deploy", "0/1/0,1/1/0"],
    ]);
    let running = false;
    void master.running().then(() => {
      running = true;
    });
    const other = master.running();
    await say(0, { kind: "deployed" });
    await env.advance(0);
    assert.equal(running, false);
    await say(1, { kind: "deployed" });
    await env.advance(0);
    assert.equal(running, true);
    await other; // Whoever asks is told.
    await run();
    await finish();
    assert.deepEqual(posted.slice(2), [
      [0, "commit", "1/0/0"],
      [1, "commit", "1/1/0"],
    ]);
    await commit();
    assert.deepEqual(posted.slice(4), [
      [0, "close", null],
      [1, "close", null],
    ]);
    await both(CLOSED);
    assert.deepEqual(await master.result, { outcome: "finished", error: null });
    assert.deepEqual(ended, [0, 1]);
  });

  test("prints the lines of its slots, and says that they were read", async () => {
    const { say, posted, printed, run } = await setUp();
    await run();
    posted.length = 0;
    await say(1, { kind: "print", task: "1/1/0", sink: "out", lines: "one\ntwo" });
    assert.deepEqual(printed, ["one\ntwo"]);
    assert.deepEqual(posted, [[1, "rowsRead", "1/1/0"]]);
  });

  test("hands requests for splits to the slot of the source's first subtask, and splits to that of their task", async () => {
    const { say, posted, run } = await setUp();
    await run();
    await say(1, { kind: "splitRequest", vertex: 0, subtask: 1, task: "0/1/0" });
    await say(0, { kind: "split", task: "0/1/0", split: { id: "a", position: null } });
    await say(0, { kind: "split", task: "0/0/0", split: null });
    assert.deepEqual(posted.slice(2), [
      [0, "splitRequest", "0/1/0"],
      [1, "split", "0/1/0"],
      [0, "split", "0/0/0"],
    ]);
  });

  test("cancels all slots after the first failure, which is the result, and commits nothing", async () => {
    const { master, say, posted, both, run, finish } = await setUp();
    await run();
    await say(1, { kind: "failed", task: "1/1/0", error: failure("FIRST") });
    await say(0, { kind: "failed", task: "0/0/0", error: failure("SECOND") });
    await finish();
    await both(CLOSED);
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

  test("a commit that fails is tried again after its pause, in another slot when its own was lost", async () => {
    const { env, master, say, tell, posted, run, finish, logged } = await setUp();
    await run();
    await finish();
    const error = errorData(new ExternalError("DISK_FULL", "full"));
    const fails = { kind: "commitFailed", task: "1/1/0", sink: "out", error } as const;
    await say(1, fails);
    await env.advance(99);
    assert.equal(posted.length, 4);
    await env.advance(1);
    assert.deepEqual(posted.slice(4), [[1, "commit", "1/1/0"]]);
    await tell({ kind: "slotLost", slot: 1, error: failure("SLOT_OUT_OF_MEMORY") });
    assert.match(logged.join(), /^slot 1 was lost: SLOT_OUT_OF_MEMORY$/);
    await env.advance(200);
    assert.deepEqual(posted.slice(5), [[0, "commit", "1/1/0"]]);
    await say(0, { kind: "committed", task: "1/1/0", sink: "out" });
    await say(0, { kind: "committed", task: "1/0/0", sink: "out" });
    await say(0, CLOSED);
    assert.deepEqual(await master.result, { outcome: "finished", error: null });
  });

  test("an endless job that is stopped prepares and commits, and has failed when it cannot", async () => {
    for (const [code, outcome] of [
      [null, "cancelled"],
      ["DISK_FULL", "failed"],
    ] as const) {
      const { master, say, both, posted, run, finish, commit } = await setUp();
      await run();
      master.stop();
      await finish();
      assert.deepEqual(
        posted.slice(2).map(([, kind]) => kind),
        ["prepare", "prepare", "commit", "commit"],
      );
      if (code !== null) await say(1, { kind: "commitFailed", task: "1/1/0", sink: "out", error: failure(code) });
      await commit();
      await both(CLOSED);
      const { outcome: came, error } = await master.result;
      assert.deepEqual([came, error?.code ?? null], [outcome, code]);
    }
  });

  test("one whose slot cannot close what it has committed has failed, and says that all is committed", async () => {
    const { master, say, run, finish, commit } = await setUp();
    await run();
    await finish();
    await commit();
    await say(0, { kind: "closed", error: failure("CLOSE") });
    await say(1, CLOSED);
    const { outcome, error } = await master.result;
    assert.deepEqual([outcome, error?.message], ["failed", "CLOSE; all of its output is committed"]);
  });

  test("a stopped job that does not prepare in time has failed, and names the tasks; nothing is committed", async () => {
    const { env, master, say, both, posted, run } = await setUp();
    await run();
    master.stop();
    await say(0, { kind: "prepared", task: "0/0/0", sinks: [] });
    await env.advance(3_600_000);
    await both(CLOSED);
    const { error } = await master.result;
    assert.equal(error?.code, "STOP_TIMEOUT");
    assert.match(error?.message ?? "", /in time by same -> out \(1\/2\), in \(2\/2\), same -> out \(2\/2\): nothing/);
    assert.ok(!posted.some(([, kind]) => kind === "commit"));
  });

  test("what a lost slot had prepared is discarded by one that is there", async () => {
    const { tell, say, posted, run } = await setUp();
    await run();
    await say(1, { kind: "prepared", task: "1/1/0", sinks: [{ sink: "out", committables: [1] }] });
    await tell({ kind: "slotLost", slot: 1, error: failure("SLOT_OUT_OF_MEMORY") });
    assert.deepEqual(posted.slice(2), [
      [0, "discard", null],
      [0, "cancel", null],
      [1, "cancel", null],
    ]);
  });

  test("ends the slots that have not closed in time after they were cancelled, and those only, and says which", async () => {
    const { env, master, say, ended, logged, run } = await setUp();
    await run();
    master.cancel();
    await say(0, CLOSED);
    await env.advance(1_000);
    assert.deepEqual(ended, [0]);
    await env.advance(3_600_000);
    assert.deepEqual(ended, [0, 1]);
    assert.match(logged[0] ?? "", /^slots 1 did not close in time/);
    assert.equal((await master.result).outcome, "cancelled");
    await env.advance(3_600_000);
    assert.equal(logged.length, 1);
  });

  test("a slot that was lost fails the job and needs no further word; one that cannot be ended is told", async () => {
    const lost = await setUp();
    await lost.run();
    await lost.tell({ kind: "slotLost", slot: 1, error: failure("SLOT_OUT_OF_MEMORY") });
    await lost.say(0, CLOSED);
    assert.equal((await lost.master.result).error?.code, "SLOT_OUT_OF_MEMORY");
    assert.deepEqual(lost.ended, [0]);
    const odd = await setUp();
    await odd.run();
    await odd.finish();
    await odd.commit();
    odd.end.fails = true;
    await odd.both(CLOSED);
    const { outcome, error } = await odd.master.result;
    assert.deepEqual([outcome, error?.code], ["failed", "SLOT_END"]);
  });

  test("whose TaskManager is lost has failed, and waits for nothing more", async () => {
    const { env, master, run, leave } = await setUp();
    await run();
    leave();
    await env.advance(0);
    const { outcome, error } = await master.result;
    assert.deepEqual([outcome, error?.code], ["failed", "SESSION_LOST"]);
  });
});

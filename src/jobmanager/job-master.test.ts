import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Job, jobBuild } from "../api/job.ts";
import { ExternalError, UserError } from "../base/errors.ts";
import type { Attempt, JobId, LeaderEpoch } from "../base/ids.ts";
import { Configuration } from "../config/configuration.ts";
import { blackhole } from "../connectors/blackhole/index.ts";
import { collection } from "../connectors/collection/index.ts";
import { jobGraphOf } from "../graph/job-graph.ts";
import { job } from "../index.ts";
import { directTransport } from "../network/direct-transport.ts";
import type { Connection } from "../network/transport.ts";
import { type EngineErrorData, errorData } from "../protocol/error-data.ts";
import { fenceContract } from "../protocol/fence.contract.ts";
import { DropCounts, type Fenced } from "../protocol/fence.ts";
import { type Session, SessionListener, type SessionSays } from "../protocol/session.ts";
import type { FromSlot, JobDescriptor, ToSlot } from "../protocol/slot-messages.ts";
import type { FromTaskManager, ToTaskManager } from "../protocol/task-manager-messages.ts";
import { SimEnv } from "../testing/sim-env.ts";
import { checkpointingStateOf } from "./checkpointing/coordinator.ts";
import type { JobCheckpoints } from "./checkpointing/job-checkpoints.ts";
import { JobMaster } from "./job-master.ts";
import type { RecoveryOptions } from "./recovery/job-failures.ts";

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

const CHECKPOINTS: JobCheckpoints = {
  store: null as never,
  state: checkpointingStateOf({
    ...{ intervalMs: 10_000, minPauseMs: 0, timeoutMs: 600_000 },
    ...{ maxConcurrent: 1, tolerableFailures: 10, retained: 2 },
  }),
  restored: null,
  onCompleted: () => undefined,
  onFailed: () => undefined,
};

/** Goes on after 100 ms, from nothing. */
function recoveryOf(told: string[]): RecoveryOptions {
  return {
    strategy: { kind: "fixed-delay", attempts: 10, delayMs: 100 },
    newest: async () => null,
    onFailed: ({ attempt, error }) => told.push(`attempt ${attempt} failed: ${error.code}`),
    onStuck: () => told.push("stuck"),
    onRestored: () => undefined,
    onRecovered: ({ attempt, regions, newThreads }) =>
      told.push(`attempt ${attempt} runs: regions ${regions.join()}, ${newThreads} new threads`),
  };
}

async function setUp(checkpoints: JobCheckpoints | null = null, recovery: RecoveryOptions | null = null) {
  const env = new SimEnv({ seed: 1 });
  const { graph } = await planned();
  const posted: [slot: number, message: ToSlot["kind"], to: string | null][] = [];
  /** Whether slots were to drop what is prepared as well, for each "cancel". */
  const discards: boolean[] = [];
  const ended: number[] = [];
  const printed: string[] = [];
  const logged: string[] = [];
  const end = { fails: false };
  const transport = directTransport(env);
  const dropped = new DropCounts();
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
          else {
            posted.push([message.slot, message.message.kind, "task" in message.message ? message.message.task : null]);
            if (message.message.kind === "cancel") discards.push(message.message.discard);
          }
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
    checkpoints,
    recovery,
  });
  master.start();
  await env.advance(0);
  const tell = async (message: FromTaskManager): Promise<void> => {
    session.send(message);
    await env.advance(0);
  };
  const say = (slot: number, message: FromSlot): Promise<void> => tell({ kind: "fromSlot", slot, message });
  const slotOf = (task: string): number => Number(task.charAt(2));
  const of = (slot: number, tasks: readonly string[]): string[] => tasks.filter((task) => slotOf(task) === slot);
  const run = async (tasks = TASKS): Promise<void> => {
    for (const slot of [0, 1]) await say(slot, { kind: "deployed", tasks: of(slot, tasks) });
  };
  /** The tasks of a slot, or of both, close; the last of them with the error. */
  const close = async (slot?: number, error: EngineErrorData | null = null, tasks = TASKS): Promise<void> => {
    for (const each of slot === undefined ? [0, 1] : [slot]) {
      const closing = of(each, tasks);
      for (const task of closing)
        await say(each, { kind: "closed", task, error: task === closing.at(-1) ? error : null });
    }
  };
  const finish = async (tasks = TASKS): Promise<void> => {
    for (const task of tasks) {
      const slot = slotOf(task);
      const sinks = task.startsWith("1/") ? [{ sink: "out", committables: [slot] }] : [];
      await say(slot, { kind: "prepared", task, sinks });
    }
  };
  const commit = async (attempt = 0): Promise<void> => {
    for (const slot of [0, 1]) await say(slot, { kind: "committed", task: `1/${slot}/${attempt}`, sink: "out" });
  };
  const leave = (): void => session.close();
  return {
    env,
    master,
    posted,
    discards,
    ended,
    printed,
    logged,
    dropped,
    tell,
    say,
    run,
    finish,
    commit,
    close,
    leave,
    end,
  };
}

const SPLIT = { kind: "splitRequest", vertex: 0, subtask: 1, task: "0/1/1" } as const;

fenceContract<FromTaskManager>(
  "a job master",
  {
    fromSlot: { kind: "fromSlot", slot: 1, message: SPLIT },
    slotLost: { kind: "slotLost", slot: 1, tasks: ["0/1/1"], error: errorData(new UserError("LOST", "it is gone")) },
    released: { kind: "released", slot: 1, error: null },
  },
  async () => {
    const env = new SimEnv({ seed: 1 });
    const transport = directTransport(env);
    const dropped = new DropCounts();
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
      checkpoints: null,
      recovery: null,
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

const LOST = ["0/1/0", "1/1/0"];
const failure = (code: string) => errorData(new UserError(code, code));

describe("a job master", () => {
  test("deploys every slot, commits once all tasks have prepared, closes once all is committed, and is done when each slot was ended", async () => {
    const { env, master, say, posted, ended, run, finish, commit, close } = await setUp();
    assert.deepEqual(posted, [
      [0, "deploy", "0/0/0,1/0/0"],
      [1, "deploy", "0/1/0,1/1/0"],
    ]);
    let running = false;
    void master.running().then(() => {
      running = true;
    });
    const other = master.running();
    await say(0, { kind: "deployed", tasks: ["0/0/0", "1/0/0"] });
    await env.advance(0);
    assert.equal(running, false);
    await say(1, { kind: "deployed", tasks: LOST });
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
    await close();
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
    await say(0, { kind: "splits", task: "0/1/0", splits: [{ id: "a", position: null }] });
    await say(0, { kind: "splits", task: "0/0/0", splits: null });
    assert.deepEqual(posted.slice(2), [
      [0, "splitRequest", "0/1/0"],
      [1, "splits", "0/1/0"],
      [0, "splits", "0/0/0"],
    ]);
  });

  test("cancels all slots after the first failure, which is the result, and commits nothing", async () => {
    const { master, say, posted, close, run, finish } = await setUp();
    await run();
    await say(1, { kind: "failed", tasks: ["1/1/0"], error: failure("FIRST") });
    await say(0, { kind: "failed", tasks: ["0/0/0"], error: failure("SECOND") });
    await finish();
    await close();
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
    const { env, master, say, tell, posted, run, finish, logged, close } = await setUp();
    await run();
    await finish();
    const error = errorData(new ExternalError("DISK_FULL", "full"));
    const fails = { kind: "commitFailed", task: "1/1/0", sink: "out", error } as const;
    await say(1, fails);
    await env.advance(99);
    assert.equal(posted.length, 4);
    await env.advance(1);
    assert.deepEqual(posted.slice(4), [[1, "commit", "1/1/0"]]);
    await tell({ kind: "slotLost", slot: 1, tasks: LOST, error: failure("SLOT_OUT_OF_MEMORY") });
    assert.match(logged.join(), /^slot 1 was lost: SLOT_OUT_OF_MEMORY$/);
    await env.advance(200);
    assert.deepEqual(posted.slice(5), [[0, "commit", "1/1/0"]]);
    await say(0, { kind: "committed", task: "1/1/0", sink: "out" });
    await say(0, { kind: "committed", task: "1/0/0", sink: "out" });
    await close(0);
    assert.deepEqual(await master.result, { outcome: "finished", error: null });
  });

  test("an endless job that is stopped prepares and commits, and has failed when it cannot", async () => {
    for (const [code, outcome] of [
      [null, "cancelled"],
      ["DISK_FULL", "failed"],
    ] as const) {
      const { master, say, close, posted, run, finish, commit } = await setUp();
      await run();
      master.stop();
      await finish();
      assert.deepEqual(
        posted.slice(2).map(([, kind]) => kind),
        ["prepare", "prepare", "commit", "commit"],
      );
      if (code !== null) await say(1, { kind: "commitFailed", task: "1/1/0", sink: "out", error: failure(code) });
      await commit();
      await close();
      const { outcome: came, error } = await master.result;
      assert.deepEqual([came, error?.code ?? null], [outcome, code]);
    }
  });

  test("one with checkpoints that is stopped before all tasks run shows nothing: it is in no checkpoint", async () => {
    const { env, master, say, close, posted } = await setUp(CHECKPOINTS);
    await say(0, { kind: "deployed", tasks: ["0/0/0", "1/0/0"] });
    master.stop();
    await env.advance(0);
    assert.deepEqual(
      posted.slice(2).map(([, kind]) => kind),
      ["cancel", "cancel"],
    );
    await close();
    assert.deepEqual(await master.result, { outcome: "cancelled", error: null });
  });

  test("what was prepared is dropped when a job fails, but for one with checkpoints: they may hold it", async () => {
    for (const [checkpoints, discarded] of [
      [null, true],
      [CHECKPOINTS, false],
    ] as const) {
      const { master, say, tell, close, run, posted, discards } = await setUp(checkpoints);
      await run();
      await say(1, { kind: "prepared", task: "1/1/0", sinks: [{ sink: "out", committables: [1] }] });
      await tell({ kind: "slotLost", slot: 1, tasks: LOST, error: failure("SLOT_OUT_OF_MEMORY") });
      assert.deepEqual([...new Set(discards)], [discarded]);
      assert.equal(
        posted.some(([slot, kind]) => slot === 0 && kind === "discard"),
        discarded,
      );
      await close(0);
      assert.equal((await master.result).error?.code, "SLOT_OUT_OF_MEMORY");
    }
  });

  test("one whose slot cannot close what it has committed has failed, and says that all is committed", async () => {
    const { master, run, finish, commit, close } = await setUp();
    await run();
    await finish();
    await commit();
    await close(0, failure("CLOSE"));
    await close(1);
    const { outcome, error } = await master.result;
    assert.deepEqual([outcome, error?.message], ["failed", "CLOSE; all of its output is committed"]);
  });

  test("a stopped job that does not prepare in time has failed, and names the tasks; nothing is committed", async () => {
    const { env, master, say, close, posted, run } = await setUp();
    await run();
    master.stop();
    await say(0, { kind: "prepared", task: "0/0/0", sinks: [] });
    await env.advance(3_600_000);
    await close();
    const { error } = await master.result;
    assert.equal(error?.code, "STOP_TIMEOUT");
    assert.match(error?.message ?? "", /in time by same -> out \(1\/2\), in \(2\/2\), same -> out \(2\/2\): nothing/);
    assert.ok(!posted.some(([, kind]) => kind === "commit"));
  });

  test("what a lost slot had prepared is discarded by one that is there", async () => {
    const { tell, say, posted, run } = await setUp();
    await run();
    await say(1, { kind: "prepared", task: "1/1/0", sinks: [{ sink: "out", committables: [1] }] });
    await tell({ kind: "slotLost", slot: 1, tasks: LOST, error: failure("SLOT_OUT_OF_MEMORY") });
    assert.deepEqual(posted.slice(2), [
      [0, "discard", null],
      [0, "cancel", null],
      [1, "cancel", null],
    ]);
  });

  test("ends the slots that have not closed in time after they were cancelled, and those only, and says which", async () => {
    const { env, master, close, ended, logged, run } = await setUp();
    await run();
    master.cancel();
    await close(0);
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
    await lost.tell({ kind: "slotLost", slot: 1, tasks: LOST, error: failure("SLOT_OUT_OF_MEMORY") });
    await lost.close(0);
    assert.equal((await lost.master.result).error?.code, "SLOT_OUT_OF_MEMORY");
    assert.deepEqual(lost.ended, [0]);
    const odd = await setUp();
    await odd.run();
    await odd.finish();
    await odd.commit();
    odd.end.fails = true;
    await odd.close();
    const { outcome, error } = await odd.master.result;
    assert.deepEqual([outcome, error?.code], ["failed", "SLOT_END"]);
  });

  test("begins anew in the same slots once all tasks are closed, and hears nothing of those before", async () => {
    const { master, posted, ended, say, run, finish, commit, close, dropped } = await setUp();
    await run();
    posted.length = 0;
    master.restart();
    await finish();
    await close(1);
    assert.deepEqual(posted, [
      [0, "cancel", null],
      [1, "cancel", null],
    ]);
    posted.length = 0;
    await close(0);
    assert.deepEqual(posted, [
      [0, "deploy", "0/0/1,1/0/1"],
      [1, "deploy", "0/1/1,1/1/1"],
    ]);
    posted.length = 0;
    await run();
    await finish();
    await close();
    await say(1, { kind: "failed", tasks: ["1/1/0"], error: failure("LATE") });
    await say(1, { kind: "splitRequest", vertex: 0, subtask: 1, task: "0/1/0" });
    assert.deepEqual([posted, dropped.counts.late], [[], 2 + 4 + 4 + 2]);
    const next = TASKS.map((task) => task.replace(/0$/, "1"));
    await run(next);
    await finish(next);
    await commit(1);
    await close(undefined, null, next);
    assert.deepEqual(await master.result, { outcome: "finished", error: null });
    assert.deepEqual(ended, [0, 1]);
  });

  test("begins anew also in slots that were lost or had to be stopped meanwhile", async () => {
    const { env, master, posted, ended, tell, run } = await setUp();
    await run();
    posted.length = 0;
    master.restart();
    await tell({ kind: "slotLost", slot: 1, tasks: LOST, error: failure("SLOT_OUT_OF_MEMORY") });
    await env.advance(3_600_000);
    assert.deepEqual(
      [posted.slice(2).map(([slot, kind]) => [slot, kind]), ended],
      [
        [
          [0, "deploy"],
          [1, "deploy"],
        ],
        [0],
      ],
    );
  });

  test("a slot that is empty already when a job that begins anew is cancelled is released at once", async () => {
    const { master, ended, run, close } = await setUp();
    await run();
    master.restart();
    await close(0);
    assert.deepEqual(ended, []);
    master.cancel();
    await close(1);
    assert.equal((await master.result).outcome, "cancelled");
    assert.deepEqual(ended, [0, 1]);
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

const taskFailed = (slot: number, tasks: readonly string[], code = "DISK_FULL") =>
  ({ kind: "failed", tasks, error: errorData(new ExternalError(code, `slot ${slot}`)) }) as const;
const ids = (attempt: number): string[] => TASKS.map((task) => task.replace(/0$/, String(attempt)));
const goesTo = (posted: readonly (readonly unknown[])[], what: string): unknown[] =>
  posted.filter(([, kind]) => kind === what).map(([slot]) => slot);

/** A job that runs, fails, and has closed its tasks. */
async function failed(recovery: Partial<RecoveryOptions> = {}) {
  const job = await setUp(CHECKPOINTS, { ...recoveryOf([]), ...recovery });
  await job.run();
  await job.say(1, taskFailed(1, ["1/1/0"]));
  await job.close();
  return job;
}

describe("a job master with checkpoints", () => {
  test("M1: after a failure the tasks end, and begin anew in their slots when nothing is left and their time has come", async () => {
    const told: string[] = [];
    const { env, master, posted, ended, say, run, close } = await setUp(CHECKPOINTS, recoveryOf(told));
    await run();
    posted.length = 0;
    await say(1, taskFailed(1, ["1/1/0"]));
    await say(0, taskFailed(0, ["0/0/0"], "CONSEQUENCE"));
    assert.deepEqual(goesTo(posted, "cancel"), [0, 1]);
    posted.length = 0;
    await env.advance(1_000);
    await close(1);
    await close(0);
    assert.deepEqual(posted, [
      [0, "deploy", "0/0/1,1/0/1"],
      [1, "deploy", "0/1/1,1/1/1"],
    ]);
    assert.deepEqual([told, master.state.phase, ended], [["attempt 0 failed: DISK_FULL"], "deploying", []]);
    await run(ids(1));
    assert.deepEqual(told[1], "attempt 1 runs: regions 0, 0 new threads");
    assert.equal(master.state.phase, "running");
    assert.deepEqual(
      master.exceptions.entries.map(({ error, attempt, slot, tasks }) => [error.code, attempt, slot, tasks.length]),
      [
        ["CONSEQUENCE", 0, 0, 1],
        ["DISK_FULL", 0, 1, 1],
      ],
    );
    const { numRestarts, uptime, downtime, restartingTimeTotal } = master.restartMetrics(env.clock.monotonicMs() + 7);
    assert.deepEqual([numRestarts, uptime, downtime, restartingTimeTotal], [1, 7, 0, 1_000]);
  });

  test("M1: a slot that was lost gets its tasks in a new thread; what it says of those before is dropped", async () => {
    const told: string[] = [];
    const { env, posted, dropped, tell, say, run, close } = await setUp(CHECKPOINTS, recoveryOf(told));
    await run();
    posted.length = 0;
    await tell({ kind: "slotLost", slot: 1, tasks: LOST, error: failure("SLOT_EXITED") });
    await close(0);
    await env.advance(100);
    assert.deepEqual(goesTo(posted, "deploy"), [0, 1]);
    await say(1, { kind: "ready" });
    await say(1, { kind: "prepared", task: "1/1/0", sinks: [{ sink: "out", committables: [1] }] });
    assert.equal(dropped.counts.late, 1);
    await run(ids(1));
    assert.deepEqual(told, ["attempt 0 failed: SLOT_EXITED", "attempt 1 runs: regions 0, 1 new threads"]);
  });

  test("M1: a slot that does not close its tasks in time is ended, and they begin anew all the same", async () => {
    const { env, posted, ended, say, run, close } = await setUp(CHECKPOINTS, recoveryOf([]));
    await run();
    await say(1, taskFailed(1, ["1/1/0"]));
    await close(0);
    posted.length = 0;
    await env.advance(3_600_000);
    assert.deepEqual(ended, [1]);
    assert.deepEqual(goesTo(posted, "deploy"), [0, 1]);
  });

  test("M2: the failure is the job's when its user ends it, or the strategy gives up", async () => {
    const ending = await setUp(CHECKPOINTS, recoveryOf([]));
    await ending.run();
    ending.master.stop();
    await ending.say(1, taskFailed(1, ["1/1/0"]));
    await ending.close();
    assert.deepEqual((await ending.master.result).error?.code, "DISK_FULL");
    const none = await failed({ strategy: { kind: "none" } });
    const { outcome, error } = await none.master.result;
    assert.deepEqual([outcome, error?.code], ["failed", "DISK_FULL"]);
  });

  test("M2: cancelled while it waits to begin anew, it ends as cancelled; what cannot be restored is its failure", async () => {
    const waiting = await failed();
    waiting.master.cancel();
    await waiting.env.advance(10_000);
    assert.deepEqual(await waiting.master.result, { outcome: "cancelled", error: null });
    assert.deepEqual(waiting.ended, [0, 1]);
    const none = new ExternalError("CHECKPOINT_NONE_READABLE", "none");
    const damaged = await failed({ newest: () => Promise.reject(none) });
    await damaged.env.advance(100);
    const { outcome, error } = await damaged.master.result;
    assert.deepEqual([outcome, error?.code], ["failed", "CHECKPOINT_NONE_READABLE"]);
  });
});

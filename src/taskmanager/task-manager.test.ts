// How the TaskManager deals with threads that real ones only rarely turn into. What real threads do is tested in
// test/integration/slot-faults.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type EngineError, UserError } from "../base/errors.ts";
import type { Attempt, CheckpointId, JobId, LeaderEpoch } from "../base/ids.ts";
import { Configuration } from "../config/configuration.ts";
import type { JobVertex } from "../graph/job-graph.ts";
import { SegmentPool } from "../memory/segment-pool.ts";
import { taskManagerMemory } from "../memory/task-manager-memory.ts";
import { errorData } from "../protocol/error-data.ts";
import { fenceContract } from "../protocol/fence.contract.ts";
import { DropCounts, type Fence, type Fenced } from "../protocol/fence.ts";
import {
  type FromSlot,
  type JobDescriptor,
  type SlotControl,
  type TaskDescriptor,
  type TaskId,
  type ToSlot,
  taskIdOf,
} from "../protocol/slot-messages.ts";
import { SimEnv } from "../testing/sim-env.ts";
import type { SlotExit, SlotHandle, SlotRunner } from "./runner/slot-runner.ts";
import { type JobSlots, TaskManager } from "./task-manager.ts";

const GIB = 1024 ** 3;
const JOB = { jobId: "job", config: [] } as unknown as JobDescriptor;

const FENCE: Fence = { job: "job" as JobId, attempt: 1 as Attempt, epoch: 1 as LeaderEpoch };

/** Of the vertices of `CHAINS`, or of none. */
function taskOf(vertex: number, subtask: number, attempt = 0): TaskDescriptor {
  const id = taskIdOf(vertex, subtask, attempt);
  return { id, name: `task ${subtask}`, vertex, subtask, attempt, inputs: [], outputs: [] };
}

type Thread = {
  readonly heldBytes: number;
  readonly terminate: () => Promise<void>;
  readonly stack?: string | null;
  readonly onSample?: () => void;
};

/** The chains that run in each slot; one function in each. */
const CHAINS = [
  {
    name: "numbers -> hoard",
    operators: [
      { uid: "numbers", kind: "source" },
      { uid: "hoard", kind: "map" },
    ],
  },
  { name: "keep", operators: [{ uid: "keep", kind: "filter", options: null }] },
] as unknown as readonly JobVertex[];

function setUp(threads: readonly Thread[], residentBytes: (nowMs: number) => number | null) {
  const env = new SimEnv({ seed: 1 });
  const values = { "taskmanager.numberOfTaskSlots": threads.length, "taskmanager.memory.flink.size": "1gb" };
  const configuration = new Configuration([{ origin: { kind: "command line" }, values }]);
  const says: ((message: FromSlot) => void)[] = [];
  /** The same, of whomever, and with whatever number. */
  const raw: ((message: Fenced<FromSlot>) => void)[] = [];
  const dropped = new DropCounts();
  /** What each thread was told, in the order of their starts. */
  const given: { readonly index: number; readonly heard: ToSlot[] }[] = [];
  const exits: ((exit: SlotExit) => void)[] = [];
  const words: { progress: Int32Array; lastVertex: Int32Array }[] = [];
  const runner: SlotRunner = {
    keepReady: () => undefined,
    residentBytes: () => residentBytes(env.clock.monotonicMs()),
    start: ({ index, progress, lastVertex }, onExit): SlotHandle => {
      words[index] = { progress: new Int32Array(progress), lastVertex: new Int32Array(lastVertex) };
      exits[index] = onExit;
      const { heldBytes, terminate, stack = null, onSample } = threads[index]!;
      const heard: ToSlot[] = [];
      given.push({ index, heard });
      let said = 0;
      const control: SlotControl = {
        send: ({ body }) => heard.push(body),
        request: () => assert.fail(),
        receive: ({ message = assert.fail() }) => {
          raw[index] = message;
          says[index] = (body) => {
            said += 1;
            message({ fence: FENCE, sequence: said, body });
          };
        },
        close: () => undefined,
      };
      return {
        control,
        ring: () => undefined,
        terminate,
        stackSample: async () => {
          onSample?.();
          return stack;
        },
        heldBytes: async () => heldBytes,
      };
    },
  };
  const told: FromSlot[] = [];
  const lost: { slot: number; tasks: readonly TaskId[]; error: EngineError }[] = [];
  const memory = taskManagerMemory(configuration, { machineBytes: 8 * 1024 ** 3 });
  const manager = new TaskManager({
    env,
    configuration,
    memory,
    runner,
    dropped,
  });
  const job = (heard = told): JobSlots =>
    manager.slotsFor({
      fence: FENCE,
      onMessage: (_slot, message) => heard.push(message),
      chains: (vertices) => CHAINS.filter((_, index) => vertices.includes(index)),
      onSlotLost: (slot, tasks, error) => lost.push({ slot, tasks, error }),
    });
  const slots = job();
  /** Two tasks without channels in each slot. */
  for (const index of threads.keys()) slots.deploy(index, JOB, [taskOf(8, index), taskOf(9, index)]);
  const close = (slot: number, ...tasks: TaskId[]): void => {
    for (const task of tasks) says[slot]?.({ kind: "closed", task, error: null });
  };
  /** Gives a slot a task that sends to `receivers`, of which there is one in each slot. */
  const deploy = (slot: number, receivers: readonly number[] = [slot + 1]): void => {
    const channels = receivers.map((to) => ({
      edge: 0,
      from: slot,
      to,
      attempt: 0,
      peer: (slot + 1) % threads.length,
    }));
    slots.deploy(slot, JOB, [{ ...taskOf(0, slot), outputs: [{ edge: 0, channels }] }]);
  };
  /** A slot gives the task of the first chain a turn, which does not come back. */
  const hang = (slot: number): void => {
    words[slot]!.lastVertex[slot] = 1;
    words[slot]!.progress[slot] = 1;
  };
  /** The slot has come back. */
  const moves = (slot: number): void => {
    words[slot]!.progress[slot]! += 1;
  };
  return {
    env,
    manager,
    slots,
    job,
    lost,
    told,
    says,
    exits,
    words,
    given,
    raw,
    dropped,
    close,
    deploy,
    hang,
    moves,
    processBytes: memory.process.bytes,
  };
}

const SAID = { vertex: 8, subtask: 0, task: "8/0/0", sink: "out" } as const;
const CHECKPOINT = 1 as CheckpointId;
const ERROR = errorData(new UserError("BROKEN", "broken"));

fenceContract<FromSlot>(
  "a TaskManager, towards its slots",
  {
    ready: { kind: "ready" },
    deployed: { kind: "deployed", tasks: ["8/0/0"] },
    prepared: { kind: "prepared", task: "8/0/0", sinks: [] },
    committed: { kind: "committed", ...SAID },
    commitFailed: { kind: "commitFailed", ...SAID, error: ERROR },
    failed: { kind: "failed", tasks: ["8/0/0"], error: ERROR },
    closed: { kind: "closed", task: "8/0/0", error: null },
    spoilt: { kind: "spoilt", reason: "the heap" },
    splitRequest: { kind: "splitRequest", ...SAID },
    splits: { kind: "splits", task: "8/0/0", splits: null },
    splitsFollow: { kind: "splitsFollow", task: "8/0/0" },
    coordinated: { kind: "coordinated", checkpoint: CHECKPOINT, vertex: 8, uid: "in", state: null },
    checkpointTaken: { kind: "checkpointTaken", checkpoint: CHECKPOINT, task: "8/0/0", prepared: [] },
    checkpointAcknowledged: {
      ...{ kind: "checkpointAcknowledged", checkpoint: CHECKPOINT, task: "8/0/0" },
      ...({} as Pick<Extract<FromSlot, { readonly kind: "checkpointAcknowledged" }>, "written" | "timing">),
    },
    checkpointDeclined: { kind: "checkpointDeclined", checkpoint: CHECKPOINT, task: "8/0/0", error: ERROR },
    metrics: { kind: "metrics", definitions: [] },
    print: { kind: "print", ...SAID, lines: "line" },
    rows: { kind: "rows", ...SAID, rows: new Uint8Array(1) },
    log: { kind: "log", line: "line" },
  },
  async () => {
    const thread: Thread = { heldBytes: 0, terminate: async () => undefined };
    const { env, told, lost, given, raw, says, dropped, slots } = setUp([thread], () => null);
    says[0]?.({ kind: "ready" });
    return {
      ...{ fence: FENCE, heard: 1, dropped },
      send: async (message) => {
        raw[0]?.(message);
        await env.advance(0);
      },
      seen: () => ({ told, lost, given, isEmpty: slots.isEmpty(0) }),
    };
  },
);

test("M1: a thread that cannot be ended is given up after ten seconds, and keeps its segments until it ends", async () => {
  const end = Promise.withResolvers<void>();
  const thread: Thread = { heldBytes: 0, terminate: () => end.promise };
  const { env, manager, slots, deploy, job } = setUp([thread, thread], () => null);
  deploy(0);
  const deployOther = (): void => job().deploy(0, JOB, [taskOf(8, 0)]);
  let ended = false;
  void slots.release(0).then(() => {
    ended = true;
  });
  await env.advance(9_900);
  assert.deepEqual([ended, manager.stranded], [false, false]);
  await env.advance(200);
  assert.deepEqual([ended, manager.stranded], [true, true]);
  assert.ok(manager.network.stats().leased > 0);
  assert.throws(deployOther, { code: "SLOTS_MISSING" });
  end.resolve();
  await env.advance(0);
  assert.deepEqual([manager.stranded, manager.network.stats().leased], [false, 0]);
  deployOther();
});

test("the error of a slot whose thread cannot be ended says what becomes of the process, and has the line", async () => {
  const stack = "    at hoard (job.ts:7:3)";
  const thread: Thread = { heldBytes: Infinity, terminate: () => new Promise(() => undefined), stack };
  const { env, lost } = setUp([thread], () => Infinity);
  await env.advance(11_000);
  assert.match(lost[0]!.error.message, /holds most of it; its thread cannot be stopped, so the process ends itself$/);
  assert.ok(lost[0]!.error.stack?.endsWith(stack));
});

test("when the process outgrows its budget, the slot that holds most is ended, and only that one", async () => {
  const ended: number[] = [];
  const thread = (slot: number, heldBytes: number): Thread => {
    return { heldBytes, terminate: async () => void ended.push(slot) };
  };
  const budget: { bytes: number } = { bytes: Infinity };
  const { env, lost, manager, processBytes } = setUp([thread(0, GIB), thread(1, 3 * GIB), thread(2, 2 * GIB)], () => {
    return ended.length === 0 ? budget.bytes + 1 : 0;
  });
  budget.bytes = processBytes - 1;
  await env.advance(1_000);
  assert.deepEqual(ended, [], "at its budget");
  budget.bytes = processBytes;
  await env.advance(1_000);
  assert.deepEqual(ended, [1]);
  assert.deepEqual(
    lost.map(({ slot, error }) => [slot, error.code]),
    [[1, "SLOT_OUT_OF_MEMORY"]],
  );
  await manager.close();
});

test("a slot that does not answer is not taken for the one that holds most when another is known to", async () => {
  const ended: number[] = [];
  const thread = (slot: number, heldBytes: number): Thread => {
    return { heldBytes, terminate: async () => void ended.push(slot) };
  };
  const { env, manager } = setUp([thread(0, Infinity), thread(1, 3 * GIB), thread(2, 1_000)], () => {
    return ended.length === 0 ? Infinity : 0;
  });
  await env.advance(1_000);
  assert.deepEqual(ended, [1]);
  await manager.close();
});

for (const [seen, stack] of [
  ["was not seen", null],
  ["was seen in code of Millrace", "    at Slot.turn (node:internal/x:1:1)"],
] as const) {
  test(`a slot that ${seen} is blamed by the task that ran, and the place of its function`, async () => {
    const thread: Thread = { heldBytes: 3 * GIB, terminate: async () => undefined, stack };
    const { env, lost, manager, hang } = setUp([thread], () => Infinity);
    hang(0);
    await env.advance(1_000);
    const [{ error } = assert.fail()] = lost;
    assert.match(error.message, /in slot 0 holds most of it; the task "numbers -> hoard" was running$/);
    assert.equal(error.operator, "hoard");
    await manager.close();
  });
}

test("a slot that goes on from turn to turn is blamed by all the tasks that run in it: any may hold what is too much", async () => {
  const slot: { moves: (slot: number) => void } = { moves: () => undefined };
  const stack = "    at innocent (file:///job.ts:7:3)";
  const thread: Thread = { heldBytes: 3 * GIB, terminate: async () => undefined, stack, onSample: () => slot.moves(0) };
  const { env, lost, manager, slots, hang, moves } = setUp([thread], () => Infinity);
  slots.deploy(0, JOB, [taskOf(0, 0), taskOf(1, 0)]);
  slot.moves = moves;
  hang(0);
  await env.advance(1_000);
  const [{ error } = assert.fail()] = lost;
  assert.match(error.message, /holds most of it; these tasks were running: "numbers -> hoard", "keep"$/);
  assert.equal(error.operator, undefined);
  await manager.close();
});

test("a slot that hangs is ended with its stack; one that was only slow, and has moved after it was looked at, is not", async () => {
  const ended: number[] = [];
  const stack = "    at spin (file:///job.ts:7:3)";
  const thread = (slot: number): Thread => ({ heldBytes: 0, terminate: async () => void ended.push(slot), stack });
  const { env, lost, manager, hang, moves } = setUp([thread(0), thread(1)], () => null);
  hang(0);
  hang(1);
  await env.advance(40_000); // The watchdog's half a minute, and the time until its look.
  moves(1);
  await env.advance(10_000);
  assert.deepEqual(ended, [0]);
  assert.deepEqual(
    lost.map(({ slot, error }) => [slot, error.code]),
    [[0, "FUNCTION_NEVER_RETURNED"]],
  );
  assert.ok(lost[0]!.error.stack?.endsWith(stack) && lost[0]!.error.operator === undefined);
  hang(1);
  await env.advance(100_000);
  assert.deepEqual(ended, [0, 1], "it is watched again");
  await manager.close();
});

test("when no slot holds more than is its own, none is ended, and the log says so once", async () => {
  const ended: number[] = [];
  const { env, lost, manager } = setUp(
    [{ heldBytes: 1_000, terminate: async () => void ended.push(0) }],
    () => GIB * 4,
  );
  await env.advance(2_000);
  assert.deepEqual([ended, lost], [[], []]);
  assert.equal(env.logLines.filter(({ level, message }) => level === "warn" && /no slot/.test(message)).length, 1);
  await manager.close();
});

test("a slot that has closed and still holds segments is reported as a leak, with the owner; one that was killed is not", async () => {
  const thread: Thread = { heldBytes: 0, terminate: async () => undefined };
  const { env, manager, slots, close } = setUp([thread, thread], () => null);
  for (const slot of [0, 1]) {
    const pool = SegmentPool.attach(manager.managed.handle, slot + 1);
    pool.allocate(pool.registerOwner({ job: "job", task: `task ${slot}`, purpose: "forgotten" }), 2);
  }
  close(0, "8/0/0", "9/0/0");
  await slots.release(0);
  await slots.release(1);
  const leaks = env.logLines.filter(({ level }) => level === "error").map(({ fields }) => fields);
  assert.deepEqual(leaks, [{ job: "job", task: "task 0", purpose: "forgotten", segments: 2 }]);
  assert.equal(manager.managed.stats().leased, 0);
});

test("a thread that ends by itself is a slot lost, with all that it held; after the slot has closed it is not", async () => {
  const thread: Thread = { heldBytes: 0, terminate: async () => undefined };
  const { manager, lost, close, exits } = setUp([thread, thread], () => null);
  const pool = SegmentPool.attach(manager.managed.handle, 2);
  pool.allocate(pool.registerOwner({ job: "job", task: "task 1", purpose: "state" }), 2);
  close(0, "8/0/0", "9/0/0");
  for (const exit of exits) exit({ kind: "exit", code: 3, error: null });
  assert.deepEqual(
    lost.map(({ slot, tasks, error }) => [slot, tasks.join(), error.code]),
    [[1, "8/1/0,9/1/0", "SLOT_EXITED"]],
  );
  assert.equal(manager.managed.stats().leased, 0);
  await manager.close();
});

test("M1: network segments are free once a slot says that their task is closed, or its thread has ended, by itself or not", async () => {
  const thread: Thread = { heldBytes: 0, terminate: async () => undefined };
  for (const how of ["says", "exits", "is ended"] as const) {
    const { manager, slots, close, exits, deploy } = setUp([thread, thread], () => null);
    deploy(0);
    const one = manager.network.stats().leased;
    deploy(1);
    assert.deepEqual([one > 0, manager.network.stats().leased], [true, 2 * one]);
    if (how === "says") close(0, "0/0/0");
    else if (how === "exits") exits[0]?.({ kind: "exit", code: 1, error: null });
    else await slots.release(0);
    assert.equal(manager.network.stats().leased, one, how);
    await manager.close();
    assert.equal(manager.network.stats().leased, 0);
  }
});

test("tasks for which there is no network memory are told to have failed and closed, and nothing stays", async () => {
  const thread: Thread = { heldBytes: 0, terminate: async () => undefined };
  const { env, manager, told, deploy } = setUp([thread, thread], () => null);
  deploy(
    0,
    Array.from({ length: 100_000 }, (_, to) => to + 1),
  );
  assert.equal(told.length, 0, "never within the call");
  await env.advance(0);
  const [failed, closed] = told;
  assert.equal(failed?.kind === "failed" && failed.error.code, "MEMORY_REQUEST_TOO_LARGE");
  assert.deepEqual(closed, { kind: "closed", task: "0/0/0", error: null });
  assert.deepEqual([manager.network.stats().leased, manager.network.report()], [0, []]);
  await manager.close();
});

/** A thread that ends when it is told to. */
function slowToEnd(): { readonly thread: Thread; readonly ends: (() => void)[] } {
  const ends: (() => void)[] = [];
  return { thread: { heldBytes: 0, terminate: () => new Promise((resolve) => ends.push(resolve)) }, ends };
}

/** Lets promises settle that wait for nothing outside. */
const settled = (): Promise<void> => new Promise(setImmediate);

test("M3: a slot is free for another job once its thread has ended, and its messages are those of its own job only", async () => {
  const { thread, ends } = slowToEnd();
  const { manager, slots, job, told, says, words, hang } = setUp([thread, thread], () => null);
  hang(1);
  const tasks = [taskOf(0, 0)];
  assert.throws(() => job().deploy(0, JOB, tasks), { code: "SLOTS_MISSING", message: /and all 2 are taken$/ });
  const released = Promise.all([slots.release(1), slots.release(1)]);
  assert.throws(() => job().deploy(0, JOB, tasks), { code: "SLOTS_MISSING" }, "its thread may still write");
  ends[0]?.();
  await released;
  assert.equal(ends.length, 1, "it is told once");
  const before = says[1];
  const heard: FromSlot[] = [];
  const other = job(heard);
  other.deploy(0, JOB, tasks);
  assert.notEqual(says[1], before, "a new thread has taken the place");
  assert.deepEqual([words[1]?.progress[1], words[1]?.lastVertex[1]], [0, 0], "and nothing of the one before");
  before?.({ kind: "deployed", tasks: [] });
  slots.post(1, { kind: "prepare" });
  await slots.release(1);
  assert.equal(ends.length, 1, "who had the slot before cannot end it");
  const closing = other.release(0);
  ends[1]?.();
  await closing;
  assert.deepEqual([told.length, heard.length], [1, 0]);
  void slots.release(0);
  ends[2]?.();
  await manager.close();
});

test("a slot is given tasks many times, which its thread gets, also once all those before are closed", async () => {
  const thread: Thread = { heldBytes: 0, terminate: async () => undefined };
  const { manager, slots, close, given } = setUp([thread], () => null);
  for (let attempt = 1; attempt < 5; attempt += 1) {
    close(0, ...(attempt === 1 ? ["8/0/0", "9/0/0"] : [taskIdOf(0, 0, attempt - 1)]));
    assert.ok(slots.isEmpty(0));
    slots.deploy(0, JOB, [taskOf(0, 0, attempt)]);
    assert.ok(!slots.isEmpty(0));
  }
  assert.deepEqual([given.length, given[0]?.heard.length], [1, 5]);
  await manager.close();
});

test("M4: a thread that may be spoilt is replaced once its tasks are closed; what is said meanwhile waits for the next", async () => {
  const { thread, ends } = slowToEnd();
  const { manager, slots, close, says, given, lost } = setUp([thread], () => null);
  says[0]?.({ kind: "spoilt", reason: "it has called process.exit" });
  close(0, "8/0/0");
  assert.equal(ends.length, 0, "the other task goes on");
  close(0, "9/0/0");
  assert.equal(ends.length, 1);
  slots.deploy(0, JOB, [taskOf(0, 0, 1)]);
  slots.post(0, { kind: "cancel", tasks: ["0/0/1"], discard: true });
  await settled();
  assert.equal(given.length, 1, "the one before has not ended");
  ends[0]?.();
  await settled();
  assert.deepEqual(
    given.map(({ index, heard }) => [index, heard.map(({ kind }) => kind).join()]),
    [
      [0, "deploy"],
      [0, "deploy,cancel"],
    ],
  );
  assert.deepEqual(lost, [], "nothing was lost");
  void manager.close();
  ends[1]?.();
});

test("M1: what waits for a slot's next thread holds nothing any more once the slot is released", async () => {
  const { thread, ends } = slowToEnd();
  const { manager, slots, close, says, deploy } = setUp([thread, thread], () => null);
  says[0]?.({ kind: "spoilt", reason: "it has called process.exit" });
  close(0, "8/0/0", "9/0/0");
  deploy(0);
  assert.ok(manager.network.stats().leased > 0);
  const released = slots.release(0);
  ends[0]?.();
  await released;
  assert.equal(manager.network.stats().leased, 0);
  void manager.close();
  await settled();
  for (const end of ends) end();
});

test("a slot that was released is taken anew by whoever speaks of it again", async () => {
  const thread: Thread = { heldBytes: 0, terminate: async () => undefined };
  const { manager, slots, given } = setUp([thread], () => null);
  await slots.release(0);
  slots.deploy(0, JOB, [taskOf(0, 0, 1)]);
  slots.post(0, { kind: "prepare" });
  assert.deepEqual(
    given.map(({ heard }) => heard.map(({ kind }) => kind).join()),
    ["deploy", "deploy,prepare"],
  );
  await manager.close();
});

test("the next thread of a slot is watched as the one before: when it hangs, it is ended", async () => {
  const thread: Thread = { heldBytes: 0, terminate: async () => undefined, stack: "    at spin (job.ts:1:1)" };
  const { env, manager, slots, lost, hang } = setUp([thread], () => null);
  for (const attempt of [1, 2]) {
    hang(0);
    await env.advance(60_000);
    assert.equal(lost.length, attempt);
    slots.deploy(0, JOB, [taskOf(0, 0, attempt)]);
  }
  assert.deepEqual(
    lost.map(({ error }) => error.code),
    ["FUNCTION_NEVER_RETURNED", "FUNCTION_NEVER_RETURNED"],
  );
  await manager.close();
});

test("M4: a thread that is spoilt while it has no tasks is replaced when it gets some", async () => {
  const thread: Thread = { heldBytes: 0, terminate: async () => undefined };
  const { manager, slots, close, says, given } = setUp([thread], () => null);
  close(0, "8/0/0", "9/0/0");
  says[0]?.({ kind: "spoilt", reason: "a timer of its user threw" });
  await settled();
  slots.post(0, { kind: "cancel", tasks: null, discard: true });
  assert.equal(given.length, 1, "no thread for nothing");
  slots.deploy(0, JOB, [taskOf(0, 0, 1)]);
  assert.deepEqual([given.length, given[1]?.heard.length], [2, 1]);
  await manager.close();
});

test("M4: a slot whose thread was lost has lost the tasks that it had, and is given others; those that wait go on", async () => {
  const { thread, ends } = slowToEnd();
  const { env, manager, slots, lost, told, hang, exits, given } = setUp([thread, thread], () => null);
  exits[0]?.({ kind: "exit", code: 1, error: null });
  slots.deploy(0, JOB, [taskOf(0, 0, 1)]);
  assert.deepEqual([given.length, given[2]?.index, given[2]?.heard.length], [3, 0, 1]);
  hang(1);
  await env.advance(40_000);
  slots.deploy(1, JOB, [taskOf(0, 1, 1)]);
  ends[0]?.();
  await settled();
  assert.deepEqual(
    lost.map(({ slot, tasks, error }) => [slot, tasks.join(), error.code]),
    [
      [0, "8/0/0,9/0/0", "SLOT_EXITED"],
      [1, "8/1/0,9/1/0", "FUNCTION_NEVER_RETURNED"],
    ],
  );
  assert.deepEqual([given[3]?.index, given[3]?.heard.length, told], [1, 1, []]);
  void manager.close();
  await settled();
  for (const end of ends) end();
});

test("tasks that wait for a thread which cannot be ended have failed; the slot goes on if it ends after all", async () => {
  const end = Promise.withResolvers<void>();
  const thread: Thread = { heldBytes: 0, terminate: () => end.promise };
  const { env, slots, close, says, told, given } = setUp([thread], () => null);
  says[0]?.({ kind: "spoilt", reason: "the heap" });
  close(0, "8/0/0", "9/0/0");
  slots.deploy(0, JOB, [taskOf(0, 0, 1)]);
  told.length = 0;
  await env.advance(11_000);
  const [failed, closed] = told;
  assert.equal(failed?.kind === "failed" && failed.error.code, "SLOT_STUCK");
  assert.deepEqual(closed, { kind: "closed", task: "0/0/1", error: null });
  slots.deploy(0, JOB, [taskOf(0, 0, 2)]);
  await env.advance(0);
  assert.equal(told.length, 4, "at once, from then on");
  end.resolve();
  await env.advance(0);
  slots.deploy(0, JOB, [taskOf(0, 0, 3)]);
  await env.advance(0);
  assert.deepEqual([told.length, given.length, given[1]?.heard.map(({ kind }) => kind)], [4, 2, ["deploy"]]);
});

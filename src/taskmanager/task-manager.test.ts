// How the TaskManager deals with threads that real ones only rarely turn into. What real threads do is tested in
// test/integration/slot-faults.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { EngineError } from "../base/errors.ts";
import { Configuration } from "../config/configuration.ts";
import type { JobVertex } from "../graph/job-graph.ts";
import { SegmentPool } from "../memory/segment-pool.ts";
import { taskManagerMemory } from "../memory/task-manager-memory.ts";
import type { FromSlot, JobDescriptor, SlotControl, TaskDescriptor } from "../protocol/slot-messages.ts";
import { SimEnv } from "../testing/sim-env.ts";
import type { SlotExit, SlotHandle, SlotRunner } from "./runner/slot-runner.ts";
import { type JobSlots, TaskManager } from "./task-manager.ts";

const GIB = 1024 ** 3;
const JOB = { jobId: "job", config: [] } as unknown as JobDescriptor;

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
  const exits: ((exit: SlotExit) => void)[] = [];
  const words: { progress: Int32Array; lastVertex: Int32Array }[] = [];
  const runner: SlotRunner = {
    residentBytes: () => residentBytes(env.clock.monotonicMs()),
    start: ({ index, progress, lastVertex }, onExit): SlotHandle => {
      words[index] = { progress: new Int32Array(progress), lastVertex: new Int32Array(lastVertex) };
      exits[index] = onExit;
      const { heldBytes, terminate, stack = null, onSample } = threads[index]!;
      const control: SlotControl = {
        send: () => undefined,
        request: () => assert.fail(),
        receive: ({ message }) => {
          says[index] = message ?? assert.fail();
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
  const lost: { slot: number; error: EngineError }[] = [];
  const memory = taskManagerMemory(configuration, { machineBytes: 8 * 1024 ** 3 });
  const manager = new TaskManager({
    env,
    configuration,
    memory,
    runner,
  });
  const job = (heard = told): JobSlots =>
    manager.slotsFor({
      onMessage: (_slot, message) => heard.push(message),
      chains: (_slot, vertex) => (vertex === null ? CHAINS : CHAINS.slice(vertex, vertex + 1)),
      onSlotLost: (slot, error) => lost.push({ slot, error }),
    });
  const slots = job();
  for (const index of threads.keys()) slots.deploy(index, JOB, []);
  /** Gives a slot a task that sends to `receivers`, of which there is one in each slot. */
  const deploy = (slot: number, receivers: readonly number[] = [slot + 1]): void => {
    const channels = receivers.map((to) => ({
      edge: 0,
      from: slot,
      to,
      attempt: 0,
      peer: (slot + 1) % threads.length,
    }));
    const task = { id: `0/${slot}/0`, name: `task ${slot}`, vertex: 0, subtask: slot, attempt: 0, inputs: [] };
    const tasks: TaskDescriptor[] = [{ ...task, outputs: [{ edge: 0, channels }] }];
    slots.deploy(slot, JOB, tasks);
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
    deploy,
    hang,
    moves,
    processBytes: memory.process.bytes,
  };
}

test("M1: a thread that cannot be ended is given up after ten seconds, and keeps its segments", async () => {
  const thread: Thread = { heldBytes: 0, terminate: () => new Promise(() => undefined) };
  const { env, manager, slots, deploy } = setUp([thread, thread], () => null);
  deploy(0);
  let ended = false;
  void slots.terminate(0).then(() => {
    ended = true;
  });
  await env.advance(9_900);
  assert.deepEqual([ended, manager.stranded], [false, false]);
  await env.advance(200);
  assert.deepEqual([ended, manager.stranded], [true, true]);
  assert.ok(manager.network.stats().leased > 0);
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
  const { env, lost, manager, hang, moves } = setUp([thread], () => Infinity);
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
  const { env, manager, slots, says } = setUp([thread, thread], () => null);
  for (const slot of [0, 1]) {
    const pool = SegmentPool.attach(manager.managed.handle, slot + 1);
    pool.allocate(pool.registerOwner({ job: "job", task: `task ${slot}`, purpose: "forgotten" }), 2);
  }
  says[0]?.({ kind: "closed", error: null });
  await slots.terminate(0);
  await slots.terminate(1);
  const leaks = env.logLines.filter(({ level }) => level === "error").map(({ fields }) => fields);
  assert.deepEqual(leaks, [{ job: "job", task: "task 0", purpose: "forgotten", segments: 2 }]);
  assert.equal(manager.managed.stats().leased, 0);
});

test("a thread that ends by itself is a slot lost, with all that it held; after the slot has closed it is not", async () => {
  const thread: Thread = { heldBytes: 0, terminate: async () => undefined };
  const { manager, lost, says, exits } = setUp([thread, thread], () => null);
  const pool = SegmentPool.attach(manager.managed.handle, 2);
  pool.allocate(pool.registerOwner({ job: "job", task: "task 1", purpose: "state" }), 2);
  says[0]?.({ kind: "closed", error: null });
  for (const exit of exits) exit({ kind: "exit", code: 3, error: null });
  assert.deepEqual(
    lost.map(({ slot, error }) => [slot, error.code]),
    [[1, "SLOT_EXITED"]],
  );
  assert.equal(manager.managed.stats().leased, 0);
  await manager.close();
});

test("M1: network segments are free once a slot says that it is closed, or its thread has ended, by itself or not", async () => {
  const thread: Thread = { heldBytes: 0, terminate: async () => undefined };
  for (const how of ["says", "exits", "is ended"] as const) {
    const { manager, slots, says, exits, deploy } = setUp([thread, thread], () => null);
    deploy(0);
    const one = manager.network.stats().leased;
    deploy(1);
    assert.deepEqual([one > 0, manager.network.stats().leased], [true, 2 * one]);
    if (how === "says") says[0]?.({ kind: "closed", error: null });
    else if (how === "exits") exits[0]?.({ kind: "exit", code: 1, error: null });
    else await slots.terminate(0);
    assert.equal(manager.network.stats().leased, one, how);
    await manager.close();
    assert.equal(manager.network.stats().leased, 0);
  }
});

test("tasks for which there is no network memory are told as the failure of their slot, and nothing stays", async () => {
  const thread: Thread = { heldBytes: 0, terminate: async () => undefined };
  const { env, manager, told, deploy } = setUp([thread, thread], () => null);
  deploy(
    0,
    Array.from({ length: 100_000 }, (_, to) => to + 1),
  );
  assert.equal(told.length, 0, "never within the call");
  await env.advance(0);
  const [failed] = told;
  assert.equal(failed?.kind === "failed" && failed.error.code, "MEMORY_REQUEST_TOO_LARGE");
  assert.deepEqual([manager.network.stats().leased, manager.network.report()], [0, []]);
  await manager.close();
});

test("M3: a slot is free for another job once its thread has ended, and its messages are those of its own job only", async () => {
  const ended: (() => void)[] = [];
  const thread: Thread = { heldBytes: 0, terminate: () => new Promise((resolve) => ended.push(resolve)) };
  const { manager, slots, job, told, says, words, hang } = setUp([thread, thread], () => null);
  hang(1);
  assert.throws(() => job().deploy(0, JOB, []), { code: "SLOTS_MISSING", message: /and all 2 are taken$/ });
  const terminated = Promise.all([slots.terminate(1), slots.terminate(1)]);
  assert.throws(() => job().deploy(0, JOB, []), { code: "SLOTS_MISSING" }, "its thread may still write");
  for (const end of ended) end();
  await terminated;
  assert.equal(ended.length, 1, "it is told once");
  const before = says[1];
  const heard: FromSlot[] = [];
  const other = job(heard);
  other.deploy(0, JOB, []);
  assert.notEqual(says[1], before, "a new thread has taken the place");
  assert.deepEqual([words[1]?.progress[1], words[1]?.lastVertex[1]], [0, 0], "and nothing of the one before");
  before?.({ kind: "deployed" });
  slots.post(1, { kind: "prepare" });
  await slots.terminate(1);
  assert.equal(ended.length, 1, "who had the slot before cannot end it");
  const closing = other.terminate(0);
  ended[1]?.();
  await closing;
  assert.deepEqual([told.length, heard.length], [1, 0]);
  void slots.terminate(0);
  ended[2]?.();
  await manager.close();
});

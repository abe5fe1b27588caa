import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Attempt, JobId, LeaderEpoch } from "../base/ids.ts";
import { Configuration } from "../config/configuration.ts";
import { taskManagerMemory } from "../memory/task-manager-memory.ts";
import { directTransport } from "../network/direct-transport.ts";
import { fenceContract } from "../protocol/fence.contract.ts";
import { DropCounts, type Fence } from "../protocol/fence.ts";
import { DialedSession, type SessionSays } from "../protocol/session.ts";
import type { FromSlot, JobDescriptor, ToSlot } from "../protocol/slot-messages.ts";
import type { FromTaskManager, ToTaskManager } from "../protocol/task-manager-messages.ts";
import { SimEnv } from "../testing/sim-env.ts";
import type { SlotRunner } from "./runner/slot-runner.ts";
import { TaskManagerGateway } from "./task-manager-gateway.ts";

const FENCE: Fence = { job: "job" as JobId, attempt: 1 as Attempt, epoch: 1 as LeaderEpoch };
const JOB = { jobId: FENCE.job, planText: "{}", config: [] } as unknown as JobDescriptor;
const TASK = { id: "0/0/0", name: "task", vertex: 0, subtask: 0, attempt: 0, inputs: [], outputs: [] };
const DEPLOY: ToTaskManager = { kind: "deploy", slot: 0, job: JOB, tasks: [TASK] };

/** A TaskManager whose slots do nothing by themselves. */
function setUp() {
  const env = new SimEnv({ seed: 1 });
  const values = { "taskmanager.numberOfTaskSlots": 2, "taskmanager.memory.flink.size": "1gb" };
  const configuration = new Configuration([{ origin: { kind: "command line" }, values }]);
  const started: number[] = [];
  const told: [slot: number, what: string][] = [];
  const ended: number[] = [];
  const says: ((message: FromSlot) => void)[] = [];
  /** Their threads end by themselves. */
  const exits: (() => void)[] = [];
  const runner: SlotRunner = {
    keepReady: () => undefined,
    residentBytes: () => null,
    start: ({ index, fence }, onExit) => {
      started.push(index);
      exits[index] = () => onExit({ kind: "exit", code: 1, error: null });
      let said = 0;
      return {
        control: {
          send: ({ body }) => told.push([index, textOf(body)]),
          request: () => assert.fail(),
          receive: ({ message = assert.fail() }) => {
            says[index] = (body) => {
              said += 1;
              message({ fence, sequence: said, body });
            };
          },
          close: () => undefined,
        },
        ring: () => undefined,
        terminate: async () => void ended.push(index),
        stackSample: async () => null,
        heldBytes: async () => 0,
      };
    },
  };
  const transport = directTransport(env);
  const dropped = new DropCounts();
  const memory = taskManagerMemory(configuration, { machineBytes: 8 * 1024 ** 3 });
  const gateway = new TaskManagerGateway({
    ...{ env, configuration, memory, runner, transport, dropped, address: "taskmanager" },
  });
  const dial = (fence = FENCE) => {
    const heard: FromTaskManager[] = [];
    const lost: string[] = [];
    const session = new DialedSession<ToTaskManager, FromTaskManager>({
      ...{ env, transport, fence, dropped, address: "taskmanager" },
      timing: { heartbeatIntervalMs: 1_000, heartbeatTimeoutMs: 5_000 },
      receive: (message) => heard.push(message),
      lost: ({ code }) => lost.push(code),
    });
    return { session, heard, lost };
  };
  const say = async (slot: number, message: FromSlot): Promise<void> => {
    says[slot]?.(message);
    await env.advance(0);
  };
  return { env, transport, gateway, dropped, dial, say, started, told, ended, exits };
}

function textOf(message: ToSlot): string {
  return message.kind === "cancel" && message.discard ? "cancel, discard" : message.kind;
}

fenceContract<ToTaskManager>(
  "a TaskManager",
  {
    deploy: { kind: "deploy", slot: 1, job: JOB, tasks: [] },
    toSlot: { kind: "toSlot", slot: 0, message: { kind: "cancel", tasks: null, discard: true } },
    release: { kind: "release", slot: 0 },
  },
  async () => {
    const { env, transport, dropped, started, told, ended } = setUp();
    const raw = transport.connect<SessionSays<ToTaskManager>, SessionSays<FromTaskManager>>("taskmanager");
    const hello = raw.request({ kind: "hello", fence: FENCE, heard: 0, dial: 1, resumes: false }, 1_000);
    await env.advance(0);
    await hello;
    const send = async (message: Parameters<(typeof raw)["send"]>[0]): Promise<void> => {
      raw.send(message);
      await env.advance(0);
    };
    await send({ kind: "said", message: { fence: FENCE, sequence: 1, body: DEPLOY } });
    return {
      ...{ fence: FENCE, heard: 1, dropped },
      send: (message) => send({ kind: "said", message }),
      seen: () => ({ started, told, ended }),
    };
  },
);

describe("a TaskManager and its job masters", () => {
  test("G1: what a slot says goes to the session that its tasks are from", async () => {
    const { env, dial, say, gateway } = setUp();
    const first = dial();
    const second = dial({ ...FENCE, job: "other" as JobId });
    first.session.send(DEPLOY);
    await env.advance(0);
    second.session.send({ ...DEPLOY, slot: 1 });
    await env.advance(0);
    await say(0, { kind: "deployed", tasks: ["0/0/0"] });
    const prepared: FromSlot = { kind: "prepared", task: "0/0/0", sinks: [] };
    await say(1, prepared);
    assert.deepEqual(first.heard, [{ kind: "fromSlot", slot: 0, message: { kind: "deployed", tasks: ["0/0/0"] } }]);
    assert.deepEqual(second.heard, [{ kind: "fromSlot", slot: 1, message: prepared }]);
    second.session.send({ kind: "release", slot: 1 });
    await env.advance(0);
    assert.deepEqual(second.heard[1], { kind: "released", slot: 1, error: null });
    await gateway.close();
  });

  test("a job cannot reach into a slot that another one has", async () => {
    const { env, dial, told, ended } = setUp();
    const first = dial();
    const second = dial({ ...FENCE, job: "other" as JobId });
    first.session.send(DEPLOY);
    await env.advance(0);
    second.session.send({ kind: "toSlot", slot: 0, message: { kind: "prepare" } });
    second.session.send({ kind: "release", slot: 0 });
    await env.advance(0);
    assert.deepEqual([told, ended], [[[0, "deploy"]], []]);
  });

  test("G2: a slot that is lost after its job master is ended, too; nothing of the job is left, its figures included", async () => {
    const { env, dial, say, ended, gateway, exits } = setUp();
    const { session } = dial();
    session.send(DEPLOY);
    session.send({ ...DEPLOY, slot: 1 });
    await env.advance(0);
    await say(0, { kind: "metrics", definitions: [] });
    const figures = gateway.metricsOf(FENCE);
    assert.equal(gateway.metricsOf(FENCE), figures);
    session.close();
    await env.advance(0);
    assert.notEqual(gateway.metricsOf(FENCE), figures);
    exits[1]?.();
    await env.advance(0);
    await say(0, { kind: "closed", task: "0/0/0", error: null });
    assert.deepEqual(ended, [0]);
    const next = dial({ ...FENCE, attempt: 2 as Attempt });
    next.session.send(DEPLOY);
    next.session.send({ ...DEPLOY, slot: 1 });
    await env.advance(0);
    assert.deepEqual(next.heard, [], "there is room for both");
    await gateway.close();
  });

  test("G2: when the job master is lost, its slots are cancelled and keep what they have prepared, are ended as they close, and the rest in the end", async () => {
    const { env, dial, say, told, ended } = setUp();
    const { session } = dial();
    session.send(DEPLOY);
    session.send({ ...DEPLOY, slot: 1 });
    await env.advance(0);
    session.close();
    await env.advance(0);
    assert.deepEqual(told.slice(2), [
      [0, "cancel"],
      [1, "cancel"],
    ]);
    await say(0, { kind: "closed", task: "0/0/0", error: null });
    assert.deepEqual(ended, [0]);
    await env.advance(3_600_000);
    assert.deepEqual(ended, [0, 1]);
  });
});

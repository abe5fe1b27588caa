import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { MessageChannel, Worker } from "node:worker_threads";
import { nodeEnv } from "../base/env-node.ts";
import { SeededRandom } from "../base/seeded-random.ts";
import { nodeDisk } from "../storage/node-disk.ts";
import { SimEnv } from "../testing/sim-env.ts";
import { type SimCuts, simTransport } from "../testing/sim-transport.ts";
import { directTransport } from "./direct-transport.ts";
import { PortTransport } from "./port-transport.ts";
import { TEST_MESSAGE_BYTES_MAX, transportContract } from "./transport.contract.ts";
import type { Connection, Says, Transport } from "./transport.ts";

const messageBytesMax = TEST_MESSAGE_BYTES_MAX;
const inOneThread = (env: SimEnv, transport: Transport) => ({
  near: transport,
  far: transport,
  // Not to the deadlines of what is never answered.
  settle: () => env.advance(100),
  close: () => undefined,
});

transportContract("direct", (seed) => {
  const env = new SimEnv({ seed });
  return inOneThread(env, directTransport(env, messageBytesMax));
});

transportContract("simulated", (seed) => {
  const env = new SimEnv({ seed });
  return inOneThread(env, simTransport({ env, random: new SeededRandom(seed), delayMaxMs: 1, messageBytesMax }));
});

/** More than the answers to answers that the contract waits for; a round takes everything that has been posted. */
const ROUNDS = 100;
const { timers } = nodeEnv(nodeDisk());

transportContract("message ports", () => {
  const { port1, port2 } = new MessageChannel();
  const near = new PortTransport({ port: port1, timers, messageBytesMax });
  const far = new PortTransport({ port: port2, timers, messageBytesMax });
  return {
    near,
    far,
    settle: async () => {
      for (let round = 0; round < ROUNDS; round += 1) await setImmediate();
    },
    close: () => {
      near.close();
      far.close();
      port1.close();
    },
  };
});

type Numbers = Says<number>;

test("T4: a thread that ends loses its connections, after what it has said last", async () => {
  const worker = new Worker(
    `const { parentPort } = require("node:worker_threads");
     parentPort.on("message", ({ connection }) => {
       const frame = { kind: "message", body: 7 };
       parentPort.postMessage({ kind: "frame", connection, dialed: false, frame });
       process.exit(1);
     });`,
    { eval: true, execArgv: [] },
  );
  const exit = once(worker, "exit");
  const happened: unknown[] = [];
  new PortTransport({ port: worker, timers }).connect<Numbers, Numbers>("there").receive({
    message: (message) => happened.push(message),
    lost: ({ code }) => happened.push(code),
  });
  await exit;
  assert.deepEqual(happened, [7, "CONNECTION_LOST"]);
});

test("a transport that is closed lets go of its port", () => {
  const { port1, port2 } = new MessageChannel();
  const transport = new PortTransport({ port: port1, timers });
  assert.equal(port1.listenerCount("message"), 1);
  transport.close();
  assert.deepEqual(
    ["message", "close", "exit"].map((event) => port1.listenerCount(event)),
    [0, 0, 0],
  );
  port2.close();
});

describe("a simulated connection that breaks", () => {
  const cuts: SimCuts = { chance: 1, withinMs: 100, halfOpenMaxMs: 5_000 };
  type End = { readonly values: number[]; lastMs: number; readonly lostMs: number[] };

  /** Two connections, one after the other, whose ends send a number each millisecond for a second of virtual time. */
  async function broken(seed: number): Promise<[near: End, far: End | undefined][]> {
    const env = new SimEnv({ seed });
    const transport = simTransport({ env, random: new SeededRandom(seed), delayMaxMs: 5, cuts });
    const nowMs = env.clock.monotonicMs;
    const senders: { send(value: number): void }[] = [];
    const serve = (connection: Connection<Numbers, Numbers>): End => {
      const end: End = { values: [], lastMs: 0, lostMs: [] };
      const message = (value: number): void => {
        end.values.push(value);
        end.lastMs = nowMs();
      };
      connection.receive({ message, lost: () => end.lostMs.push(nowMs()) });
      senders.push(connection);
      return end;
    };
    const pairs: [near: End, far: End | undefined][] = [];
    for (let first = 0; first < 2_000; first += 1_000) {
      let far: End | undefined;
      transport.listen<Numbers, Numbers>("there", (connection) => {
        far = serve(connection);
      });
      const near = serve(transport.connect<Numbers, Numbers>("there"));
      for (let value = first; value < first + 1_000; value += 1) {
        for (const sender of senders) sender.send(value);
        await env.advance(1);
      }
      pairs.push([near, far]);
    }
    await env.advance(10_000);
    return pairs;
  }

  function check({ values, lastMs, lostMs }: End, connection: number): void {
    assert.equal(lostMs.length, 1, "told once");
    assert.ok(lastMs <= lostMs[0]!, "nothing after the loss");
    assert.ok(
      values.every((value, index) => index === 0 || value === values[index - 1]! + 1),
      "what is lost is what came last",
    );
    assert.ok(
      values.every((value) => value < (connection + 1) * 1_000 && value >= connection * 1_000),
      "not mixed",
    );
  }

  test("T4, T7: loses what came last, tells each end, once and last, and never mixes with the next one", async () => {
    const pairs: [near: End, far: End | undefined][][] = [];
    for (let seed = 1; seed <= 40; seed += 1) pairs.push(await broken(seed));
    for (const [connection, [near, far]] of pairs.flatMap((ofSeed) => [...ofSeed.entries()])) {
      check(near, connection);
      if (far !== undefined) check(far, connection); // Or it broke before it came to be.
    }
    const firsts = pairs.map(([first]) => first!).flatMap(([near, far]) => (far === undefined ? [] : [{ near, far }]));
    const halfOpen = firsts.filter(({ near, far }) => Math.abs(near.lostMs[0]! - far.lostMs[0]!) > 100);
    const late = firsts.filter(({ near, far }) => Math.max(near.lastMs, far.lastMs) > 1_000);
    // Of what was under way at the cut: most of what a direction sends within its delay of at most 5 ms.
    const lastOf = ({ values }: End): number => values.at(-1) ?? 0;
    const unlike = firsts.filter(({ near, far }) => Math.abs(lastOf(near) - lastOf(far)) > 1);
    assert.ok(unlike.length > 10, `${unlike.length} with another loss in each direction`);
    assert.ok(halfOpen.length > 10 && late.length > 0, `${halfOpen.length} half-open, ${late.length} late`);
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SeededRandom } from "../base/seeded-random.ts";
import { SimEnv } from "../testing/sim-env.ts";
import { simTransport } from "../testing/sim-transport.ts";
import { directTransport, type Transport } from "./transport.ts";

function transportContract(name: string, make: (env: SimEnv) => Transport): void {
  describe(`transport: ${name}`, () => {
    test("T1: messages of each direction arrive once, in order, and never inside the send", async () => {
      for (let seed = 1; seed <= 50; seed += 1) {
        const env = new SimEnv({ seed });
        const { near, far } = make(env).connect<number, string>("test");
        const down: number[] = [];
        const up: string[] = [];
        let sending = false;
        far.onMessage((message) => {
          assert.ok(!sending, "delivered inside a send");
          down.push(message);
          far.send(`${message}`);
        });
        near.onMessage((message) => up.push(message));
        sending = true;
        for (let i = 0; i < 20; i += 1) near.send(i);
        sending = false;
        await env.advance(2);
        for (let i = 20; i < 40; i += 1) near.send(i);
        await env.runUntilIdle();
        const expected = Array.from({ length: 40 }, (_, i) => i);
        assert.deepEqual(down, expected, `SEED=${seed}`);
        assert.deepEqual(up, expected.map(String), `SEED=${seed}`);
      }
    });

    test("T3: after either end has closed, nothing is delivered in either direction", async () => {
      for (const closing of ["near", "far"] as const) {
        const env = new SimEnv({ seed: 3 });
        const ends = make(env).connect<string, string>("test");
        const received: string[] = [];
        ends.far.onMessage((message) => received.push(message));
        ends.near.onMessage((message) => received.push(message));
        ends.near.send("under way");
        ends.far.send("under way");
        ends[closing].close();
        ends.near.send("late");
        await env.runUntilIdle();
        assert.deepEqual(received, []);
      }
    });
  });
}

transportContract("direct", (env) => directTransport(env));
transportContract("simulated", (env) => simTransport({ env, random: new SeededRandom(env.seed), delayMaxMs: 3 }));

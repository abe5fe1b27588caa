import { setImmediate } from "node:timers/promises";
import { MessageChannel } from "node:worker_threads";
import { SeededRandom } from "../base/seeded-random.ts";
import { SimEnv } from "../testing/sim-env.ts";
import { simTransport } from "../testing/sim-transport.ts";
import { portConnection } from "./port-connection.ts";
import { transportContract } from "./transport.contract.ts";
import { directTransport } from "./transport.ts";

transportContract("direct", (seed) => {
  const env = new SimEnv({ seed });
  return { transport: directTransport(env), settle: () => env.runUntilIdle() };
});

transportContract("simulated", (seed) => {
  const env = new SimEnv({ seed });
  return {
    transport: simTransport({ env, random: new SeededRandom(seed), delayMaxMs: 3 }),
    settle: () => env.runUntilIdle(),
  };
});

/** More than the answers to answers that the contract waits for; a round takes everything that has been posted. */
const ROUNDS = 100;

transportContract("message ports", () => ({
  transport: {
    connect: () => {
      const { port1, port2 } = new MessageChannel();
      return { near: portConnection(port1), far: portConnection(port2) };
    },
  },
  settle: async () => {
    for (let round = 0; round < ROUNDS; round += 1) await setImmediate();
  },
}));

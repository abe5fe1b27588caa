// Control messages over virtual time: each takes a delay from the seed, and those of one direction keep their order.

import type { Env } from "../base/env.ts";
import type { SeededRandom } from "../base/seeded-random.ts";
import { connectionPair, type Transport } from "../network/transport.ts";

export type SimTransportOptions = { readonly env: Env; readonly random: SeededRandom; readonly delayMaxMs: number };

export function simTransport({ env, random, delayMaxMs }: SimTransportOptions): Transport {
  return {
    connect: <Down, Up>() =>
      connectionPair<Down, Up>((deliver) => {
        env.timers.after(random.next() * delayMaxMs, deliver);
      }),
  };
}

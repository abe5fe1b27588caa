// The two worlds that contract suites run in: virtual time on a simulated disk, and this machine.

import type { Env } from "../base/env.ts";
import { nodeEnv } from "../base/env-node.ts";
import { nodeDisk } from "../storage/node-disk.ts";
import { SimEnv } from "./sim-env.ts";

/** An environment, and how to let what waits in it go on. */
export type World<E extends Env> = { readonly env: E; readonly settle: () => Promise<void> };

export function simWorld(seed: number): World<SimEnv> {
  const env = new SimEnv({ seed });
  return { env, settle: () => env.runUntilIdle() };
}

export function nodeWorld(): World<Env> {
  const env = nodeEnv(nodeDisk());
  return { env, settle: () => new Promise((resolve) => env.timers.soon(resolve)) };
}

// What holds on this machine where nobody says otherwise.

import { availableParallelism, totalmem } from "node:os";
import { type ConfigLayer, environmentLayers } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";

const PARALLELISM_MAX = 4;

/** `local`: everything in one thread. */
export function parallelismLayer(local: boolean): ConfigLayer {
  const cores = availableParallelism();
  const from = local ? "--local" : `the machine's cores, ${cores}, at most ${PARALLELISM_MAX}`;
  return {
    origin: { kind: "default", from },
    values: { [OPTIONS.parallelism.key]: local ? 1 : Math.min(cores, PARALLELISM_MAX) },
  };
}

/** Of the machine, or of the container when that has less. */
export function machineBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/** Variables of our own tests are none of the configuration's. */
export function machineEnvironment(): readonly ConfigLayer[] {
  const engine = Object.entries(process.env).filter(([name]) => !name.startsWith("MILLRACE_TEST_"));
  return environmentLayers(Object.fromEntries(engine));
}

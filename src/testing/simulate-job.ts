// `simulateJob`: a job with its real sources and sinks, in several slots of one thread, on virtual time and a simulated
// disk.
//
// Everything that may differ between two runs in the world is drawn from the seed: how long messages, batches and disk
// operations take, how fast each slot goes, how many records a turn and a batch hold, how much room a link has, how
// often partial batches are flushed. One seed replays one history, event by event.
//
//   Y1. The digest covers every event of the environment and every arrival of a batch or a message, in order.
//   Y2. A job that neither ends nor has anything left to do is reported: nothing would ever wake it.
//   Y3. Whoever looks past the seams at the world fails (ambient-trap-node.ts).

import type { Job } from "../api/job.ts";
import { assert } from "../base/errors.ts";
import { type EmbeddedJob, embeddedStart } from "../client/embedded.ts";
import type { JobResult } from "../jobmanager/job-master.ts";
import type { MetricStore } from "../metrics/metric-store.ts";
import { ambientTrap } from "./ambient-trap-node.ts";
import type { SimDisk } from "./sim-disk.ts";
import type { SimEnv } from "./sim-env.ts";
import { type ProcessOptions, SimMachine } from "./sim-machine.ts";
import type { SimBreaks } from "./sim-transport.ts";

export type SimulationOptions = ProcessOptions & {
  readonly seed: number;
  /** Puts files on the disk before the job starts. */
  readonly prepare?: (disk: SimDisk) => void;
  /** Called once the job is started: may stop it, or have the world do something to it later. */
  readonly during?: (run: EmbeddedJob, env: SimEnv) => void;
};

export type Simulation = JobResult & {
  /** Equal for equal histories. */
  readonly digest: string;
  readonly disk: SimDisk;
  /** Its sinks were told to commit. */
  readonly commitsBegan: boolean;
  readonly printed: readonly string[];
  readonly metrics: MetricStore;
  /** What became of the connections between job master and TaskManager. */
  readonly breaks: SimBreaks;
  /** Virtual time that the job took. */
  readonly tookMs: number;
};

export async function simulateJob(job: Job, options: SimulationOptions): Promise<Simulation> {
  const { seed } = options;
  const machine = new SimMachine(seed);
  using _trap = ambientTrap();
  const { env, printed, breaks } = machine;
  options.prepare?.(env.disk);
  const run = embeddedStart(await machine.process(job, options));
  options.during?.(run, env);
  let result: JobResult | null = null;
  const whenDone = run.result.then((done) => {
    result = done;
  });
  await env.runUntilIdle(() => result !== null);
  assert(result !== null, `SEED=${seed}: the job hangs: it has not ended, and nothing would wake it (Y2)`);
  await whenDone;
  const { commitsBegan } = run.master.state;
  const tookMs = env.clock.monotonicMs();
  const seen = {
    digest: machine.digest(),
    disk: env.disk,
    commitsBegan,
    printed,
    metrics: run.metrics,
    breaks,
    tookMs,
  };
  return { ...(result as JobResult), ...seen };
}

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
import type { Clock, Env } from "../base/env.ts";
import { assert } from "../base/errors.ts";
import { mix32, SeededRandom } from "../base/seeded-random.ts";
import { type EmbeddedJob, embeddedStart } from "../client/embedded.ts";
import { jobPlan } from "../client/job-plan.ts";
import { Configuration } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import type { JobResult } from "../jobmanager/job-master.ts";
import type { MetricStore } from "../metrics/metric-store.ts";
import { localSlotRunner } from "../taskmanager/runner/slot-runner-local.ts";
import { ambientTrap } from "./ambient-trap-node.ts";
import type { SimDisk } from "./sim-disk.ts";
import { SimEnv } from "./sim-env.ts";
import { SimLinks } from "./sim-links.ts";
import { mortalSlots, type SlotDeath } from "./sim-slots.ts";
import { noBreaks, type SimBreaks, type SimCuts, simTransport } from "./sim-transport.ts";

type Setting = string | number | boolean;

export type SimulationOptions = {
  readonly seed: number;
  readonly parallelism?: number;
  readonly params?: Readonly<Record<string, string>>;
  readonly config?: Readonly<Record<string, Setting>>;
  /** Puts files on the disk before the job starts. */
  readonly prepare?: (disk: SimDisk) => void;
  /** Runs the job over the links of a real TaskManager instead of simulated ones. Default: false. */
  readonly realLinks?: boolean;
  /**
   * Whether connections between job master and TaskManager may break, as the seed has it. Default: true. What depends
   * on when a message comes may then come out differently: who is idle, for example.
   */
  readonly cuts?: boolean;
  /** Job master and TaskManager hear nothing more of each other once this holds, which is for good. Default: never. */
  readonly parted?: () => boolean;
  /** Which slots' threads end by themselves, and when. Default: none. */
  readonly death?: SlotDeath;
  /** Called once the job is started: may stop it, or have the world do something to it later. */
  readonly during?: (run: EmbeddedJob, env: SimEnv) => void;
  /** As with `--local`: mutations of records fail at once. Default: true. */
  readonly checks?: boolean;
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

/** What the seed decides besides the order of events. */
type Weather = {
  readonly messageDelayMaxMs: number;
  readonly batchDelayMaxMs: number;
  readonly diskLatencyMaxMs: number;
  /** Slots load their job at different times. */
  readonly loadMaxMs: number;
  /** Of connections between job master and TaskManager. */
  readonly cuts: SimCuts | null;
  readonly turnDelayMaxMs: number;
  /** The longest that a clock read within a turn can come after the one before. */
  readonly workMaxMs: number;
  readonly batchBytesMax: number;
  readonly bufferTimeoutMs: number;
};

const MACHINE_BYTES = 8 * 1024 ** 3;
const FLINK_MEMORY = "4gb";
const AHEAD_MAX_READS = 20;

export async function simulateJob(job: Job, options: SimulationOptions): Promise<Simulation> {
  const { seed } = options;
  const env = new SimEnv({ seed });
  using _trap = ambientTrap();
  const random = new SeededRandom(seed ^ 0x51a7e);
  const weather = weatherOf(random);
  env.disk.faults.latencyMaxMs = weather.diskLatencyMaxMs;
  env.disk.faults.shortReads = random.next() < 0.5;
  options.prepare?.(env.disk);
  const history = new History();
  const printed: string[] = [];
  const breaks = noBreaks();
  const { params = {} } = options;
  const configuration = configurationOf(options, weather);
  const run = embeddedStart({
    env,
    planned: await jobPlan(job, params, configuration),
    bundle: null,
    params,
    configuration,
    runner: runnerOf(job, options, { env, random, weather, history }),
    checks: options.checks ?? true,
    machineBytes: MACHINE_BYTES,
    transport: simTransport({
      ...{ env, random, delayMaxMs: weather.messageDelayMaxMs, breaks },
      ...(weather.cuts !== null && options.cuts !== false && { cuts: weather.cuts }),
      ...(options.parted !== undefined && { parted: options.parted }),
    }),
    print: (line) => void printed.push(line),
    log: () => undefined,
  });
  options.during?.(run, env);
  let result: JobResult | null = null;
  const whenDone = run.result.then((done) => {
    result = done;
  });
  await env.runUntilIdle(() => result !== null);
  assert(result !== null, `SEED=${seed}: the job hangs: it has not ended, and nothing would wake it (Y2)`);
  await whenDone;
  const digest = `${env.digest()}${history.digest()}`;
  const tookMs = env.clock.monotonicMs();
  const { commitsBegan } = run.master.state;
  const seen = { digest, disk: env.disk, commitsBegan, printed, metrics: run.metrics, breaks, tookMs };
  return { ...(result as JobResult), ...seen };
}

function weatherOf(random: SeededRandom): Weather {
  /** Mostly small, at times large: exponents are drawn evenly. */
  const spread = (least: number, greatest: number): number => least * (greatest / least) ** random.next();
  return {
    messageDelayMaxMs: spread(0.01, 20),
    batchDelayMaxMs: spread(0.01, 20),
    diskLatencyMaxMs: spread(0.01, 10),
    loadMaxMs: spread(0.01, 200),
    cuts: cutsOf(random, spread),
    turnDelayMaxMs: spread(0.01, 5),
    workMaxMs: spread(0.001, 3),
    batchBytesMax: Math.floor(spread(100, 30_000)),
    bufferTimeoutMs: random.next() < 0.1 ? 0 : spread(0.1, 100),
  };
}

/** Most worlds have connections that break: in the middle of a job, of its start or of its end. */
function cutsOf(random: SeededRandom, spread: (least: number, greatest: number) => number): SimCuts | null {
  const chance = 0.5 + 0.4 * random.next();
  const cuts = { chance, withinMs: spread(5, 500), messagesMax: 30, halfOpenMaxMs: spread(1, 3_000) };
  return random.next() < 0.9 ? cuts : null;
}

function configurationOf({ config, parallelism = 2 }: SimulationOptions, weather: Weather): Configuration {
  const values = {
    [OPTIONS.watchdogTimeout.key]: "100000d", // Nothing can hang in one thread.
    [OPTIONS.flinkSize.key]: FLINK_MEMORY,
    [OPTIONS.managedSize.key]: "4mb",
    [OPTIONS.managedBlockSize.key]: "64kb",
    [OPTIONS.networkMin.key]: "2mb",
    [OPTIONS.networkMax.key]: "2mb",
    [OPTIONS.segmentSize.key]: "4kb",
    [OPTIONS.memoryPoison.key]: true,
    [OPTIONS.heartbeatInterval.key]: "500ms",
    [OPTIONS.bufferTimeout.key]: `${weather.bufferTimeoutMs.toFixed(3)}ms`,
    [OPTIONS.parallelism.key]: parallelism,
    ...config,
  };
  return new Configuration([{ origin: { kind: "job" }, values }]);
}

type World = {
  readonly env: SimEnv;
  readonly random: SeededRandom;
  readonly weather: Weather;
  readonly history: History;
};

function runnerOf(job: Job, options: SimulationOptions, world: World) {
  const { env, random, weather, history } = world;
  const links = new SimLinks({
    env,
    random,
    delayMaxMs: weather.batchDelayMaxMs,
    batchBytesMax: weather.batchBytesMax,
    recordBytesMax: 64 * 1024 ** 2,
    onArrival: (link, kind, value, size) => history.add(`${link} ${kind} ${value} ${size}`),
  });
  const transport = simTransport({ env, random, delayMaxMs: weather.messageDelayMaxMs });
  const slots = localSlotRunner({
    env: {
      ...env,
      timers: { ...env.timers, soon: (run) => void env.timers.after(random.next() * weather.turnDelayMaxMs, run) },
    },
    load: () => new Promise((resolve) => env.timers.after(random.next() * weather.loadMaxMs, () => resolve(job))),
    transport,
    ...(options.realLinks !== true && { links: (...slot) => links.forSlot(...slot) }),
    slotEnv: () => ({ ...env, clock: workingClock(env, random, weather.workMaxMs) }),
  });
  return options.death === undefined ? slots : mortalSlots(slots, options.death);
}

/**
 * The clock of a slot whose work takes time: each look at it comes a little after the one before, so that turns end and
 * chunks shrink as they do in the world. It runs ahead of virtual time by what the turn has "taken" so far, within
 * bounds.
 */
function workingClock(env: Env, random: SeededRandom, workMaxMs: number): Clock {
  let last = 0;
  return {
    nowMs: env.clock.nowMs,
    monotonicMs: () => {
      const nowMs = env.clock.monotonicMs();
      const workedMs = Math.min(last + random.next() * workMaxMs, nowMs + AHEAD_MAX_READS * workMaxMs);
      last = Math.max(last, nowMs, workedMs);
      return last;
    },
  };
}

class History {
  #digest = 0;

  add(text: string): void {
    for (let i = 0; i < text.length; i += 1) this.#digest = mix32(this.#digest + text.charCodeAt(i));
  }

  digest(): string {
    return this.#digest.toString(16).padStart(8, "0");
  }
}

// The machine that simulated jobs run on: its time and disk, its weather, and the links, slots and clocks that a
// process has there. Processes come and go; the machine stays.

import type { Job } from "../api/job.ts";
import type { Clock } from "../base/env.ts";
import { mix32, SeededRandom } from "../base/seeded-random.ts";
import type { EmbeddedOptions } from "../client/embedded.ts";
import { jobPlan, type PlannedJob } from "../client/job-plan.ts";
import { Configuration } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import type { SlotRunner } from "../taskmanager/runner/slot-runner.ts";
import { localSlotRunner } from "../taskmanager/runner/slot-runner-local.ts";
import type { JobStubs } from "../taskmanager/slot/job-factory.ts";
import { SimEnv } from "./sim-env.ts";
import { SimLinks } from "./sim-links.ts";
import { type SimSlotWatch, watchedSlots } from "./sim-slots.ts";
import { noBreaks, type SimBreaks, type SimCuts, SimCutter, simTransport } from "./sim-transport.ts";

/** What the seed decides besides the order of events. */
export type Weather = {
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

export type ProcessOptions = {
  readonly parallelism?: number;
  readonly params?: Readonly<Record<string, string>>;
  readonly config?: Readonly<Record<string, string | number | boolean>>;
  /** Runs the job over the links of a real TaskManager instead of simulated ones. Default: false. */
  readonly realLinks?: boolean;
  /**
   * Whether connections between job master and TaskManager may break, as the seed has it. Default: true. What depends
   * on when a message comes may then come out differently: who is idle, for example.
   */
  readonly cuts?: boolean;
  /** Job master and TaskManager hear nothing more of each other once this holds, which is for good. Default: never. */
  readonly parted?: () => boolean;
  /** Sees the threads of slots and what they say, and may have them end. Default: nobody does. */
  readonly slots?: SimSlotWatch;
  /** What stands in for sources and sinks of the job. Default: they are what they are. */
  readonly stubs?: JobStubs;
  /** As with `--local`: mutations of records fail at once. Default: true. */
  readonly checks?: boolean;
};

const MACHINE_BYTES = 8 * 1024 ** 3;
const FLINK_MEMORY = "4gb";
const AHEAD_MAX_READS = 20;

export class SimMachine {
  readonly env: SimEnv;
  readonly printed: string[] = [];
  /** What became of connections between job masters and TaskManagers. */
  readonly breaks: SimBreaks = noBreaks();
  /** Of connections between job masters and TaskManagers. */
  readonly cutter = new SimCutter();
  readonly #weather: Weather;
  readonly #random: SeededRandom;
  readonly #history = new History();

  constructor(seed: number, eventsMax?: number) {
    this.env = new SimEnv({ seed, ...(eventsMax !== undefined && { eventsMax }) });
    this.#random = new SeededRandom(seed ^ 0x51a7e);
    this.#weather = weatherOf(this.#random);
    const { faults } = this.env.disk;
    faults.latencyMaxMs = this.#weather.diskLatencyMaxMs;
    faults.shortReads = this.#random.next() < 0.5;
  }

  /** Equal for equal histories. */
  digest(): string {
    return `${this.env.digest()}${this.#history.digest()}`;
  }

  /** What a process needs to run the job. */
  async process(job: Job, options: ProcessOptions): Promise<EmbeddedOptions & { planned: PlannedJob }> {
    const { env, breaks } = this;
    const { messageDelayMaxMs: delayMaxMs, cuts } = this.#weather;
    const { params = {}, parted } = options;
    const configuration = configurationOf(options, this.#weather);
    return {
      env,
      planned: await jobPlan(job, params, configuration),
      bundle: null,
      params,
      configuration,
      runner: this.#runnerOf(job, options),
      checks: options.checks ?? true,
      machineBytes: MACHINE_BYTES,
      transport: simTransport({
        ...{ env, random: this.#random, delayMaxMs, breaks, cutter: this.cutter },
        ...(cuts !== null && options.cuts !== false && { cuts }),
        ...(parted !== undefined && { parted }),
      }),
      print: (line) => void this.printed.push(line),
      log: () => undefined,
    };
  }

  #runnerOf(job: Job, options: ProcessOptions): SlotRunner {
    const env = this.env;
    const random = this.#random;
    const weather = this.#weather;
    const links = new SimLinks({
      env,
      random,
      delayMaxMs: weather.batchDelayMaxMs,
      batchBytesMax: weather.batchBytesMax,
      recordBytesMax: 64 * 1024 ** 2,
      onArrival: (link, kind, value, size) => this.#history.add(`${link} ${kind} ${value} ${size}`),
    });
    const transport = simTransport({ env, random, delayMaxMs: weather.messageDelayMaxMs });
    const slots = localSlotRunner({
      env: {
        ...env,
        timers: { ...env.timers, soon: (run) => void env.timers.after(random.next() * weather.turnDelayMaxMs, run) },
      },
      load: () => new Promise((resolve) => env.timers.after(random.next() * weather.loadMaxMs, () => resolve(job))),
      transport,
      ...(options.stubs !== undefined && { stubs: options.stubs }),
      ...(options.realLinks !== true && { links: (...slot) => links.forSlot(...slot) }),
      slotEnv: () => ({ ...env, clock: this.#workingClock() }),
    });
    return options.slots === undefined ? slots : watchedSlots(slots, options.slots);
  }

  /**
   * The clock of a slot whose work takes time: each look at it comes a little after the one before, so that turns end
   * and chunks shrink as they do in the world. It runs ahead of virtual time by what the turn has "taken" so far,
   * within bounds.
   */
  #workingClock(): Clock {
    const { clock } = this.env;
    const { workMaxMs } = this.#weather;
    let last = 0;
    return {
      nowMs: clock.nowMs,
      monotonicMs: () => {
        const nowMs = clock.monotonicMs();
        const workedMs = Math.min(last + this.#random.next() * workMaxMs, nowMs + AHEAD_MAX_READS * workMaxMs);
        last = Math.max(last, nowMs, workedMs);
        return last;
      },
    };
  }
}

/** Mostly small, at times large: exponents are drawn evenly. */
export function spread(random: SeededRandom, least: number, greatest: number): number {
  return least * (greatest / least) ** random.next();
}

function weatherOf(random: SeededRandom): Weather {
  return {
    messageDelayMaxMs: spread(random, 0.01, 20),
    batchDelayMaxMs: spread(random, 0.01, 20),
    diskLatencyMaxMs: spread(random, 0.01, 10),
    loadMaxMs: spread(random, 0.01, 200),
    cuts: cutsOf(random),
    turnDelayMaxMs: spread(random, 0.01, 5),
    workMaxMs: spread(random, 0.001, 3),
    batchBytesMax: Math.floor(spread(random, 100, 30_000)),
    bufferTimeoutMs: random.next() < 0.1 ? 0 : spread(random, 0.1, 100),
  };
}

/** Most worlds have connections that break: in the middle of a job, of its start or of its end. */
function cutsOf(random: SeededRandom): SimCuts | null {
  const chance = 0.5 + 0.4 * random.next();
  const withinMs = spread(random, 5, 500);
  const cuts = { chance, withinMs, messagesMax: 30, halfOpenMaxMs: spread(random, 1, 3_000) };
  return random.next() < 0.9 ? cuts : null;
}

function configurationOf({ config, parallelism = 2 }: ProcessOptions, weather: Weather): Configuration {
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

class History {
  #digest = 0;

  add(text: string): void {
    for (let i = 0; i < text.length; i += 1) this.#digest = mix32(this.#digest + text.charCodeAt(i));
  }

  digest(): string {
    return this.#digest.toString(16).padStart(8, "0");
  }
}

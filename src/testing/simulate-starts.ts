// `simulateStarts`: a job with a checkpoint directory, as `millrace run` has it, started again and again until it ends.
// In between the process dies at any event, or the machine does; slots die, user functions throw, the disk fails.
//
//   Y4. What a process leaves behind is its files alone. Each start opens the checkpoint directory, and goes on.
//   Y5. Faults are finite: after so many starts a job that has not come to its end never will, and that is reported.
//   Y6. At each end of a process no checkpoint that was the newest one before is forgotten: its id only rises.

import type { Job } from "../api/job.ts";
import { assert, EngineError } from "../base/errors.ts";
import { type CheckpointMetadata, metadataOf } from "../checkpoint/format/metadata.ts";
import { checkpointsOpen } from "../client/checkpoints.ts";
import { type EmbeddedJob, embeddedStart } from "../client/embedded.ts";
import { OPTIONS } from "../config/options.ts";
import { isBounded } from "../graph/plan.ts";
import type { JobResult } from "../jobmanager/job-master.ts";
import { ambientTrap } from "./ambient-trap-node.ts";
import type { SimDisk } from "./sim-disk.ts";
import type { SimFaults } from "./sim-faults.ts";
import { type ProcessOptions, SimMachine } from "./sim-machine.ts";
import type { SimBreaks } from "./sim-transport.ts";

export type StartsOptions = Omit<ProcessOptions, "parallelism" | "config" | "death" | "parted"> & {
  readonly seed: number;
  readonly faults: SimFaults;
  /** Of each start. */
  readonly parallelism: (start: number) => number;
  /** `isLast`: none of the processes that are ended from outside. */
  readonly config: (isLast: boolean) => NonNullable<ProcessOptions["config"]>;
  /** Of endless jobs: the last process runs for so long, then it is stopped. */
  readonly lastMs?: number;
  readonly prepare?: (disk: SimDisk) => void;
  /** What is on the disk when a process has ended, as it has left it; throws when it should not be so. */
  readonly onEnded?: (disk: SimDisk, newest: CheckpointMetadata | null) => void;
};

export type Starts = {
  readonly digest: string;
  readonly disk: SimDisk;
  readonly breaks: SimBreaks;
  readonly starts: number;
  /** What the job said of itself, and how each process ended. */
  readonly log: readonly string[];
};

const CHECKPOINTS = "/checkpoints";
const STARTS_MAX = 100;
/** Of one process. */
const EVENTS_MAX = 200_000;

type Ended = { readonly kind: "died" } | { readonly kind: "ended"; readonly result: JobResult };

export async function simulateStarts(job: Job, options: StartsOptions): Promise<Starts> {
  const { seed, faults, prepare, onEnded } = options;
  const process = new Processes(job, options);
  using _trap = ambientTrap();
  const { env, breaks } = process.machine;
  prepare?.(env.disk);
  env.disk.faults.fail = faults.fail;
  try {
    for (let start = 0; ; start += 1) {
      assert(start < STARTS_MAX, "the job does not come to its end, however often it is started (Y5)");
      const isOver = await process.run(start);
      const newest = newestCheckpoint(env.disk);
      process.checkNewest(newest, isOver);
      onEnded?.(env.disk, newest);
      const { log } = process;
      if (isOver) return { digest: process.machine.digest(), disk: env.disk, breaks, starts: start + 1, log };
    }
  } catch (error) {
    const story = [`SEED=${seed} ${JSON.stringify(faults.plan, shown)}`, ...process.log].join("\n");
    throw new Error(story, { cause: error });
  }
}

class Processes {
  readonly machine: SimMachine;
  readonly log: string[] = [];
  readonly #job: Job;
  readonly #options: StartsOptions;
  #newest = 0;

  constructor(job: Job, options: StartsOptions) {
    this.machine = new SimMachine(options.seed, EVENTS_MAX);
    this.#job = job;
    this.#options = options;
  }

  /** One process, from its start to its end; true: the job has come to its end. */
  async run(start: number): Promise<boolean> {
    const { env } = this.machine;
    const { faults, seed } = this.#options;
    const end = faults.begin(start);
    this.#note(`start ${start}`);
    let ended: Ended | { readonly kind: "failed"; readonly error: unknown } | null = null;
    void this.#started(start).then(
      (result) => {
        ended = { kind: "ended", result };
      },
      (error: unknown) => {
        ended = { kind: "failed", error };
      },
    );
    await env.runUntilIdle(() => ended !== null || faults.dies());
    const how = ended as Ended | { readonly kind: "failed"; readonly error: unknown } | null;
    if (how === null) {
      assert(faults.dies(), `SEED=${seed}: the job hangs: it has not ended, and nothing would wake it (Y2)`);
      const kind = end?.how === "power" ? "power" : "process";
      faults.counts[kind] += 1;
      this.#note(`dies (${kind})`);
      env.crash(kind);
      return false;
    }
    env.crash("process");
    if (how.kind === "failed") {
      if (!(how.error instanceof EngineError)) throw how.error;
      this.#note(`is refused: ${how.error.code} ${how.error.message}`);
      return false;
    }
    assert(how.kind === "ended", "it has died");
    const { outcome, error } = how.result;
    this.#note(`${outcome} ${error?.code ?? ""} ${error?.message ?? ""}`);
    return outcome === "finished" || (outcome === "cancelled" && start >= faults.plan.ends.length);
  }

  /** Y6 */
  checkNewest(newest: CheckpointMetadata | null, isOver: boolean): void {
    this.#note(`checkpoint ${newest?.id ?? 0}`);
    if (newest !== null) assert(newest.id >= this.#newest, `checkpoint ${newest.id} after ${this.#newest} (Y6)`);
    this.#newest = isOver ? 0 : (newest?.id ?? 0);
  }

  async #started(start: number): Promise<JobResult> {
    const { env } = this.machine;
    const { faults, parallelism } = this.#options;
    const config = this.#options.config(start >= faults.plan.ends.length);
    const own = {
      ...this.#options,
      config: { ...config, [OPTIONS.checkpointDirectory.key]: CHECKPOINTS },
      parallelism: parallelism(start),
      death: faults.death,
    };
    const process = await this.machine.process(this.#job, own);
    const { planned, configuration } = process;
    const { plan } = planned.graph;
    const log = (line: string): void => this.#note(line);
    const claimed = await planned.claim(env.disk);
    const checkpoints = await checkpointsOpen({ ...{ env, cwd: "/", plan, configuration, log }, fresh: false });
    assert(checkpoints !== null, "the job has a checkpoint directory");
    this.#note(`parallelism ${own.parallelism}`);
    const run = embeddedStart({ ...process, claimed, checkpoints, log });
    this.#stop(run, start, isBounded(plan));
    return run.result;
  }

  #stop(run: EmbeddedJob, start: number, bounded: boolean): void {
    const { env } = this.machine;
    const { faults, lastMs } = this.#options;
    const end = faults.plan.ends[start];
    const isLast = end === undefined && !bounded;
    const atMs = isLast ? lastMs : end?.how === "stop" && typeof end.at === "number" ? end.at : undefined;
    if (atMs === undefined) return;
    const stop = (): void => {
      // What is in progress is shown by a job that ends as such, not by one that is given up as it begins.
      if (isLast && run.master.state.phase !== "running") {
        env.timers.after(atMs, stop);
        return;
      }
      if (!isLast) faults.counts.stop += 1;
      this.#note("is stopped");
      run.stop();
    };
    env.timers.after(atMs, stop);
  }

  #note(line: string): void {
    this.log.push(`${this.machine.env.clock.monotonicMs().toFixed(3)} ${line}`);
  }
}

/** The newest checkpoint that is complete: the pointer names it, or, where there is none, it has its metadata. */
function newestCheckpoint(disk: SimDisk): CheckpointMetadata | null {
  const pointer = disk.get(`${CHECKPOINTS}/latest`);
  const names = disk.paths().flatMap((path) => /\/(chk-\d+)\/_metadata$/.exec(path)?.[1] ?? []);
  const byId = names.toSorted((left, right) => Number(left.slice(4)) - Number(right.slice(4)));
  const name = pointer === null ? byId.at(-1) : new TextDecoder().decode(pointer).split(" ")[0];
  if (name === undefined) return null;
  const bytes = disk.get(`${CHECKPOINTS}/${name}/_metadata`);
  assert(bytes !== null, `the pointer names ${name}, of which there is no metadata`);
  return metadataOf(`${name}/_metadata`, Buffer.from(bytes));
}

const shown = (_key: string, value: unknown): unknown => (value instanceof RegExp ? String(value) : value);

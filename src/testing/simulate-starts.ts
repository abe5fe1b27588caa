// `simulateStarts`: a job with a checkpoint directory, as `millrace run` has it, started again and again until it ends.
// In between the process dies at any event, or the machine does; slots die, user functions throw, the disk fails.
//
//   Y4. What a process leaves behind is its files alone. Each start opens the checkpoint directory, and goes on.
//   Y5. Faults are finite: after so many starts a job that has not come to its end never will, and that is reported.
//   Y6. At each end of a process no checkpoint that was the newest one before is forgotten: its id only rises.

import type { Job } from "../api/job.ts";
import { assert, EngineError } from "../base/errors.ts";
import { PASSED_OVER } from "../checkpoint/checkpoint-directory.ts";
import { type CheckpointMetadata, metadataOf } from "../checkpoint/format/metadata.ts";
import { checkpointsOpen } from "../client/checkpoints.ts";
import { type EmbeddedJob, embeddedStart } from "../client/embedded.ts";
import { OPTIONS } from "../config/options.ts";
import type { JobResult } from "../jobmanager/job-master.ts";
import { ambientTrap } from "./ambient-trap-node.ts";
import type { SimDisk } from "./sim-disk.ts";
import type { SimFaults } from "./sim-faults.ts";
import { idIn, pointedName, SimInvariants } from "./sim-invariants.ts";
import { type ProcessOptions, SimMachine } from "./sim-machine.ts";
import { SimPhases } from "./sim-phases.ts";
import { SimSavepoints } from "./sim-savepoints.ts";
import type { SimBreaks } from "./sim-transport.ts";

export type StartsOptions = Omit<ProcessOptions, "parallelism" | "config" | "slots" | "parted"> & {
  readonly seed: number;
  readonly faults: SimFaults;
  /** Of each start. */
  readonly parallelism: (start: number) => number;
  /** `isLast`: no fault is to come. */
  readonly config: (isLast: boolean) => NonNullable<ProcessOptions["config"]>;
  /** Of jobs that never come to an end: each process runs for so long, then it is stopped. */
  readonly stopMs?: number;
  /** Of others: the first processes run for so long each, then they are stopped. */
  readonly stopsMs?: readonly number[];
  readonly prepare?: (disk: SimDisk) => void;
  /**
   * What is on the disk when a process has ended, as it has left it; throws when it should not be so. `wentBack`: what
   * came after an older checkpoint or savepoint has gone, to come again, for a damaged one was passed over or its user
   * has started the job from an older one.
   */
  readonly onEnded?: (disk: SimDisk, newest: NewestCheckpoint, wentBack: boolean) => void;
  /** The same when the job has come to its end. */
  readonly onOver?: (disk: SimDisk) => void;
};

/** As long as a job has none, the savepoint that it has started from. "damaged": it cannot be read now, or for good. */
export type NewestCheckpoint = CheckpointMetadata | "damaged" | null;

export type Starts = {
  readonly digest: string;
  readonly disk: SimDisk;
  readonly breaks: SimBreaks;
  readonly starts: number;
  readonly log: readonly string[];
};

const CHECKPOINTS = "/checkpoints";
const STARTS_MAX = 100;
/** Of one process. */
const EVENTS_MAX = 200_000;

/** What a start with another parallelism does not refuse: after the second in a row all are tried in turn. */
const MENDED_BY_STARTS: ReadonlySet<string> = new Set(["CHECKPOINT_PARTLY_FINISHED"]);
const PARALLELISM_MAX = 4;

type Ended =
  | { readonly kind: "ended"; readonly result: JobResult }
  | { readonly kind: "failed"; readonly error: unknown };

export async function simulateStarts(job: Job, options: StartsOptions): Promise<Starts> {
  const { prepare, onEnded, onOver } = options;
  const process = new Processes(job, options);
  using _trap = ambientTrap();
  const { env, breaks } = process.machine;
  prepare?.(env.disk);
  try {
    for (let start = 0; ; start += 1) {
      assert(start < STARTS_MAX, "the job does not come to its end, however often it is started (Y5)");
      const hasEnded = await process.run(start);
      const newest = process.newest(hasEnded);
      const isOver = hasEnded && newest !== "damaged";
      process.checkNewest(newest, isOver);
      onEnded?.(env.disk, newest, process.wentBack);
      if (!isOver) continue;
      const { log } = process;
      onOver?.(env.disk);
      return { digest: process.machine.digest(), disk: env.disk, breaks, starts: start + 1, log };
    }
  } catch (error) {
    throw new Error(process.log.join("\n"), { cause: error });
  }
}

class Processes {
  readonly machine: SimMachine;
  readonly log: string[] = [];
  #passedOver = false;
  readonly #job: Job;
  readonly #options: StartsOptions;
  readonly #phases = new SimPhases();
  readonly #invariants: SimInvariants;
  readonly #savepoints: SimSavepoints;
  #newest = 0;
  #refusals = 0;
  /** For good. */
  #isStopped = false;

  constructor(job: Job, options: StartsOptions) {
    this.machine = new SimMachine(options.seed, EVENTS_MAX);
    this.#job = job;
    this.#options = options;
    const { faults } = options;
    const { disk } = this.machine.env;
    this.#invariants = new SimInvariants(disk, CHECKPOINTS, this.#phases);
    this.#savepoints = new SimSavepoints({
      ...{ disk, directory: CHECKPOINTS, pointed: () => idIn(disk.durable(`${CHECKPOINTS}/latest`)) },
      note: (line) => this.#note(line),
      onWrong: (error) => {
        this.#wrong ??= error;
      },
    });
    faults.attach(this.machine, this.#phases, this.#savepoints);
    disk.faults.onDone = (operation, path) => {
      this.#guarded(() => this.#invariants.done(operation, path));
      faults.done(operation, path);
    };
  }

  get wentBack(): boolean {
    return this.#passedOver || this.#savepoints.wentBack;
  }

  /** What is wrong is told between two events, and not to the engine, which might take it for a fault. */
  #wrong: unknown = null;

  /** One process, from its start to its end; true: the job has come to its end. */
  async run(start: number): Promise<boolean> {
    const { env, cutter } = this.machine;
    const { faults, seed } = this.#options;
    this.#isStopped = false;
    this.#note(`start ${start}`);
    const from = this.#savepoints.begin(() => newestCheckpoint(env.disk) !== null);
    if (this.#savepoints.wentBack) this.#newest = 0;
    this.#phases.begin();
    this.#invariants.begin();
    faults.begin(start);
    let ended: Ended | null = null;
    void this.#started(start, from).then(
      (result) => {
        ended = { kind: "ended", result };
      },
      (error: unknown) => {
        ended = { kind: "failed", error };
      },
    );
    await env.runUntilIdle(() => {
      this.#guarded(() => this.#invariants.look(this.#phases.run));
      return this.#wrong !== null || ended !== null || faults.dies();
    });
    if (this.#wrong !== null) throw this.#wrong;
    cutter.clear();
    const how = ended as Ended | null;
    if (how === null) return this.#died(seed);
    env.crash("process");
    if (how.kind === "failed") return this.#refused(how.error);
    const { outcome, error } = how.result;
    this.#note(`${outcome} ${error?.code ?? ""} ${error?.message ?? ""}`);
    this.#heal(error);
    return outcome === "finished" || (outcome === "cancelled" && this.#isStopped);
  }

  /** True: it had finished, and forgotten all but that. */
  #died(seed: number): boolean {
    const { faults } = this.#options;
    const { env } = this.machine;
    const { dying } = faults;
    const phase = this.#phases.current();
    assert(dying !== null, `SEED=${seed}: the job hangs while ${phase}: nothing would wake it (Y2)`);
    this.#note(`dies (${dying}, ${phase})`);
    env.crash(dying);
    return phase === "forgetting" && newestCheckpoint(env.disk) === null;
  }

  #refused(error: unknown): false {
    if (!(error instanceof EngineError) || (error.domain === "user" && !MENDED_BY_STARTS.has(error.code))) throw error;
    if (MENDED_BY_STARTS.has(error.code)) this.#refusals += 1;
    this.#note(`is refused: ${error.code} ${error.message}`);
    this.#heal(error);
    return false;
  }

  /** Where nothing can be read, its user puts back a copy. */
  #heal(error: EngineError | null): void {
    if (error?.code === "CHECKPOINT_NONE_READABLE") this.machine.env.disk.heal();
  }

  /** What the job would go on from, or has come to its end with. */
  newest(hasEnded: boolean): NewestCheckpoint {
    const own = newestCheckpoint(this.machine.env.disk);
    this.#savepoints.ended(own !== null || hasEnded);
    const { origin } = this.#savepoints;
    return own ?? (hasEnded && origin?.drained !== true ? null : origin);
  }

  /** Y6 */
  checkNewest(newest: NewestCheckpoint, isOver: boolean): void {
    this.#note(`checkpoint ${newest === "damaged" ? newest : (newest?.id ?? 0)}`);
    if (newest === "damaged") return;
    if (newest !== null) assert(newest.id >= this.#newest, `checkpoint ${newest.id} after ${this.#newest} (Y6)`);
    this.#newest = isOver ? 0 : (newest?.id ?? 0);
  }

  async #started(start: number, from: Readonly<Record<string, string>>): Promise<JobResult> {
    const { env } = this.machine;
    const { faults, parallelism } = this.#options;
    const own = {
      ...this.#options,
      config: { ...this.#options.config(faults.isOver), [OPTIONS.checkpointDirectory.key]: CHECKPOINTS, ...from },
      parallelism: this.#refusals < 2 ? parallelism(start) : 1 + (this.#refusals % PARALLELISM_MAX),
      slots: this.#slots(),
    };
    const process = await this.machine.process(this.#job, own);
    const { planned, configuration } = process;
    const { plan } = planned.graph;
    const log = (line: string): void => {
      this.#note(line);
      if (/^checkpoint \d+ cannot be restored/.test(line)) this.#passedOver = true;
    };
    const claimed = await planned.claim(env.disk);
    const checkpoints = await checkpointsOpen({ ...{ env, cwd: "/", plan, configuration, log }, fresh: false });
    assert(checkpoints !== null, "the job has a checkpoint directory");
    this.#note(`parallelism ${own.parallelism}`);
    const run = embeddedStart({ ...process, claimed, checkpoints, log });
    this.#refusals = 0;
    this.#phases.run = run;
    this.#savepoints.runs(run);
    const stopsMs = this.#options.stopsMs?.[start];
    if (stopsMs !== undefined) env.timers.after(stopsMs, () => run.stop());
    else this.#stopLater(run);
    return run.result;
  }

  /** Once no fault is to come, the job is stopped while it runs: one that is given up as it begins shows nothing. */
  #stopLater(run: EmbeddedJob): void {
    const { stopMs, faults } = this.#options;
    if (stopMs === undefined) return;
    const stop = (): void => {
      this.#isStopped = faults.isOver && run.master.state.phase === "running";
      if (this.#isStopped || !faults.isOver) run.stop();
      else this.machine.env.timers.after(stopMs, stop);
    };
    this.machine.env.timers.after(stopMs, stop);
  }

  #slots(): NonNullable<ProcessOptions["slots"]> {
    const { faults } = this.#options;
    return {
      started: (slot) => faults.started(slot),
      ended: (slot) => {
        faults.ended(slot);
        this.#invariants.ended(slot);
      },
      told: (message, slot) => this.#guarded(() => this.#invariants.told(message, slot)),
      says: (message, slot) => {
        const dies = faults.says(message);
        if (dies !== "unheard") this.#guarded(() => this.#invariants.says(message, slot));
        return dies;
      },
    };
  }

  #guarded(look: () => void): void {
    try {
      look();
    } catch (error) {
      this.#wrong ??= error;
    }
  }

  #note(line: string): void {
    this.log.push(`${this.machine.env.clock.monotonicMs().toFixed(3)} ${line}`);
  }
}

/** The newest checkpoint that is complete: the pointer names it, or, where there is none, it has its metadata. */
function newestCheckpoint(disk: SimDisk): NewestCheckpoint {
  const pointer = disk.get(`${CHECKPOINTS}/latest`);
  const names = disk.paths().flatMap((path) => /\/(chk-\d+)\/_metadata$/.exec(path)?.[1] ?? []);
  const byId = names.toSorted((left, right) => Number(left.slice(4)) - Number(right.slice(4)));
  const name = pointer === null ? byId.at(-1) : pointedName(pointer);
  if (name === undefined) return pointer === null ? null : "damaged";
  const path = `${CHECKPOINTS}/${name}/_metadata`;
  const bytes = disk.get(path);
  if (bytes === null && disk.get(path + PASSED_OVER) !== null) return "damaged"; // An older one stands in for it.
  assert(bytes !== null, `the pointer names ${name}, of which there is no metadata`);
  try {
    return metadataOf(`${name}/_metadata`, Buffer.from(bytes));
  } catch (error) {
    if (error instanceof EngineError) return "damaged";
    throw error;
  }
}

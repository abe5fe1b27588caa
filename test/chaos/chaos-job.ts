// One job to which faults happen, one after the other; each is over when a checkpoint was completed after it.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { SeededRandom } from "../../src/base/seeded-random.ts";
import { type DurableOptions, DurableRun } from "./recover-process.ts";
import type { Phase } from "./tamper-points.ts";
import { WallClock } from "./wall-clock.ts";

/** What happened, of all jobs together. */
export type Told = {
  /** By phase and kind. */
  readonly faults: Record<string, Record<string, number>>;
  /** By kind: how often it has not come about. */
  readonly missed: Record<string, number>;
  /** From the fault, or the next start, to the first checkpoint after it. */
  readonly recoveriesMs: number[];
  readonly note: (line: string) => void;
};

export type Fault = {
  /** How often it is drawn, beside the others. */
  readonly weight: number;
  /** In which phase; null: it has not come about, as the job has finished, or had nothing to do with it. */
  happen(job: ChaosJob, run: DurableRun): Promise<Phase | null>;
  /** The process ends with 0, and the job has not finished. */
  readonly isStop?: true;
  /** Only a job that has an end comes to it. */
  readonly isOfEnd?: true;
};

export type ChaosJobOptions = {
  readonly job: string;
  /** A directory of its own. */
  readonly place: string;
  readonly params: Readonly<Record<string, number>>;
  readonly isBounded: boolean;
  readonly random: SeededRandom;
  readonly told: Told;
  /** By name. */
  readonly faults: Readonly<Record<string, Fault>>;
  /** Names of those that happen in turn; undefined: they are drawn. */
  readonly only?: readonly string[] | undefined;
};

const CONFIG = [
  "restart-strategy.exponential-delay.initial-backoff=20ms",
  "restart-strategy.exponential-delay.max-backoff=200ms",
  "execution.checkpointing.tolerable-failed-checkpoints=1000000",
  "execution.checkpointing.num-retained=3",
  "millrace.task.watchdog-timeout=5s",
  "taskmanager.memory.task.heap.size=400mb",
].flatMap((value) => ["-D", value]);
/** State in files of its own. */
const FILES = ["-D", "execution.checkpointing.data-inline-threshold=0"];
const PARALLELISM_MAX = 3;
const QUIET_MS_MAX = 1_500;
/** Far above what a busy machine takes. */
const PATIENCE_MS = 180_000;

export class ChaosJob {
  readonly checkpoints: string;
  readonly out: string;
  /** For whatever faults need. */
  readonly scratch: string;
  readonly random: SeededRandom;
  readonly told: Told;
  readonly isBounded: boolean;
  readonly clock: WallClock;
  isFinished = false;
  /** The checkpoint that was damaged last. */
  damaged = 0;
  /** The newest savepoint that was taken of it. */
  savepoint: string | null = null;
  /** What the next start is given. */
  nextArguments: readonly string[] = [];
  readonly #options: ChaosJobOptions;
  #run: DurableRun | null = null;
  #faults = 0;

  constructor(options: ChaosJobOptions) {
    const { place } = options;
    this.#options = options;
    this.random = options.random;
    this.told = options.told;
    this.isBounded = options.isBounded;
    this.checkpoints = join(place, "checkpoints");
    this.out = join(place, "out");
    this.scratch = place;
    mkdirSync(this.checkpoints, { recursive: true });
    mkdirSync(join(place, "savepoints"));
    this.clock = new WallClock(join(place, "clock"));
    // A disk that can be filled. Without it the campaign fails: it would not try what it says.
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=32m", "none", this.checkpoints]);
    if (mounted.status !== 0) throw new Error(`no tmpfs can be mounted: ${mounted.stderr}`);
  }

  /** The way in which a slot is to end, where one is asked for. */
  get onDemand(): string {
    return join(this.scratch, "fault");
  }

  /** Something happens, and the job gets over it; or it has finished before. */
  async fault(): Promise<void> {
    const { random, told } = this;
    const kind = this.#nextKind();
    const run = await this.#running();
    if (run === null) return;
    await delay(random.below(QUIET_MS_MAX));
    const startedMs = performance.now();
    let phase: string | null = null;
    await this.#over(kind, async () => {
      phase = await this.#happen(kind, run);
    });
    const tookMs = Math.round(performance.now() - startedMs);
    told.note(`${this.#options.job} ${kind}, ${phase ?? "which has not come about"} (${tookMs} ms)`);
    if (phase === null) told.missed[kind] = (told.missed[kind] ?? 0) + (this.isFinished ? 0 : 1);
    else told.faults[phase] = { ...told.faults[phase], [kind]: (told.faults[phase]?.[kind] ?? 0) + 1 };
  }

  /** SIGTERM; it has to end well. */
  async stop(): Promise<void> {
    const run = await this.#running();
    if (run === null) return;
    const { code, stderr } = await run.terminate();
    if (code !== 0) throw new Error(`SIGTERM: exit code ${code}\n${stderr}`);
  }

  async finish(): Promise<void> {
    while (!this.isFinished) {
      const run = await this.#running();
      if (run === null) continue;
      await this.#over("the end", async () => void (await run.ended));
      this.hasEnded(run);
    }
  }

  async close(): Promise<void> {
    if (this.#run?.isRunning) await this.#run.kill();
    spawnSync("umount", ["-l", this.checkpoints]);
  }

  /** A copy of its checkpoints, which go with their disk. */
  keep(): void {
    cpSync(this.checkpoints, join(this.scratch, "kept"), { recursive: true });
  }

  /** The one that runs from now on, which has none before it any more. */
  start(options: Partial<DurableOptions> = {}): DurableRun {
    const { random } = this;
    const { job, params } = this.#options;
    const files = random.below(2) === 0 ? FILES : [];
    const run = new DurableRun(job, {
      checkpoints: this.checkpoints,
      params: { ...params, out: this.out, faults: this.onDemand },
      parallelism: 1 + random.below(PARALLELISM_MAX),
      more: [...CONFIG, ...files, ...this.nextArguments],
      environment: this.clock.environment,
      ...options,
    });
    this.#run = run;
    return run;
  }

  /** Whether it has come to its end by itself. Throws when it has ended as none may. */
  hasEnded(run: DurableRun): boolean {
    const { exitCode } = run.child;
    if (exitCode === null) return false;
    if (exitCode !== 0) throw new Error(`it ended with ${exitCode}\n${run.stderr}`);
    if (!this.isBounded) throw new Error(`it has no end, and ended\n${run.stderr}`);
    this.isFinished = true;
    return true;
  }

  /** Null: it has not come about, or the job finished meanwhile. */
  async #happen(kind: string, run: DurableRun): Promise<string | null> {
    const fault = this.#options.faults[kind]!;
    try {
      const phase = await fault.happen(this, run);
      if (this.isFinished) return null;
      const hasEnded = this.#run!.child.exitCode === 0 && fault.isStop !== true && this.hasEnded(this.#run!);
      return hasEnded ? null : phase;
    } catch (error) {
      if (this.#run!.isRunning) throw error;
      if ((await this.#run!.ended).code !== 0 || !this.hasEnded(this.#run!)) throw error;
      return null;
    }
  }

  /** Null: it finished meanwhile. */
  async #running(): Promise<DurableRun | null> {
    if (this.#run?.isRunning) return this.#run;
    const startedMs = performance.now();
    const run = this.start();
    await this.#over("a start", () => this.checkpointed(run));
    if (this.isFinished) return null;
    this.nextArguments = [];
    for (const name of ["aside-1", "aside-2"]) rmSync(join(this.checkpoints, name), { recursive: true, force: true });
    this.told.recoveriesMs.push(performance.now() - startedMs);
    return run;
  }

  /** Until there is one checkpoint more, or it has finished. */
  async checkpointed(run: DurableRun): Promise<void> {
    try {
      await run.checkpointed();
    } catch (error) {
      if (run.isRunning) throw error;
      await run.ended;
      if (!this.hasEnded(run)) throw error;
    }
  }

  /** What never comes is an error, too. */
  async #over(what: string, work: () => Promise<void>): Promise<void> {
    const late = new AbortController();
    const hangs = delay(PATIENCE_MS, "hangs", { signal: late.signal }).catch(() => "over");
    const which = await Promise.race([work(), hangs]).finally(() => late.abort());
    if (which === "hangs") throw new Error(`${what}: nothing for ${PATIENCE_MS} ms\n${this.#run?.stderr}`);
  }

  #nextKind(): string {
    const { only, faults } = this.#options;
    this.#faults += 1;
    if (only !== undefined) return only[(this.#faults - 1) % only.length]!;
    const possible = Object.entries(faults).filter(([, { isOfEnd }]) => this.isBounded || isOfEnd !== true);
    const kinds = possible.flatMap(([kind, { weight }]) => new Array<string>(weight).fill(kind));
    return kinds[this.random.below(kinds.length)]!;
  }
}

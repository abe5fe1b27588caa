// One job to which faults happen, one after the other; each is over when a checkpoint was completed after it.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { SeededRandom } from "../../src/base/seeded-random.ts";
import { checkpointFiles, newestId } from "./checkpoint-files.ts";
import { DurableRun } from "./recover-process.ts";

/** What happened, of all jobs together. */
export type Told = {
  readonly faults: Record<string, number>;
  /** From the fault, or the next start, to the first checkpoint after it. */
  readonly recoveriesMs: number[];
  readonly note: (line: string) => void;
};

export type ChaosJobOptions = {
  readonly job: string;
  /** A directory of its own. */
  readonly place: string;
  readonly params: Readonly<Record<string, number>>;
  readonly random: SeededRandom;
  readonly told: Told;
};

const FAULTS = ["kill", "kill", "kill", "flip", "heap", "exit", "loop", "throw", "full", "killWhileFull"] as const;
const CONFIG = [
  "restart-strategy.exponential-delay.initial-backoff=20ms",
  "restart-strategy.exponential-delay.max-backoff=200ms",
  "execution.checkpointing.tolerable-failed-checkpoints=1000000",
  "execution.checkpointing.num-retained=3",
  "millrace.task.watchdog-timeout=5s",
  "taskmanager.memory.task.heap.size=400mb",
].flatMap((value) => ["-D", value]);
const QUIET_MS_MAX = 1_500;

export class ChaosJob {
  readonly checkpoints: string;
  readonly out: string;
  isFinished = false;
  readonly #options: ChaosJobOptions;
  readonly #faults: string;
  #run: DurableRun | null = null;
  /** The checkpoint that was damaged last. */
  #damaged = 0;

  constructor(options: ChaosJobOptions) {
    const { place } = options;
    this.#options = options;
    this.checkpoints = join(place, "checkpoints");
    this.out = join(place, "out");
    this.#faults = join(place, "fault");
    mkdirSync(this.checkpoints, { recursive: true });
    // A disk that can be filled. Without it the campaign fails: it would not try what it says.
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=32m", "none", this.checkpoints]);
    if (mounted.status !== 0) throw new Error(`no tmpfs can be mounted: ${mounted.stderr}`);
  }

  /** Something happens, and the job gets over it; or it has finished before. */
  async fault(): Promise<void> {
    const { random, told, job } = this.#options;
    const kind = FAULTS[random.below(FAULTS.length)]!;
    const run = await this.#running();
    if (run === null) return;
    await delay(random.below(QUIET_MS_MAX));
    const startedMs = performance.now();
    const hasHappened = await this.#over(run, () => this.#happen(kind, run));
    if (!hasHappened) return;
    told.faults[kind] = (told.faults[kind] ?? 0) + 1;
    told.note(`${job} ${kind} (${Math.round(performance.now() - startedMs)} ms)`);
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
      if (run !== null) await this.#over(run, async () => void (await run.ended));
    }
  }

  async close(): Promise<void> {
    if (this.#run?.isRunning) await this.#run.kill();
    spawnSync("umount", ["-l", this.checkpoints]);
  }

  /** Null: it finished meanwhile. */
  async #running(): Promise<DurableRun | null> {
    if (this.#run?.isRunning) return this.#run;
    const { job, params, random, told } = this.#options;
    const startedMs = performance.now();
    const run = new DurableRun(job, {
      checkpoints: this.checkpoints,
      params: { ...params, out: this.out, faults: this.#faults },
      parallelism: 1 + random.below(3),
      more: CONFIG,
    });
    this.#run = run;
    if (!(await this.#over(run, async () => void (await run.checkpointed())))) return null;
    told.recoveriesMs.push(performance.now() - startedMs);
    return run;
  }

  /** False: the job has finished instead. Whatever else ends it is an error of ours, or of the job. */
  async #over(run: DurableRun, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
    } catch (error) {
      if (run.child.exitCode !== 0) throw error;
    }
    if (run.child.exitCode === 0) this.isFinished = true;
    else if (run.child.exitCode !== null) throw new Error(`it ended with ${run.child.exitCode}\n${run.stderr}`);
    return run.child.exitCode !== 0;
  }

  async #happen(kind: (typeof FAULTS)[number], run: DurableRun): Promise<void> {
    const { told } = this.#options;
    const filler = join(this.checkpoints, "filler");
    switch (kind) {
      case "kill":
        await run.kill();
        break;
      case "flip":
        await run.kill();
        this.#flip();
        break;
      case "full":
        spawnSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=64k"]);
        await run.until(() => run.stderr.includes("was given up"), "a checkpoint is given up");
        rmSync(filler);
        await run.checkpointed();
        break;
      case "killWhileFull":
        spawnSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=64k"]);
        await delay(this.#options.random.below(QUIET_MS_MAX));
        await run.kill();
        rmSync(filler);
        break;
      default: {
        const again = (): number => run.stderr.split(/^attempt \d+ runs /m).length;
        const before = again();
        const startedMs = performance.now();
        writeFileSync(this.#faults, kind);
        await run.until(() => again() > before, `an attempt after ${kind}`);
        rmSync(this.#faults, { force: true });
        await run.checkpointed();
        told.recoveriesMs.push(performance.now() - startedMs);
      }
    }
  }

  /** One bit of one file of the newest checkpoint, unless the one before it may be damaged already. */
  #flip(): void {
    const { random } = this.#options;
    const newest = newestId(this.checkpoints);
    if (newest === null || newest < this.#damaged + 3) return;
    const files = checkpointFiles(this.checkpoints, newest);
    const file = files[random.below(files.length)];
    if (file === undefined || !existsSync(file)) return;
    const bytes = readFileSync(file);
    const at = random.below(bytes.length);
    bytes[at] = bytes[at]! ^ (1 << random.below(8));
    writeFileSync(file, bytes);
    this.#damaged = newest;
  }
}

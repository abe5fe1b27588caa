// `millrace run` with a checkpoint directory, as a process that can be killed.

import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CliProcess, type Ended } from "../integration/cli-process.ts";
import { newestId } from "./checkpoint-files.ts";

export type DurableOptions = {
  readonly checkpoints: string;
  readonly params: Readonly<Record<string, string | number>>;
  readonly parallelism?: number;
  /** Further arguments. */
  readonly more?: readonly string[];
  readonly uid?: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** A command that runs it, and becomes its process. */
  readonly under?: readonly string[];
};

const JOBS = resolve(import.meta.dirname, "jobs");
const POLL_MS = 10;

export class DurableRun extends CliProcess {
  readonly #checkpoints: string;

  constructor(job: string, { checkpoints, params, parallelism = 2, more = [], ...options }: DurableOptions) {
    const values = Object.entries(params).flatMap(([name, value]) => ["--param", `${name}=${value}`]);
    const given = ["--checkpoint-dir", checkpoints, "--parallelism", String(parallelism), ...values, ...more];
    const fast = ["-D", "execution.checkpointing.interval=100ms"];
    super(["run", job, ...fast, ...given], { cwd: JOBS, ...options });
    this.#checkpoints = checkpoints;
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Resolves once a checkpoint after `after` is completed. Rejects when the process ends before. */
  async checkpointed(after = newestId(this.#checkpoints) ?? 0): Promise<number> {
    let id = after;
    await this.until(() => {
      id = newestId(this.#checkpoints) ?? after;
      return id > after;
    }, `a checkpoint after ${after}`);
    return id;
  }

  /** Looks again and again. */
  async until(holds: () => boolean, what: string): Promise<void> {
    while (!holds()) {
      if (!this.isRunning) throw new Error(`ended before ${what}\n${this.stderr}`);
      await delay(POLL_MS);
    }
  }

  /** As a power switch; resolves when nothing of it runs. */
  async kill(): Promise<Ended> {
    this.child.kill("SIGKILL");
    return this.ended;
  }

  /** SIGTERM, as whoever runs services sends it. */
  async terminate(): Promise<Ended> {
    this.child.kill("SIGTERM");
    return this.ended;
  }
}

// Carries recoveries out: regions of a job that have failed wait until nothing is left of them and their time has come,
// learn where they begin, and are deployed again.
//
//   V1. The tasks of a region begin anew when nothing is left of those before them, when no checkpoint is being stored,
//       and from one checkpoint.
//   V2. A region is in one recovery at a time: the newest.
//   V3. Once `stop` was called nothing begins anew.

import type { Env, TimerHandle } from "../../base/env.ts";
import type { EngineError } from "../../base/errors.ts";
import type { CheckpointId } from "../../base/ids.ts";
import type { RestorePlan } from "../../checkpoint/restore.ts";

/** One failure that the job goes on after, for people. */
export type FailedAttempt = {
  /** Of the tasks that failed. */
  readonly attempt: number;
  /** Wall clock. */
  readonly atMs: number;
  readonly error: EngineError;
  /** The checkpoint that they had begun from; null: none. */
  readonly from: CheckpointId | null;
  /** Names of the tasks, and the slot of the job; none of a failure of the job as a whole. */
  readonly tasks: readonly string[];
  readonly slot: number | null;
};

/** Regions that have failed run again. */
export type Recovery = {
  readonly attempt: number;
  /** What they have begun from; null: from nothing. */
  readonly restore: RestorePlan | null;
  readonly failed: FailedAttempt;
  /** By index. */
  readonly regions: readonly number[];
  /** Threads that were started meanwhile: the other slots have kept theirs. */
  readonly newThreads: number;
  /** From the failure until nothing was left of the tasks, until the next were due, had read where they begin, ran. */
  readonly tookMs: Readonly<Record<"end" | "wait" | "read" | "deploy", number>>;
};

export type RecoveriesOptions = {
  readonly env: Env;
  /** Resolves when no checkpoint is being stored any more. */
  readonly stored: () => Promise<void>;
  /** Where the next tasks begin. Rejects when nothing can be restored. */
  readonly newest: () => Promise<RestorePlan | null>;
  /** Deploys these regions. */
  readonly deploy: (regions: readonly number[], restore: RestorePlan | null, attempt: number) => void;
  readonly onRecovered: (recovery: Recovery) => void;
  readonly fail: (error: EngineError) => void;
};

type UnderWay = {
  readonly failed: FailedAttempt | null;
  readonly regions: Set<number>;
  /** Of these regions, tasks of the attempt before are left. */
  readonly open: Set<number>;
  /** Monotonic. */
  readonly failedMs: number;
  readonly dueMs: number;
  endedMs: number;
  begunMs: number;
  readMs: number;
  /** Null: not deployed yet. */
  deployed: { readonly attempt: number; readonly restore: RestorePlan | null } | null;
  /** Regions that do not run yet. */
  readonly waiting: Set<number>;
  newThreads: number;
};

export class Recoveries {
  readonly #options: RecoveriesOptions;
  readonly #underWay = new Set<UnderWay>();
  readonly #timers = new Set<TimerHandle>();
  #attempt: number;
  #isOver = false;

  /** `attempt`: the first of the job. */
  constructor(options: RecoveriesOptions, attempt: number) {
    this.#options = options;
    this.#attempt = attempt;
  }

  /** Regions whose tasks were told to end begin anew at `dueMs`, monotonic. `failed` null: somebody wants it so. */
  begin(regions: readonly number[], failed: FailedAttempt | null, dueMs: number): void {
    for (const each of [...this.#underWay]) this.#without(each, regions);
    const nowMs = this.#nowMs();
    this.#underWay.add({
      ...{ failed, dueMs, failedMs: nowMs, endedMs: nowMs, begunMs: nowMs, readMs: nowMs, newThreads: 0 },
      ...{ regions: new Set(regions), open: new Set(regions), waiting: new Set(regions), deployed: null },
    });
  }

  /** Nothing is left of the tasks of a region. */
  onClosed(region: number): void {
    for (const each of this.#underWay) {
      if (!each.open.delete(region) || each.open.size > 0) continue;
      each.endedMs = this.#nowMs();
      const delayMs = Math.max(0, each.dueMs - each.endedMs);
      const timer = this.#options.env.timers.after(delayMs, () => {
        this.#timers.delete(timer);
        void this.#again(each);
      });
      this.#timers.add(timer);
    }
  }

  /** The tasks of these regions run. */
  onRunning(regions: readonly number[]): void {
    for (const each of [...this.#underWay]) {
      if (each.deployed === null) continue;
      for (const region of regions) each.waiting.delete(region);
      if (each.waiting.size > 0) continue;
      this.#underWay.delete(each);
      const { failed, deployed } = each;
      if (failed !== null) this.#options.onRecovered({ ...deployed, failed, ...this.#facts(each) });
    }
  }

  /** A thread has been started for a slot of the job. */
  onThread(): void {
    for (const each of this.#underWay) each.newThreads += 1;
  }

  /** V3 */
  stop(): void {
    this.#isOver = true;
    for (const timer of this.#timers) timer.cancel();
  }

  /** V2 */
  #without(each: UnderWay, regions: readonly number[]): void {
    for (const region of regions) for (const set of [each.regions, each.open, each.waiting]) set.delete(region);
    if (each.regions.size === 0) this.#underWay.delete(each);
  }

  /** V1 */
  async #again(each: UnderWay): Promise<void> {
    const { stored, newest, deploy, fail } = this.#options;
    each.begunMs = this.#nowMs();
    try {
      await stored();
      const restore = await newest();
      if (this.#isOver) return;
      each.readMs = this.#nowMs();
      this.#attempt += 1;
      each.deployed = { attempt: this.#attempt, restore };
      deploy([...each.regions], restore, this.#attempt);
    } catch (error) {
      if (!this.#isOver) fail(error as EngineError);
    }
  }

  #facts(each: UnderWay): Pick<Recovery, "regions" | "newThreads" | "tookMs"> {
    const { failedMs, endedMs, begunMs, readMs, newThreads } = each;
    const tookMs = {
      ...{ end: endedMs - failedMs, wait: begunMs - endedMs, read: readMs - begunMs },
      deploy: this.#nowMs() - readMs,
    };
    return { regions: [...each.regions].sort((a, b) => a - b), newThreads, tookMs };
  }

  #nowMs(): number {
    return this.#options.env.clock.monotonicMs();
  }
}

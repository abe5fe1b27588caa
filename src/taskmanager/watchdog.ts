// Sees slots whose thread does not come back from user code.
//
// Each slot adds one to its progress word at the start and at the end of every task's turn: odd means inside. A word
// that is odd and has not moved for the time-out belongs to a slot that hangs.

import type { Env, TimerHandle } from "../base/env.ts";

export type WatchdogOptions = {
  readonly env: Env;
  readonly progress: Int32Array;
  readonly timeoutMs: number;
  readonly onStuck: (slot: number, stuckMs: number) => void;
};

const CHECKS_PER_TIMEOUT = 4;

export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #seen: { word: number; sinceMs: number; forgotten: boolean }[];
  #timer: TimerHandle | null = null;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#seen = Array.from(options.progress, () => ({ word: 0, sinceMs: 0, forgotten: false }));
  }

  /** Begins to look; does nothing when it does already. */
  watch(): void {
    if (this.#timer !== null) return;
    const { env, timeoutMs } = this.#options;
    this.#timer = env.timers.after(timeoutMs / CHECKS_PER_TIMEOUT, () => this.#check(), { background: true });
  }

  forget(slot: number): void {
    const seen = this.#seen[slot];
    if (seen !== undefined) seen.forgotten = true;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #check(): void {
    const { env, progress, timeoutMs, onStuck } = this.#options;
    const nowMs = env.clock.monotonicMs();
    for (const [slot, seen] of this.#seen.entries()) {
      const word = Atomics.load(progress, slot);
      if (word !== seen.word) {
        seen.word = word;
        seen.sinceMs = nowMs;
      } else if ((word & 1) === 1 && nowMs - seen.sinceMs >= timeoutMs && !seen.forgotten) {
        seen.forgotten = true;
        onStuck(slot, nowMs - seen.sinceMs);
      }
    }
    this.#timer = null;
    this.watch();
  }
}

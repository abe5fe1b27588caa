// Sees slots whose thread does not come back from user code.
//
// Each slot moves its progress word: by one at the start and at the end of every task's turn (odd means inside), by two
// whenever it looks for work. A word that is odd and has not moved for the time-out belongs to a slot that hangs in a
// turn. One that is even may belong to a slot that sleeps: it is rung, and has the time-out to move. What hangs then
// hangs outside of turns: in the module or the builder, in a promise's callback or a timer of the user's own.

import type { Env, TimerHandle } from "../base/env.ts";

export type WatchdogOptions = {
  readonly env: Env;
  readonly progress: Int32Array;
  readonly timeoutMs: number;
  /** Wakes a slot that sleeps. */
  readonly ring: (slot: number) => void;
  readonly onStuck: (slot: number, stuckMs: number) => void;
};

type Seen = { word: number; sinceMs: number; rung: boolean; forgotten: boolean };

const CHECKS_PER_TIMEOUT = 4;

export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #seen: readonly Seen[];
  #timer: TimerHandle | null = null;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#seen = Array.from(options.progress, () => ({ word: 0, sinceMs: 0, rung: false, forgotten: false }));
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

  /** Watches a slot again that was reported and goes on, or one that begins anew. */
  remember(slot: number): void {
    const seen = this.#seen[slot];
    const sinceMs = this.#options.env.clock.monotonicMs();
    if (seen !== undefined) Object.assign(seen, { sinceMs, rung: false, forgotten: false });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #check(): void {
    const { env, progress } = this.#options;
    const nowMs = env.clock.monotonicMs();
    for (const [slot, seen] of this.#seen.entries()) {
      const word = Atomics.load(progress, slot);
      // A slot that has not looked for work yet is being started.
      if (seen.forgotten || word === 0) continue;
      if (word !== seen.word) Object.assign(seen, { word, sinceMs: nowMs, rung: false });
      else this.#standing(slot, seen, nowMs);
    }
    this.#timer = null;
    this.watch();
  }

  #standing(slot: number, seen: Seen, nowMs: number): void {
    const { timeoutMs, ring, onStuck } = this.#options;
    const inTurn = (seen.word & 1) === 1;
    if (nowMs - seen.sinceMs < timeoutMs) return;
    if (inTurn || seen.rung) {
      seen.forgotten = true;
      onStuck(slot, nowMs - seen.sinceMs);
      return;
    }
    Object.assign(seen, { sinceMs: nowMs, rung: true });
    ring(slot);
  }
}

// Sees that the process has outgrown its budget. V8 holds each slot to its heap limit, but not to anything for buffers
// and typed arrays, which lie outside the heap.

import type { Env, TimerHandle } from "../base/env.ts";

export type MemoryGuardOptions = {
  readonly env: Env;
  readonly limitBytes: number;
  /** Of the process; null when it is not known. */
  readonly residentBytes: () => number | null;
  /** Called once; the guard looks again when its promise has settled. */
  readonly onOver: (residentBytes: number) => Promise<void>;
};

const CHECK_EVERY_MS = 200;

export class MemoryGuard {
  readonly #options: MemoryGuardOptions;
  #timer: TimerHandle | null = null;
  #stopped = false;

  constructor(options: MemoryGuardOptions) {
    this.#options = options;
  }

  /** Begins to look; does nothing when it does already. */
  watch(): void {
    if (this.#timer !== null || this.#stopped) return;
    this.#timer = this.#options.env.timers.after(CHECK_EVERY_MS, () => this.#check(), { background: true });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #check(): void {
    const { limitBytes, residentBytes, onOver } = this.#options;
    const bytes = residentBytes();
    if (bytes === null) return; // Nor will it be known later.
    if (bytes <= limitBytes) this.#again();
    else void onOver(bytes).finally(() => this.#again());
  }

  #again(): void {
    this.#timer = null;
    this.watch();
  }
}

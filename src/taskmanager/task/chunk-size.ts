import type { Clock } from "../../base/env.ts";

const CHUNK_MAX = 1_024;
const CHUNK_TARGET_MS = 0.5;

/**
 * Records handed to a loop at once: adapts so that one call takes about half a millisecond. Nothing looks at the clock
 * within a call, so that functions that become slow all of a sudden are held against the watchdog for a chunk.
 */
export class ChunkSize {
  size = 1;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A whole chunk is handed over: when. */
  begin(): number {
    return this.#clock.monotonicMs();
  }

  /** The chunk that began then is done. */
  adapt(startMs: number): void {
    const elapsedMs = this.#clock.monotonicMs() - startMs;
    if (elapsedMs > CHUNK_TARGET_MS) this.size = Math.max(1, this.size >> 1);
    else if (elapsedMs < CHUNK_TARGET_MS / 4) this.size = Math.min(CHUNK_MAX, this.size << 1);
  }
}

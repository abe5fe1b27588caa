// The seam to the outside world.
//
// Nothing but `env-node.ts`, `cli/` and `bin/` reads the clock, randomness, timers, disks or `process.env`.
// Everything else takes an `Env`, so that a whole cluster runs in one thread on virtual time from a seed.

import type { Disk } from "./disk.ts";

export interface Clock {
  /** Wall clock, epoch milliseconds. May jump. */
  nowMs(): number;
  /** Never goes back; for durations, deadlines and timeouts. Milliseconds with a fraction. */
  monotonicMs(): number;
}

export interface TimerHandle {
  cancel(): void;
}

export interface Timers {
  /**
   * Runs once, not before `delayMs` milliseconds have passed. A pending timer does not keep the process alive when
   * `background`.
   */
  after(delayMs: number, run: () => void, options?: { background?: boolean }): TimerHandle;
  /** Runs once, after I/O callbacks that are due have had their turn. */
  soon(run: () => void): void;
}

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface Log {
  write(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface Env {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  readonly disk: Disk;
}

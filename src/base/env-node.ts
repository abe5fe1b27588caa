// The real environment: the clock, timers, randomness and log of this process. The disk is handed in
// (storage/node-disk.ts), because `base` knows no other folder.

import type { Disk } from "./disk.ts";
import type { Env, LogLevel, TimerHandle } from "./env.ts";

export type NodeEnvOptions = {
  /** Lowest level that is written. */
  readonly logLevel?: LogLevel;
  /** Takes one log line without its line break; standard error by default. */
  readonly writeLog?: (line: string) => void;
};

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];
const DELAY_MAX_MS = 0x7fffffff; // Node fires at once for anything longer.

export function nodeEnv(disk: Disk, options: NodeEnvOptions = {}): Env {
  const lowest = LEVELS.indexOf(options.logLevel ?? "info");
  const immediate = setImmediate; // As it is now: a simulation sets a trap there.
  const writeLog = options.writeLog ?? ((line) => process.stderr.write(`${line}\n`));
  return {
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    timers: {
      after: (delayMs, run, timer) => timerStart(performance.now() + delayMs, run, timer?.background === true),
      soon: (run) => {
        immediate(run);
      },
    },
    random: { next: () => Math.random() },
    log: {
      write: (level, message, fields) => {
        if (LEVELS.indexOf(level) >= lowest) writeLog(logLine(Date.now(), level, message, fields));
      },
    },
    disk,
  };
}

/** Runs `run` when no promise can go on any more, before anything else of Node's loop. For simulations alone. */
export function afterPromises(run: () => void): void {
  process.nextTick(run); // Microtasks run until none is left, those included that they add.
}

/** Node's timers count from the start of the loop's turn and may be early by a millisecond: then wait for the rest. */
function timerStart(dueMs: number, run: () => void, background: boolean): TimerHandle {
  let timeout: NodeJS.Timeout;
  const arm = (): void => {
    const delayMs = Math.min(Math.max(0, Math.ceil(dueMs - performance.now())), DELAY_MAX_MS);
    timeout = setTimeout(() => (performance.now() < dueMs ? arm() : run()), delayMs);
    if (background) timeout.unref();
  };
  arm();
  return { cancel: () => clearTimeout(timeout) };
}

/** `2026-01-31T09:30:00.000Z warn  message key=value …` */
export function logLine(
  nowMs: number,
  level: LogLevel,
  message: string,
  fields: Readonly<Record<string, unknown>> = {},
): string {
  let line = `${new Date(nowMs).toISOString()} ${level.padEnd(5)} ${message}`;
  for (const [name, value] of Object.entries(fields)) line += ` ${name}=${fieldText(value)}`;
  return line;
}

function fieldText(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.stack ?? value.message);
  if (typeof value === "string") return /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value);
  if (typeof value !== "object" || value === null) return String(value);
  try {
    return JSON.stringify(value);
  } catch {
    return "[unprintable]"; // A cycle or a bigint: a log line must never fail its writer.
  }
}

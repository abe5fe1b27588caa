// A watchdog for user code in the main thread: a job's module and builder, and with --local its functions. Slots have
// one of their own (taskmanager/watchdog.ts).
//
//   M1. A thread beside this one (main-watch-worker.ts) sees that this one takes no turn any more, interrupts it, and
//       has it call `onStuck` in the interruption, with the stack of what it was doing. Nothing that is due in this
//       thread later ever comes: `onStuck` ends the process.
//   M2. Under a debugger nothing is watched: whoever holds the thread at a breakpoint means it.

import { url as debuggerUrl } from "node:inspector";
import { Worker } from "node:worker_threads";

export type MainWatchOptions = {
  readonly timeoutMs: number;
  /** `stack`: V8's text, innermost frame first. */
  readonly onStuck: (stack: string) => void;
};

/** What the worker needs; `call` is a global function of the main thread, which it gives a stack. */
export type MainWatchStart = {
  readonly progress: SharedArrayBuffer;
  readonly timeoutMs: number;
  readonly call: string;
};

export const CHECKS_PER_TIMEOUT = 8;
const CALL = "millraceMainThreadIsStuck";

export function watchMain({ timeoutMs, onStuck }: MainWatchOptions): void {
  if (debuggerUrl() !== undefined) return;
  const progress = new Int32Array(new SharedArrayBuffer(4));
  Object.defineProperty(globalThis, CALL, { value: onStuck });
  setInterval(() => Atomics.add(progress, 0, 1), timeoutMs / CHECKS_PER_TIMEOUT).unref();
  const workerData: MainWatchStart = { progress: progress.buffer, timeoutMs, call: CALL };
  const file = `./main-watch-worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`;
  new Worker(new URL(file, import.meta.url), { name: "millrace-main-watch", workerData, execArgv: [] }).unref();
}

// A watchdog for user code in the main thread: a job's module and builder, and with --local its functions. Slots have
// one of their own (taskmanager/watchdog.ts).
//
//   M1. A thread beside this one (main-watch-worker.ts) sees that this one takes no turn any more, interrupts it, and
//       has it call `onStuck` in the interruption, with the stack of what it was doing. Nothing that is due in this
//       thread later ever comes: `onStuck` ends the process.
//   M2. Long before, it has it call `onSlow(true)`, in an interruption, too; `onSlow(false)` comes with the next turn.
//   M3. Under a debugger nothing is watched: whoever holds the thread at a breakpoint means it.

import { Worker } from "node:worker_threads";
import { isDebugged } from "../../client/debugged-node.ts";

export type MainWatchOptions = {
  readonly timeoutMs: number;
  readonly onSlow: (slow: boolean) => void;
  /** `stack`: V8's text, innermost frame first. */
  readonly onStuck: (stack: string) => void;
};

/** What the worker needs; `calls` is a global object of the main thread. */
export type MainWatchStart = {
  readonly progress: SharedArrayBuffer;
  readonly lookEveryMs: number;
  readonly timeoutMs: number;
  readonly calls: string;
};

/** What the worker calls in interruptions. */
export type MainWatchCalls = { slow(): void; stuck(stack: string): void };

const LOOKS_PER_TIMEOUT = 8;
const LOOK_MS_MAX = 250;
const CALLS = "millraceMainWatch";

export function watchMain({ timeoutMs, onSlow, onStuck }: MainWatchOptions): void {
  if (isDebugged()) return;
  const progress = new Int32Array(new SharedArrayBuffer(4));
  let slow = false;
  const calls: MainWatchCalls = {
    slow: () => {
      slow = true;
      onSlow(true);
    },
    stuck: onStuck,
  };
  Object.defineProperty(globalThis, CALLS, { value: calls });
  const lookEveryMs = Math.min(timeoutMs / LOOKS_PER_TIMEOUT, LOOK_MS_MAX);
  setInterval(() => {
    Atomics.add(progress, 0, 1);
    if (slow) onSlow(false);
    slow = false;
  }, lookEveryMs).unref();
  const workerData: MainWatchStart = { progress: progress.buffer, lookEveryMs, timeoutMs, calls: CALLS };
  const file = `./main-watch-worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`;
  new Worker(new URL(file, import.meta.url), { name: "millrace-main-watch", workerData, execArgv: [] }).unref();
}

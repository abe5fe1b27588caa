// The thread beside the main one that main-watch.ts starts.

import { writeSync } from "node:fs";
import { Session } from "node:inspector";
import { workerData } from "node:worker_threads";
import { STACK_EXPRESSION } from "../../taskmanager/runner/stack-sample-node.ts";
import type { MainWatchStart } from "./main-watch.ts";

/** Native code cannot be interrupted. */
const ANSWER_MS = 5_000;
/** People who press Ctrl-C have waited as long. */
const SLOW_MS = 1_000;

const { progress, lookEveryMs, timeoutMs, calls } = workerData as MainWatchStart;
const word = new Int32Array(progress);
let seen = 0;
let standingMs = 0;
let slow = false;

// Counted in looks, not in time: a process that is stopped and goes on has not hung.
const looking = setInterval(() => {
  const now = Atomics.load(word, 0);
  if (now !== seen) {
    seen = now;
    standingMs = 0;
    slow = false;
    return;
  }
  standingMs += lookEveryMs;
  if (standingMs >= timeoutMs) {
    clearInterval(looking);
    setTimeout(giveUp, ANSWER_MS);
    interrupt(`${calls}.stuck(${STACK_EXPRESSION})`);
  } else if (standingMs >= SLOW_MS && !slow) {
    slow = true;
    interrupt(`${calls}.slow()`);
  }
}, lookEveryMs);

/** Has the main thread evaluate something, in the middle of what it is doing. */
function interrupt(expression: string): void {
  const session = new Session();
  session.connectToMainThread();
  session.post("Runtime.evaluate", { expression }, () => session.disconnect());
}

function giveUp(): void {
  writeSync(2, "✗ FUNCTION_NEVER_RETURNED  user code is inside a native call that does not return\n");
  process.kill(process.pid, "SIGKILL");
}

// The thread beside the main one that main-watch.ts starts.

import { writeSync } from "node:fs";
import { Session } from "node:inspector";
import { workerData } from "node:worker_threads";
import { STACK_EXPRESSION } from "../taskmanager/stack-sample-node.ts";
import { CHECKS_PER_TIMEOUT, type MainWatchStart } from "./main-watch.ts";

/** Native code cannot be interrupted. */
const ANSWER_MS = 5_000;

const { progress, timeoutMs, call } = workerData as MainWatchStart;
const word = new Int32Array(progress);
let seen = 0;
let standing = 0;

// Counted in looks, not in time: a process that is stopped and goes on has not hung.
const looking = setInterval(() => {
  const now = Atomics.load(word, 0);
  standing = now === seen ? standing + 1 : 0;
  seen = now;
  if (standing < CHECKS_PER_TIMEOUT) return;
  clearInterval(looking);
  interrupt();
}, timeoutMs / CHECKS_PER_TIMEOUT);

function interrupt(): void {
  setTimeout(giveUp, ANSWER_MS);
  const session = new Session();
  session.connectToMainThread();
  session.post("Runtime.evaluate", { expression: `${call}(${STACK_EXPRESSION})` });
}

function giveUp(): void {
  writeSync(2, "✗ FUNCTION_NEVER_RETURNED  user code is inside a native call that does not return\n");
  process.kill(process.pid, "SIGKILL");
}

// Entry point of a slot's worker thread. Started by slot-runner-node.ts.

import { parentPort, workerData } from "node:worker_threads";
import { nodeEnv } from "../base/env-node.ts";
import { assert, UserError } from "../base/errors.ts";
import { SharedDoorbell } from "../network/doorbell.ts";
import type { FromSlot, ToSlot } from "../protocol/slot-messages.ts";
import { nodeDisk } from "../storage/node-disk.ts";
import { jobLoad } from "./job-load-node.ts";
import type { Slot } from "./slot.ts";
import { slotHost } from "./slot-host.ts";
import type { SlotStart } from "./slot-runner.ts";

assert(parentPort !== null, "slot-worker.ts runs in a worker thread only");
const port = parentPort;
const start = workerData as SlotStart;
const words = new Int32Array(start.doorbells);
const bells = Array.from({ length: start.slots }, (_, index) => new SharedDoorbell(words, index * 2));
const bell = new SharedDoorbell(words, start.index * 2);
const send = (message: FromSlot): void => port.postMessage(message);
const env = nodeEnv(nodeDisk(), { writeLog: (line) => send({ kind: "log", line }) });

const slot: Slot = slotHost({ env, start, doorbells: bells, load: jobLoad, send, wake: () => bell.ring() });

port.on("message", (message: ToSlot) => {
  slot.onMessage(message);
  bell.ring();
});
process.on("uncaughtException", (error) => slot.fail(null, late("threw", error)));
process.on("unhandledRejection", (reason) => slot.fail(null, late("rejected a promise", reason)));
process.exit = ((code?: number) => {
  slot.fail(null, new UserError("FUNCTION_EXITED", `user code called process.exit(${code ?? ""})`, { fix: "throw an error instead; the job ends when its input does" }));
  throw new Error("process.exit is not available in a job");
}) as typeof process.exit;

/** Turns while there is work; then sleep until somebody rings or a time has come. */
function loop(): void {
  if (slot.closed) {
    port.close();
    return;
  }
  let turn = slot.turn();
  if (!turn.busy) {
    // D1 of doorbell.ts: announce sleep, look once more, then wait.
    const counter = bell.fallAsleep();
    turn = slot.turn();
    if (!turn.busy && !slot.closed) {
      void bell.wait(counter, turn.sleepMs).then(awake);
      return;
    }
    bell.wakeUp();
  }
  setImmediate(loop);
}

function awake(): void {
  bell.wakeUp();
  loop();
}

function late(what: string, error: unknown): UserError {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new UserError("FUNCTION_THREW_LATE", `code that no operator was waiting for ${what}: ${message}`, {
    fix: "user functions are synchronous; start no promises or timers that outlive the call",
    cause: error,
  });
}

send({ kind: "ready" });
loop();

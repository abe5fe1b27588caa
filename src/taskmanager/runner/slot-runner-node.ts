// Runs each slot in a worker thread of its own, with a V8 heap limit of its own.

import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";
import { nodeEnv } from "../../base/env-node.ts";
import { SharedDoorbell } from "../../network/doorbell.ts";
import { PortTransport } from "../../network/port-transport.ts";
import type { SlotControl } from "../../protocol/slot-messages.ts";
import { nodeDisk } from "../../storage/node-disk.ts";
import { SLOT_ADDRESS, type SlotExit, type SlotHandle, type SlotRunner, type SlotStart } from "./slot-runner.ts";
import { stackSample } from "./stack-sample-node.ts";

const MIB = 1024 ** 2;
/** A thread inside native code does not answer. */
const ANSWER_WAIT_MS = 500;
const END_AGAIN_MS = 100;

/** The compiled package holds `.js`, a checkout runs its `.ts` sources. */
function workerUrl(): URL {
  const compiled = new URL("./slot-worker.js", import.meta.url);
  return existsSync(compiled) ? compiled : new URL("./slot-worker.ts", import.meta.url);
}

/** Bytes of its V8 heap and of buffers outside it, garbage included. */
export async function threadHeldBytes(worker: Worker): Promise<number> {
  try {
    const { used_heap_size, external_memory } = await worker.getHeapStatistics();
    return used_heap_size + external_memory;
  } catch {
    return 0; // It has ended meanwhile.
  }
}

/**
 * Resolves when the thread has ended. It is told so again and again: V8 forgets a termination that comes while an
 * expression is evaluated in an interruption (a stack sample that came late), and the thread goes on.
 */
export async function threadEnd(worker: Worker): Promise<void> {
  worker.setMaxListeners(0); // One for each time it is told.
  const end = worker.terminate();
  const again = setInterval(() => void worker.terminate(), END_AGAIN_MS);
  await end;
  clearInterval(again);
}

/**
 * V8's loop unrolling takes the check for interruptions out of loops that call a builtin (`for (;;) kept.push(new
 * Array(9).fill(0))`), so that neither `terminate` nor a stack sample gets through to such a loop, which then ends with
 * the process. Measured with it off (Node 24.21): stopped within 20 ms instead of never.
 */
const INTERRUPTIBLE = "--no-turboshaft-loop-unrolling";

/**
 * `output` takes what user code writes to its console; without one it goes to the streams of the process.
 * `residentBytes`: of the slots; that of the process by default.
 */
export function threadSlotRunner(
  output: ((text: string) => void) | null = null,
  residentBytes = (): number => process.memoryUsage.rss(),
): SlotRunner {
  setFlagsFromString(INTERRUPTIBLE);
  const { timers } = nodeEnv(nodeDisk());
  return {
    residentBytes,
    start(start: SlotStart, onExit: (exit: SlotExit) => void): SlotHandle {
      const worker = new Worker(workerUrl(), {
        name: `millrace-slot-${start.index}`,
        workerData: start,
        resourceLimits: {
          maxOldGenerationSizeMb: start.heap.limitBytes / MIB,
          maxYoungGenerationSizeMb: start.heap.youngGenerationBytes / MIB,
        },
        // Workers must not inherit what the test runner or a debugger gave to this process.
        execArgv: [],
        // At its end a thread would close descriptors by number that it had opened, also those that others have closed
        // since (a socket that was made of one): by then the number is another thread's file.
        trackUnmanagedFds: false,
        stdout: output !== null,
        stderr: output !== null,
      });
      if (output !== null)
        for (const stream of [worker.stdout, worker.stderr]) stream.setEncoding("utf8").on("data", output);
      const bell = new SharedDoorbell(new Int32Array(start.doorbells), start.index * 2);
      const transport = new PortTransport({ port: worker, timers });
      const control: SlotControl = transport.connect(SLOT_ADDRESS);
      let exit: SlotExit | null = null;
      worker.on("error", (error: unknown) => {
        const code = (error as { code?: unknown }).code;
        exit = { kind: code === "ERR_WORKER_OUT_OF_MEMORY" ? "outOfMemory" : "error", code: 1, error };
      });
      const exited = (code: number): void => onExit(exit ?? { kind: "exit", code, error: null });
      worker.on("exit", exited);
      return {
        control,
        ring: () => bell.ring(),
        terminate: async () => {
          worker.off("exit", exited);
          transport.close();
          await threadEnd(worker);
        },
        stackSample: () => stackSample(worker),
        heldBytes: () => Promise.race([threadHeldBytes(worker), delay(ANSWER_WAIT_MS, Infinity)]),
      };
    },
  };
}

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
import {
  SLOT_ADDRESS,
  type SlotExit,
  type SlotHandle,
  type SlotHeap,
  type SlotRunner,
  type SlotStart,
} from "./slot-runner.ts";
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
  const ready = new ReadyThreads(output);
  return {
    residentBytes,
    keepReady: (threads, heap) => ready.keep(threads, heap),
    start(start: SlotStart, onExit: (exit: SlotExit) => void): SlotHandle {
      const worker = ready.take(start.heap);
      worker.postMessage(start);
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

/** Another thread is started in place of one that was taken only after a while: whoever took it has more to do then. */
const REFILL_MS = 1_000;

/** Threads that wait for a slot. They keep nothing alive. */
class ReadyThreads {
  readonly #output: ((text: string) => void) | null;
  readonly #waiting = new Set<Worker>();
  #count = 0;
  #heap: SlotHeap | null = null;
  #refill: NodeJS.Timeout | null = null;
  #started = 0;

  constructor(output: ((text: string) => void) | null) {
    this.#output = output;
  }

  keep(count: number, heap: SlotHeap): void {
    this.#count = count;
    this.#heap = heap;
    this.#fill();
    for (const worker of [...this.#waiting].slice(count)) {
      this.#waiting.delete(worker);
      void worker.terminate();
    }
  }

  take(heap: SlotHeap): Worker {
    const [waiting] = this.#waiting;
    if (waiting === undefined) return this.#start(heap);
    this.#waiting.delete(waiting);
    waiting.ref();
    this.#refill ??= setTimeout(() => this.#fill(), REFILL_MS).unref();
    return waiting;
  }

  #fill(): void {
    if (this.#refill !== null) clearTimeout(this.#refill);
    this.#refill = null;
    while (this.#heap !== null && this.#waiting.size < this.#count) {
      const worker = this.#start(this.#heap);
      worker.unref();
      this.#waiting.add(worker);
      // One that does not come up: the slot that needs a thread tells why.
      worker.on("error", () => undefined);
      worker.once("exit", () => this.#waiting.delete(worker));
    }
  }

  #start(heap: SlotHeap): Worker {
    this.#started += 1;
    const worker = new Worker(workerUrl(), {
      name: `millrace-slot-${this.#started}`,
      resourceLimits: {
        maxOldGenerationSizeMb: heap.limitBytes / MIB,
        maxYoungGenerationSizeMb: heap.youngGenerationBytes / MIB,
      },
      // Workers must not inherit what the test runner or a debugger gave to this process.
      execArgv: [],
      // At its end a thread would close descriptors by number that it had opened, also those that others have closed
      // since (a socket that was made of one): by then the number is another thread's file.
      trackUnmanagedFds: false,
      stdout: this.#output !== null,
      stderr: this.#output !== null,
    });
    if (this.#output !== null)
      for (const stream of [worker.stdout, worker.stderr]) stream.setEncoding("utf8").on("data", this.#output);
    return worker;
  }
}

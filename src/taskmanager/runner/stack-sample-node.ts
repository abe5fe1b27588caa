// What a worker thread is doing while its JavaScript never returns: V8 interrupts it, and an expression evaluated in
// the interruption sees the frames below, inlined ones too. A CPU profile of optimised code does not know those, and a
// debugger's pause may come too late to be undone before the thread is ended.

import { Session } from "node:inspector";
import type { Worker } from "node:worker_threads";

/** A thread inside native code cannot be interrupted, nor one that collects garbage: 2 GiB of it take seconds. */
const WAIT_MS = 5_000;
/**
 * Evaluated in the interruption, gives the stack as V8 writes it, innermost frame first: without the error's own name
 * and the frame of the expression itself.
 */
export const STACK_EXPRESSION = '(Error.stackTraceLimit = 50, new Error().stack.split("\\n").slice(2).join("\\n"))';
const MESSAGE_ID = 1;

type Evaluated = { readonly id?: number; readonly result?: { readonly result?: { readonly value?: unknown } } };

/**
 * A stack as V8 writes it, innermost frame first; null when it cannot be had. The thread should be ended afterwards.
 */
export async function stackSample(worker: Worker): Promise<string | null> {
  const session = new Session();
  session.connect();
  try {
    return await new Promise<string | null>((resolve) => {
      setTimeout(resolve, WAIT_MS, null).unref();
      session.on("NodeWorker.attachedToWorker", ({ params }) => {
        // The inspector numbers workers by itself; the thread's id stands in the title.
        if (!params.workerInfo.title.startsWith(`[worker ${worker.threadId}]`)) return;
        const message = { id: MESSAGE_ID, method: "Runtime.evaluate", params: { expression: STACK_EXPRESSION } };
        session.post("NodeWorker.sendMessageToWorker", {
          sessionId: params.sessionId,
          message: JSON.stringify(message),
        });
      });
      session.on("NodeWorker.receivedMessageFromWorker", ({ params }) => {
        const { id, result } = JSON.parse(params.message) as Evaluated;
        const stack = result?.result?.value;
        if (id === MESSAGE_ID) resolve(typeof stack === "string" ? stack : null);
      });
      session.post("NodeWorker.enable", { waitForDebuggerOnStart: false });
    });
  } finally {
    session.disconnect();
  }
}

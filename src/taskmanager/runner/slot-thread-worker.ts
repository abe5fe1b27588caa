// A slot's worker thread: its messages, its turns, and what user code must not do in it. Loaded by slot-worker.ts.
//
//   W1. It is nobody's until it is told what slot it is; then it serves that one to its end.
//   W2. What may have spoilt it for tasks to come is said before those that it had are closed.

import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parentPort } from "node:worker_threads";
import { nodeEnv } from "../../base/env-node.ts";
import { assert, type UserError } from "../../base/errors.ts";
import { SharedDoorbell } from "../../network/doorbell.ts";
import { PortTransport } from "../../network/port-transport.ts";
import { DropCounts } from "../../protocol/fence.ts";
import { FencedConnection, type FencedSays } from "../../protocol/fenced-connection.ts";
import type { FromSlot, ToSlot } from "../../protocol/slot-messages.ts";
import { nodeDisk } from "../../storage/node-disk.ts";
import { exitCalled, outOfHeap, threwLate, withCulprit } from "../failures/user-failure.ts";
import type { Slot } from "../slot/slot.ts";
import { AllocationSample } from "./allocation-sample-node.ts";
import { HeapGuard } from "./heap-guard.ts";
import { changedSince, type Intrinsics, intrinsics } from "./intrinsics.ts";
import { engineUrl, jobLoad } from "./job-load-node.ts";
import { slotHost } from "./slot-host.ts";
import { SLOT_ADDRESS, type SlotStart } from "./slot-runner.ts";
import { TurnLoop } from "./turn-loop.ts";

/** What threads and their port have in common. */
type ThreadPort = NonNullable<typeof parentPort>;

function serve(port: ThreadPort, start: SlotStart): void {
  const words = new Int32Array(start.doorbells);
  const bells = Array.from({ length: start.slots }, (_, index) => new SharedDoorbell(words, index * 2));
  const bell = new SharedDoorbell(words, start.index * 2);
  const env = nodeEnv(nodeDisk(), { writeLog: (line) => send({ kind: "log", line }) });
  const transport = new PortTransport({ port, timers: env.timers });
  let control: FencedConnection<FromSlot, ToSlot> | null = null;
  /** Nobody speaks to the slot any more. */
  let isOver = false;
  /** As they were when the first tasks ran. */
  let before: Intrinsics | null = null;
  let isSpoilt = false;

  const spoil = (reason: string): void => {
    if (isSpoilt) return;
    isSpoilt = true;
    control?.send({ kind: "spoilt", reason });
  };
  const send = (message: FromSlot): void => {
    if (message.kind === "deployed") before ??= intrinsics();
    if (message.kind === "closed" && before !== null && slot.isEmpty) {
      const changed = changedSince(before);
      if (changed !== null) spoil(`${changed} was changed`); // W2
    }
    control?.send(message);
  };
  const failAll = (error: UserError): void => {
    spoil(error.message); // W2
    slot.fail(null, error);
  };
  const slot: Slot = slotHost({ env, start, doorbells: bells, load: jobLoad, send, wake: () => bell.ring() });

  process.on("uncaughtException", (error) => failAll(threwLate("threw", error)));
  process.on("unhandledRejection", (reason) => failAll(threwLate("rejected a promise", reason)));
  process.exit = (code) => {
    const error = exitCalled(code);
    failAll(error);
    throw error;
  };

  setFlagsFromString("--expose-gc");
  const heapGuard = new HeapGuard({
    budgetBytes: start.heap.budgetBytes,
    usedBytes: () => getHeapStatistics().used_heap_size,
    collect: runInNewContext("gc") as () => void,
    sample: new AllocationSample(),
  });
  const turns = new TurnLoop({
    bell,
    turn: () => {
      const overrun = heapGuard.overrun(env.clock.monotonicMs());
      if (overrun !== null) failAll(withCulprit(outOfHeap(start.heap.budgetBytes), overrun.stack, slot.chains));
      return slot.turn();
    },
    isOver: () => isOver,
    onOver: () => transport.close(),
    soon: setImmediate,
  });

  transport.listen<FencedSays<FromSlot>, FencedSays<ToSlot>>(SLOT_ADDRESS, (connection) => {
    control = new FencedConnection(connection, start.fence, new DropCounts(start.dropped));
    control.receive(
      (message) => {
        slot.onMessage(message);
        bell.ring();
      },
      () => {
        isOver = true;
        bell.ring();
      },
    );
    send({ kind: "ready" });
    turns.run();
  });
}

const port = parentPort;
assert(port !== null, "a slot runs in a worker thread only");
port.once("message", (start: SlotStart) => serve(port, start)); // W1
// What every job imports, so that a thread that is kept ready has it.
const engine = engineUrl("millrace");
if (engine !== null) await import(engine);

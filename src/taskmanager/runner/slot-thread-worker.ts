// A slot's worker thread: its messages, its turns, and what user code must not do in it. Loaded by slot-worker.ts.

import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parentPort, workerData } from "node:worker_threads";
import { nodeEnv } from "../../base/env-node.ts";
import { assert } from "../../base/errors.ts";
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
import { jobLoad } from "./job-load-node.ts";
import { slotHost } from "./slot-host.ts";
import { SLOT_ADDRESS, type SlotStart } from "./slot-runner.ts";
import { TurnLoop } from "./turn-loop.ts";

assert(parentPort !== null, "a slot runs in a worker thread only");
const start = workerData as SlotStart;
const words = new Int32Array(start.doorbells);
const bells = Array.from({ length: start.slots }, (_, index) => new SharedDoorbell(words, index * 2));
const bell = new SharedDoorbell(words, start.index * 2);
const env = nodeEnv(nodeDisk(), { writeLog: (line) => send({ kind: "log", line }) });
const transport = new PortTransport({ port: parentPort, timers: env.timers });
let control: FencedConnection<FromSlot, ToSlot> | null = null;
/** Nobody speaks to the slot any more. */
let isOver = false;
const send = (message: FromSlot): void => control?.send(message);

const slot: Slot = slotHost({ env, start, doorbells: bells, load: jobLoad, send, wake: () => bell.ring() });

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
process.on("uncaughtException", (error) => slot.fail(null, threwLate("threw", error)));
process.on("unhandledRejection", (reason) => slot.fail(null, threwLate("rejected a promise", reason)));
process.exit = (code) => {
  const error = exitCalled(code);
  slot.fail(null, error);
  throw error;
};

setFlagsFromString("--expose-gc");
const heapGuard = new HeapGuard({
  budgetBytes: start.heap.budgetBytes,
  usedBytes: () => getHeapStatistics().used_heap_size,
  collect: runInNewContext("gc") as () => void,
  sample: new AllocationSample(),
});

function checkHeap(): void {
  const overrun = heapGuard.overrun(env.clock.monotonicMs());
  if (overrun === null) return;
  slot.fail(null, withCulprit(outOfHeap(start.heap.budgetBytes), overrun.stack, slot.chains));
}

const turns = new TurnLoop({
  bell,
  turn: () => {
    checkHeap();
    return slot.turn();
  },
  isOver: () => isOver,
  onOver: () => transport.close(),
  soon: setImmediate,
});

// Slots whose threads may end by themselves, at the very message that a test chooses.

import type { FromSlot } from "../protocol/slot-messages.ts";
import type { SlotHandle, SlotRunner, SlotStart } from "../taskmanager/runner/slot-runner.ts";

/** What becomes of a slot that says this: it ends before that is heard, or afterwards; null: it goes on. */
export type SlotDeath = (message: FromSlot, slot: number) => "unheard" | "heard" | null;

export function mortalSlots(runner: SlotRunner, death: SlotDeath): SlotRunner {
  return {
    keepReady: (threads, heap) => runner.keepReady(threads, heap),
    residentBytes: () => runner.residentBytes(),
    start(start: SlotStart, onExit) {
      const handle = runner.start(start, onExit);
      let isDead = false;
      const die = (): void => {
        isDead = true;
        void handle.terminate().then(() => onExit({ kind: "exit", code: 137, error: null }));
      };
      const control: SlotHandle["control"] = {
        send: (message) => handle.control.send(message),
        request: (request, timeoutMs) => handle.control.request(request, timeoutMs),
        close: () => handle.control.close(),
        receive: (receiver) =>
          handle.control.receive({
            ...receiver,
            message: (message) => {
              if (isDead) return;
              const dies = death(message.body, start.index);
              if (dies === "unheard") die();
              else receiver.message?.(message);
              if (dies === "heard") die();
            },
          }),
      };
      return { ...handle, control };
    },
  };
}

// Slots whose threads may end by themselves, or hang, and whose messages can be looked at: what passes between them and
// their TaskManager, at its end.

import type { FromSlot, ToSlot } from "../protocol/slot-messages.ts";
import type { SlotHandle, SlotRunner, SlotStart } from "../taskmanager/runner/slot-runner.ts";

/** The thread of a slot. */
export type SimSlot = {
  readonly index: number;
  /** It has looked for work: until then nobody expects that it moves. */
  readonly hasLooked: boolean;
  /** Its thread ends; once. */
  die(): void;
  /** It does nothing more and says nothing more, until somebody ends it. */
  hang(): void;
};

export type SimSlotWatch = {
  started?(slot: SimSlot): void;
  /** Nothing of it runs any more. */
  ended?(slot: SimSlot): void;
  told?(message: ToSlot, slot: SimSlot): void;
  /** What becomes of a slot that says this: it ends before that is heard, or afterwards; null: it goes on. */
  says?(message: FromSlot, slot: SimSlot): "unheard" | "heard" | null;
};

export function watchedSlots(runner: SlotRunner, watch: SimSlotWatch): SlotRunner {
  return {
    keepReady: (threads, heap) => runner.keepReady(threads, heap),
    residentBytes: () => runner.residentBytes(),
    start(start: SlotStart, onExit) {
      const handle = runner.start(start, onExit);
      let state: "lives" | "hangs" | "ended" = "lives";
      const end = (next: "hangs" | "ended"): boolean => {
        if (state === "ended" || state === next) return false;
        state = next;
        watch.ended?.(slot);
        return true;
      };
      const slot: SimSlot = {
        index: start.index,
        get hasLooked() {
          return Atomics.load(new Int32Array(start.progress), start.index) !== 0;
        },
        die: () => {
          if (end("ended")) void handle.terminate().then(() => onExit({ kind: "exit", code: 137, error: null }));
        },
        hang: () => {
          if (end("hangs")) void handle.terminate();
        },
      };
      watch.started?.(slot);
      const control: SlotHandle["control"] = {
        send: (message) => {
          if (state !== "lives") return;
          watch.told?.(message.body, slot);
          handle.control.send(message);
        },
        request: (request, timeoutMs) => handle.control.request(request, timeoutMs),
        close: () => handle.control.close(),
        receive: (receiver) =>
          handle.control.receive({
            ...receiver,
            message: (message) => {
              if (state !== "lives") return;
              const dies = watch.says?.(message.body, slot) ?? null;
              if (dies === "unheard") slot.die();
              else receiver.message?.(message);
              if (dies === "heard") slot.die();
            },
          }),
      };
      return {
        ...handle,
        control,
        terminate: () => {
          end("ended");
          return handle.terminate();
        },
      };
    },
  };
}

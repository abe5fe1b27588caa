// The seam between a TaskManager and the threads of its slots.
//
// Implementations: `slot-runner-local.ts` (all slots in the calling thread; also the simulation's) and
// `slot-runner-node.ts` (a worker thread per slot).

import type { SegmentPoolHandle } from "../../memory/segment-pool.ts";
import type { Fence } from "../../protocol/fence.ts";
import type { SlotControl } from "../../protocol/slot-messages.ts";

/** Where a slot listens, in its thread. */
export const SLOT_ADDRESS = "slot";

/** Shared memory and settings that a slot starts with; plain data. */
export type SlotStart = {
  /** Whose it is: what it is told and says carries this. */
  readonly fence: Fence;
  /** Counts of messages dropped, of the whole TaskManager. */
  readonly dropped: SharedArrayBuffer;
  /** Index of the slot in its TaskManager. Its thread's id for the pools is this plus one; the main thread has 0. */
  readonly index: number;
  readonly slots: number;
  readonly network: SegmentPoolHandle;
  readonly managed: SegmentPoolHandle;
  /** Bytes of managed memory that are the slot's own. */
  readonly managedBytes: number;
  /** Doorbells of all slots, two words each. */
  readonly doorbells: SharedArrayBuffer;
  readonly metrics: SharedArrayBuffer;
  /** Progress counters of all slots, one word each (watchdog.ts). */
  readonly progress: SharedArrayBuffer;
  /** Of all slots, one word each: the vertex whose task had the last turn, plus one; 0 before the first turn. */
  readonly lastVertex: SharedArrayBuffer;
  readonly turnBudgetMs: number;
  readonly heap: SlotHeap;
};

export type SlotHeap = {
  /** What the slot is held to (heap-guard.ts). */
  readonly budgetBytes: number;
  readonly youngGenerationBytes: number;
  /** V8's own limit. */
  readonly limitBytes: number;
};

/** How a slot's thread ended by itself. */
export type SlotExit = {
  readonly kind: "exit" | "outOfMemory" | "error";
  readonly code: number;
  readonly error: unknown;
};

export interface SlotHandle {
  /** Control messages to and from the slot. */
  readonly control: SlotControl;
  /** Makes the slot look for work; it does so anyway when it is told something. */
  ring(): void;
  /**
   * Ends the slot at once, whatever it does, even if it has ended; resolves when nothing of it runs any more, and
   * nothing is heard of it afterwards. A slot in the calling thread gets no further turn, but what its code has begun
   * asynchronously goes on.
   */
  terminate(): Promise<void>;
  /** What the slot's thread is doing, for the watchdog: a stack, innermost frame first; null when it cannot be had. */
  stackSample(): Promise<string | null>;
  /**
   * Bytes of the slot's V8 heap and of buffers outside it, garbage included; Infinity when its thread does not answer.
   */
  heldBytes(): Promise<number>;
}

export interface SlotRunner {
  /**
   * Keeps so many threads ready for slots that start from now on, each with its engine loaded and no job; 0 ends those
   * that wait. All slots have this heap.
   */
  keepReady(threads: number, heap: SlotHeap): void;
  /** Resident memory of the process that the slots share; null when slots are not to be held to it. */
  residentBytes(): number | null;
  /**
   * `onExit`: the slot's thread has ended, and nobody had called `terminate`. After "closed" that is as it should be.
   */
  start(start: SlotStart, onExit: (exit: SlotExit) => void): SlotHandle;
}

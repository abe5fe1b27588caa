// Holds a slot to its heap, before V8 does: V8 ends the whole process when one allocation (a Map or an array that
// doubles) asks for much more than is left. So V8's own limit lies far above, and the slot looks at its heap between
// turns. What fills the heap within one call of user code is seen by the TaskManager's memory guard.

export type HeapGuardOptions = {
  readonly budgetBytes: number;
  /** Of the heap, garbage included. */
  readonly usedBytes: () => number;
  readonly collect: () => void;
};

const CHECK_EVERY_MS = 50;
/** V8 mostly collects garbage before there is so much of it, and without stopping the slot. */
export const COLLECT_FACTOR = 1.5;

export class HeapGuard {
  readonly #options: HeapGuardOptions;
  #nextMs = 0;

  constructor(options: HeapGuardOptions) {
    this.#options = options;
  }

  /** Whether the slot keeps more than its budget. Cheap: call it every turn. */
  exceeded(nowMs: number): boolean {
    if (nowMs < this.#nextMs) return false;
    this.#nextMs = nowMs + CHECK_EVERY_MS;
    const { budgetBytes, usedBytes, collect } = this.#options;
    if (usedBytes() <= budgetBytes * COLLECT_FACTOR) return false;
    collect();
    return usedBytes() > budgetBytes;
  }
}

// Holds a slot to its heap, before V8 does: V8 ends the whole process when one allocation (a Map or an array that
// doubles) asks for much more than is left. So V8's own limit lies far above, and the slot looks at its heap between
// turns. What fills the heap within one call of user code is seen by the TaskManager's memory guard.
//
// A slot that holds too much goes on for a moment, watched: so it can be said which function fills its heap. What is
// sampled meanwhile is an answer only when it accounts for the growth: records under way are held as well.

export type HeapGuardOptions = {
  readonly budgetBytes: number;
  /** Of the heap, garbage included. */
  readonly usedBytes: () => number;
  readonly collect: () => void;
  readonly sample: AllocationSampler;
};

/** Where most of what was allocated and is still held comes from. */
export type AllocationSite = { readonly stack: string; readonly bytes: number };

/** Watches allocations from `start` to `stop`, which gives the largest site; null: none in user code. */
export interface AllocationSampler {
  start(): void;
  stop(): AllocationSite | null;
}

/** Stack of the function that fills the heap; null: not known. */
export type HeapOverrun = { readonly stack: string | null };

const CHECK_EVERY_MS = 50;
/** V8 mostly collects garbage before there is so much of it, and without stopping the slot. */
const COLLECT_FACTOR = 1.5;
/**
 * A slot that is over its budget is watched for so long, and until it has grown by so much of the budget; as often as
 * it takes to see what fills it.
 */
const WATCH_MS = 1_000;
const WATCH_FACTOR = 0.25;
const WATCHES_MAX = 10;
/** Part of the budget below which growth may be chance, and of the growth that a site has to account for. */
const GROWTH_MIN_FACTOR = 0.02;
const ACCOUNTS_FOR = 0.5;
/** What a slot that returns from its calls never reaches: it is ended by its own guard before. */
export const HELD_FACTOR_MAX = 2.5;

export class HeapGuard {
  readonly #options: HeapGuardOptions;
  #nextMs = 0;
  /** Set while the slot is watched. */
  #watch: {
    readonly untilMs: number;
    readonly fromBytes: number;
    readonly bytesMax: number;
    readonly left: number;
  } | null = null;

  constructor(options: HeapGuardOptions) {
    this.#options = options;
  }

  /** Not null once the slot keeps more than its budget. Cheap: call it every turn. */
  overrun(nowMs: number): HeapOverrun | null {
    if (nowMs < this.#nextMs) return null;
    this.#nextMs = nowMs + CHECK_EVERY_MS;
    const { budgetBytes, usedBytes, collect, sample } = this.#options;
    if (this.#watch !== null) {
      if (nowMs < this.#watch.untilMs && usedBytes() < this.#watch.bytesMax) return null;
      collect();
      const { left, fromBytes, bytesMax } = this.#watch;
      const heldBytes = usedBytes();
      const grownBytes = heldBytes - fromBytes;
      const site = sample.stop();
      const isCulprit =
        site !== null && grownBytes >= budgetBytes * GROWTH_MIN_FACTOR && site.bytes >= grownBytes * ACCOUNTS_FOR;
      if (isCulprit || left === 0 || heldBytes >= bytesMax) return { stack: isCulprit ? site.stack : null };
      this.#begin(nowMs, heldBytes, { bytesMax, left: left - 1 });
      return null;
    }
    if (usedBytes() <= budgetBytes * COLLECT_FACTOR) return null;
    collect();
    const heldBytes = usedBytes();
    if (heldBytes > budgetBytes) {
      this.#begin(nowMs, heldBytes, { bytesMax: heldBytes + budgetBytes * WATCH_FACTOR, left: WATCHES_MAX - 1 });
    }
    return null;
  }

  #begin(nowMs: number, fromBytes: number, until: { readonly bytesMax: number; readonly left: number }): void {
    this.#options.sample.start();
    this.#watch = { untilMs: nowMs + WATCH_MS, fromBytes, ...until };
  }
}

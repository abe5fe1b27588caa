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
 * A slot that is over its budget is watched until it has grown by so much of it; looked at every second, and for so
 * long, in case it grows no more or slowly.
 */
const LOOK_MS = 1_000;
const WATCH_FACTOR = 0.25;
const WATCH_MAX_MS = 20_000;
/** Part of the budget below which growth may be chance, and of the growth that a site has to account for. */
const GROWTH_MIN_FACTOR = 0.02;
const ACCOUNTS_FOR = 0.5;
/** What a slot that returns from its calls never reaches: it is ended by its own guard before. */
export const HELD_FACTOR_MAX = 2.5;

type Watch = {
  readonly untilMs: number;
  readonly bytesMax: number;
  lookMs: number;
  /** Held when sampling began. */
  fromBytes: number;
};

export class HeapGuard {
  readonly #options: HeapGuardOptions;
  #nextMs = 0;
  /** Set while the slot is watched. */
  #watch: Watch | null = null;

  constructor(options: HeapGuardOptions) {
    this.#options = options;
  }

  /** Not null once the slot keeps more than its budget. Cheap: call it every turn. */
  overrun(nowMs: number): HeapOverrun | null {
    if (nowMs < this.#nextMs) return null;
    this.#nextMs = nowMs + CHECK_EVERY_MS;
    if (this.#watch !== null) return this.#look(nowMs, this.#watch);
    const { budgetBytes, usedBytes, collect, sample } = this.#options;
    if (usedBytes() <= budgetBytes * COLLECT_FACTOR) return null;
    collect();
    const heldBytes = usedBytes();
    if (heldBytes <= budgetBytes) return null;
    const bytesMax = heldBytes + budgetBytes * WATCH_FACTOR;
    this.#watch = { untilMs: nowMs + WATCH_MAX_MS, bytesMax, lookMs: nowMs + LOOK_MS, fromBytes: heldBytes };
    sample.start();
    return null;
  }

  #look(nowMs: number, watch: Watch): HeapOverrun | null {
    const { budgetBytes, usedBytes, collect, sample } = this.#options;
    if (nowMs < watch.lookMs && usedBytes() < watch.bytesMax) return null;
    collect();
    const heldBytes = usedBytes();
    const grownBytes = heldBytes - watch.fromBytes;
    const isOver = nowMs >= watch.untilMs || heldBytes >= watch.bytesMax;
    watch.lookMs = nowMs + LOOK_MS;
    if (!isOver && grownBytes < budgetBytes * GROWTH_MIN_FACTOR) return null;
    const site = sample.stop();
    const isCulprit = site !== null && grownBytes > 0 && site.bytes >= grownBytes * ACCOUNTS_FOR;
    if (isCulprit || isOver) return { stack: isCulprit ? site.stack : null };
    watch.fromBytes = heldBytes;
    sample.start();
    return null;
  }
}

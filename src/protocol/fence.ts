// What keeps a message of the past from doing anything: each message about a job says whose it is.
//
//   F1. Received is what comes from the same job, attempt and leader, each message once, in order. All else is dropped,
//       and counted.

import { Fifo } from "../base/fifo.ts";
import type { Attempt, JobId, LeaderEpoch } from "../base/ids.ts";

export type Fence = {
  readonly job: JobId;
  readonly attempt: Attempt;
  /** Of the leader for whom this is done. */
  readonly epoch: LeaderEpoch;
};

/** Unique among all attempts and leaders of all jobs. */
export function fenceName({ job, attempt, epoch }: Fence): string {
  return `${job} ${epoch} ${attempt}`;
}

/** A message with whose it is; numbered from 1 in each direction. */
export type Fenced<M> = { readonly fence: Fence; readonly sequence: number; readonly body: M };

/**
 * Why a message is dropped: of an attempt or leader of the past, heard before, before what comes first, or of nobody
 * who is known here.
 */
type DropReason = (typeof REASONS)[number];

const REASONS = ["late", "twice", "early", "foreign"] as const;

/** Messages dropped so far, counted in shared memory: slots do so in their threads. */
export class DropCounts {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(memory = new SharedArrayBuffer(REASONS.length * 4)) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
  }

  add(reason: DropReason): void {
    Atomics.add(this.#words, REASONS.indexOf(reason), 1);
  }

  get counts(): Readonly<Record<DropReason, number>> {
    const [late = 0, twice = 0, early = 0, foreign = 0] = this.#words;
    return { late, twice, early, foreign };
  }
}

/** Whether `fence` is of the past, as seen from `current`; "foreign": of another job, or of what is still to come. */
export function compareFences(fence: Fence, current: Fence): "same" | "late" | "foreign" {
  if (fence.job !== current.job) return "foreign";
  if (fence.epoch !== current.epoch) return fence.epoch < current.epoch ? "late" : "foreign";
  if (fence.attempt !== current.attempt) return fence.attempt < current.attempt ? "late" : "foreign";
  return "same";
}

/** One end of what two components have to say about one attempt of a job, over whatever carries it. */
export class FencedEnd<Out, In> {
  readonly fence: Fence;
  readonly #dropped: DropCounts;
  #said = 0;
  #heard = 0;

  constructor(fence: Fence, dropped: DropCounts) {
    this.fence = fence;
    this.#dropped = dropped;
  }

  /** Number of the last message received. */
  get heard(): number {
    return this.#heard;
  }

  say(body: Out): Fenced<Out> {
    this.#said += 1;
    return { fence: this.fence, sequence: this.#said, body };
  }

  /** F1. Null: it was dropped. */
  receive({ fence, sequence, body }: Fenced<In>): { readonly body: In } | null {
    const reason = this.#reason(fence, sequence);
    if (reason !== null) {
      this.#dropped.add(reason);
      return null;
    }
    this.#heard = sequence;
    return { body };
  }

  #reason(fence: Fence, sequence: number): DropReason | null {
    const compared = compareFences(fence, this.fence);
    if (compared !== "same") return compared;
    if (sequence <= this.#heard) return "twice";
    return sequence === this.#heard + 1 ? null : "early";
  }
}

/** One that says again what may not have arrived. */
export class KeepingEnd<Out, In> extends FencedEnd<Out, In> {
  readonly #unheard = new Fifo<Fenced<Out>>();

  /** What the other end may not have received. */
  get unheard(): readonly Fenced<Out>[] {
    return this.#unheard.toArray();
  }

  /** Keeps the message until the other end is known to have received it. */
  override say(body: Out): Fenced<Out> {
    const message = super.say(body);
    this.#unheard.push(message);
    return message;
  }

  /** The other end has received what was said up to this number. */
  wasHeard(sequence: number): void {
    while ((this.#unheard.first?.sequence ?? Number.POSITIVE_INFINITY) <= sequence) this.#unheard.shift();
  }
}

// A barrier as a number, which is what a control element of a channel carries. It says all that a task has to know of
// the checkpoint: messages to its slot may come later than barriers of other slots.

export type Barrier = {
  readonly checkpoint: number;
  /** All state is to be complete in itself, and readable without the job. */
  readonly canonical: boolean;
  /** The task does nothing more after it. */
  readonly isFinal: boolean;
};

const CANONICAL = 1;
const FINAL = 2;
const KINDS = 4;

export function barrierValue({ checkpoint, canonical, isFinal }: Barrier): number {
  return checkpoint * KINDS + (canonical ? CANONICAL : 0) + (isFinal ? FINAL : 0);
}

export function barrierOf(value: number): Barrier {
  const kind = value % KINDS;
  const checkpoint = (value - kind) / KINDS;
  return { checkpoint, canonical: (kind & CANONICAL) !== 0, isFinal: (kind & FINAL) !== 0 };
}

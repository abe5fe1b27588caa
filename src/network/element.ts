// What travels over a channel, in order: batches of records with control elements between them.
//
// Integers on the wire, so that they fit the descriptor of a ring and the header of a frame.

export const ELEMENT = {
  /** An encoded batch of records of the channel's current shape. */
  batch: 1,
  /** Plain objects by reference, between tasks of one slot only. */
  rows: 2,
  /** Event time has reached `value`; Infinity: no record follows. */
  watermark: 3,
  /** The channel is idle (value 1) or active again (value 0): an idle one does not hold back event time. */
  idle: 4,
  /** Layout of the batches that follow: canonical JSON of its spec and options. */
  schema: 5,
  /** Nothing follows. */
  end: 6,
  /** Barrier of a checkpoint, `value` (taskmanager/task/barrier.ts) says of which: what follows comes after it. */
  barrier: 7,
} as const;

export type ElementKind = (typeof ELEMENT)[keyof typeof ELEMENT];
export type ControlKind = typeof ELEMENT.watermark | typeof ELEMENT.idle | typeof ELEMENT.end | typeof ELEMENT.barrier;

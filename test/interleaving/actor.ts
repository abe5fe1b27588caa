// What the modules of actors are written against.

/** Shared memory of a scenario, by name. */
export type Memories = Readonly<Record<string, SharedArrayBuffer>>;

export type World = {
  readonly memories: Memories;
  /** What else the scenario hands its actors: may be posted. */
  readonly data: unknown;
  /** A step at which others may run. */
  point(): void;
  /** Goes on when that actor has ended, however. */
  untilEnded(actor: string): void;
  /** As `setImmediate`, within `drive`. */
  soon(run: () => void): void;
  /** Runs what `start` leaves behind with `soon` and `Atomics.waitAsync`, until nothing of it is left. */
  drive(start: () => void): void;
};

/** Sets up what the actor has to itself, which are no steps, and returns what it does, step by step. */
export type Actor = (world: World) => () => void;

// Shared memory through which the driver of an exploration and the threads of its actors agree on whose step it is.

export const CURRENT = 0;
export const STEP = 1;
/** Rises to 1 when all actors of a run have come to their end. */
export const DONE = 2;
export const FAILED = 3;
/** Waits with a time limit that ran out because nobody could go on otherwise. */
export const TIMEOUTS = 4;
export const ACTORS = 5;
/** Whoever gets its turn ends: the run has failed, or ends early. */
export const ABORT = 6;
/** Actors that were made to end in the middle, as bits. */
export const DEAD = 7;
export const DECISIONS = 8;
export const NEXT_DECISION = 9;
/** Nobody can go on, and that is no failure: somebody ended in the middle. */
export const STUCK_ALLOWED = 10;
const HEADER_WORDS = 64;

export const ACTOR_WORDS = 16;
export const GO = 0;
export const STATUS = 1;
/** What it waits for: see `addressOf`, or another actor. */
export const ADDRESS = 2;
export const WAKING = 3;
export const ASYNC_ADDRESS = 4;
export const ASYNC_STATE = 5;
/** Looks at a word, and waits, that time passes by at once. */
export const LATE = 6;
const ACTORS_MAX = 4;

/** Can go on. */
export const READY = 0;
/** Read the same word twice: goes on when somebody has written it, or when nobody else can go on. */
export const SPINNING = 1;
/** In `Atomics.wait`, for ever or for a time, or with nothing to do but what `Atomics.waitAsync` waits for. */
export const WAITING = 2;
export const WAITING_TIMED = 3;
/** Until another actor has ended. */
export const UNTIL_ENDED = 4;
export const ENDED = 5;

export const NOTIFIED = 1;
export const TIMED_OUT = 2;

export const ASYNC_NONE = 0;
export const ASYNC_PENDING = 1;
export const ASYNC_NOTIFIED = 2;

/** So much passes for an actor whose time runs out: more than anybody looks in vain before it does something. */
export const LATE_LOOKS = 260;

const DECISIONS_MAX = 64;
/** Instead of an actor: the one that runs ends here. */
export const DIES = 15;
export const DECISIONS_AT = HEADER_WORDS + ACTORS_MAX * ACTOR_WORDS;
export const TRACE_AT = DECISIONS_AT + DECISIONS_MAX * 2;
/** Words of a step in the trace: who and who could, what, and its value. */
export const TRACE_WORDS = 3;
export const STEPS_MAX = 8_000;

const ERROR_BYTES = 8_192;
const WORDS = TRACE_AT + STEPS_MAX * TRACE_WORDS;

export type Control = { readonly words: SharedArrayBuffer; readonly error: SharedArrayBuffer };

export function controlCreate(): Control {
  return { words: new SharedArrayBuffer(WORDS * 4), error: new SharedArrayBuffer(ERROR_BYTES) };
}

export const actorAt = (actor: number): number => HEADER_WORDS + actor * ACTOR_WORDS;

/** A word of one of the memories. */
export const addressOf = (memory: number, byte: number): number => (memory << 24) | (byte >> 2);

export const OPERATIONS = [
  "start",
  "read",
  "write",
  "load",
  "store",
  "add",
  "exchange",
  "wait",
  "notify",
  "point",
  "end",
];
export type Operation =
  | "start"
  | "read"
  | "write"
  | "load"
  | "store"
  | "add"
  | "exchange"
  | "wait"
  | "notify"
  | "point"
  | "end";

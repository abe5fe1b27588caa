// Layout of a segment pool's control memory, and its lock. Internals: docs/internals/memory.md.
//
// Everything the threads of a TaskManager must agree on about a pool lies in one Int32Array over shared memory:
//
//   ┌────────┬────────┬──────────┬──────────┬───────┬─ ─ ─ ─ ┐
//   │ header │ groups │  owners  │ segments │ stack │  names
//   └────────┴────────┴──────────┴──────────┴───────┴─ ─ ─ ─ ┘
//      lock,    limit,   epoch,       who      free    job, task
//     counts    used     group,      leases  segments  and purpose
//                     leased, set     which            of owners
//                        aside
//
// A word that refers to a group or an owner holds the index of its first word; 0 refers to nothing.
//
// Truth and derived. The truth is: the segment words, the epoch and group of each owner and what is set aside for it,
// the limits. All else (stack, free list, counts) follows from it: `pool-repair.ts`.
//
// The lock word: 0 is free, +t is thread t−1 in a section, −t is thread t−1 done with its section.
//
//     0 ──compareExchange──▶ +t ──plain store──▶ −t ──compareExchange──▶ 0
//
// L1. In a section, from +t to −t, there is NO CALL, NO LOOP and NO BUILTIN: V8 stops a thread (`worker.terminate()`,
//     heap limit, `process.exit`) where functions begin and end, where loops turn and where builtins are called
//     (measured: an `Atomics.store` that freed the lock was such a place), so no thread ends in one. That is why
//     sections are written out in place and work in small steps.
// L2. A thread that ends at −t has made all its writes: whoever waits for long frees the lock for it.
// L3. Should a thread end in a section all the same, `threadEnded` breaks the lock: any subset of the writes of one
//     section leaves a truth from which the rest can be derived.
// L4. −t is a plain store since an atomic one is a call. Processors with weak memory order may show it before the
//     writes it follows, so it frees nothing by itself: the compareExchange after it does or, L2, one a millisecond
//     later.
// L5. Nobody waits while holding the lock, and nobody holds two.

import { InternalError } from "../base/errors.ts";

export const LOCK = 0;
/** Segments on the stack that are not set aside for an owner. */
export const AVAILABLE = 16;
/** Segments on the stack. */
export const FREE = 17;
export const OWNER_FREE = 18;
export const LEASED_PEAK = 19;
export const REPAIRS = 20;
export const SEGMENTS = 32;
export const SEGMENT_SIZE = 33;
export const GROUPS = 34;
export const POISON = 35;
const HEADER_WORDS = 64;

export const GROUP_LIMIT = 0;
/** Segments leased by the group's owners or set aside for them. */
export const GROUP_USED = 1;
export const GROUP_WORDS = 2;

/** Odd while the owner is registered. */
export const OWNER_EPOCH = 0;
export const OWNER_GROUP = 1;
export const OWNER_LEASED = 2;
export const OWNER_PEAK = 3;
export const OWNER_THREAD = 4;
export const OWNER_NEXT = 5;
/** Segments of an allocation in progress that it has not taken yet. */
export const OWNER_SET_ASIDE = 6;
export const OWNER_WORDS = 8;
/** Owner 0 is nobody, so that a free segment's word names nobody. */
export const OWNERS_MAX = 4096;

/** A segment's word: generation above, owner below. The generation rises when the segment is released. */
export const OWNER_MASK = OWNERS_MAX - 1;
export const GENERATION_SHIFT = 12;
export const GENERATION_MASK = 0xf_ffff;

const NAME_FIELDS = [64, 128, 64];
const NAME_BYTES = 256;

export type PoolControl = {
  readonly words: Int32Array;
  /** What this thread writes into the lock: its id plus one. */
  readonly token: number;
  readonly groupsAt: number;
  readonly ownersAt: number;
  readonly segmentsAt: number;
  readonly stackAt: number;
  readonly names: Buffer;
};

export type PoolSizes = { segments: number; segmentSize: number; groupLimits: readonly number[]; poison: boolean };

/** Control memory of an empty pool. Group 0 is everyone's, bounded by the pool alone. */
export function controlCreate(sizes: PoolSizes): SharedArrayBuffer {
  const groups = sizes.groupLimits.length + 1;
  const memory = new SharedArrayBuffer(4 * wordCount(groups, sizes.segments) + OWNERS_MAX * NAME_BYTES);
  const header = new Int32Array(memory, 0, HEADER_WORDS);
  header[SEGMENTS] = sizes.segments;
  header[SEGMENT_SIZE] = sizes.segmentSize;
  header[GROUPS] = groups;
  header[POISON] = sizes.poison ? 1 : 0;
  const control = controlOpen(memory, 0);
  for (let group = 0; group < groups; group += 1) {
    control.words[control.groupsAt + group * GROUP_WORDS + GROUP_LIMIT] =
      sizes.groupLimits[group - 1] ?? sizes.segments;
  }
  return memory;
}

export function controlOpen(memory: SharedArrayBuffer, thread: number): PoolControl {
  const header = new Int32Array(memory, 0, HEADER_WORDS);
  const segments = header[SEGMENTS]!;
  const words = new Int32Array(memory, 0, wordCount(header[GROUPS]!, segments));
  const groupsAt = HEADER_WORDS;
  const ownersAt = groupsAt + header[GROUPS]! * GROUP_WORDS;
  const segmentsAt = ownersAt + OWNERS_MAX * OWNER_WORDS;
  const names = Buffer.from(memory, words.byteLength);
  const stackAt = segmentsAt + segments;
  return { words, token: thread + 1, groupsAt, ownersAt, segmentsAt, stackAt, names };
}

function wordCount(groups: number, segments: number): number {
  return HEADER_WORDS + groups * GROUP_WORDS + OWNERS_MAX * OWNER_WORDS + 2 * segments;
}

/** Bytes `[start, end)` of one of the three names of an owner. */
export function nameRange(ownerIndex: number, field: number): { start: number; end: number } {
  let start = ownerIndex * NAME_BYTES;
  for (let before = 0; before < field; before += 1) start += NAME_FIELDS[before]!;
  return { start, end: start + NAME_FIELDS[field]! };
}

const SPINS = 200;
const SLEEP_MS = 0.05;
/**
 * Sleeps after which a section that is done is unlocked for its thread: what that thread wrote has long reached the
 * memory (L4).
 */
const SLEEPS_DONE = 20;
/** About 30 seconds: a section takes well under a microsecond, so by then its holder is gone and nobody said so. */
const SLEEPS_MAX = 300_000;

/**
 * Returns when the lock was seen free. The caller takes it in place: a function that took it could be stopped at its
 * end (L1).
 */
export function lockWait(words: Int32Array): void {
  let seen = 0;
  let sleeps = 0;
  for (let attempt = 0; sleeps < SLEEPS_MAX; attempt += 1) {
    const holder = Atomics.load(words, LOCK);
    if (holder === 0) return;
    if (attempt < SPINS) continue;
    sleeps = holder === seen ? sleeps + 1 : 1;
    seen = holder;
    if (holder < 0 && sleeps > SLEEPS_DONE) unlock(words, -holder);
    else Atomics.wait(words, LOCK, holder, SLEEP_MS);
  }
  throw new InternalError(
    "MEMORY_LOCK_STUCK",
    `thread ${seen - 1} holds the lock of a segment pool and does not free it`,
  );
}

/** Frees the lock after a section that is done; nothing happens when another thread has freed it already. */
export function unlock(words: Int32Array, token: number): void {
  Atomics.compareExchange(words, LOCK, -token, 0);
}

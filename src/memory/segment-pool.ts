// A pool of fixed-size segments over one region of shared memory. Every thread of a TaskManager allocates and releases
// directly.
//
// Segment `i` lies at `i × segmentSize` of the region, and one set of views (`view`) covers them all. Each leased
// segment has an owner (job, task, purpose: one per operator's state, gate or partition) and a generation, which rises
// at each release. Owners may share a group, whose limit bounds what they hold together (a slot's share of managed
// memory).
//
// Owns: who has which segment. Does not own: what lies in a segment; nothing is cleared when it changes
// hands. Internals (memory layout, lock, repair): docs/internals/memory.md.
//
// P1. free + leased = total, always.
// P2. An allocation gets all it asked for or nothing: what it needs is set aside for its owner first, and then taken
//     one by one. What its thread did not come to take is free again when the owner is closed.
// P3. Nobody waits here: what is not to be had now is refused, with who holds the most.
// P4. A group never holds more than its limit.
// P5. A segment is released only by its owner and generation; double, foreign and late releases throw and change
//     nothing.
// P6. `closeOwner` gives back all an owner holds, whatever its threads were doing when they ended.

import { assert, InternalError, UserError } from "../base/errors.ts";
import { memorySizeText } from "../base/memory-size.ts";
import type { MemoryView } from "../base/memory-view.ts";
import { memoryView } from "../base/memory-view.ts";
import { memoryRegionCreate } from "./memory-region.ts";
import type { PoolControl } from "./pool-control.ts";
import * as c from "./pool-control.ts";
import { inconsistencies, repair } from "./pool-repair.ts";
import type { OwnerId, OwnerName, OwnerReport } from "./pool-report.ts";
import { ownerIdOf, ownerReports } from "./pool-report.ts";

const POISON_BYTE = 0xdb;

export type SegmentPoolOptions = {
  /** What errors and reports call it: "managed memory". */
  readonly name: string;
  /** The configuration key that makes the pool larger. */
  readonly configKey: string;
  readonly segments: number;
  /** A multiple of 8. */
  readonly segmentSize: number;
  /** Segments that the owners of group 1, 2, … may hold together. */
  readonly groupLimits?: readonly number[];
  /** Fills what is released with 0xDB: for tests. */
  readonly poison?: boolean;
};

/** What another thread needs to attach: may be posted to it. */
export type SegmentPoolHandle = {
  readonly name: string;
  readonly configKey: string;
  readonly region: SharedArrayBuffer;
  readonly control: SharedArrayBuffer;
};

export type PoolStats = {
  readonly total: number;
  readonly free: number;
  readonly leased: number;
  readonly leasedPeak: number;
  /** Times the pool was repaired after a thread ended inside it. */
  readonly repairs: number;
};

export class SegmentPool {
  readonly name: string;
  readonly configKey: string;
  readonly segments: number;
  readonly segmentSize: number;
  /** Over the whole region. */
  readonly view: MemoryView;
  readonly handle: SegmentPoolHandle;
  readonly #control: PoolControl;
  readonly #words: Int32Array;
  readonly #token: number;
  readonly #poison: boolean;

  private constructor(handle: SegmentPoolHandle, thread: number) {
    this.#control = c.controlOpen(handle.control, thread);
    this.#words = this.#control.words;
    this.#token = this.#control.token;
    this.#poison = this.#words[c.POISON] === 1;
    this.name = handle.name;
    this.configKey = handle.configKey;
    this.segments = this.#words[c.SEGMENTS]!;
    this.segmentSize = this.#words[c.SEGMENT_SIZE]!;
    this.view = memoryView(handle.region);
    this.handle = handle;
  }

  /** `thread`: as for `attach`. */
  static create(options: SegmentPoolOptions, thread = 0): SegmentPool {
    const { name, configKey, segments, segmentSize, groupLimits = [], poison = false } = options;
    assert(Number.isInteger(segments) && segments >= 0, `a pool of ${segments} segments`);
    assert(segmentSize > 0 && segmentSize % 8 === 0 && segmentSize < 2 ** 31, `segments of ${segmentSize} bytes`);
    const region = memoryRegionCreate(segments * segmentSize, configKey);
    const control = c.controlCreate({ segments, segmentSize, groupLimits, poison });
    repair(c.controlOpen(control, thread));
    return new SegmentPool({ name, configKey, region, control }, thread);
  }

  /** `thread`: a number no other attached thread has before `threadEnded` was called with it; 0 is the main thread. */
  static attach(handle: SegmentPoolHandle, thread: number): SegmentPool {
    return new SegmentPool(handle, thread);
  }

  /** Byte offset of a segment in the region. */
  offset(segment: number): number {
    return segment * this.segmentSize;
  }

  /**
   * Names who will hold segments. Any thread may use the id; the owner ends with `closeOwner`, or with the thread that
   * registered it. Names are cut to 64 (job), 128 (task) and 64 (purpose) bytes.
   */
  registerOwner(name: OwnerName, group = 0): OwnerId {
    const words = this.#words;
    const groups = words[c.GROUPS]!;
    assert(Number.isInteger(group) && group >= 0 && group < groups, `group ${group} of ${groups} of ${this.name}`);
    const token = this.#token;
    const groupAt = this.#control.groupsAt + group * c.GROUP_WORDS;
    while (Atomics.compareExchange(words, c.LOCK, 0, token) !== 0) c.lockWait(words);
    const owner = words[c.OWNER_FREE]!;
    if (owner !== 0) {
      words[c.OWNER_FREE] = words[owner + c.OWNER_NEXT]!;
      words[owner + c.OWNER_GROUP] = groupAt;
      words[owner + c.OWNER_LEASED] = 0;
      words[owner + c.OWNER_PEAK] = 0;
      words[owner + c.OWNER_THREAD] = token - 1;
      words[owner + c.OWNER_EPOCH]! += 1;
    }
    words[c.LOCK] = -token;
    c.unlock(words, token);
    if (owner === 0) {
      throw new InternalError(
        "MEMORY_OWNERS_EXHAUSTED",
        `${this.name} has ${c.OWNERS_MAX - 1} owners, no more are possible`,
      );
    }
    const index = (owner - this.#control.ownersAt) / c.OWNER_WORDS;
    for (const [field, text] of [name.job, name.task, name.purpose].entries()) {
      const { start, end } = c.nameRange(index, field);
      const length = this.#control.names.write(text, start, end - start, "utf8");
      this.#control.names.fill(0, start + length, end);
    }
    return ownerIdOf(this.#control, owner);
  }

  /** One segment, or -1 when this owner cannot have one now. Budget: 100 ns without contention. */
  tryAllocateOne(ownerId: OwnerId): number {
    const words = this.#words;
    const token = this.#token;
    const control = this.#control;
    const owner = this.#ownerAt(ownerId);
    const ownerIndex = (owner - control.ownersAt) / c.OWNER_WORDS;
    const group = words[owner + c.OWNER_GROUP]!;
    while (Atomics.compareExchange(words, c.LOCK, 0, token) !== 0) c.lockWait(words);
    let segment = -1;
    if (words[c.AVAILABLE]! > 0 && words[group + c.GROUP_USED]! < words[group + c.GROUP_LIMIT]!) {
      const free = words[c.FREE]! - 1;
      segment = words[control.stackAt + free]!;
      words[control.segmentsAt + segment]! |= ownerIndex;
      words[c.FREE] = free;
      words[c.AVAILABLE]! -= 1;
      words[group + c.GROUP_USED]! += 1;
      const leased = words[owner + c.OWNER_LEASED]! + 1;
      words[owner + c.OWNER_LEASED] = leased;
      if (leased > words[owner + c.OWNER_PEAK]!) words[owner + c.OWNER_PEAK] = leased;
      if (words[c.SEGMENTS]! - free > words[c.LEASED_PEAK]!) words[c.LEASED_PEAK] = words[c.SEGMENTS]! - free;
    }
    words[c.LOCK] = -token;
    c.unlock(words, token);
    return segment;
  }

  /**
   * `count` segments, or none. Throws MEMORY_REQUEST_TOO_LARGE when there never can be that many, MEMORY_EXHAUSTED,
   * which names who holds the most, when there are not now.
   */
  allocate(ownerId: OwnerId, count: number): Int32Array {
    const owner = this.#ownerAt(ownerId);
    this.#refuseImpossible(owner, count);
    const segments = new Int32Array(count);
    if (!this.#trySetAside(owner, count)) throw this.#exhausted(owner, count);
    for (let index = 0; index < count; index += 1) segments[index] = this.#takeSetAside(owner);
    return segments;
  }

  #trySetAside(owner: number, count: number): boolean {
    const words = this.#words;
    const token = this.#token;
    const group = words[owner + c.OWNER_GROUP]!;
    while (Atomics.compareExchange(words, c.LOCK, 0, token) !== 0) c.lockWait(words);
    const fits = words[c.AVAILABLE]! >= count && words[group + c.GROUP_USED]! + count <= words[group + c.GROUP_LIMIT]!;
    if (fits) {
      words[c.AVAILABLE]! -= count;
      words[group + c.GROUP_USED]! += count;
      words[owner + c.OWNER_SET_ASIDE]! += count;
    }
    words[c.LOCK] = -token;
    c.unlock(words, token);
    return fits;
  }

  #takeSetAside(owner: number): number {
    const words = this.#words;
    const token = this.#token;
    const control = this.#control;
    const ownerIndex = (owner - control.ownersAt) / c.OWNER_WORDS;
    while (Atomics.compareExchange(words, c.LOCK, 0, token) !== 0) c.lockWait(words);
    const free = words[c.FREE]! - 1;
    const segment = words[control.stackAt + free]!;
    words[owner + c.OWNER_SET_ASIDE]! -= 1;
    words[control.segmentsAt + segment]! |= ownerIndex;
    words[c.FREE] = free;
    const leased = words[owner + c.OWNER_LEASED]! + 1;
    words[owner + c.OWNER_LEASED] = leased;
    if (leased > words[owner + c.OWNER_PEAK]!) words[owner + c.OWNER_PEAK] = leased;
    if (words[c.SEGMENTS]! - free > words[c.LEASED_PEAK]!) words[c.LEASED_PEAK] = words[c.SEGMENTS]! - free;
    words[c.LOCK] = -token;
    c.unlock(words, token);
    return segment;
  }

  /** Which lease of the segment this is: read it right after allocating, give it back with `release`. */
  generation(segment: number): number {
    return this.#words[this.#control.segmentsAt + segment]! >>> c.GENERATION_SHIFT;
  }

  /**
   * Throws MEMORY_DOUBLE_RELEASE, MEMORY_FOREIGN_RELEASE or MEMORY_LATE_RELEASE. Any thread may release. Budget: 100 ns
   * without contention.
   */
  release(ownerId: OwnerId, segment: number, generation: number): void {
    const owner = this.#ownerAt(ownerId);
    if (this.#poison && this.#holds(ownerId, segment, generation)) this.#poisonFill(segment);
    const known = segment >= 0 && segment < this.segments;
    if (!known || !this.#tryRelease(owner, segment, generation)) this.#releaseFault(ownerId, segment, generation);
  }

  #tryRelease(owner: number, segment: number, generation: number): boolean {
    const words = this.#words;
    const token = this.#token;
    const control = this.#control;
    const group = words[owner + c.OWNER_GROUP]!;
    const at = control.segmentsAt + segment;
    const leased = (generation << c.GENERATION_SHIFT) | ((owner - control.ownersAt) / c.OWNER_WORDS);
    const freed = ((generation + 1) & c.GENERATION_MASK) << c.GENERATION_SHIFT;
    while (Atomics.compareExchange(words, c.LOCK, 0, token) !== 0) c.lockWait(words);
    const held = words[at] === leased;
    if (held) {
      const free = words[c.FREE]!;
      words[at] = freed;
      words[control.stackAt + free] = segment;
      words[c.FREE] = free + 1;
      words[c.AVAILABLE]! += 1;
      words[group + c.GROUP_USED]! -= 1;
      words[owner + c.OWNER_LEASED]! -= 1;
    }
    words[c.LOCK] = -token;
    c.unlock(words, token);
    return held;
  }

  /**
   * Ends the owner and gives back all it holds. Returns the number of segments that nobody had released: leaks, when
   * the task ended well. No thread may be allocating for it.
   */
  closeOwner(ownerId: OwnerId): number {
    const owner = this.#ownerAt(ownerId);
    const count = this.#releaseAll(owner, ownerId & c.OWNER_MASK);
    const words = this.#words;
    const token = this.#token;
    const group = words[owner + c.OWNER_GROUP]!;
    while (Atomics.compareExchange(words, c.LOCK, 0, token) !== 0) c.lockWait(words);
    const setAside = words[owner + c.OWNER_SET_ASIDE]!;
    words[owner + c.OWNER_SET_ASIDE] = 0;
    words[group + c.GROUP_USED]! -= setAside;
    words[c.AVAILABLE]! += setAside;
    words[owner + c.OWNER_EPOCH]! += 1;
    words[owner + c.OWNER_NEXT] = words[c.OWNER_FREE]!;
    words[c.OWNER_FREE] = owner;
    words[c.LOCK] = -token;
    c.unlock(words, token);
    return count;
  }

  #releaseAll(owner: number, ownerIndex: number): number {
    const words = this.#words;
    const { segmentsAt } = this.#control;
    let count = 0;
    for (let segment = 0; segment < this.segments; segment += 1) {
      const word = words[segmentsAt + segment]!;
      if ((word & c.OWNER_MASK) !== ownerIndex) continue;
      if (this.#poison) this.#poisonFill(segment);
      if (this.#tryRelease(owner, segment, word >>> c.GENERATION_SHIFT)) count += 1;
    }
    return count;
  }

  /**
   * To be called once for each thread that ended, by a thread that nobody terminates: frees the lock if it was held,
   * repairs what was half done, and closes the owners that it registered. Returns those that still held segments.
   */
  threadEnded(thread: number): OwnerReport[] {
    const words = this.#words;
    const token = this.#token;
    c.unlock(words, thread + 1);
    if (Atomics.compareExchange(words, c.LOCK, thread + 1, token) === thread + 1) {
      repair(this.#control);
      words[c.REPAIRS]! += 1;
      words[c.LOCK] = -token;
      c.unlock(words, token);
    }
    const ended = ownerReports(this.#control).filter((row) => row.thread === thread);
    for (const row of ended) this.closeOwner(row.owner);
    return ended.filter((row) => row.segments > 0);
  }

  stats(): PoolStats {
    const words = this.#words;
    const token = this.#token;
    while (Atomics.compareExchange(words, c.LOCK, 0, token) !== 0) c.lockWait(words);
    const free = words[c.FREE]!;
    const leasedPeak = words[c.LEASED_PEAK]!;
    const repairs = words[c.REPAIRS]!;
    words[c.LOCK] = -token;
    c.unlock(words, token);
    return { total: this.segments, free, leased: this.segments - free, leasedPeak, repairs };
  }

  /** Who holds what, the largest first. */
  report(): OwnerReport[] {
    return ownerReports(this.#control);
  }

  /**
   * Where the pool contradicts itself: empty, or there is a bug. For the main thread, in tests and at the end of a job:
   * takes a millisecond, and holds the lock all the while (against L1).
   */
  verify(): string[] {
    const words = this.#words;
    const token = this.#token;
    while (Atomics.compareExchange(words, c.LOCK, 0, token) !== 0) c.lockWait(words);
    const found = inconsistencies(this.#control);
    words[c.LOCK] = -token;
    c.unlock(words, token);
    return found;
  }

  /** What was asked, what is free, and who has the rest. */
  #exhausted(owner: number, count: number): UserError {
    const words = this.#words;
    const group = words[owner + c.OWNER_GROUP]!;
    const limit = words[group + c.GROUP_LIMIT]!;
    const free = Math.max(0, Math.min(words[c.AVAILABLE]!, limit - words[group + c.GROUP_USED]!));
    const holders = this.report().filter((row) => row.segments > 0);
    const top = holders.slice(0, 3).map((row) => `${row.task} (${row.purpose}) ${memorySizeText(row.bytes)}`);
    const holding = top.length === 0 ? "" : `; the largest holders: ${top.join(", ")}`;
    const there = `${this.#amount(free)} of ${this.#amount(limit)} free${holding}`;
    const message = `${this.#amount(count)} of ${this.name} asked for, ${there}`;
    return new UserError("MEMORY_EXHAUSTED", message, { fix: `raise ${this.configKey}` });
  }

  #refuseImpossible(owner: number, count: number): void {
    assert(Number.isInteger(count) && count >= 0, `an allocation of ${count} segments`);
    const limit = this.#words[this.#words[owner + c.OWNER_GROUP]! + c.GROUP_LIMIT]!;
    const most = Math.min(limit, this.segments);
    if (count <= most) return;
    const message = `${this.#amount(count)} of ${this.name} asked for, ${this.#amount(most)} is all there can be`;
    throw new UserError("MEMORY_REQUEST_TOO_LARGE", message, { fix: `raise ${this.configKey}` });
  }

  #amount(segments: number): string {
    const bytes = memorySizeText(segments * this.segmentSize);
    return `${segments.toLocaleString("en-US")} × ${memorySizeText(this.segmentSize)} (${bytes})`;
  }

  #releaseFault(ownerId: OwnerId, segment: number, generation: number): never {
    assert(
      Number.isInteger(segment) && segment >= 0 && segment < this.segments,
      `segment ${segment} of ${this.segments}`,
    );
    const word = this.#words[this.#control.segmentsAt + segment]!;
    const holder = word & c.OWNER_MASK;
    const now = word >>> c.GENERATION_SHIFT;
    const by = `owner ${ownerId & c.OWNER_MASK}`;
    const asked = `${by} released segment ${segment} of ${this.name}, generation ${generation}`;
    if (generation === now && holder !== 0) {
      throw new InternalError("MEMORY_FOREIGN_RELEASE", `${asked}, which owner ${holder} holds`);
    }
    if (holder === 0 && now === ((generation + 1) & c.GENERATION_MASK)) {
      throw new InternalError("MEMORY_DOUBLE_RELEASE", `${asked}, which is free already`);
    }
    throw new InternalError("MEMORY_LATE_RELEASE", `${asked}, which is at generation ${now}`);
  }

  /** Whether this lease is still on: false after its release, even when the owner leased the segment anew. */
  #holds(ownerId: OwnerId, segment: number, generation: number): boolean {
    const word = this.#words[this.#control.segmentsAt + segment];
    return word === ((generation << c.GENERATION_SHIFT) | (ownerId & c.OWNER_MASK));
  }

  #poisonFill(segment: number): void {
    const start = this.offset(segment);
    this.view.bytes.fill(POISON_BYTE, start, start + this.segmentSize);
  }

  /** Index of the owner's record. */
  #ownerAt(ownerId: OwnerId): number {
    const at = this.#control.ownersAt + (ownerId & c.OWNER_MASK) * c.OWNER_WORDS;
    if (this.#words[at + c.OWNER_EPOCH] === Math.floor(ownerId / c.OWNERS_MAX)) return at;
    throw new InternalError("MEMORY_OWNER_CLOSED", `owner ${ownerId & c.OWNER_MASK} of ${this.name} was closed`);
  }
}

// What the pages of one store held at one moment, taken bit by bit while the store works on.
//
//   pages ──▶ saved before, by a completed checkpoint      referred to (page-packs.ts)
//         └─▶ frozen ──▶ chunks of copies ──▶ whoever writes them, in packs
//
// A page is copied once, into the chunk that is written next: in its turn, or when it is about to change, whichever
// comes first. So there is no copy of a copy, and nothing that is being written can change.
//
//   S1. Each page is taken as it was when the snapshot began, once, whatever is written to it meanwhile.
//   S2. Where the pages lie is known once `next` has given the last chunk.
//   S3. Chunks that wait to be written are bounded: beyond CHUNKS_PRESSED the store's task is to wait (`isPressed`),
//       and a single call that changes more than CHUNKS_MAX of them ends the snapshot, not the job.

import { assert, ExternalError } from "../../base/errors.ts";
import { bytesCopy } from "../../base/memory-view.ts";
import { type MemoryOwner, type PageTaker, TAKERS_MAX } from "./memory-owner.ts";
import { PAGE_BYTES, PAGE_WORDS, type PageAllocator } from "./page-allocator.ts";
import { PACK_PAGES, type PagePacks } from "./page-packs.ts";

/** A block is compressed and checked as one, in less than a millisecond: 256 KiB. */
export const BLOCK_PAGES = 64;
/** Room before each block for what whoever writes it says of it. */
export const BLOCK_ROOM = 12;
/** Blocks that are written at once: each such step of a busy thread has to wait for a turn. */
const CHUNK_PAGES = 8 * BLOCK_PAGES;
/** Of 2 MiB each. They lie outside of managed memory, so that a snapshot never takes what state needs to grow. */
const CHUNKS_PRESSED = 4;
const CHUNKS_MAX = 12;
/** That a task waits for at most (S3), and one that is filled, one that is written: a slot keeps them. */
const CHUNKS_SPARE = CHUNKS_PRESSED + 2;
const NONE = -1;

/** Pages one after the other, in blocks with room before each. */
export type PageChunk = {
  readonly bytes: Buffer;
  pages: number;
  /** Where its first page lies. */
  readonly at: number;
};

/** Where the n-th page of a chunk begins. */
export function placeInChunk(n: number): number {
  return (Math.floor(n / BLOCK_PAGES) + 1) * BLOCK_ROOM + n * PAGE_BYTES;
}

/** What of a chunk is to be written. */
export function bytesOfChunk({ bytes, pages }: PageChunk): Buffer {
  return bytes.subarray(0, placeInChunk(pages - 1) + PAGE_BYTES);
}

const CHUNK_BYTES = placeInChunk(CHUNK_PAGES - 1) + PAGE_BYTES;

export type PageSnapshotOptions = {
  readonly checkpoint: number;
  readonly allocator: PageAllocator;
  readonly owner: MemoryOwner;
  readonly packs: PagePacks;
  /** -1 where there is none. */
  readonly pages: Int32Array;
  /** The store's task may go on. */
  readonly relieved: () => void;
};

export class PageSnapshot implements PageTaker {
  /** By their order: where they lie, -1 where there is none, 0 for those that are not taken yet. */
  readonly places: Int32Array;
  readonly #options: PageSnapshotOptions;
  readonly #taker: number;
  /** By number of the page: which one it is of those that are to be taken. */
  readonly #entries: Int32Array;
  #next = 0;
  #chunk: PageChunk | null = null;
  #full: PageChunk[] = [];
  /** Where the next page that is taken will lie; 0: in a pack that is not begun. */
  #at = 0;
  #waits = true;
  #state: "open" | "overrun" | "ended" = "open";

  constructor(options: PageSnapshotOptions) {
    const { owner, pages, allocator, packs } = options;
    this.#options = options;
    this.places = new Int32Array(pages.length);
    this.#entries = new Int32Array(allocator.pagesMax);
    this.#taker = owner.takers.indexOf(null);
    assert(this.#taker !== NONE, `more than ${TAKERS_MAX} snapshots of ${owner.text} at a time`);
    owner.takers[this.#taker] = this;
    packs.begin();
    const [places, entries, taker] = [this.places, this.#entries, this.#taker];
    for (let n = 0; n < pages.length; n += 1) {
      const page = pages[n]!;
      const saved = page === NONE ? 0 : allocator.savedAt(page);
      if (page === NONE || (saved !== 0 && packs.refers(saved))) {
        places[n] = page === NONE ? NONE : saved;
        continue;
      }
      if (saved !== 0) allocator.setSaved(page, 0);
      entries[page / PAGE_WORDS] = n;
      allocator.freezeFor(page, taker);
    }
    packs.counted();
  }

  /** S3. The store is to be left alone until `relieved`. */
  get isPressed(): boolean {
    return this.#full.length >= CHUNKS_PRESSED;
  }

  /** The next pages that are to be written, null at the end; to be given back. Throws when the snapshot was ended. */
  next(): PageChunk | null {
    if (this.#state === "overrun") throw overrun(this.#options.owner);
    assert(this.#state !== "ended", "the snapshot was given up");
    if (this.#full.length === 0) this.#fill();
    const wasPressed = this.isPressed;
    const chunk = this.#full.shift() ?? this.#last();
    if (wasPressed && !this.isPressed) this.#options.relieved();
    return chunk;
  }

  recycle({ bytes }: PageChunk): void {
    const { spareChunks } = this.#options.allocator;
    if (spareChunks.length < CHUNKS_SPARE) spareChunks.push(bytes);
  }

  /** Its places are written down, or nobody wants it any more. */
  end(): void {
    if (this.#state === "ended") return;
    this.#release();
    this.#full = [];
    this.#state = "ended";
    this.#options.packs.end();
    this.#options.relieved();
  }

  take(page: number): void {
    const entry = this.#entries[page / PAGE_WORDS]!;
    this.places[entry] = this.#put(page, false);
    if (this.#full.length <= CHUNKS_MAX) return;
    this.#release();
    this.#full = [];
    this.#state = "overrun";
    this.#options.relieved();
  }

  /** Takes pages in their order until a chunk is full. */
  #fill(): void {
    const { pages, allocator } = this.#options;
    while (this.#full.length === 0 && this.#next < pages.length) {
      const entry = this.#next;
      this.#next += 1;
      if (this.places[entry] !== 0) continue;
      const page = pages[entry]!;
      allocator.taken(page, this.#taker);
      const at = this.#put(page, true);
      this.places[entry] = at;
      allocator.setSaved(page, at);
    }
  }

  #last(): PageChunk | null {
    const chunk = this.#chunk;
    this.#chunk = null;
    this.#release();
    return chunk;
  }

  /** Copies a page into the next place. `isUsed`: it still holds it. */
  #put(page: number, isUsed: boolean): number {
    const { allocator, packs, checkpoint } = this.#options;
    if (this.#at === 0) this.#at = packs.open(checkpoint);
    const at = this.#at;
    this.#chunk ??= { bytes: allocator.spareChunks.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES), pages: 0, at };
    const chunk = this.#chunk;
    bytesCopy(chunk.bytes, placeInChunk(chunk.pages), allocator.view.bytes, page * 8, page * 8 + PAGE_BYTES);
    chunk.pages += 1;
    packs.saved(at, isUsed);
    this.#at = (at + 1) % PACK_PAGES === 0 ? 0 : at + 1;
    if (chunk.pages === CHUNK_PAGES) {
      this.#full.push(chunk);
      this.#chunk = null;
    }
    return at;
  }

  /** It waits for no page any more. */
  #release(): void {
    if (!this.#waits) return;
    this.#waits = false;
    const { owner, pages, allocator } = this.#options;
    for (let n = this.#next; n < pages.length; n += 1)
      if (this.places[n] === 0) allocator.taken(pages[n]!, this.#taker);
    owner.takers[this.#taker] = null;
  }
}

function overrun(owner: MemoryOwner): ExternalError {
  return new ExternalError(
    "CHECKPOINT_OVERRUN",
    `operator ${owner.text} changed more of its state at once than there is room for copies of it while it is written`,
    { fix: "the next checkpoint is tried all the same; a larger maxParallelism makes the key groups smaller" },
  );
}

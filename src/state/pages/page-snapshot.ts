// What the pages of one store held at one moment, taken bit by bit while the store works on.
//
//   pages, frozen ──▶ saved before, by a completed checkpoint      referred to (page-packs.ts)
//                 └─▶ chunks of copies ──▶ whoever writes them, in packs
//
// Which of the two is decided in the page's turn, or when it is about to change, whichever comes first; then it is
// copied, once, into the chunk that is written next. So there is no copy of a copy, and nothing that is being written
// can change. To begin is quick, however many pages there are: they are noted, and all that are held are frozen.
//
//   S1. Each page is taken as it was when the snapshot began, once, whatever is written to it meanwhile.
//   S2. Where the pages lie is known once `next` has given the last chunk.
//   S3. Chunks that wait to be written are bounded: beyond CHUNKS_PRESSED the store's task is to wait (`isPressed`),
//       and a single call that changes more than CHUNKS_MAX of them ends the snapshot, not the job.

import { assert, ExternalError } from "../../base/errors.ts";
import { bytesCopy } from "../../base/memory-view.ts";
import type { MemoryOwner, PageWatcher } from "./memory-owner.ts";
import { PAGE_BYTES, PAGE_WORDS, type PageAllocator } from "./page-allocator.ts";
import { PACK_PAGES, type PackUses, type PagePacks } from "./page-packs.ts";

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
  /** Negative where there is none. */
  readonly pages: Int32Array;
  /** The store's task may go on. */
  readonly relieved: () => void;
};

export class PageSnapshot implements PageWatcher {
  /** By their order: where they lie, -1 where there is none, 0 where that is not decided yet. */
  readonly places: Int32Array;
  readonly #options: PageSnapshotOptions;
  /** By number of the page: 1 + which one it is of the snapshot's, 0 for others. Null until the first one changes. */
  #entries: Int32Array | null = null;
  readonly #uses: PackUses;
  /** It has not come to all pages yet. */
  #waits = true;
  #next = 0;
  #chunk: PageChunk | null = null;
  #full: PageChunk[] = [];
  /** Where the next page that is taken will lie; 0: in a pack that is not begun. */
  #at = 0;
  #state: "open" | "overrun" | "ended" = "open";

  constructor(options: PageSnapshotOptions) {
    const { owner, pages, allocator, packs } = options;
    this.#options = options;
    this.places = new Int32Array(pages.length);
    this.#uses = packs.begin();
    owner.watchers.add(this);
    allocator.freezeHeld();
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

  changing(page: number, saved: number): void {
    this.#entries ??= this.#entriesOf();
    const entry = this.#entries[page / PAGE_WORDS]! - 1;
    if (entry < 0 || this.places[entry] !== 0) return;
    this.places[entry] = this.#isReferred(saved) ? saved : this.#put(page, false);
    if (this.#full.length <= CHUNKS_MAX) return;
    this.#release();
    this.#full = [];
    this.#state = "overrun";
    this.#options.relieved();
  }

  #entriesOf(): Int32Array {
    const { pages, allocator } = this.#options;
    const entries = new Int32Array(allocator.pagesMax);
    for (let n = 0; n < pages.length; n += 1) if (pages[n]! >= 0) entries[pages[n]! / PAGE_WORDS] = n + 1;
    return entries;
  }

  /** Takes pages in their order until a chunk is full. */
  #fill(): void {
    const { pages } = this.#options;
    while (this.#full.length === 0 && this.#next < pages.length) {
      const entry = this.#next;
      this.#next += 1;
      if (this.places[entry] === 0) this.places[entry] = pages[entry]! < 0 ? NONE : this.#placeOf(pages[entry]!);
    }
  }

  /** Where a page lies that has not changed: it is put there, unless it was saved before. */
  #placeOf(page: number): number {
    const { allocator } = this.#options;
    const saved = allocator.savedAt(page);
    if (this.#isReferred(saved)) return saved;
    const at = this.#put(page, true);
    allocator.setSaved(page, at);
    return at;
  }

  #isReferred(saved: number): boolean {
    const { packs } = this.#options;
    if (!packs.isUsable(saved)) return false;
    packs.count(saved, this.#uses);
    return true;
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

  /** It waits for no page any more. Where those are known to lie that it has not come to is counted all the same. */
  #release(): void {
    if (!this.#waits) return;
    this.#waits = false;
    const { owner, pages, allocator, packs } = this.#options;
    for (let n = this.#next; n < pages.length; n += 1) {
      const saved = pages[n]! < 0 || this.places[n] !== 0 ? 0 : allocator.savedAt(pages[n]!);
      if (saved !== 0) packs.count(saved, this.#uses);
    }
    packs.counted(this.#uses);
    owner.watchers.delete(this);
  }
}

function overrun(owner: MemoryOwner): ExternalError {
  return new ExternalError(
    "CHECKPOINT_OVERRUN",
    `operator ${owner.text} changed more of its state at once than there is room for copies of it while it is written`,
    { fix: "the next checkpoint is tried all the same; a larger maxParallelism makes the key groups smaller" },
  );
}

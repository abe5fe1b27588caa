// The variable-size parts of a table's rows: one log per key group, each on pages of its own.
//
//   log of a group   │ header payload │ header payload │ … tail      objects one after the other, across page ends
//   header           i32 owner: row << 1 | part, -1 when dead; i32 words of payload
//   reference        index of the header in the log, in words: page ordinal << 9 | word of the page
//
// Space of dead objects is won back by sliding the live ones down, in place, and by releasing the pages behind them.
//
//   L1. Dead space is at most half of a group's log, or GARBAGE_MIN: whatever makes more compacts.
//   L2. A refused allocation changes nothing, except that the log may have been compacted.
//   L3. Compaction tells the table where each object went; references are valid until the next allocation or release.

import type { MemoryView } from "../../base/memory-view.ts";
import type { ByteWriter } from "../../types/bytes/codec.ts";
import type { MemoryAccount } from "../pages/memory-owner.ts";
import { PAGE_WORDS, type PageAllocator } from "../pages/page-allocator.ts";
import { PageDirectory } from "../pages/page-directory.ts";
import type { PageList } from "../pages/page-list.ts";

const PAGE_SHIFT = 9;
const DEAD = -1;
/** Words of dead space that are not worth moving others for. */
const GARBAGE_MIN = 2 * PAGE_WORDS;

/** Which part of a row an object is. */
export const PART_KEY = 0;
export const PART_BLOB = 1;

/** How many pages a group's log has, and the words of them that are used and dead. */
export type BlobLogForm = { readonly pages: number; readonly tail: number; readonly garbage: number };

export type BlobMoved = (group: number, row: number, part: number, ref: number) => void;

export class BlobLog {
  readonly #view: MemoryView;
  readonly #allocator: PageAllocator;
  readonly #account: MemoryAccount;
  readonly #pages: PageDirectory;
  readonly #moved: BlobMoved;
  /** By key group, in words. */
  readonly #tail: Int32Array;
  readonly #garbage: Int32Array;

  constructor(allocator: PageAllocator, account: MemoryAccount, groups: number, moved: BlobMoved) {
    this.#view = allocator.view;
    this.#allocator = allocator;
    this.#account = account;
    this.#pages = new PageDirectory(groups);
    this.#moved = moved;
    this.#tail = new Int32Array(groups);
    this.#garbage = new Int32Array(groups);
  }

  /** Room for `size` bytes, or -1 when the budget has none. */
  allocate(group: number, size: number, row: number, part: number): number {
    const words = Math.ceil(size / 8); // The room of a part that grows may be twice what positions in it reach.
    const needed = words + 1;
    const garbage = this.#garbage[group]!;
    const isWasteful = garbage > GARBAGE_MIN && garbage * 2 > this.#tail[group]! + needed;
    if (isWasteful && !this.#hasRoom(group, needed)) this.#compact(group);
    if (!this.#makeRoom(group, needed)) {
      if (this.#garbage[group]! === 0) return -1;
      this.#compact(group);
      if (!this.#makeRoom(group, needed)) return -1;
    }
    const ref = this.#tail[group]!;
    const at = this.#allocator.writable(this.#at(group, ref)) * 2;
    this.#view.i32[at] = (row << 1) | part;
    this.#view.i32[at + 1] = words;
    this.#tail[group] = ref + needed;
    return ref;
  }

  release(group: number, ref: number): void {
    const at = this.#allocator.writable(this.#at(group, ref)) * 2;
    this.#view.i32[at] = DEAD;
    const garbage = this.#garbage[group]! + this.#view.i32[at + 1]! + 1;
    this.#garbage[group] = garbage;
    if (garbage > GARBAGE_MIN && garbage * 2 > this.#tail[group]!) this.#compact(group);
  }

  /** Bytes that the object can hold without moving. */
  capacity(group: number, ref: number): number {
    return this.#view.i32[this.#at(group, ref) * 2 + 1]! * 8;
  }

  /** Writes `source[start, start + size)` at byte `offset` of the object. */
  write(group: number, ref: number, offset: number, source: Uint8Array, start: number, size: number): void {
    const { bytes } = this.#view;
    const payload = (ref + 1) * 8 + offset;
    for (let done = 0; done < size; ) {
      const at = this.#byteAt(group, payload + done);
      const part = Math.min(size - done, PAGE_WORDS * 8 - (at & (PAGE_WORDS * 8 - 1)));
      this.#allocator.writable(Math.floor(at / 8));
      copyBytes(source, start + done, bytes, at, part);
      done += part;
    }
  }

  /** Appends `size` bytes from byte `offset` of the object to `out`. */
  read(group: number, ref: number, offset: number, size: number, out: ByteWriter): void {
    out.reserve(size);
    const { bytes } = this.#view;
    const payload = (ref + 1) * 8 + offset;
    for (let done = 0; done < size; ) {
      const at = this.#byteAt(group, payload + done);
      const part = Math.min(size - done, PAGE_WORDS * 8 - (at & (PAGE_WORDS * 8 - 1)));
      copyBytes(bytes, at, out.bytes, out.position + done, part);
      done += part;
    }
    out.position += size;
  }

  /** Appends a group's pages, and gives what else is to be known of its log. */
  formOf(group: number, pages: PageList): BlobLogForm {
    this.#pages.copyTo(group, pages);
    return { pages: this.#pages.counts[group]!, tail: this.#tail[group]!, garbage: this.#garbage[group]! };
  }

  /** Gives a group that has none this log, whose pages are to be filled then. They are the table's own. */
  adopt(group: number, pages: Int32Array, { tail, garbage }: Omit<BlobLogForm, "pages">): void {
    this.#pages.load(group, pages);
    this.#tail[group] = tail;
    this.#garbage[group] = garbage;
  }

  /** Forgets all objects of a group and releases its pages. */
  clear(group: number): void {
    this.#truncate(group, 0);
    this.#garbage[group] = 0;
    this.#pages.clear(group);
  }

  #at(group: number, ref: number): number {
    const pages = this.#pages;
    return pages.entries[pages.bases[group]! + (ref >>> PAGE_SHIFT)]! + (ref & (PAGE_WORDS - 1));
  }

  #byteAt(group: number, byte: number): number {
    return this.#at(group, Math.floor(byte / 8)) * 8 + (byte & 7);
  }

  #hasRoom(group: number, words: number): boolean {
    return this.#tail[group]! + words <= this.#pages.counts[group]! * PAGE_WORDS;
  }

  /** Adds pages until `words` fit behind the tail. False: they were not to be had, and none was added. */
  #makeRoom(group: number, words: number): boolean {
    const had = this.#pages.counts[group]!;
    while (!this.#hasRoom(group, words)) {
      const page = this.#allocator.allocate(this.#account);
      if (page === -1) {
        this.#truncate(group, had);
        return false;
      }
      this.#pages.add(group, page);
    }
    return true;
  }

  /** Releases the pages from ordinal `count` on. */
  #truncate(group: number, count: number): void {
    const pages = this.#pages;
    const had = pages.counts[group]!;
    for (let ordinal = count; ordinal < had; ordinal += 1) {
      this.#allocator.release(pages.get(group, ordinal), this.#account);
    }
    pages.truncate(group, had - count);
    this.#tail[group] = Math.min(this.#tail[group]!, count * PAGE_WORDS);
  }

  /** Cost: proportional to the group's log. */
  #compact(group: number): void {
    const { i32 } = this.#view;
    const end = this.#tail[group]!;
    let to = 0;
    for (let from = 0; from < end; ) {
      const at = this.#at(group, from) * 2;
      const owner = i32[at]!;
      const words = i32[at + 1]! + 1;
      if (owner !== DEAD) {
        if (to !== from) {
          this.#slide(group, from, to, words);
          this.#moved(group, owner >>> 1, owner & 1, to);
        }
        to += words;
      }
      from += words;
    }
    this.#tail[group] = to;
    this.#garbage[group] = 0;
    this.#truncate(group, (to + PAGE_WORDS - 1) >>> PAGE_SHIFT);
  }

  /** Moves words towards the front, page part by page part. */
  #slide(group: number, from: number, to: number, words: number): void {
    const { f64 } = this.#view;
    for (let done = 0; done < words; ) {
      const source = this.#at(group, from + done);
      const target = this.#allocator.writable(this.#at(group, to + done));
      const left = PAGE_WORDS - Math.max(source & (PAGE_WORDS - 1), target & (PAGE_WORDS - 1));
      const part = Math.min(words - done, left);
      f64.copyWithin(target, source, source + part);
      done += part;
    }
  }
}

/** Short copies by hand: `set` needs a view of its source. (`Buffer.copy` reads from the wrong place beyond 4 GiB.) */
function copyBytes(source: Uint8Array, from: number, target: Uint8Array, to: number, size: number): void {
  if (size > 64) target.set(source.subarray(from, from + size), to);
  else for (let i = 0; i < size; i += 1) target[to + i] = source[from + i]!;
}

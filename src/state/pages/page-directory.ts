// Which pages a key group has, by ordinal, for all key groups of one table in one flat array.
//
// The hot loops find a page with two loads that stay in the cache: `entries[bases[group] + ordinal]`, 4 bytes per 4 KiB
// page. A group's run is moved to the end of the array when it outgrows its room; the array is rebuilt when it is full.
//
//   D1. Ordinals do not change while their page is there; an ordinal whose page went is used again before new ones are.
//   D2. An entry is the page's address (times `scale`), or negative when there is no page: -1 - the next such ordinal.
//   D3. The base of a group without ordinals is 0, and `entries[0]` is the entry given to the constructor.
//   D4. `entries` is replaced when it grows: a loop that may add pages reads it anew.

import type { PageList } from "./page-list.ts";

const ROOM_MIN = 2;
/** Ends the chain of unused ordinals. */
const CHAIN_END = 0x3fffffff;

export class PageDirectory {
  entries: Int32Array;
  /** By key group: where its run starts. */
  readonly bases: Int32Array;
  /** By key group: ordinals given out, with or without a page now. */
  readonly counts: Int32Array;
  readonly #rooms: Int32Array;
  readonly #unused: Int32Array;
  #end = 1;

  constructor(groups: number, empty = 0) {
    this.entries = new Int32Array(64);
    this.entries[0] = empty;
    this.bases = new Int32Array(groups);
    this.counts = new Int32Array(groups);
    this.#rooms = new Int32Array(groups);
    this.#unused = new Int32Array(groups).fill(CHAIN_END);
  }

  get(group: number, ordinal: number): number {
    return this.entries[this.bases[group]! + ordinal]!;
  }

  /** The ordinal that the next `add` will give. */
  next(group: number): number {
    const unused = this.#unused[group]!;
    return unused === CHAIN_END ? this.counts[group]! : unused;
  }

  add(group: number, entry: number): number {
    const unused = this.#unused[group]!;
    if (unused !== CHAIN_END) {
      const at = this.bases[group]! + unused;
      this.#unused[group] = -1 - this.entries[at]!;
      this.entries[at] = entry;
      return unused;
    }
    const ordinal = this.counts[group]!;
    if (ordinal === this.#rooms[group]) this.#enlarge(group);
    this.entries[this.bases[group]! + ordinal] = entry;
    this.counts[group] = ordinal + 1;
    return ordinal;
  }

  remove(group: number, ordinal: number): void {
    this.entries[this.bases[group]! + ordinal] = -1 - this.#unused[group]!;
    this.#unused[group] = ordinal;
  }

  /** Appends the entries of a group, negative where there is no page. */
  copyTo(group: number, pages: PageList): void {
    const base = this.bases[group]!;
    pages.append(this.entries.subarray(base, base + this.counts[group]!));
  }

  /** Gives a group that has no ordinals as many as there are entries, -1 being one without a page. */
  load(group: number, entries: Int32Array): void {
    for (const entry of entries) this.add(group, entry);
    entries.forEach((entry, ordinal) => {
      if (entry < 0) this.remove(group, ordinal);
    });
  }

  /** Forgets the last `count` ordinals, all of which have pages. */
  truncate(group: number, count: number): void {
    this.counts[group]! -= count;
  }

  clear(group: number): void {
    this.bases[group] = 0;
    this.counts[group] = 0;
    this.#rooms[group] = 0;
    this.#unused[group] = CHAIN_END;
  }

  #enlarge(group: number): void {
    const room = Math.max(ROOM_MIN, this.#rooms[group]! * 2);
    if (this.#end + room > this.entries.length) this.#rebuild(room);
    const base = this.bases[group]!;
    this.entries.copyWithin(this.#end, base, base + this.counts[group]!);
    this.bases[group] = this.#end;
    this.#rooms[group] = room;
    this.#end += room;
  }

  /** Leaves out what enlarged groups left behind, and makes the array twice as long as what is used then. */
  #rebuild(room: number): void {
    const used = this.#rooms.reduce((sum, each) => sum + each, 0);
    const entries = new Int32Array((1 + used + room) * 2);
    entries[0] = this.entries[0]!;
    let end = 1;
    for (let group = 0; group < this.bases.length; group += 1) {
      if (this.#rooms[group] === 0) continue;
      const base = this.bases[group]!;
      entries.set(this.entries.subarray(base, base + this.counts[group]!), end);
      this.bases[group] = end;
      end += this.#rooms[group]!;
    }
    this.entries = entries;
    this.#end = end;
  }
}

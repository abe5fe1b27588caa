// Which packs in storage the pages of one store were saved in: the part of it that the store's thread knows.
//
//   where a page was saved   slot of its pack << 16 | place in the pack; 0: nowhere
//
//   K1. Only what a completed checkpoint has is referred to by a later one: what an aborted one wrote is removed.
//   K2. A slot is given to another pack once no page and no snapshot refers to it.
//   K3. Packs hold at most twice what is still used of them, and there are at most PACKS_MAX, as far as snapshots come:
//       beyond that, pages of those with the least are saved anew, as if they had changed.

import { assert } from "../../base/errors.ts";

/** Pages in a pack, at most: 256 MiB. */
export const PACK_PAGES = 2 ** 16;
const PLACE_BITS = 16;
const SLOTS = 2 ** 15;
const PACKS_MAX = 64;
/** Pages that are not used and that it does not pay to save others anew for: 16 MiB. */
const UNUSED_MIN = 4096;

/** A pack of pages, as it is found. */
export type PackRef = {
  readonly name: string;
  /** Of the whole file. */
  readonly bytes: number;
  /** Where the places of its blocks lie in it. */
  readonly index: { readonly offset: number; readonly length: number };
};

type Pack = {
  readonly slot: number;
  /** The one that it was begun for. */
  readonly checkpoint: number;
  /** Null while it is written. */
  file: PackRef | null;
  /** A completed checkpoint has it. */
  isKept: boolean;
  /** Its pages are saved anew. */
  isRetired: boolean;
  /** Pages in it, and those that the last snapshot refers to: at least as many as are known to lie there. */
  pages: number;
  used: number;
};

/** By slot of a pack: how many of its pages a snapshot refers to. */
export type PackUses = Int32Array;

export class PagePacks {
  /** By slot; the first is nobody's. */
  readonly #packs: (Pack | null)[] = [null];
  /** By slot: 1 when pages that lie there need not be saved again. */
  readonly #usable = new Uint8Array(SLOTS);
  /** Of snapshots under way that have not come to all of their pages. */
  readonly #counting = new Set<PackUses>();
  /** Snapshots under way. */
  #snapshots = 0;

  /** A snapshot begins: what it refers to is counted anew. */
  begin(): PackUses {
    if (this.#snapshots === 0) this.#forget();
    this.#snapshots += 1;
    this.#retire();
    const uses = new Int32Array(SLOTS);
    this.#counting.add(uses);
    return uses;
  }

  /** All pages of a snapshot are counted, and what others have saved meanwhile: pages are known to lie there. */
  counted(uses: PackUses): void {
    this.#counting.delete(uses);
    for (const pack of this.#packs) if (pack !== null) pack.used = uses[pack.slot]!;
  }

  end(): void {
    this.#snapshots -= 1;
  }

  /** Whether what was saved there need not be saved again. */
  isUsable(at: number): boolean {
    return this.#usable[at >>> PLACE_BITS] === 1;
  }

  /** A page lies there, and was saved before the snapshot began. */
  count(at: number, uses: PackUses): void {
    uses[at >>> PLACE_BITS]! += 1;
  }

  /** A pack to be written. Returns where its first page lies; the others follow. */
  open(checkpoint: number): number {
    return this.#add(checkpoint, null);
  }

  /** One more page of a pack is saved; `isUsed`: and holds still what it held. */
  saved(at: number, isUsed: boolean): void {
    const pack = this.#at(at);
    pack.pages += 1;
    if (!isUsed) return;
    pack.used += 1;
    for (const uses of this.#counting) uses[pack.slot]! += 1;
  }

  written(at: number, file: PackRef): void {
    this.#at(at).file = file;
  }

  fileAt(at: number): PackRef {
    const { file } = this.#at(at);
    assert(file !== null, "a pack that is referred to is written");
    return file;
  }

  /** Those that pages lie in, each once; -1 is no place. `numbers`: gets which of them by page, -1 for none. */
  filesAt(places: Int32Array, numbers: Int32Array): PackRef[] {
    const files: PackRef[] = [];
    const bySlot = new Map<number, number>();
    for (let n = 0; n < places.length; n += 1) {
      const at = places[n]!;
      const slot = at >>> PLACE_BITS;
      let number = at === -1 ? -1 : bySlot.get(slot);
      if (number === undefined) {
        number = files.push(this.fileAt(at)) - 1;
        bySlot.set(slot, number);
      }
      numbers[n] = number;
    }
    return files;
  }

  /** A pack of the checkpoint that the job starts from. Returns where its first page lies. */
  adopt(file: PackRef): number {
    const known = this.#packs.find((pack) => pack?.file?.name === file.name);
    if (known !== undefined && known !== null) return known.slot << PLACE_BITS;
    const at = this.#add(0, file);
    this.#keep(this.#at(at));
    return at;
  }

  completed(checkpoint: number): void {
    for (const pack of this.#packs) {
      if (pack !== null && pack.checkpoint === checkpoint && pack.file !== null) this.#keep(pack);
    }
  }

  #keep(pack: Pack): void {
    pack.isKept = true;
    this.#usable[pack.slot] = 1;
  }

  #add(checkpoint: number, file: PackRef | null): number {
    const gap = this.#packs.indexOf(null, 1);
    const slot = gap === -1 ? this.#packs.length : gap;
    assert(slot < SLOTS, `more than ${SLOTS} packs of pages`);
    this.#packs[slot] = { slot, checkpoint, file, isKept: false, isRetired: false, pages: 0, used: 0 };
    return slot << PLACE_BITS;
  }

  #at(at: number): Pack {
    const pack = this.#packs[at >>> PLACE_BITS];
    assert(pack !== null && pack !== undefined, `no pack at ${at}`);
    return pack;
  }

  /** K2 */
  #forget(): void {
    for (const pack of this.#packs) {
      if (pack === null || pack.used > 0) continue;
      this.#packs[pack.slot] = null;
      this.#usable[pack.slot] = 0;
    }
  }

  /** K3 */
  #retire(): void {
    const kept = this.#packs.filter((pack): pack is Pack => pack?.isKept === true && !pack.isRetired);
    const share = ({ used, pages }: Pack): number => used / pages;
    let pages = kept.reduce((sum, pack) => sum + pack.pages, 0);
    const used = kept.reduce((sum, pack) => sum + pack.used, 0);
    for (const pack of kept.toSorted((left, right) => share(left) - share(right))) {
      if (pages <= used * 2 + UNUSED_MIN) break;
      pages -= pack.pages - pack.used;
      this.#retireOne(pack);
    }
    const left = kept.filter(({ isRetired }) => !isRetired).sort((one, other) => one.used - other.used);
    for (const pack of left.slice(0, Math.max(0, left.length - PACKS_MAX))) this.#retireOne(pack);
  }

  #retireOne(pack: Pack): void {
    pack.isRetired = true;
    this.#usable[pack.slot] = 0;
  }
}

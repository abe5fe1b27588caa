// Pages of 4 KiB for the state of one slot, carved from blocks of its share of managed memory.
//
// All managed memory of a TaskManager is one region of shared memory, so that one set of views reaches every page, and
// the address of a page is its index in the Float64Array: a plain integer below 2^30 (8 GiB). A page that is held has
// an owner (an operator of a subtask, memory-owner.ts) and is charged to one of its accounts, one per state; what they
// hold is what metrics and errors show.
//
//   region   │ block 0 │ block 1 │ block 2 │ …      a block: 1 MiB, leased from the pool as a whole
//   block    │p0│p1│p2│…│p255│                      carved from the left, free pages chained through their first word
//
// Owns: blocks and who holds which page of them. Does not own: what lies in a page; nothing is cleared when it changes
// hands.
//
//   A1. A page is free or held by one account; `account.bytes` is the sum of its pages. Only its owner releases it.
//   A2. A refused allocation changes nothing.
//   A3. A block goes back to the pool once all its pages are free, except the last one that has free pages.
//   A4. Whoever writes to a page has asked for it by `writable` since it was frozen. The watchers of its owner are told
//       before it changes, or goes.
//   A5. An owner that ends holds nothing any more: what its states have not released is told, and free again.
//   A6. A page of which it is known where it was saved is frozen, and holds what was saved there.

import { assert, InternalError, UserError } from "../../base/errors.ts";
import { memorySizeText } from "../../base/memory-size.ts";
import type { MemoryView } from "../../base/memory-view.ts";
import { type MemoryAccount, MemoryOwner, type MemoryOwnerName, NOBODY } from "./memory-owner.ts";

/** Size of a page in 8-byte words, the unit of all addresses here. */
export const PAGE_WORDS = 512;
export const PAGE_BYTES = PAGE_WORDS * 8;

/** Where blocks come from: the managed segment pool, or a plain region in tests. */
export interface BlockSource {
  readonly view: MemoryView;
  readonly blockBytes: number;
  /** What this slot may hold in all. */
  readonly limitBytes: number;
  /** The configuration key that raises the limit. */
  readonly configKey: string;
  /** Byte offset of a block in the region, -1 when there is none left for this slot. */
  allocate(): number;
  release(offset: number): void;
}

export type PageAllocatorOptions = {
  /** The operator that first needs pages, for the error when there are none at all. */
  readonly operator?: string;
  /** Takes what an owner that ended has not given back. Default: throws it. */
  readonly leaked?: (leak: InternalError) => void;
};

const NONE = -1;
const ADVICE = "clear state that is done with, or give it a ttl";
/** So many of the other accounts are named in an error. */
const HOLDERS_SHOWN = 3;
/** Owners at a time: their numbers have 16 bits. */
const OWNERS_MAX = 2 ** 16 - 1;
/** Of the page of zeros. */
const SLOT = { job: "", operator: "slot", subtask: 0, parallelism: 1 };

export class PageAllocator {
  readonly view: MemoryView;
  /** Buffers that snapshots of these pages use again: whoever makes them anew each time makes the heap collected. */
  readonly spareChunks: Buffer[] = [];
  /** A page of zeros that nobody writes: the index of every empty table. */
  readonly zeroPage: number;
  readonly #source: BlockSource;
  readonly #i32: Int32Array;
  readonly #blockWords: number;
  readonly #pagesPerBlock: number;
  // By block number: free pages, pages carved so far, head of the chain of free pages, neighbours among the blocks with
  // free pages.
  readonly #free: Int32Array;
  readonly #carved: Int32Array;
  readonly #chain: Int32Array;
  readonly #previous: Int32Array;
  readonly #next: Int32Array;
  /** One bit per page: held. */
  readonly #held: Int32Array;
  /** By page: the number of its owner. Catches what is released twice, or by somebody else (A1). */
  readonly #owner: Uint16Array;
  /** By their numbers; NOBODY has none, and those of owners that ended are given again. */
  readonly #owners: (MemoryOwner | null)[] = [null];
  /** One bit per page: frozen (A4); and how many are. */
  readonly #frozen: Int32Array;
  #frozenPages = 0;
  /** By page: where it was saved, 0 for nowhere (A6). */
  readonly #saved: Int32Array;
  /** Of a test: told of each page before it changes. */
  #changing: (page: number) => void = () => undefined;
  readonly #own: MemoryAccount;
  readonly #leaked: (leak: InternalError) => void;
  /** First of the blocks with free pages. */
  #open = NONE;
  #pages = 0;

  constructor(source: BlockSource, { operator = SLOT.operator, leaked = throwLeak }: PageAllocatorOptions = {}) {
    const { view, blockBytes } = source;
    this.#own = this.openOwner({ ...SLOT, operator }).account("state index");
    this.#leaked = leaked;
    assert(blockBytes % PAGE_BYTES === 0, `blocks of ${blockBytes} bytes do not divide into pages`);
    assert(view.f64.length <= 2 ** 30, `a region of ${view.f64.length} words is more than addresses reach`);
    const blocks = Math.floor((view.f64.length * 8) / blockBytes);
    this.view = view;
    this.#source = source;
    this.#i32 = view.i32;
    this.#blockWords = blockBytes / 8;
    this.#pagesPerBlock = blockBytes / PAGE_BYTES;
    this.#free = new Int32Array(blocks);
    this.#carved = new Int32Array(blocks);
    this.#chain = new Int32Array(blocks);
    this.#previous = new Int32Array(blocks);
    this.#next = new Int32Array(blocks);
    this.#held = new Int32Array((blocks * this.#pagesPerBlock + 31) >>> 5);
    this.#owner = new Uint16Array(blocks * this.#pagesPerBlock);
    this.#frozen = new Int32Array(this.#held.length);
    this.#saved = new Int32Array(this.#owner.length);
    this.zeroPage = this.allocate(this.#own);
    if (this.zeroPage === NONE) throw this.exceeded(this.#own);
    this.view.f64.fill(0, this.zeroPage, this.zeroPage + PAGE_WORDS);
  }

  /** Bytes in pages that are held. */
  get usedBytes(): number {
    return this.#pages * PAGE_BYTES;
  }

  /** What its states hold is released by them; then it is ended. `told` is called whenever a figure of it changes. */
  openOwner(name: MemoryOwnerName, told: (owner: MemoryOwner) => void = () => undefined): MemoryOwner {
    const gap = this.#owners.indexOf(null, NOBODY + 1);
    const number = gap === -1 ? this.#owners.length : gap;
    assert(number <= OWNERS_MAX, `${OWNERS_MAX} owners of pages, no more are possible`);
    const owner = new MemoryOwner(name, number, told);
    this.#owners[number] = owner;
    return owner;
  }

  /** What it still holds is told as a leak, and free again (A5). */
  endOwner(owner: MemoryOwner): void {
    const { number, usedBytes, holding, name } = owner;
    assert(this.#owners[number] === owner, `operator ${owner.text} of ${name.job} has ended already`);
    this.#releaseAll(owner);
    owner.number = NOBODY;
    this.#owners[number] = null;
    if (usedBytes === 0) return;
    const states = holding.map(({ state, bytes }) => `"${state}" ${memorySizeText(bytes)}`).join(", ");
    for (const account of holding) owner.charge(account, -account.bytes);
    const message = `operator ${owner.text} of job ${name.job} has ended and not given back managed memory: ${states}`;
    this.#leaked(new InternalError("STATE_LEAKED", message, { operator: name.operator }));
  }

  #releaseAll({ number, usedBytes }: MemoryOwner): void {
    for (let page = 0, left = usedBytes; left > 0 && page < this.#owner.length; page += 1) {
      if (this.#owner[page] !== number) continue;
      this.#put(page * PAGE_WORDS);
      left -= PAGE_BYTES;
    }
  }

  /** Address of a page with unknown content, -1 when the budget is used up. Budget: 10 ns. */
  allocate(account: MemoryAccount): number {
    if (this.#open === NONE && !this.#addBlock()) return NONE;
    const block = this.#open;
    let page = this.#chain[block]!;
    if (page === NONE) {
      page = block * this.#blockWords + this.#carved[block]! * PAGE_WORDS;
      this.#carved[block]! += 1;
    } else {
      this.#chain[block] = this.#i32[page * 2]!;
    }
    this.#free[block]! -= 1;
    if (this.#free[block] === 0) this.#unlink(block);
    const number = page / PAGE_WORDS;
    const { owner } = account;
    assert(owner.number !== NOBODY, `operator ${owner.text} has ended and asks for memory for "${account.state}"`);
    this.#held[number >>> 5]! |= 1 << (number & 31);
    this.#owner[number] = owner.number;
    this.#pages += 1;
    owner.charge(account, PAGE_BYTES);
    return page;
  }

  /** Pages there can be, by whose numbers (address by PAGE_WORDS) others may keep something. */
  get pagesMax(): number {
    return this.#owner.length;
  }

  /**
   * The address, whose page may be written to until it is frozen: what everybody says who writes to a page (A4).
   * Budget: 1 ns.
   */
  writable(address: number): number {
    if ((this.#frozen[address >>> 14]! & (1 << (address >>> 9))) !== 0) this.#thaw(address & -PAGE_WORDS);
    return address;
  }

  /** The same for many. Costs nothing while no page is frozen. */
  writableAll(addresses: Int32Array, count: number): void {
    if (this.#frozenPages === 0) return;
    for (let n = 0; n < count; n += 1) this.writable(addresses[n]!);
  }

  /** Freezes all pages that are held, whoever holds them: a bit for each is copied. */
  freezeHeld(): void {
    this.#frozen.set(this.#held);
    this.#frozenPages = this.#pages;
  }

  /** Where what the page holds was saved, as `setSaved` was told; 0: it is saved nowhere. */
  savedAt(page: number): number {
    return this.#saved[page / PAGE_WORDS]!;
  }

  /** What the page holds was saved; it is frozen from then on (A6). 0: what was saved is gone. */
  setSaved(page: number, at: number): void {
    const number = page / PAGE_WORDS;
    if (at !== 0) this.#freeze(number);
    this.#saved[number] = at;
  }

  /** For tests: freezes all pages that are held, and gives them. `changing` is told of each that is about to change. */
  freezeAll(changing: (page: number) => void): number[] {
    this.freezeHeld();
    this.#changing = changing;
    const pages: number[] = [];
    this.#held.forEach((bits, word) => {
      for (let bit = 0; bit < 32; bit += 1) if ((bits & (1 << bit)) !== 0) pages.push((word * 32 + bit) * PAGE_WORDS);
    });
    return pages;
  }

  #freeze(number: number): void {
    const bit = 1 << (number & 31);
    if ((this.#frozen[number >>> 5]! & bit) !== 0) return;
    this.#frozen[number >>> 5]! |= bit;
    this.#frozenPages += 1;
  }

  #thaw(page: number): void {
    const number = page / PAGE_WORDS;
    this.#frozen[number >>> 5]! &= ~(1 << (number & 31));
    this.#frozenPages -= 1;
    const saved = this.#saved[number]!;
    this.#saved[number] = 0;
    this.#owners[this.#owner[number]!]!.changing(page, saved);
    this.#changing(page);
  }

  release(page: number, account: MemoryAccount): void {
    const { owner, operator, state } = account;
    const holder = this.#owner[page / PAGE_WORDS]!;
    assert(holder !== NOBODY, `page ${page} of ${operator}/${state} is not held`);
    assert(holder === owner.number, `page ${page}, which ${operator}/${state} releases, is another owner's`);
    this.#put(page);
    owner.charge(account, -PAGE_BYTES);
  }

  #put(page: number): void {
    const number = page / PAGE_WORDS;
    this.writable(page);
    this.#held[number >>> 5]! ^= 1 << (number & 31);
    this.#owner[number] = NOBODY;
    this.#pages -= 1;
    const block = Math.floor(page / this.#blockWords);
    this.#i32[page * 2] = this.#chain[block]!;
    this.#chain[block] = page;
    this.#free[block]! += 1;
    if (this.#free[block] === 1) this.#link(block);
    const isOnlyOpen = this.#open === block && this.#next[block] === NONE;
    if (this.#free[block] === this.#pagesPerBlock && !isOnlyOpen) this.#removeBlock(block);
  }

  /**
   * Gives the blocks back. All owners must have ended, or released their pages: what is left is a leak, and its bytes
   * are returned.
   */
  close(): number {
    this.release(this.zeroPage, this.#own);
    while (this.#open !== NONE && this.#free[this.#open] === this.#pagesPerBlock) this.#removeBlock(this.#open);
    return this.usedBytes;
  }

  /** The error for a refused allocation of an account. */
  exceeded(account: MemoryAccount): UserError {
    const { limitBytes, blockBytes, configKey } = this.#source;
    const { owner, operator, state, bytes, advice = ADVICE } = account;
    const share = `the slot's share of managed memory, ${memorySizeText(limitBytes)}`;
    const message =
      limitBytes < blockBytes
        ? `operator ${owner.text} keeps state, and ${share}, is less than a block of ${memorySizeText(blockBytes)}`
        : `state "${state}" of operator ${owner.text} holds ${memorySizeText(bytes)} and cannot grow${this.#beside(account)}: ${share}, is used up`;
    return new UserError("STATE_BUDGET_EXCEEDED", message, {
      operator,
      fix: `Raise ${configKey}, which the slots share, or keep less: ${advice}.`,
    });
  }

  /** Who holds more than this account: the greatest, by name. */
  #beside({ bytes, owner: own }: MemoryAccount): string {
    const all = this.#owners.flatMap((owner) => owner?.holding ?? []);
    const greater = all.filter((other) => other.bytes > bytes && other !== this.#own);
    const shown = greater.sort((left, right) => right.bytes - left.bytes).slice(0, HOLDERS_SHOWN);
    const names = shown.map(({ owner, state, bytes: held }) => {
      return `"${state}"${owner === own ? "" : ` of ${owner.text}`} with ${memorySizeText(held)}`;
    });
    return names.length === 0 ? "" : ` beside ${names.join(", ")}`;
  }

  #addBlock(): boolean {
    const offset = this.#source.allocate();
    if (offset === -1) return false;
    const block = offset / (this.#blockWords * 8);
    this.#free[block] = this.#pagesPerBlock;
    this.#carved[block] = 0;
    this.#chain[block] = NONE;
    this.#link(block);
    return true;
  }

  #removeBlock(block: number): void {
    this.#unlink(block);
    this.#source.release(block * this.#blockWords * 8);
  }

  #link(block: number): void {
    this.#previous[block] = NONE;
    this.#next[block] = this.#open;
    if (this.#open !== NONE) this.#previous[this.#open] = block;
    this.#open = block;
  }

  #unlink(block: number): void {
    const previous = this.#previous[block]!;
    const next = this.#next[block]!;
    if (previous === NONE) this.#open = next;
    else this.#next[previous] = next;
    if (next !== NONE) this.#previous[next] = previous;
  }
}

function throwLeak(leak: InternalError): never {
  throw leak;
}

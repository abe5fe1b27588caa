// Snapshots of a store by its pages: frozen at one moment, written while it works on, and loaded into another one.
//
//   G1. A snapshot by pages says what the canonical one says (format/state-snapshot.ts), and has expired entries, which
//       nobody reads.
//   G2. What is loaded from the checkpoints of this job knows where it lies there, so that the next one refers to it.
//   G3. A page is in one key group of one table, so each key group can be loaded by itself, in any subtask.
//   G4. Entries on the heap follow, key group by key group, in bits of so many steps and BIT_BYTES, and what the last
//       step adds. Of those that change before, what they were is kept; beyond KEPT_BYTES_PRESSED of it the task is to
//       wait.

import { assert } from "../../base/errors.ts";
import { ByteSink } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import type { FreezableEntries, FrozenEntries, FrozenState, PageFill } from "../contract/frozen-state.ts";
import type { KeyGroupRange } from "../keys/key-groups.ts";
import type { MemoryOwner } from "../pages/memory-owner.ts";
import { PAGE_BYTES, type PageAllocator } from "../pages/page-allocator.ts";
import { PageList } from "../pages/page-list.ts";
import { PACK_PAGES, type PackRef, PagePacks } from "../pages/page-packs.ts";
import { type PageChunk, PageSnapshot } from "../pages/page-snapshot.ts";
import type { GroupForm, ManagedTable } from "../table/managed-table.ts";
import { readGroupPages, type TablePages, writeGroupPages } from "../table/page-form.ts";

/** The tables of a store, and what lies beside them. */
export type PagedStore = {
  /** JSON: what the tables are of. */
  readonly header: string;
  readonly tables: readonly ManagedTable[];
  readonly writeBeside: (keyGroup: number, out: ByteWriter) => void;
  readonly entries: readonly FreezableEntries[];
};

export type StorePagesOptions = {
  readonly allocator: PageAllocator;
  readonly owner: MemoryOwner;
  readonly keyGroups: KeyGroupRange;
  /** Steps of a bit, each of which writes an entry on the heap or 64 items of one. Default: a few milliseconds. */
  readonly bitSteps?: number;
};

type Loading = {
  readonly keyGroup: number;
  readonly tables: readonly ManagedTable[];
  readonly beside: ByteReader;
  readonly rest: ByteReader;
};

const NONE = -1;
/** A bit takes few milliseconds, and is a block of a file of state. */
const BIT_STEPS_MAX = 8192;
const BIT_BYTES = 240 << 10;
const KEPT_BYTES_PRESSED = 8 << 20;

export class StorePages {
  readonly #options: StorePagesOptions;
  readonly #packs = new PagePacks();
  readonly #frozen = new Set<FrozenPages>();
  #loading: Loading[] = [];

  constructor(options: StorePagesOptions) {
    this.#options = options;
  }

  freeze(paged: PagedStore, checkpoint: number, relieved: () => void): FrozenState {
    const frozen = new FrozenPages(paged, {
      ...this.#options,
      ...{ packs: this.#packs, checkpoint, relieved },
      ended: () => this.#frozen.delete(frozen),
    });
    this.#frozen.add(frozen);
    return frozen;
  }

  completed(checkpoint: number): void {
    this.#packs.completed(checkpoint);
  }

  /**
   * Reads a key group; its pages are there, and are to be filled. `tablesOf`: by header. `refers`: the packs are those
   * of this job's checkpoints.
   */
  load(
    keyGroup: number,
    input: ByteReader,
    tablesOf: (header: string) => readonly ManagedTable[],
    refers: boolean,
  ): PageFill[] {
    let tables: readonly ManagedTable[] = [];
    const {
      packs,
      tables: read,
      beside,
      rest,
    } = readGroupPages(input, (header) => {
      tables = tablesOf(header);
      return tables.length;
    });
    this.#loading.push({ keyGroup, tables, beside, rest });
    const slots = packs.map((pack) => (refers ? this.#packs.adopt(pack) : 0));
    return read.map((pages, n) => this.#adopt(keyGroup, tables[n]!, pages, { packs, slots }));
  }

  /** All pages are filled. `load` is called with what lies beside those of a key group, and with the entries there. */
  loaded(load: (keyGroup: number, beside: ByteReader, entries: ByteReader) => void): void {
    for (const { keyGroup, tables, beside, rest } of this.#loading) {
      for (const table of tables) if (!table.loaded(this.#groupOf(keyGroup))) throw table.exceeded();
      load(keyGroup, beside, rest);
    }
    this.#loading = [];
  }

  /** The store goes: whatever is being written of it is given up. */
  release(): void {
    for (const frozen of [...this.#frozen]) frozen.end();
  }

  #adopt(
    keyGroup: number,
    table: ManagedTable,
    { rows, log, isHardened, packs: pack, places }: TablePages,
    { packs, slots }: { readonly packs: readonly PackRef[]; readonly slots: readonly number[] },
  ): PageFill {
    const { allocator } = this.#options;
    const form: GroupForm = { rows, log, isHardened };
    const pages = table.adopt(this.#groupOf(keyGroup), form, (n) => pack[n] !== NONE);
    if (pages === null) throw table.exceeded();
    for (let n = 0; n < pages.length; n += 1) {
      if (pack[n] === NONE || slots[pack[n]!] === 0) continue;
      const at = slots[pack[n]!]! + places[n]!;
      allocator.setSaved(pages[n]!, at);
      this.#packs.saved(at, true);
    }
    return { packs, pack, place: places, address: pages, target: allocator.view.bytes };
  }

  #groupOf(keyGroup: number): number {
    return keyGroup - this.#options.keyGroups.first;
  }
}

type FrozenOptions = StorePagesOptions & {
  readonly packs: PagePacks;
  readonly checkpoint: number;
  readonly relieved: () => void;
  readonly ended: () => void;
};

class FrozenPages implements FrozenState {
  readonly first: number;
  readonly count: number;
  readonly #header: string;
  readonly #packs: PagePacks;
  readonly #snapshot: PageSnapshot;
  readonly #ended: () => void;
  isEnded = false;
  readonly #tables: number;
  /** By key group and table. */
  readonly #forms: readonly GroupForm[];
  /** By key group: its first page in the snapshot; and what lies beside its pages. */
  readonly #starts: readonly number[];
  readonly #beside: readonly Buffer[];
  /** Packs of the key groups that are written, by name. */
  readonly #referred = new Map<string, PackRef>();
  readonly #entries: readonly FrozenEntries[];
  /** The entries of the key group that is being written. */
  #writing: Generator<undefined, undefined> | null = null;
  readonly #bitSteps: number;
  readonly #relieved: () => void;

  constructor({ header, tables, writeBeside, entries }: PagedStore, options: FrozenOptions) {
    const { first, last } = options.keyGroups;
    this.first = first;
    this.count = last - first + 1;
    this.#header = header;
    this.#packs = options.packs;
    this.#ended = options.ended;
    this.#bitSteps = options.bitSteps ?? BIT_STEPS_MAX;
    this.#relieved = options.relieved;
    this.#tables = tables.length;
    const pages = new PageList(options.owner.usedBytes / PAGE_BYTES);
    const forms: GroupForm[] = [];
    const starts: number[] = [];
    const beside: Buffer[] = [];
    for (let group = 0; group < this.count; group += 1) {
      starts.push(pages.length);
      for (const table of tables) forms.push(table.formOf(group, pages));
      const sink = new ByteSink(64);
      writeBeside(first + group, sink);
      beside.push(sink.copy());
    }
    this.#forms = forms;
    this.#starts = starts;
    this.#beside = beside;
    this.#snapshot = new PageSnapshot({ ...options, pages: pages.pages });
    this.#entries = entries.map((each) => each.freeze());
  }

  get isPressed(): boolean {
    return this.#snapshot.isPressed || this.#hasKeptMuch;
  }

  get #hasKeptMuch(): boolean {
    return this.#entries.reduce((sum, { keptBytes }) => sum + keptBytes, 0) > KEPT_BYTES_PRESSED;
  }

  next(): PageChunk | null {
    return this.#snapshot.next();
  }

  recycle(chunk: PageChunk): void {
    this.#snapshot.recycle(chunk);
  }

  written(at: number, file: PackRef): void {
    this.#packs.written(at, file);
  }

  packs(): readonly PackRef[] {
    return [...this.#referred.values()];
  }

  writeGroup(keyGroup: number, out: ByteWriter): void {
    const group = keyGroup - this.first;
    const { places } = this.#snapshot;
    const first = this.#starts[group]!;
    let start = first;
    const all = places.subarray(start, this.#starts[group + 1] ?? places.length);
    const numbers = new Int32Array(all.length);
    const packs = this.#packs.filesAt(all, numbers);
    for (const pack of packs) this.#referred.set(pack.name, pack);
    const tables: TablePages[] = [];
    for (const form of this.#forms.slice(group * this.#tables, (group + 1) * this.#tables)) {
      const end = start + form.rows.pages + form.log.pages;
      const own = places.subarray(start, end);
      tables.push({
        ...form,
        packs: numbers.subarray(start - first, end - first),
        places: own.map((place) => place & (PACK_PAGES - 1)),
      });
      start = end;
    }
    assert(start === this.#starts[group + 1] || start === places.length, "each page is of one key group");
    writeGroupPages({ header: this.#header, packs, tables, beside: this.#beside[group]! }, out);
  }

  writeMore(keyGroup: number, out: ByteWriter): boolean {
    assert(!this.isEnded, "the snapshot was given up");
    this.#writing ??= this.#entriesOf(keyGroup - this.first, out);
    const end = out.position + BIT_BYTES;
    for (let n = 0; n < this.#bitSteps && out.position < end; n += 1) {
      if (this.#writing.next().done !== true) continue;
      this.#writing = null;
      return false;
    }
    return true;
  }

  *#entriesOf(group: number, out: ByteWriter): Generator<undefined, undefined> {
    for (const each of this.#entries) {
      yield* each.write(group, out);
      if (!this.isPressed) this.#relieved();
    }
  }

  end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.#writing = null;
    for (const each of this.#entries) each.end();
    this.#snapshot.end();
    this.#ended();
  }
}

// List state on the heap: an array by key.

import { readU32, writeF64, writeU32 } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import type { KeyCodec } from "../../types/keys/key-bytes.ts";
import { ARRAY_BYTES, ITEM_BYTES } from "../budget/heap-size.ts";
import type { FreezableEntries } from "../contract/frozen-state.ts";
import type { StateSpec, StateUsage } from "../contract/keyed-state.ts";
import type { CellStorage, ListCell, SavedForm } from "../contract/state-cell.ts";
import { writeEntryKey } from "../format/state-snapshot.ts";
import type { CurrentKey } from "../keys/current-key.ts";
import { type HeapCellOptions, HeapEntries, type HeapEntry, HeapValues, ownBytes, Sweep } from "./heap-entries.ts";
import { type Moment, STEP_ITEMS } from "./heap-frozen.ts";

type ListSpec = Extract<StateSpec, { kind: "list" }>;
/**
 * `count`: of its items, also when others have been added to the array since. `since`: the epoch in which the array was
 * made.
 */
type Entry = HeapEntry & { items: unknown[]; count: number; since: number };

export class HeapList implements CellStorage, ListCell {
  readonly spec: ListSpec;
  readonly tables = [];
  readonly heap: FreezableEntries;
  readonly #entries: HeapEntries<Entry>;
  readonly #values: HeapValues;
  readonly #current: CurrentKey;
  readonly #keyCodec: KeyCodec;
  readonly #sweep: Sweep<[number, Entry]>;

  constructor(spec: ListSpec, options: HeapCellOptions) {
    const entries = new HeapEntries<Entry>(spec.name, spec.ttlMs, options, this.#writeEntry.bind(this));
    this.spec = spec;
    this.heap = entries;
    this.#entries = entries;
    this.#values = new HeapValues(spec.item, entries);
    this.#current = options.current;
    this.#keyCodec = options.current.codec;
    this.#sweep = new Sweep(
      () => entries.walk(),
      ([group, entry]) => {
        if (entries.isExpired(entry)) this.#remove(group, entry);
      },
    );
  }

  add(item: unknown): void {
    if (this.#entries.ttlMs !== null) this.#sweep.step();
    const kept = this.#values.take(item);
    const bytes = this.#values.bytes + ITEM_BYTES;
    const stamp = this.#entries.now();
    const entry = this.#living();
    if (entry === undefined) {
      this.#add([kept], bytes, stamp);
      return;
    }
    this.#entries.charge(bytes);
    if (entry.epoch < this.#entries.frozenAt) this.#entries.keep(this.#current.group, entry, 0);
    entry.items.push(kept);
    entry.count += 1;
    entry.bytes += bytes;
    entry.stamp = stamp;
  }

  get(): unknown[] {
    return this.#living()?.items.map((item) => this.#values.copy(item)) ?? [];
  }

  set(items: readonly unknown[]): void {
    if (this.#entries.ttlMs !== null) this.#sweep.step();
    this.#replace(items, this.#entries.now());
  }

  clear(): void {
    const entry = this.#entries.find();
    if (entry !== undefined) this.#remove(this.#current.group, entry);
  }

  #living(): Entry | undefined {
    const entry = this.#entries.find();
    if (entry === undefined || !this.#entries.isExpired(entry)) return entry;
    this.#remove(this.#current.group, entry);
    return undefined;
  }

  #remove(group: number, entry: Entry): void {
    this.#leave(group, entry);
    this.#entries.remove(group, entry);
  }

  /** Its array goes: who has kept it when an item was added is the only one that has it now. */
  #leave(group: number, { epoch, since, bytes }: Entry): void {
    const { frozenAt } = this.#entries;
    if (since < frozenAt && epoch >= frozenAt) this.#entries.countKept(group, since, bytes);
  }

  #add(items: unknown[], itemBytes: number, stamp: number): void {
    const { key, plain } = this.#entries.currentKey();
    const own = ownBytes({ key, plain }) + ARRAY_BYTES;
    const bytes = own + itemBytes;
    this.#entries.charge(bytes);
    const { epoch } = this.#entries;
    const count = items.length;
    this.#entries.add({ key, plain, ownBytes: own, stamp, bytes, epoch, items, count, since: epoch });
  }

  #replace(items: readonly unknown[], stamp: number): void {
    if (items.length === 0) {
      this.clear();
      return;
    }
    let itemBytes = 0;
    const kept = Array.from(items, (item) => {
      const value = this.#values.take(item);
      itemBytes += this.#values.bytes + ITEM_BYTES;
      return value;
    });
    const entry = this.#living();
    if (entry === undefined) {
      this.#add(kept, itemBytes, stamp);
      return;
    }
    const bytes = entry.ownBytes + itemBytes;
    this.#entries.charge(bytes - entry.bytes);
    this.#leave(this.#current.group, entry);
    if (entry.epoch < this.#entries.frozenAt) this.#entries.keepCurrent(entry);
    entry.items = kept;
    entry.count = kept.length;
    entry.since = this.#entries.epoch;
    entry.bytes = bytes;
    entry.stamp = stamp;
  }

  usage(): StateUsage {
    return { name: this.spec.name, entries: this.#entries.size, bytes: this.#entries.bytes };
  }

  prefetch(): void {
    // The heap is V8's to lay out.
  }

  snapshot(group: number, out: ByteWriter): void {
    this.#entries.snapshot(group, out);
  }

  #writeEntry(entry: Entry, moment: Moment, out: ByteWriter): Generator<undefined, undefined> | null {
    const { items, count } = entry;
    if (this.#entries.hadExpired(entry, moment)) return null;
    writeEntryKey(this.#keyCodec, entry.key, out);
    if (this.#entries.ttlMs !== null) writeF64(out, entry.stamp);
    writeU32(out, count);
    this.#writeItems(items, 0, Math.min(STEP_ITEMS, count), out);
    return count <= STEP_ITEMS ? null : this.#writeRest(items, count, out);
  }

  *#writeRest(items: readonly unknown[], count: number, out: ByteWriter): Generator<undefined, undefined> {
    for (let from = STEP_ITEMS; from < count; from += STEP_ITEMS) {
      yield;
      this.#writeItems(items, from, Math.min(from + STEP_ITEMS, count), out);
    }
  }

  #writeItems(items: readonly unknown[], from: number, to: number, out: ByteWriter): void {
    for (let n = from; n < to; n += 1) this.#values.program.write(items[n], out);
  }

  restoreEntry(input: ByteReader, saved: SavedForm): void {
    const stamp = saved.stamp(input);
    this.#replace(
      Array.from({ length: readU32(input) }, () => saved.read(input)),
      stamp,
    );
  }

  release(): void {
    this.#entries.release();
  }
}

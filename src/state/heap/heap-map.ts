// Map state on the heap: a map by key. Entries expire one by one; a map without entries is not kept.

import { readByte, writeByte, writeF64 } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import type { KeyCodec } from "../../types/keys/key-bytes.ts";
import { detached } from "../budget/detached-value.ts";
import { ShardedMap } from "../budget/sharded-map.ts";
import type { FreezableEntries } from "../contract/frozen-state.ts";
import type { StateSpec, StateUsage } from "../contract/keyed-state.ts";
import { ABSENT, type CellStorage, type MapCell, type SavedForm } from "../contract/state-cell.ts";
import { readKeyBytes, writeEntryKey } from "../format/state-snapshot.ts";
import { plainKey } from "../keys/current-key.ts";
import { MapKeys } from "../keys/map-keys.ts";
import {
  type HeapCellOptions,
  HeapEntries,
  type HeapEntry,
  HeapValues,
  keptKey,
  ownBytes,
  Sweep,
} from "./heap-entries.ts";
import { type Moment, STEP_ITEMS } from "./heap-frozen.ts";

type MapSpec = Extract<StateSpec, { kind: "map" }>;
type Item = HeapEntry & { value: unknown };
type Entry = HeapEntry & { readonly items: ShardedMap<Item> };
/** What is kept of a map: one of its items that has changed, or all of it when it goes. */
type Was = HeapEntry & { readonly items: { values(): Iterable<Item> } };
/** What a map takes beside its entries. */
const MAP_BYTES = 300;

type Place = { readonly group: number; readonly entry: Entry; readonly item: Item };

export class HeapMap implements CellStorage, MapCell {
  readonly spec: MapSpec;
  readonly tables = [];
  readonly heap: FreezableEntries;
  readonly #entries: HeapEntries<Entry, Was>;
  readonly #keys: MapKeys;
  readonly #values: HeapValues;
  readonly #options: HeapCellOptions;
  readonly #keyCodec: KeyCodec;
  readonly #sweep: Sweep<Place>;

  constructor(spec: MapSpec, options: HeapCellOptions) {
    const entries = new HeapEntries<Entry, Was>(spec.name, spec.ttlMs, options, this.#writeMap.bind(this));
    this.spec = spec;
    this.heap = entries;
    this.#entries = entries;
    this.#keys = new MapKeys(spec.key, entries);
    this.#values = new HeapValues(spec.value, entries);
    this.#options = options;
    this.#keyCodec = options.current.codec;
    this.#sweep = new Sweep(
      () => this.#walk(),
      ({ group, entry, item }) => {
        // The map may have gone since its first item was looked at.
        if (entries.isExpired(item) && entries.has(group, entry)) this.#remove(group, entry, item);
      },
    );
  }

  get(key: unknown): unknown {
    const item = this.#living(key);
    return item === undefined ? ABSENT : this.#values.copy(item.value);
  }

  has(key: unknown): boolean {
    return this.#living(key) !== undefined;
  }

  set(key: unknown, value: unknown): void {
    if (this.#entries.ttlMs !== null) this.#sweep.step();
    this.#keys.stage(key); // for its check
    this.#write(key, value, this.#entries.now());
  }

  delete(key: unknown): void {
    const entry = this.#entries.find();
    const item = this.#find(key);
    if (entry !== undefined && item !== undefined) this.#remove(this.#options.current.group, entry, item);
  }

  entries(): [unknown, unknown][] {
    const items = this.#entries.find()?.items.values() ?? [];
    return Array.from(items)
      .filter((item) => !this.#entries.isExpired(item))
      .map((item) => [detached(item.key), this.#values.copy(item.value)]);
  }

  size(): number {
    const items = this.#entries.find()?.items;
    if (items === undefined) return 0;
    if (this.#entries.ttlMs === null) return items.size;
    let size = 0;
    for (const item of items.values()) if (!this.#entries.isExpired(item)) size += 1;
    return size;
  }

  clear(): void {
    const entry = this.#entries.find();
    if (entry !== undefined) this.#entries.removeCurrent(entry);
  }

  #find(key: unknown): Item | undefined {
    this.#keys.stage(key); // for its check
    return this.#entries.find()?.items.get(plainKey(key, this.#keys.codec));
  }

  #living(key: unknown): Item | undefined {
    const item = this.#find(key);
    if (item === undefined || !this.#entries.isExpired(item)) return item;
    this.#remove(this.#options.current.group, this.#entries.find()!, item);
    return undefined;
  }

  #write(key: unknown, value: unknown, stamp: number): void {
    const kept = this.#values.take(value);
    const item = this.#find(key);
    if (item === undefined) {
      this.#add(key, kept, stamp);
      return;
    }
    const growth = item.ownBytes + this.#values.bytes - item.bytes;
    this.#entries.charge(growth);
    const entry = this.#entries.find()!;
    if (item.epoch < this.#entries.frozenAt) this.#keep(this.#options.current.group, entry, item);
    entry.bytes += growth;
    item.value = kept;
    item.bytes += growth;
    item.stamp = stamp;
  }

  /** Adds an entry, and the map if there is none, with the value that was taken last. */
  #add(itemKey: unknown, value: unknown, stamp: number): void {
    const { key, plain } = keptKey(itemKey, plainKey(itemKey, this.#keys.codec));
    const itemOwn = ownBytes({ key, plain });
    const bytes = itemOwn + this.#values.bytes;
    const known = this.#entries.find();
    const owner = known ?? this.#newMap();
    this.#entries.charge(known === undefined ? owner.bytes + bytes : bytes);
    if (known === undefined) this.#entries.add(owner);
    owner.bytes += bytes;
    const { epoch } = this.#entries;
    owner.items.add(plain, { key, plain, ownBytes: itemOwn, stamp, bytes, epoch, value });
  }

  /** The entry of the current key, which is not there yet. */
  #newMap(): Entry {
    const { key, plain } = this.#entries.currentKey();
    const own = ownBytes({ key, plain }) + MAP_BYTES;
    const { epoch } = this.#entries;
    return { key, plain, ownBytes: own, stamp: 0, bytes: own, epoch, items: new ShardedMap<Item>() };
  }

  /** The item is about to change or to go. */
  #keep(group: number, entry: Entry, item: Item): void {
    this.#entries.keepPart(group, { ...entry, epoch: item.epoch, items: [{ ...item }] }, item.bytes);
    item.epoch = this.#entries.epoch;
  }

  #remove(group: number, entry: Entry, item: Item): void {
    if (item.epoch < this.#entries.frozenAt) this.#keep(group, entry, item);
    entry.items.delete(item.plain);
    entry.bytes -= item.bytes;
    this.#entries.charge(-item.bytes);
    if (entry.items.size === 0) this.#entries.remove(group, entry);
  }

  *#walk(): Generator<Place, undefined> {
    for (const [group, entry] of this.#entries.walk()) {
      for (const item of entry.items.values()) yield { group, entry, item };
    }
  }

  usage(): StateUsage {
    let entries = 0;
    for (const [, entry] of this.#entries.walk()) entries += entry.items.size;
    return { name: this.spec.name, entries, bytes: this.#entries.bytes };
  }

  prefetch(): void {
    // The heap is V8's to lay out.
  }

  snapshot(group: number, out: ByteWriter): void {
    this.#entries.snapshot(group, out);
  }

  #writeMap(entry: Was, moment: Moment, out: ByteWriter): Generator<undefined, undefined> | null {
    const rest = this.#writeItems(entry, moment, out);
    return rest.next().done === true ? null : rest;
  }

  *#writeItems({ key, items }: Was, moment: Moment, out: ByteWriter): Generator<undefined, undefined> {
    let looked = 0;
    let isBegun = false;
    for (const item of items.values()) {
      if (looked > 0 && looked % STEP_ITEMS === 0) yield;
      looked += 1;
      if (item.epoch >= moment.epoch || this.#entries.hadExpired(item, moment)) continue;
      if (!isBegun) writeEntryKey(this.#keyCodec, key, out);
      isBegun = true;
      writeEntryKey(this.#keys.codec, item.key, out);
      if (this.#entries.ttlMs !== null) writeF64(out, item.stamp);
      this.#values.program.write(item.value, out);
    }
    if (isBegun) writeByte(out, 0);
  }

  restoreEntry(input: ByteReader, saved: SavedForm): void {
    while (readByte(input) === 1) {
      const key = readKeyBytes(input, this.#keys.codec);
      const stamp = saved.stamp(input);
      this.#write(key, saved.read(input), stamp);
    }
  }

  release(): void {
    this.#entries.release();
  }
}

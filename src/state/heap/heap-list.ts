// List state on the heap: an array by key.

import { readU32, writeF64, writeU32 } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import type { KeyCodec } from "../../types/keys/key-bytes.ts";
import { ARRAY_BYTES, ITEM_BYTES } from "../budget/heap-size.ts";
import type { StateSpec, StateUsage } from "../contract/keyed-state.ts";
import type { CellStorage, ListCell, SavedForm } from "../contract/state-cell.ts";
import { writeEntryKey } from "../format/state-snapshot.ts";
import { type HeapCellOptions, HeapEntries, type HeapEntry, HeapValues, ownBytes, Sweep } from "./heap-entries.ts";

type ListSpec = Extract<StateSpec, { kind: "list" }>;
type Entry = HeapEntry & { items: unknown[] };

export class HeapList implements CellStorage, ListCell {
  readonly spec: ListSpec;
  readonly tables = null;
  readonly #entries: HeapEntries<Entry>;
  readonly #values: HeapValues;
  readonly #keyCodec: KeyCodec;
  readonly #sweep: Sweep<[number, Entry]>;

  constructor(spec: ListSpec, options: HeapCellOptions) {
    const entries = new HeapEntries<Entry>(spec.name, spec.ttlMs, options);
    this.spec = spec;
    this.#entries = entries;
    this.#values = new HeapValues(spec.item, entries);
    this.#keyCodec = options.current.codec;
    this.#sweep = new Sweep(
      () => entries.walk(),
      ([group, entry]) => {
        if (entries.isExpired(entry)) entries.remove(group, entry);
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
    entry.items.push(kept);
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
    if (entry !== undefined) this.#entries.removeCurrent(entry);
  }

  #living(): Entry | undefined {
    const entry = this.#entries.find();
    if (entry === undefined || !this.#entries.isExpired(entry)) return entry;
    this.#entries.removeCurrent(entry);
    return undefined;
  }

  #add(items: unknown[], itemBytes: number, stamp: number): void {
    const { key, plain } = this.#entries.currentKey();
    const own = ownBytes({ key, plain }) + ARRAY_BYTES;
    const bytes = own + itemBytes;
    this.#entries.charge(bytes);
    this.#entries.add({ key, plain, ownBytes: own, stamp, bytes, items });
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
    entry.items = kept;
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
    for (const entry of this.#entries.groupValues(group)) {
      if (this.#entries.isExpired(entry)) continue;
      writeEntryKey(this.#keyCodec, entry.key, out);
      if (this.#entries.ttlMs !== null) writeF64(out, entry.stamp);
      writeU32(out, entry.items.length);
      for (const item of entry.items) this.#values.program.write(item, out);
    }
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

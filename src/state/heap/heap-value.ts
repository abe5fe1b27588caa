// Value state on the heap: the JavaScript value itself, by key.

import { writeF64 } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import type { KeyCodec } from "../../types/keys/key-bytes.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import type { FreezableEntries } from "../contract/frozen-state.ts";
import type { StateSpec, StateUsage } from "../contract/keyed-state.ts";
import { ABSENT, type CellStorage, type SavedForm, type ValueCell } from "../contract/state-cell.ts";
import { writeEntryKey } from "../format/state-snapshot.ts";
import { type HeapCellOptions, HeapEntries, type HeapEntry, HeapValues, ownBytes, Sweep } from "./heap-entries.ts";
import type { Moment } from "./heap-frozen.ts";

type Entry = HeapEntry & { value: unknown };

export class HeapValue implements CellStorage, ValueCell {
  readonly spec: StateSpec;
  readonly tables = [];
  readonly heap: FreezableEntries;
  readonly #entries: HeapEntries<Entry>;
  readonly #values: HeapValues;
  readonly #keyCodec: KeyCodec;
  readonly #sweep: Sweep<[number, Entry]>;

  constructor(spec: StateSpec, type: TypeSpec, options: HeapCellOptions) {
    const entries = new HeapEntries<Entry>(spec.name, spec.ttlMs, options, this.#writeEntry.bind(this));
    this.spec = spec;
    this.heap = entries;
    this.#entries = entries;
    this.#values = new HeapValues(type, entries);
    this.#keyCodec = options.current.codec;
    this.#sweep = new Sweep(
      () => entries.walk(),
      ([group, entry]) => {
        if (entries.isExpired(entry)) entries.remove(group, entry);
      },
    );
  }

  get(): unknown {
    const entry = this.#living();
    return entry === undefined ? ABSENT : this.#values.copy(entry.value);
  }

  set(value: unknown): void {
    if (this.#entries.ttlMs !== null) this.#sweep.step();
    this.#write(value, this.#entries.now());
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

  #write(value: unknown, stamp: number): void {
    const kept = this.#values.take(value);
    const entry = this.#entries.find();
    if (entry === undefined) {
      this.#add(kept, stamp);
      return;
    }
    const bytes = entry.ownBytes + this.#values.bytes;
    this.#entries.charge(bytes - entry.bytes);
    if (entry.epoch < this.#entries.frozenAt) this.#entries.keepCurrent(entry);
    entry.value = kept;
    entry.bytes = bytes;
    entry.stamp = stamp;
  }

  /** Adds the entry of the current key with the value that was taken last. */
  #add(value: unknown, stamp: number): void {
    const { key, plain } = this.#entries.currentKey();
    const own = ownBytes({ key, plain });
    const bytes = own + this.#values.bytes;
    this.#entries.charge(bytes);
    this.#entries.add({ key, plain, ownBytes: own, stamp, bytes, epoch: this.#entries.epoch, value });
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

  #writeEntry(entry: Entry, moment: Moment, out: ByteWriter): null {
    if (this.#entries.hadExpired(entry, moment)) return null;
    writeEntryKey(this.#keyCodec, entry.key, out);
    if (this.#entries.ttlMs !== null) writeF64(out, entry.stamp);
    this.#values.program.write(entry.value, out);
    return null;
  }

  restoreEntry(input: ByteReader, saved: SavedForm): void {
    const stamp = saved.stamp(input);
    this.#write(saved.read(input), stamp);
  }

  release(): void {
    this.#entries.release();
  }
}

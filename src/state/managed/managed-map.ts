// Map state in managed memory: a row per key counts and heads its entries, which are rows of their own.
//
//   map     │ key │ i32 first entry's row, i32 entries │
//   entry   │ key of the entry │ namespace: row number of the map │ links │ blob? │ written at (ttl only) │ value? │
//
// Entries expire one by one. A map without entries has no row.

import { assert } from "../../base/errors.ts";
import { ByteCursor, ByteSink, readByte, writeByte } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import type { StateSpec, StateUsage } from "../contract/keyed-state.ts";
import { ABSENT, type CellStorage, type MapCell, type SavedForm } from "../contract/state-cell.ts";
import { readKeyBytes } from "../format/state-snapshot.ts";
import { type ValueFormat, valueFormat, valueMisfit } from "../format/value-format.ts";
import type { CurrentKey } from "../keys/current-key.ts";
import { MapKeys } from "../keys/map-keys.ts";
import { ManagedTable } from "../table/managed-table.ts";
import { forEachRow, writeRowKey, writeStamp } from "../table/table-snapshot.ts";
import type { CellOptions } from "./cell-options.ts";
import { CurrentRow } from "./current-row.ts";
import { RowExpiry } from "./row-expiry.ts";

type MapSpec = Extract<StateSpec, { kind: "map" }>;

const NONE = -1;
// By i32 from the first word of a map's fixed part.
const HEAD = 0;
const ENTRIES = 1;

export class ManagedMap implements CellStorage, MapCell {
  readonly spec: MapSpec;
  readonly #maps: ManagedTable;
  readonly #entries: ManagedTable;
  readonly #row: CurrentRow;
  readonly #current: CurrentKey;
  readonly #keys: MapKeys;
  readonly #format: ValueFormat;
  readonly #expiry: RowExpiry | null;
  readonly #valueWord: number;
  readonly #sink = new ByteSink();
  readonly #cursor: ByteCursor;

  constructor(spec: MapSpec, options: CellOptions) {
    const { name, ttlMs } = spec;
    const { current, clock, owner, allocator } = options;
    const { operator } = owner;
    const format = valueFormat(spec.value, allocator.view, `${operator}-${name}`);
    const ttlWords = ttlMs === null ? 0 : 1;
    this.spec = spec;
    this.#current = current;
    this.#keys = new MapKeys(spec.key, { operator, state: name });
    this.#format = format;
    this.#maps = new ManagedTable(
      {
        name,
        key: current.isNumber ? "number" : "bytes",
        namespaced: false,
        listed: false,
        blob: false,
        valueWords: 1,
        initial: null,
      },
      options,
    );
    this.#entries = new ManagedTable(
      {
        name,
        key: this.#keys.isNumber ? "number" : "bytes",
        namespaced: true,
        listed: true,
        blob: format.kind === "blob",
        valueWords: ttlWords + (format.kind === "fixed" ? format.words : 0),
        initial: null,
      },
      { ...options, account: this.#maps.account },
      {
        get: (group, map) => this.#maps.i32[this.#headAt(group, map)]!,
        put: (group, map, row) => {
          const before = this.#maps.i32[this.#headAt(group, map)]!;
          this.#setCounter(this.#maps.rowAddress(group, map), HEAD, row);
          return before;
        },
        remove: (group, map) => {
          this.#setCounter(this.#maps.rowAddress(group, map), HEAD, NONE);
        },
        load: (_group, _map, row) => row, // It is in the row of the map.
        next: () => assert(false, `entries of ${name} are walked map by map`) as never,
      },
    );
    this.#row = new CurrentRow(this.#maps, current);
    this.#valueWord = this.#entries.layout.valueWord + ttlWords;
    this.#expiry =
      ttlMs === null ? null : new RowExpiry(this.#entries, ttlMs, clock, (address) => this.#removeEntry(address));
    this.#cursor = new ByteCursor(this.#sink.bytes);
  }

  get(key: unknown): unknown {
    const entry = this.#living(key);
    return entry === NONE ? ABSENT : this.#read(entry);
  }

  has(key: unknown): boolean {
    return this.#living(key) !== NONE;
  }

  set(key: unknown, value: unknown): void {
    this.#expiry?.sweep();
    this.#keys.stage(key);
    const entry = this.#write(value);
    this.#expiry?.stamp(entry);
  }

  delete(key: unknown): void {
    const entry = this.#find(key);
    if (entry !== NONE) this.#removeEntry(entry);
  }

  entries(): [unknown, unknown][] {
    const map = this.#row.find();
    const entries: [unknown, unknown][] = [];
    if (map === NONE) return entries;
    const group = this.#current.group;
    this.#forEachEntry(group, map, (entry) => {
      if (this.#expiry?.isExpired(entry) !== true) entries.push([this.#keyOf(entry), this.#read(entry)]);
    });
    return entries;
  }

  size(): number {
    const map = this.#row.find();
    if (map === NONE) return 0;
    if (this.#expiry === null) return this.#maps.i32[this.#counterAt(map, ENTRIES)]!;
    let count = 0;
    this.#forEachEntry(this.#current.group, map, (entry) => {
      if (this.#expiry?.isExpired(entry) !== true) count += 1;
    });
    return count;
  }

  clear(): void {
    const map = this.#row.find();
    if (map === NONE) return;
    this.#forEachEntry(this.#current.group, map, (entry) => this.#entries.remove(entry));
    this.#row.remove();
  }

  #living(key: unknown): number {
    const entry = this.#find(key);
    if (entry === NONE || this.#expiry?.isExpired(entry) !== true) return entry;
    this.#removeEntry(entry);
    return NONE;
  }

  #find(key: unknown): number {
    const batch = this.#keys.stage(key); // also where there is no map: its check
    const map = this.#row.find();
    if (map === NONE) return NONE;
    batch.namespaces[0] = this.#maps.rowNumber(map);
    return this.#entries.findIn(this.#current.group, batch, 0);
  }

  /** Writes the value of the key that was staged. Changes nothing when it throws. Returns the entry. */
  #write(value: unknown): number {
    const format = this.#format;
    const sink = this.#sink;
    sink.position = 0;
    if (format.kind === "blob" && !format.program.write(value, sink)) throw this.#misfit(value);
    const map = this.#row.find() === NONE ? this.#addMap() : this.#row.find();
    const before = this.#entries.size;
    const { batch } = this.#keys;
    batch.namespaces[0] = this.#maps.rowNumber(map);
    const entry = this.#entries.resolveIn(this.#current.group, batch, 0);
    if (entry === NONE) {
      this.#dropEmpty(map);
      throw this.#entries.exceeded();
    }
    const isNew = this.#entries.size > before;
    if (isNew) this.#count(map, 1);
    const written =
      format.kind === "fixed"
        ? format.write(value, entry + this.#valueWord)
        : this.#entries.blobs.write(entry, sink.bytes, 0, sink.position);
    if (written) return entry;
    if (isNew) this.#removeEntry(entry);
    throw format.kind === "fixed" ? this.#misfit(value) : this.#entries.exceeded();
  }

  #misfit(value: unknown): Error {
    return valueMisfit(this.spec.value, value, this.#maps.account);
  }

  #addMap(): number {
    const map = this.#row.add();
    this.#setCounter(map, HEAD, NONE);
    return map;
  }

  #removeEntry(entry: number): void {
    const group = this.#entries.rowGroup(entry);
    const map = this.#maps.rowAddress(group, this.#entries.namespace(entry));
    this.#entries.remove(entry);
    this.#count(map, -1);
    this.#dropEmpty(map);
  }

  #dropEmpty(map: number): void {
    if (this.#maps.i32[this.#counterAt(map, ENTRIES)] !== 0) return;
    this.#maps.remove(map);
    this.#row.forget();
  }

  /** `visit` may remove the entry that it is given. */
  #forEachEntry(group: number, map: number, visit: (entry: number) => void): void {
    const nextAt = this.#entries.layout.linkWord * 2 + 1;
    for (let row = this.#maps.i32[this.#counterAt(map, HEAD)]!; row !== NONE; ) {
      const entry = this.#entries.rowAddress(group, row);
      row = this.#entries.i32[entry * 2 + nextAt]!;
      visit(entry);
    }
  }

  /** Where a map has the row of its first entry. */
  #headAt(group: number, map: number): number {
    return this.#counterAt(this.#maps.rowAddress(group, map), HEAD);
  }

  #count(map: number, by: number): void {
    this.#setCounter(map, ENTRIES, this.#maps.i32[this.#counterAt(map, ENTRIES)]! + by);
  }

  #setCounter(map: number, which: number, value: number): void {
    this.#maps.i32[this.#counterAt(this.#maps.writable(map), which)] = value;
  }

  #counterAt(map: number, which: number): number {
    return (map + this.#maps.layout.valueWord) * 2 + which;
  }

  #keyOf(entry: number): unknown {
    const sink = this.#sink;
    sink.position = 0;
    this.#entries.readKey(entry, sink);
    return this.#keys.codec.read(this.#cursorOver(sink));
  }

  #read(entry: number): unknown {
    const format = this.#format;
    if (format.kind === "fixed") return format.read(entry + this.#valueWord);
    const sink = this.#sink;
    sink.position = 0;
    this.#entries.blobs.read(entry, sink);
    return format.program.read(this.#cursorOver(sink));
  }

  #cursorOver(sink: ByteSink): ByteCursor {
    const cursor = this.#cursor;
    cursor.bytes = sink.bytes;
    cursor.position = 0;
    cursor.end = sink.position;
    return cursor;
  }

  get heap(): null {
    return null;
  }

  get tables(): readonly ManagedTable[] {
    return [this.#maps, this.#entries];
  }

  usage(): StateUsage {
    return { name: this.spec.name, entries: this.#entries.size, bytes: this.#maps.account.bytes };
  }

  prefetch(hashes: Int32Array, count: number): void {
    this.#row.prefetch(hashes, count);
  }

  snapshot(group: number, out: ByteWriter): void {
    forEachRow(this.#maps, group, (map) => {
      writeRowKey(this.#maps, map, out);
      this.#forEachEntry(group, map, (entry) => {
        if (this.#expiry?.isExpired(entry) === true) return;
        writeRowKey(this.#entries, entry, out);
        if (this.#expiry !== null) writeStamp(this.#entries, entry, out);
        this.#format.program.write(this.#read(entry), out);
      });
      writeByte(out, 0);
    });
  }

  restoreEntry(input: ByteReader, saved: SavedForm): void {
    while (readByte(input) === 1) {
      this.#keys.stage(readKeyBytes(input, this.#keys.codec));
      const stamp = saved.stamp(input);
      const entry = this.#write(saved.read(input));
      this.#expiry?.stampAt(entry, stamp);
    }
  }

  release(): void {
    this.#entries.release();
    this.#maps.release();
    this.#row.forget();
  }
}

// List state in managed memory: a row per key holds the first items; what does not fit follows in rows of chunks.
//
//   list    │ key │ blob: first items │ written at (ttl only) │ i32 items, i32 first chunk │ i32 last chunk, i32 0 │
//   chunk   │ number of the chunk │ namespace: row number of the list │ blob: further items │
//
// Chunks are numbered from 1 and read in order; a list without chunks has first = 1, last = 0. `add` touches the list's
// row and its last chunk, so that it costs the same however long the list is.

import { ByteCursor, ByteSink, readU32, writeU32 } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import { compileValueProgram, type ValueProgram } from "../../types/values/value-codec.ts";
import type { StateSpec, StateUsage } from "../contract/keyed-state.ts";
import type { CellStorage, ListCell, SavedForm } from "../contract/state-cell.ts";
import { valueMisfit } from "../format/value-format.ts";
import { KeyBatch } from "../keys/key-batch.ts";
import { ManagedTable } from "../table/managed-table.ts";
import { forEachRow, writeRowKey, writeStamp } from "../table/table-snapshot.ts";
import type { CellOptions } from "./cell-options.ts";
import { CurrentRow } from "./current-row.ts";
import { RowExpiry } from "./row-expiry.ts";

type ListSpec = Extract<StateSpec, { kind: "list" }>;

const NONE = -1;
/** Items beyond this many bytes go to a chunk of their own, of about that size. */
const CHUNK_BYTES = 2048;
// By i32 from the word after the stamp.
const ITEMS = 0;
const FIRST = 1;
const LAST = 2;

export class ManagedList implements CellStorage, ListCell {
  readonly spec: ListSpec;
  readonly #lists: ManagedTable;
  readonly #chunks: ManagedTable;
  readonly #row: CurrentRow;
  readonly #program: ValueProgram;
  readonly #expiry: RowExpiry | null;
  readonly #countersWord: number;
  readonly #chunkKey = new KeyBatch(1);
  readonly #sink = new ByteSink();
  readonly #cursor: ByteCursor;

  constructor(spec: ListSpec, options: CellOptions) {
    const { name, ttlMs, item } = spec;
    const { current, clock, owner } = options;
    const ttlWords = ttlMs === null ? 0 : 1;
    const table = { name, blob: true, listed: false, initial: null };
    this.spec = spec;
    this.#lists = new ManagedTable(
      { ...table, key: current.isNumber ? "number" : "bytes", namespaced: false, valueWords: ttlWords + 2 },
      options,
    );
    this.#chunks = new ManagedTable(
      { ...table, key: "number", namespaced: true, valueWords: 0 },
      { ...options, account: this.#lists.account },
    );
    this.#row = new CurrentRow(this.#lists, current);
    this.#program = compileValueProgram(item, "refuse", `${owner.operator}-${name}`);
    this.#countersWord = this.#lists.layout.valueWord + ttlWords;
    this.#expiry =
      ttlMs === null ? null : new RowExpiry(this.#lists, ttlMs, clock, (address) => this.#removeOther(address));
    this.#cursor = new ByteCursor(this.#sink.bytes);
  }

  add(item: unknown): void {
    this.#expiry?.sweep();
    this.#encode(item);
    const found = this.#living();
    const address = found === NONE ? this.#addList() : found;
    if (!this.#append(address)) {
      if (found === NONE) this.#row.remove();
      throw this.#lists.exceeded();
    }
    this.#expiry?.stamp(address);
  }

  get(): unknown[] {
    const address = this.#living();
    return address === NONE ? [] : this.#items(address);
  }

  set(items: readonly unknown[]): void {
    if (items.length === 0) {
      this.clear();
      return;
    }
    this.#expiry?.sweep();
    this.#replace(items);
    this.#expiry?.stamp(this.#row.find());
  }

  clear(): void {
    const address = this.#row.find();
    if (address === NONE) return;
    this.#removeChunks(address, this.#counter(address, FIRST), this.#counter(address, LAST));
    this.#row.remove();
  }

  /** The row of the current key, unless its time has come. */
  #living(): number {
    const address = this.#row.find();
    if (address === NONE || this.#expiry?.isExpired(address) !== true) return address;
    this.clear();
    return NONE;
  }

  #addList(): number {
    const address = this.#row.add();
    this.#setCounter(address, FIRST, 1);
    return address;
  }

  #removeOther(address: number): void {
    this.#removeChunks(address, this.#counter(address, FIRST), this.#counter(address, LAST));
    this.#lists.remove(address);
    this.#row.forget();
  }

  #encode(item: unknown): void {
    this.#sink.position = 0;
    if (!this.#program.write(item, this.#sink)) throw valueMisfit(this.spec.item, item, this.#lists.account);
  }

  /** Appends the encoded item. False when the budget refused it: nothing has changed. */
  #append(address: number): boolean {
    const { bytes, position: size } = this.#sink;
    const last = this.#counter(address, LAST);
    const isFirst = last < this.#counter(address, FIRST);
    const table = isFirst ? this.#lists : this.#chunks;
    const tail = isFirst ? address : this.#chunk(address, last);
    const used = table.blobs.size(tail);
    if (used === 0 || used + size <= CHUNK_BYTES) {
      if (!table.blobs.append(tail, bytes, 0, size)) return false;
    } else {
      if (!this.#addChunk(address, last + 1, bytes, 0, size)) return false;
      this.#setCounter(address, LAST, last + 1);
    }
    this.#setCounter(address, ITEMS, this.#counter(address, ITEMS) + 1);
    return true;
  }

  /** Writes the new chunks behind the old ones, so that a refusal leaves the list as it was. */
  #replace(items: readonly unknown[]): void {
    const sink = this.#sink;
    const ends: number[] = [];
    sink.position = 0;
    for (const item of items) {
      const start = sink.position;
      if (!this.#program.write(item, sink)) throw valueMisfit(this.spec.item, item, this.#lists.account);
      const chunkStart = ends.at(-1) ?? 0;
      if (start > chunkStart && sink.position - chunkStart > CHUNK_BYTES) ends.push(start);
    }
    const found = this.#living();
    const address = found === NONE ? this.#addList() : found;
    const first = this.#counter(address, FIRST);
    const last = this.#counter(address, LAST);
    const added = this.#addChunks(address, last, ends);
    if (added < ends.length || !this.#lists.blobs.write(address, sink.bytes, 0, ends[0] ?? sink.position)) {
      this.#removeChunks(address, last + 1, last + added);
      if (found === NONE) this.#row.remove();
      throw this.#lists.exceeded();
    }
    this.#removeChunks(address, first, last);
    this.#setCounter(address, ITEMS, items.length);
    this.#setCounter(address, FIRST, ends.length === 0 ? 1 : last + 1);
    this.#setCounter(address, LAST, ends.length === 0 ? 0 : last + ends.length);
  }

  /** Adds a chunk for each end but the last, of what is encoded from there on. Returns how many the budget allowed. */
  #addChunks(address: number, last: number, ends: readonly number[]): number {
    const { bytes, position } = this.#sink;
    for (const [n, start] of ends.entries()) {
      if (!this.#addChunk(address, last + 1 + n, bytes, start, (ends[n + 1] ?? position) - start)) return n;
    }
    return ends.length;
  }

  #addChunk(address: number, number: number, bytes: Uint8Array, start: number, size: number): boolean {
    const chunk = this.#chunks.resolveIn(this.#lists.rowGroup(address), this.#stageChunk(address, number), 0);
    if (chunk === NONE) return false;
    if (this.#chunks.blobs.append(chunk, bytes, start, size)) return true;
    this.#chunks.remove(chunk);
    return false;
  }

  #chunk(address: number, number: number): number {
    return this.#chunks.findIn(this.#lists.rowGroup(address), this.#stageChunk(address, number), 0);
  }

  #stageChunk(address: number, number: number): KeyBatch {
    const key = this.#chunkKey;
    key.numbers[0] = number;
    key.hashNumbers(1);
    key.namespaces[0] = this.#lists.rowNumber(address);
    return key;
  }

  #removeChunks(address: number, first: number, last: number): void {
    for (let number = first; number <= last; number += 1) this.#chunks.remove(this.#chunk(address, number));
  }

  #items(address: number): unknown[] {
    const cursor = this.#readAll(address);
    const items: unknown[] = [];
    while (cursor.position < cursor.end) items.push(this.#program.read(cursor));
    return items;
  }

  #readAll(address: number): ByteCursor {
    const sink = this.#sink;
    sink.position = 0;
    this.#lists.blobs.read(address, sink);
    const last = this.#counter(address, LAST);
    for (let number = this.#counter(address, FIRST); number <= last; number += 1) {
      this.#chunks.blobs.read(this.#chunk(address, number), sink);
    }
    const cursor = this.#cursor;
    cursor.bytes = sink.bytes;
    cursor.position = 0;
    cursor.end = sink.position;
    return cursor;
  }

  #counter(address: number, which: number): number {
    return this.#lists.i32[(address + this.#countersWord) * 2 + which]!;
  }

  #setCounter(address: number, which: number, value: number): void {
    this.#lists.i32[(this.#lists.writable(address) + this.#countersWord) * 2 + which] = value;
  }

  get heap(): null {
    return null;
  }

  get tables(): readonly ManagedTable[] {
    return [this.#lists, this.#chunks];
  }

  usage(): StateUsage {
    return { name: this.spec.name, entries: this.#lists.size, bytes: this.#lists.account.bytes };
  }

  prefetch(hashes: Int32Array, count: number): void {
    this.#row.prefetch(hashes, count);
  }

  snapshot(group: number, out: ByteWriter): void {
    forEachRow(this.#lists, group, (address) => {
      if (this.#expiry?.isExpired(address) === true) return;
      writeRowKey(this.#lists, address, out);
      if (this.#expiry !== null) writeStamp(this.#lists, address, out);
      writeU32(out, this.#counter(address, ITEMS));
      const { bytes, end } = this.#readAll(address);
      out.reserve(end);
      out.bytes.set(bytes.subarray(0, end), out.position);
      out.position += end;
    });
  }

  restoreEntry(input: ByteReader, saved: SavedForm): void {
    const stamp = saved.stamp(input);
    const items = Array.from({ length: readU32(input) }, () => saved.read(input));
    this.#replace(items);
    this.#expiry?.stampAt(this.#row.find(), stamp);
  }

  release(): void {
    this.#lists.release();
    this.#chunks.release();
    this.#row.forget();
  }
}

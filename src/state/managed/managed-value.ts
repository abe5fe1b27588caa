// Value state in managed memory: one row per key.
//
//   row   │ key │ blob? │ written at (ttl only) │ value (fixed formats only) │

import { ByteCursor, ByteSink } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import type { StateSpec, StateUsage } from "../contract/keyed-state.ts";
import { ABSENT, type CellStorage, type SavedForm, type ValueCell } from "../contract/state-cell.ts";
import { type ValueFormat, valueFormat, valueMisfit } from "../format/value-format.ts";
import { ManagedTable } from "../table/managed-table.ts";
import { forEachRow, writeRowKey, writeStamp } from "../table/table-snapshot.ts";
import type { CellOptions } from "./cell-options.ts";
import { CurrentRow } from "./current-row.ts";
import { RowExpiry } from "./row-expiry.ts";

const NONE = -1;

export class ManagedValue implements CellStorage, ValueCell {
  readonly spec: StateSpec;
  readonly #table: ManagedTable;
  readonly #row: CurrentRow;
  readonly #format: ValueFormat;
  readonly #expiry: RowExpiry | null;
  /** Word of the row where a fixed value starts. */
  readonly #valueWord: number;
  readonly #sink = new ByteSink();
  readonly #cursor: ByteCursor;

  constructor(spec: StateSpec, type: TypeSpec, options: CellOptions) {
    const { allocator, current, clock, owner } = options;
    const format = valueFormat(type, allocator.view, `${owner.operator}-${spec.name}`);
    const ttlWords = spec.ttlMs === null ? 0 : 1;
    this.spec = spec;
    this.#format = format;
    this.#table = new ManagedTable(
      {
        name: spec.name,
        key: current.isNumber ? "number" : "bytes",
        namespaced: false,
        listed: false,
        blob: format.kind === "blob",
        valueWords: ttlWords + (format.kind === "fixed" ? format.words : 0),
        initial: null,
      },
      options,
    );
    this.#row = new CurrentRow(this.#table, current);
    this.#valueWord = this.#table.layout.valueWord + ttlWords;
    this.#expiry =
      spec.ttlMs === null
        ? null
        : new RowExpiry(this.#table, spec.ttlMs, clock, (address) => this.#removeOther(address));
    this.#cursor = new ByteCursor(this.#sink.bytes);
  }

  get(): unknown {
    const address = this.#row.find();
    if (address === NONE) return ABSENT;
    if (this.#expiry?.isExpired(address) === true) {
      this.#row.remove();
      return ABSENT;
    }
    return this.#read(address);
  }

  set(value: unknown): void {
    this.#expiry?.sweep();
    this.#write(value);
    this.#expiry?.stamp(this.#row.find());
  }

  clear(): void {
    if (this.#row.find() !== NONE) this.#row.remove();
  }

  #removeOther(address: number): void {
    this.#table.remove(address);
    this.#row.forget();
  }

  #read(address: number): unknown {
    const format = this.#format;
    if (format.kind === "fixed") return format.read(address + this.#valueWord);
    const sink = this.#sink;
    sink.position = 0;
    this.#table.blobs.read(address, sink);
    const cursor = this.#cursor;
    cursor.bytes = sink.bytes;
    cursor.position = 0;
    cursor.end = sink.position;
    return format.program.read(cursor);
  }

  /** Changes nothing when it throws. */
  #write(value: unknown): void {
    const found = this.#row.find();
    if (this.#format.kind === "fixed") {
      const address = found === NONE ? this.#row.add() : found;
      if (this.#format.write(value, this.#table.writable(address) + this.#valueWord)) return;
      if (found === NONE) this.#row.remove();
      throw valueMisfit(this.#format.spec, value, this.#table.account);
    }
    const sink = this.#sink;
    sink.position = 0;
    if (!this.#format.program.write(value, sink)) throw valueMisfit(this.#format.spec, value, this.#table.account);
    const address = found === NONE ? this.#row.add() : found;
    if (this.#table.blobs.write(address, sink.bytes, 0, sink.position)) return;
    if (found === NONE) this.#row.remove();
    throw this.#table.exceeded();
  }

  get heap(): null {
    return null;
  }

  get tables(): readonly ManagedTable[] {
    return [this.#table];
  }

  usage(): StateUsage {
    return { name: this.spec.name, entries: this.#table.size, bytes: this.#table.account.bytes };
  }

  prefetch(hashes: Int32Array, count: number): void {
    this.#row.prefetch(hashes, count);
  }

  snapshot(group: number, out: ByteWriter): void {
    forEachRow(this.#table, group, (address) => {
      if (this.#expiry?.isExpired(address) === true) return;
      writeRowKey(this.#table, address, out);
      if (this.#expiry !== null) writeStamp(this.#table, address, out);
      this.#format.program.write(this.#read(address), out);
    });
  }

  restoreEntry(input: ByteReader, saved: SavedForm): void {
    const stamp = saved.stamp(input);
    this.#write(saved.read(input));
    this.#expiry?.stampAt(this.#row.find(), stamp);
  }

  release(): void {
    this.#table.release();
    this.#row.forget();
  }
}

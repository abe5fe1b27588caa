// The tables and parts that an operator has attached to its store (keyed-tables.ts).
//
//   parts of a key group   (1 · string name · u32 size · bytes)… 0

import { assert, UserError } from "../../base/errors.ts";
import {
  ByteCursor,
  ByteSink,
  readString,
  readU32,
  take,
  writeByte,
  writeString,
} from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import type { HeapBudget } from "../budget/heap-budget.ts";
import type { StateUsage } from "../contract/keyed-state.ts";
import type { KeyedPart, KeyedTables } from "../contract/keyed-tables.ts";
import { readMore, writeBytes } from "../format/state-snapshot.ts";
import { ManagedTable, type TableOptions } from "../table/managed-table.ts";
import { TableHeads } from "../table/namespace-heads.ts";
import type { TableSpec } from "../table/row-layout.ts";
import { type SortedSpec, SortedTable } from "../table/sorted-table.ts";

/** Nobody can clear what operators keep for themselves, and it has no ttl. */
const ADVICE =
  "use fewer keys, shorter windows or gaps, or a smaller outOfOrder (it lies in managed memory whatever state.backend.type says)";

/** `key`: type of the operator's keys. */
export type OperatorTablesOptions = Omit<TableOptions, "account"> & { readonly key: TypeSpec };

export class OperatorTables implements KeyedTables {
  readonly heap: HeapBudget;
  readonly #options: OperatorTablesOptions;
  readonly #tables: ManagedTable[] = [];
  readonly #heads: TableHeads[] = [];
  readonly #sorted: SortedTable[] = [];
  readonly #parts = new Map<string, KeyedPart>();
  readonly #sink = new ByteSink();

  constructor(options: OperatorTablesOptions, heap: HeapBudget) {
    this.#options = options;
    this.heap = heap;
  }

  table(spec: TableSpec): ManagedTable {
    const options = { ...this.#options, account: this.#options.owner.account(spec.name, ADVICE) };
    const heads = spec.listed ? new TableHeads(spec.name, options) : null;
    const table = new ManagedTable(spec, options, heads);
    this.#tables.push(table);
    if (heads !== null) this.#heads.push(heads);
    return table;
  }

  sorted(spec: SortedSpec): SortedTable {
    const options = { ...this.#options, account: this.#options.owner.account(spec.name, ADVICE) };
    const sorted = new SortedTable(spec, this.#options.key, options);
    this.#sorted.push(sorted);
    this.attach(sorted);
    return sorted;
  }

  attach(part: KeyedPart): void {
    assert(!this.#parts.has(part.name), `part ${part.name} of ${this.#options.owner.operator} is attached twice`);
    this.#parts.set(part.name, part);
  }

  usage(): StateUsage[] {
    const all = [...this.#tables, ...this.#sorted.map(({ table }) => table)];
    const tables = all.map(({ spec, size, account }) => ({
      name: spec.name,
      entries: size,
      bytes: account.bytes,
    }));
    return tables.map((table) => ({ ...table, bytes: table.bytes + (this.#parts.get(table.name)?.bytes ?? 0) }));
  }

  snapshot(keyGroup: number, out: ByteWriter): void {
    this.#write(out, (part) => part.snapshot(keyGroup, this.#sink));
  }

  restore(keyGroup: number, input: ByteReader): void {
    this.#read(input, (part, own) => part.restore(keyGroup, own));
  }

  /** Tables of parts that can be written by pages. */
  get paged(): readonly ManagedTable[] {
    return [...this.#parts.values()].flatMap(({ paged }) => paged?.table ?? []);
  }

  get names(): readonly string[] {
    return [...this.#parts.keys()];
  }

  /** Those of these parts, as `paged`. */
  pagedOf(names: readonly string[]): readonly ManagedTable[] {
    return names.flatMap((name) => this.#part(name).paged?.table ?? []);
  }

  /** As `snapshot`, of what is not in the pages of the parts. */
  snapshotBeside(keyGroup: number, out: ByteWriter): void {
    this.#write(out, (part) => (part.paged ?? part).snapshot(keyGroup, this.#sink));
  }

  restoreBeside(keyGroup: number, input: ByteReader): void {
    this.#read(input, (part, own) => (part.paged ?? part).restore(keyGroup, own));
  }

  release(): void {
    for (const part of this.#parts.values()) this.heap.usedBytes -= part.bytes;
    this.#parts.clear();
    for (const table of [...this.#tables, ...this.#heads, ...this.#sorted]) table.release();
  }

  /** Each part, as `write` writes it into the sink. */
  #write(out: ByteWriter, write: (part: KeyedPart) => void): void {
    const sink = this.#sink;
    for (const part of this.#parts.values()) {
      sink.position = 0;
      write(part);
      writeByte(out, 1);
      writeString(out, part.name);
      writeBytes(out, sink.bytes, 0, sink.position);
    }
    writeByte(out, 0);
  }

  #read(input: ByteReader, read: (part: KeyedPart, own: ByteReader) => void): void {
    while (readMore(input)) {
      const part = this.#part(readString(input));
      const size = readU32(input);
      const start = take(input, size);
      read(part, new ByteCursor(input.bytes, start, start + size));
    }
  }

  #part(name: string): KeyedPart {
    const part = this.#parts.get(name);
    if (part === undefined) throw this.#unknown(name);
    return part;
  }

  #unknown(name: string): UserError {
    const { operator } = this.#options.owner;
    return new UserError(
      "STATE_TYPE_CHANGED",
      `the snapshot has ${name} for operator "${operator}", which is of another kind now`,
      {
        operator,
        fix: "Give the operator another uid, or start without this state.",
      },
    );
  }
}

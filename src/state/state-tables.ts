// The tables that operators with generated code (aggregates, windows, joins) keep by name in a store, next to declared state:
// snapshotted, restored, counted and released with it.

import { assert } from "../base/errors.ts";
import { ByteSink, readF64, readU32, take, writeF64 } from "../types/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../types/codec.ts";
import type { CurrentKey } from "./current-key.ts";
import type { StateUsage } from "./keyed-state.ts";
import { ManagedTable, type TableOptions } from "./managed-table.ts";
import { type StateTable, TableHeads } from "./namespace-heads.ts";
import type { TableDescription } from "./row-layout.ts";
import { forEachRow, writeBytes, writeRowKey } from "./state-snapshot.ts";

export class StateTables {
  readonly #tables = new Map<string, StateTable>();
  readonly #current: CurrentKey;
  readonly #options: TableOptions;
  readonly #sink = new ByteSink();

  constructor(current: CurrentKey, options: TableOptions) {
    this.#current = current;
    this.#options = options;
  }

  /** The table of this name, made when it is first asked for. */
  open(description: TableDescription, initial: Float64Array | null): StateTable {
    const known = this.#tables.get(description.name);
    if (known !== undefined) {
      assert(sameLayout(known.table.spec, description), `table ${description.name} was opened with another layout`);
      if (initial !== null) known.table.initial = initial; // a restore that came first did not know it
      return known;
    }
    const spec = { ...description, key: this.#current.isNumber ? ("number" as const) : ("bytes" as const), initial };
    const account = { operator: this.#options.operator, state: spec.name, bytes: 0 };
    const options = { ...this.#options, account };
    const heads = spec.listed ? new TableHeads(spec.name, options) : null;
    const opened = { table: new ManagedTable(spec, options, heads), heads };
    this.#tables.set(spec.name, opened);
    return opened;
  }

  descriptions(): TableDescription[] {
    return [...this.#tables.values()].map(({ table }) => {
      const { name, namespaced, listed, blob, valueWords } = table.spec;
      return { name, namespaced, listed, blob, valueWords };
    });
  }

  usage(): StateUsage[] {
    return [...this.#tables.values()].map(({ table }) => ({
      name: table.spec.name,
      entries: table.size,
      bytes: table.account.bytes,
    }));
  }

  snapshot(name: string, group: number, out: ByteWriter): void {
    const { table } = this.#tables.get(name)!;
    const { namespaced, blob, valueWords } = table.spec;
    forEachRow(table, group, (address) => {
      writeRowKey(table, address, out);
      if (namespaced) writeF64(out, table.namespace(address));
      if (blob) {
        this.#sink.position = 0;
        table.readBlob(address, this.#sink);
        writeBytes(out, this.#sink.bytes, 0, this.#sink.position);
      }
      out.reserve(valueWords * 8);
      const first = (address + table.layout.valueWord) * 2;
      for (let n = 0; n < valueWords * 2; n += 1)
        out.position = out.bytes.writeInt32LE(table.i32[first + n]!, out.position);
    });
  }

  /** Adds the next row of a snapshot, whose key was made current. */
  restoreEntry(name: string, input: ByteReader): void {
    const { table } = this.#tables.get(name)!;
    const { namespaced, blob, valueWords } = table.spec;
    const batch = this.#current.stage();
    if (namespaced) batch.namespaces[0] = readF64(input);
    const address = table.resolveIn(this.#current.group, batch, 0);
    if (address === -1) throw table.exceeded();
    if (blob) {
      const size = readU32(input);
      const start = take(input, size);
      if (!table.writeBlob(address, input.bytes, start, size)) throw table.exceeded();
    }
    const start = take(input, valueWords * 8);
    const first = (address + table.layout.valueWord) * 2;
    for (let n = 0; n < valueWords * 2; n += 1) table.i32[first + n] = input.bytes.readInt32LE(start + n * 4);
  }

  release(): void {
    for (const { table, heads } of this.#tables.values()) {
      table.release();
      heads?.release();
    }
  }
}

function sameLayout(left: TableDescription, right: TableDescription): boolean {
  return (
    left.namespaced === right.namespaced &&
    left.listed === right.listed &&
    left.blob === right.blob &&
    left.valueWords === right.valueWords
  );
}

// The rows of a managed table in the form of snapshots (format/state-snapshot.ts).

import { writeF64 } from "../../types/bytes/byte-buffer.ts";
import type { ByteWriter } from "../../types/bytes/codec.ts";
import { beginKey, endKey } from "../format/state-snapshot.ts";
import type { ManagedTable } from "./managed-table.ts";

/** Calls `visit` with each row of a group: it may remove that row, and adds and removes no others. */
export function forEachRow(table: ManagedTable, group: number, visit: (address: number) => void): void {
  const rows = new Int32Array(256);
  const cursor = { group, row: -1 };
  for (let count = rows.length; count === rows.length; ) {
    count = table.scanGroup(cursor, rows);
    for (let n = 0; n < count; n += 1) visit(rows[n]!);
  }
}

/** Starts an entry with the key of a row. */
export function writeRowKey(table: ManagedTable, address: number, out: ByteWriter): void {
  const start = beginKey(out);
  table.readKey(address, out);
  endKey(out, start);
}

/** When a row with a time-to-live was last written. */
export function writeStamp(table: ManagedTable, address: number, out: ByteWriter): void {
  writeF64(out, table.f64[address + table.layout.valueWord]!);
}

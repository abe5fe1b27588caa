// The form in which one key group of an operator's keyed state is stored: the same for both stores, so that state
// written by one can be read by the other, and self-describing, so that it can be inspected without the job.
//
//   group    "MRKG" · u32 version · string (JSON: key type, state specs)
//            · states in that order: entry… 0 · timers: entry… 0 · parts of operators (operator-tables.ts)
//   entry    1 · key · written at (f64, only with a ttl) · content
//   key      size (4 bytes) · canonical bytes (types/key-hash.ts)
//   content  value, reducing, aggregating   the value in the codec's form (types/value-source.ts)
//            list                           u32 items, the items
//            map                            (1 · key · written at · value)… 0, without a stamp for the whole map
//            timer                          byte (0 event, 1 processing) · string name · f64 time
//
// u32 and string as in types/byte-buffer.ts, all numbers little-endian. Expired entries are left out.

import {
  ByteCursor,
  readByte,
  readF64,
  readI32,
  take,
  writeByte,
  writeF64,
  writeI32,
  writeU32,
} from "../types/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../types/codec.ts";
import type { KeyCodec } from "../types/key-bytes.ts";
import type { ManagedTable } from "./managed-table.ts";

/** Calls `visit` with each row of a group, which must not be changed meanwhile. */
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
  out.bytes.writeInt32LE(out.position - start, start - 4);
}

/** Starts an entry with a key. */
export function writeEntryKey(codec: KeyCodec, key: unknown, out: ByteWriter): void {
  const start = beginKey(out);
  codec.write(key, out);
  out.bytes.writeInt32LE(out.position - start, start - 4);
}

function beginKey(out: ByteWriter): number {
  writeByte(out, 1);
  writeI32(out, 0); // the size follows
  return out.position;
}

export function readKeyBytes(input: ByteReader, codec: KeyCodec): unknown {
  const size = readI32(input) >>> 0;
  const start = take(input, size);
  return codec.read(new ByteCursor(input.bytes, start, start + size));
}

export function writeBytes(out: ByteWriter, bytes: Uint8Array, start: number, size: number): void {
  writeU32(out, size);
  out.reserve(size);
  out.bytes.set(bytes.subarray(start, start + size), out.position);
  out.position += size;
}

/** When a row with a time-to-live was last written. */
export function writeStamp(table: ManagedTable, address: number, out: ByteWriter): void {
  writeF64(out, table.f64[address + table.layout.valueWord]!);
}

export function readStamp(input: ByteReader): number {
  return readF64(input);
}

/** Whether another entry follows. */
export function readMore(input: ByteReader): boolean {
  return readByte(input) === 1;
}

// The form in which one key group of an operator's keyed state is stored: the same for both stores, so that state
// written by one can be read by the other, and self-describing, so that it can be inspected without the job.
//
//   group    "MRKG" · u32 version · string (JSON: key type, state specs)
//            · states in that order: entry… 0 · timers: entry… 0 · parts of operators (operator-tables.ts)
//   entry    1 · key · written at (f64, only with a ttl) · content
//   key      size (4 bytes) · canonical bytes (types/keys/key-hash.ts)
//   content  value, reducing, aggregating   the value in the codec's form (types/values/value-source.ts)
//            list                           u32 items, the items
//            map                            (1 · key · written at · value)… 0, without a stamp for the whole map
//            timer                          byte (0 event, 1 processing) · string name · f64 time
//
// u32 and string as in types/bytes/byte-buffer.ts, all numbers little-endian. Expired entries are left out.

import {
  ByteCursor,
  readByte,
  readF64,
  readI32,
  take,
  writeByte,
  writeI32,
  writeU32,
} from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import type { KeyCodec } from "../../types/keys/key-bytes.ts";

/** Starts an entry with a key. */
export function writeEntryKey(codec: KeyCodec, key: unknown, out: ByteWriter): void {
  const start = beginKey(out);
  codec.write(key, out);
  endKey(out, start);
}

/** Starts an entry; its key follows, and then `endKey`. */
export function beginKey(out: ByteWriter): number {
  writeByte(out, 1);
  writeI32(out, 0); // the size follows
  return out.position;
}

export function endKey(out: ByteWriter, start: number): void {
  out.bytes.writeInt32LE(out.position - start, start - 4);
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

/** When an entry with a time-to-live was last written. */
export function readStamp(input: ByteReader): number {
  return readF64(input);
}

/** Whether another entry follows. */
export function readMore(input: ByteReader): boolean {
  return readByte(input) === 1;
}

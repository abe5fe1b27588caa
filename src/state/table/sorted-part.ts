// The values of a sorted table in a snapshot, one key group at a time (sorted-table.ts has the grammar).

import { ByteCursor, readByte, readF64, readI32, readString, readU32, take } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader } from "../../types/bytes/codec.ts";
import type { KeyCodec } from "../../types/keys/key-bytes.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { readKeyBytes, readMore } from "../format/state-snapshot.ts";

export type ValueReader = (input: ByteReader) => unknown;

export type SavedSortedEntry = {
  readonly key: unknown;
  readonly timeMs: number;
  readonly arrival: number;
  readonly channel: number;
  readonly type: number;
  readonly value: unknown;
};

/** `readersOf`: how values of the types that the snapshot names are read. */
export function readSortedPart(
  input: ByteReader,
  codec: KeyCodec,
  readersOf: (types: readonly TypeSpec[]) => readonly ValueReader[],
  visit: (entry: SavedSortedEntry) => void,
): void {
  if (readByte(input) === 0) return;
  const readers = readersOf(JSON.parse(readString(input)) as readonly TypeSpec[]);
  while (readMore(input)) {
    const key = readKeyBytes(input, codec);
    const timeMs = readF64(input);
    const arrival = readF64(input);
    const channel = readI32(input);
    const type = readI32(input);
    const size = readU32(input);
    const start = take(input, size);
    const value = readers[type]!(new ByteCursor(input.bytes, start, start + size));
    visit({ key, timeMs, arrival, channel, type, value });
  }
}

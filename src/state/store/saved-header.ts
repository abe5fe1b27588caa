// The head of each key group in a snapshot: what it is, in which version, and which states under which types are in it
// (format/state-snapshot.ts).

import { canonicalJson } from "../../base/canonical-json.ts";
import { InternalError } from "../../base/errors.ts";
import { corrupt, readString, readU32, writeString, writeU32 } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import type { StateSpec } from "../contract/keyed-state.ts";

const MAGIC = 0x474b524d; // "MRKG"
const VERSION = 1;

export type SavedHeader = { readonly key: TypeSpec; readonly states: readonly StateSpec[] };

export function writeHeader(header: SavedHeader, out: ByteWriter): void {
  writeU32(out, MAGIC);
  writeU32(out, VERSION);
  writeString(out, canonicalJson(header));
}

/** As it was written. Throws CODEC_CORRUPT, or STATE_VERSION_UNKNOWN. */
export function readHeaderText(input: ByteReader): string {
  if (readU32(input) !== MAGIC) corrupt("no key group of keyed state");
  const version = readU32(input);
  if (version !== VERSION) {
    throw new InternalError("STATE_VERSION_UNKNOWN", `keyed state of version ${version}, known is ${VERSION}`, {
      fix: "Restore it with the version of Millrace that wrote it, or a later one.",
    });
  }
  return readString(input);
}

export function headerOf(text: string): SavedHeader {
  return JSON.parse(text) as SavedHeader;
}

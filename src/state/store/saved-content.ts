// What an entry of a state holds, read by what the snapshot says of it alone, without the job.

import { readU32 } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader } from "../../types/bytes/codec.ts";
import { keyCodec } from "../../types/keys/key-bytes.ts";
import { compileValueProgram } from "../../types/values/value-codec.ts";
import type { StateSpec } from "../contract/keyed-state.ts";
import { storedType } from "../contract/state-change.ts";
import { readKeyBytes, readMore, readStamp } from "../format/state-snapshot.ts";

/** `writtenMs`: when it was written; null without a time to live. */
export type SavedValue = { readonly value: unknown; readonly writtenMs: number | null };

/** Of a list its items together, of a map its entries one by one. */
export type SavedContent =
  | ({ readonly kind: "value" } & SavedValue)
  | { readonly kind: "list"; readonly items: readonly unknown[]; readonly writtenMs: number | null }
  | { readonly kind: "map"; readonly entries: readonly ({ readonly key: unknown } & SavedValue)[] };

/** Reads what follows the key of an entry. */
export function savedContent(spec: StateSpec): (input: ByteReader) => SavedContent {
  const { read } = compileValueProgram(storedType(spec), "refuse", `saved ${spec.name}`);
  const stamp = (input: ByteReader): number | null => (spec.ttlMs === null ? null : readStamp(input));
  switch (spec.kind) {
    case "list":
      return (input) => {
        const writtenMs = stamp(input);
        return { kind: "list", writtenMs, items: Array.from({ length: readU32(input) }, () => read(input)) };
      };
    case "map": {
      const codec = keyCodec(spec.key);
      return (input) => {
        const entries: ({ readonly key: unknown } & SavedValue)[] = [];
        while (readMore(input)) {
          const key = readKeyBytes(input, codec);
          const writtenMs = stamp(input);
          entries.push({ key, writtenMs, value: read(input) });
        }
        return { kind: "map", entries };
      };
    }
    default:
      return (input) => {
        const writtenMs = stamp(input);
        return { kind: "value", writtenMs, value: read(input) };
      };
  }
}

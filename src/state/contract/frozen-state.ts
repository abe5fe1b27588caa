// What a store held at one moment, while it works on: it is written in bits, one after the other, by whoever knows
// where.
//
//   F1. `next` until there are no more chunks, each written before `recycle`; `written` for each pack; then
//       `writeGroup` for each key group and `writeMore` until there is no more of it; `end` in any case.

import type { ByteWriter } from "../../types/bytes/codec.ts";
import type { PackRef } from "../pages/page-packs.ts";
import type { PageChunk } from "../pages/page-snapshot.ts";

export interface FrozenState {
  /** Of its key groups. */
  readonly first: number;
  readonly count: number;
  /** So much waits to be written that the store's task is to wait. */
  readonly isPressed: boolean;
  readonly isEnded: boolean;
  /** The next pages to be written, null at the end. Throws when the snapshot was given up. */
  next(): PageChunk | null;
  recycle(chunk: PageChunk): void;
  /** The pack that begins with the page at a place is durable. */
  written(at: number, file: PackRef): void;
  /** Packs that its key groups refer to, once all of them are written. */
  packs(): readonly PackRef[];
  writeGroup(keyGroup: number, out: ByteWriter): void;
  /**
   * Writes the next bit of what follows in that key group; false: that was the last. `out` is the same one for all of
   * it. Throws when the snapshot was given up.
   */
  writeMore(keyGroup: number, out: ByteWriter): boolean;
  end(): void;
}

/** Entries that lie on the heap, and can be written bit by bit while they change. */
export interface FreezableEntries {
  /** What they take, estimated. */
  readonly bytes: number;
  freeze(): FrozenEntries;
}

export interface FrozenEntries {
  /** About what is kept for it alone. */
  readonly keptBytes: number;
  /** Writes those of a group, and what ends them; each step is a small one. */
  write(group: number, out: ByteWriter): Generator<undefined, undefined>;
  end(): void;
}

/** Pages of managed memory that are to be filled with what lies in packs. */
export type PageFill = {
  readonly packs: readonly PackRef[];
  /** By page: which of the packs, its place there, and its address in 8-byte words of the target. */
  readonly pack: Int32Array;
  readonly place: Int32Array;
  readonly address: Int32Array;
  readonly target: Buffer;
};

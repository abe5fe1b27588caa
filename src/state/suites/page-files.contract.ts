// Packs of pages in memory, for tests of stores: what src/checkpoint/format/pack-file.ts does with files.

import assert from "node:assert/strict";
import { ByteCursor, ByteSink } from "../../types/bytes/byte-buffer.ts";
import type { FrozenState, PageFill } from "../contract/frozen-state.ts";
import type { KeyedStateStore } from "../contract/keyed-state.ts";
import { PAGE_BYTES } from "../pages/page-allocator.ts";
import { PACK_PAGES } from "../pages/page-packs.ts";
import { placeInChunk } from "../pages/page-snapshot.ts";

/** A snapshot that is written: its key groups, the first first. */
export type WrittenGroups = { readonly first: number; readonly groups: readonly Buffer[] };

export class PageFiles {
  /** By name of the pack: its pages. */
  readonly packs = new Map<string, Buffer[]>();
  #names = 0;

  /** Of all packs. */
  get pages(): number {
    return [...this.packs.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** Takes the next chunk; false at the end. */
  step(frozen: FrozenState, writing: Writing): boolean {
    const chunk = frozen.next();
    if (chunk === null) {
      this.#close(frozen, writing);
      return false;
    }
    if (chunk.at % PACK_PAGES === 0) {
      this.#close(frozen, writing);
      writing.name = `pack-${this.#names}`;
      writing.at = chunk.at;
      this.#names += 1;
      this.packs.set(writing.name, []);
    }
    for (let n = 0; n < chunk.pages; n += 1) {
      const at = placeInChunk(n);
      this.packs.get(writing.name!)!.push(Buffer.from(chunk.bytes.subarray(at, at + PAGE_BYTES)));
    }
    frozen.recycle(chunk);
    return true;
  }

  /** To be called once `step` has come to the end. */
  groups(frozen: FrozenState): WrittenGroups {
    const groups = Array.from({ length: frozen.count }, (_, n) => {
      const sink = new ByteSink();
      frozen.writeGroup(frozen.first + n, sink);
      while (frozen.writeMore(frozen.first + n, sink));
      return sink.copy();
    });
    frozen.end();
    return { first: frozen.first, groups };
  }

  write(frozen: FrozenState): WrittenGroups {
    const writing: Writing = { name: null, at: 0 };
    while (this.step(frozen, writing));
    return this.groups(frozen);
  }

  /** Gives those key groups to a store that it has. */
  restore(store: KeyedStateStore, { first, groups }: WrittenGroups, isOwn = (_: number) => true): void {
    const fills = groups.flatMap((bytes, n) => {
      return isOwn(first + n) ? store.load(first + n, new ByteCursor(bytes), true) : [];
    });
    for (const fill of fills) this.#fill(fill);
    store.loaded();
  }

  #fill({ packs, pack, place, address, target }: PageFill): void {
    for (const [n, of] of pack.entries()) {
      if (of === -1) continue;
      const page = this.packs.get(packs[of]!.name)?.[place[n]!];
      assert.ok(page !== undefined, `no page ${place[n]} in ${packs[of]!.name}`);
      target.set(page, address[n]! * 8);
    }
  }

  #close(frozen: FrozenState, writing: Writing): void {
    if (writing.name === null) return;
    const pages = this.packs.get(writing.name)!.length;
    frozen.written(writing.at, { name: writing.name, bytes: pages * PAGE_BYTES, index: { offset: 0, length: 0 } });
    writing.name = null;
  }
}

/** Where the writing of a snapshot is. */
export type Writing = { name: string | null; at: number };

// Blocks at the very end of the largest region that state can address, 8 GiB: every place in it that has too few bits
// shows. Of the region only what is written to is committed.

import { assert } from "../../base/errors.ts";
import { type MemoryView, memoryView } from "../../base/memory-view.ts";
import type { BlockSource } from "../pages/page-allocator.ts";

const REGION_BYTES = 8 * 1024 ** 3;
const BLOCK_BYTES = 1024 ** 2;
const BLOCKS = 256;

let region: { readonly view: MemoryView; readonly free: number[] } | null = null;

/** Several may be in use at a time, and share the region. */
export function farBlocks(limitBytes: number): BlockSource & { readonly leased: () => number } {
  region ??= {
    view: memoryView(new SharedArrayBuffer(REGION_BYTES)),
    free: Array.from({ length: BLOCKS }, (_, index) => REGION_BYTES - (BLOCKS - index) * BLOCK_BYTES),
  };
  const { view, free } = region;
  const leased = new Set<number>();
  return {
    view,
    blockBytes: BLOCK_BYTES,
    limitBytes,
    configKey: "taskmanager.memory.managed.size",
    allocate: () => {
      if ((leased.size + 1) * BLOCK_BYTES > limitBytes) return -1;
      const offset = free.pop() ?? -1;
      if (offset !== -1) leased.add(offset);
      return offset;
    },
    release: (offset) => {
      assert(leased.delete(offset), `block ${offset} is not leased`);
      free.push(offset);
    },
    leased: () => leased.size,
  };
}

// The two places that blocks of state memory come from.

import { assert } from "../../base/errors.ts";
import { heapView } from "../../base/memory-view.ts";
import type { OwnerId } from "../../memory/pool-report.ts";
import type { SegmentPool } from "../../memory/segment-pool.ts";
import type { BlockSource } from "./page-allocator.ts";

/** Blocks leased from the pool of managed memory by `owner`, whose group has the slot's limit. */
export function poolBlocks(pool: SegmentPool, owner: OwnerId, limitBytes: number): BlockSource {
  const generations = new Int32Array(pool.segments);
  return {
    view: pool.view,
    blockBytes: pool.segmentSize,
    limitBytes,
    configKey: pool.configKey,
    allocate: () => {
      const segment = pool.tryAllocateOne(owner);
      if (segment === -1) return -1;
      generations[segment] = pool.generation(segment);
      return pool.offset(segment);
    },
    release: (offset) => {
      const segment = offset / pool.segmentSize;
      pool.release(owner, segment, generations[segment]!);
    },
  };
}

/** Blocks of a region of its own: for tests and for stores without a task manager around them. */
export function heapBlocks(
  limitBytes: number,
  blockBytes = 64 * 1024,
): BlockSource & { readonly leased: () => number } {
  const view = heapView(Math.floor(limitBytes / blockBytes) * blockBytes);
  const free = Array.from({ length: view.bytes.length / blockBytes }, (_, i) => i * blockBytes).reverse();
  const leased = new Set<number>();
  return {
    view,
    blockBytes,
    limitBytes,
    configKey: "taskmanager.memory.managed.size",
    allocate: () => {
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

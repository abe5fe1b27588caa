// Keyed state for the operators of one slot: one owner of managed memory, whose pages all stores of the slot share.

import type { Env } from "../../base/env.ts";
import type { Configuration } from "../../config/configuration.ts";
import { OPTIONS } from "../../config/options.ts";
import type { SegmentPool } from "../../memory/segment-pool.ts";
import { heapStore } from "../../state/heap/heap-store.ts";
import { keyGroupRangeOf } from "../../state/keys/key-groups.ts";
import { managedStore } from "../../state/managed/managed-store.ts";
import { poolBlocks } from "../../state/pages/block-source.ts";
import { PageAllocator } from "../../state/pages/page-allocator.ts";
import type { StateFactory } from "./job-factory.ts";

export type SlotStatesOptions = {
  readonly env: Env;
  readonly configuration: Configuration;
  /** Managed memory. */
  readonly pool: SegmentPool;
  readonly limitBytes: number;
  /** Heap of the slot, of which its heap state may take half. */
  readonly heapBytes: number;
  readonly jobId: string;
  readonly slot: number;
};

const HEAP_SHARE = 0.5;

export function slotStates(options: SlotStatesOptions): StateFactory {
  const { env, configuration, pool, limitBytes, jobId, slot } = options;
  const owner = pool.registerOwner({ job: jobId, task: `slot ${slot}`, purpose: "keyed state" }, slot + 1);
  const budget = {
    limitBytes: options.heapBytes * HEAP_SHARE,
    configKey: OPTIONS.taskHeapSize.key,
    usedBytes: 0,
  };
  const operators = new Set<string>();
  let allocator: PageAllocator | null = null; // It takes its first page at once: jobs without state need none.
  return {
    storeFor: (operator, subtask) => {
      operators.add(operator.uid);
      allocator ??= new PageAllocator(poolBlocks(pool, owner, limitBytes), operator.uid);
      const storeOptions = {
        operator: operator.uid,
        key: operator.key?.type ?? { kind: "any" },
        maxParallelism: operator.maxParallelism,
        keyGroups: keyGroupRangeOf(subtask, operator.parallelism, operator.maxParallelism),
        allocator,
        clock: env.clock,
        seed: Math.floor(env.random.next() * 2 ** 32) | 0,
        heapBudget: budget,
      } as const;
      const heap = configuration.get(OPTIONS.stateBackend) === "hashmap";
      return heap ? heapStore(storeOptions) : managedStore(storeOptions);
    },
    release: async () => {
      const leaked = allocator?.close() ?? 0;
      pool.closeOwner(owner);
      if (leaked === 0) return;
      const message = `keyed state of slot ${slot} was not given back when the job ended: a bug of Millrace`;
      env.log.write("error", message, { jobId, bytes: leaked, operators: [...operators] });
    },
  };
}

// Keyed state for tasks that a slot is given together. Its pages are shared by all their stores, each of which is the
// owner of those that it holds.
//
//   M1. What an owner holds is in its metrics, from its first page to its end.
//   M2. An owner that ends and has not given all back is logged, by name; the job goes on.

import type { Env } from "../../base/env.ts";
import type { Configuration } from "../../config/configuration.ts";
import { OPTIONS } from "../../config/options.ts";
import type { PlanOperator } from "../../graph/plan.ts";
import type { SegmentPool } from "../../memory/segment-pool.ts";
import type { MetricScope } from "../../metrics/metric-registry.ts";
import type { HeapBudget } from "../../state/budget/heap-budget.ts";
import { heapStore } from "../../state/heap/heap-store.ts";
import { keyGroupRangeOf } from "../../state/keys/key-groups.ts";
import { managedStore } from "../../state/managed/managed-store.ts";
import { poolBlocks } from "../../state/pages/block-source.ts";
import type { MemoryOwner } from "../../state/pages/memory-owner.ts";
import { PageAllocator } from "../../state/pages/page-allocator.ts";
import type { StateFactory } from "./job-factory.ts";

export type SlotStatesOptions = {
  readonly env: Env;
  readonly configuration: Configuration;
  /** Managed memory. */
  readonly pool: SegmentPool;
  readonly limitBytes: number;
  /** The slot's, for what its heap holds for state. */
  readonly heapBudget: HeapBudget;
  readonly jobId: string;
  readonly slot: number;
};

/** Of the heap of a slot, for state. */
const HEAP_SHARE = 0.5;
const BUG = "was not given back: a bug of Millrace";

/** For all that a slot runs at a time. */
export function slotHeapBudget(heapBytes: number): HeapBudget {
  return { limitBytes: heapBytes * HEAP_SHARE, configKey: OPTIONS.taskHeapSize.key, usedBytes: 0 };
}

export function slotStates(options: SlotStatesOptions): StateFactory {
  const { env, configuration, pool, limitBytes, jobId, slot } = options;
  const owner = pool.registerOwner({ job: jobId, task: `slot ${slot}`, purpose: "keyed state" }, slot + 1);
  let allocator: PageAllocator | null = null; // It takes its first page at once: jobs without state need none.
  const allocatorFor = ({ uid }: PlanOperator): PageAllocator => {
    allocator ??= new PageAllocator(poolBlocks(pool, owner, limitBytes), {
      operator: uid,
      leaked: ({ message, operator }) => {
        env.log.write("error", `managed memory ${BUG}: ${message}`, { jobId, slot, operator: operator ?? "" });
      },
    });
    return allocator;
  };
  return {
    storeFor: (operator, subtask, scope) => {
      const pages = allocatorFor(operator);
      const { uid, parallelism } = operator;
      const storeOptions = {
        owner: pages.openOwner({ job: jobId, operator: uid, subtask, parallelism }, told(scope, limitBytes)),
        key: operator.key?.type ?? { kind: "any" },
        ...keyGroupsOf(operator, subtask),
        allocator: pages,
        clock: env.clock,
        seed: Math.floor(env.random.next() * 2 ** 32) | 0,
        heapBudget: options.heapBudget,
        pagedFromBytes: configuration.get(OPTIONS.checkpointingPagesThreshold),
      } as const;
      const heap = configuration.get(OPTIONS.stateBackend) === "hashmap";
      return heap ? heapStore(storeOptions) : managedStore(storeOptions);
    },
    release: async () => {
      const leaked = allocator?.close() ?? 0;
      pool.closeOwner(owner);
      if (leaked > 0) env.log.write("error", `keyed state of slot ${slot} ${BUG}`, { jobId, bytes: leaked });
    },
  };
}

/** A combiner holds any key, whichever subtask it is: all its rows are of one key group, that of nobody. */
function keyGroupsOf({ kind, parallelism, maxParallelism }: PlanOperator, subtask: number) {
  return kind === "preAggregate"
    ? { maxParallelism: 1, keyGroups: keyGroupRangeOf(0, 1, 1) }
    : { maxParallelism, keyGroups: keyGroupRangeOf(subtask, parallelism, maxParallelism) };
}

/** Keeps the metrics of an owner (M1). */
function told(scope: MetricScope, limitBytes: number): (owner: MemoryOwner) => void {
  scope.gauge("managedMemoryMax", limitBytes);
  scope.gauge("managedMemoryUsed", 0);
  scope.gauge("managedMemoryPeak", 0);
  return ({ usedBytes, peakBytes }) => {
    scope.gauge("managedMemoryUsed", usedBytes);
    scope.gauge("managedMemoryPeak", peakBytes);
  };
}

// The two kinds of store as the contract suites use them: with memory of their own and a clock that is moved by hand.

import { heapStore } from "../heap/heap-store.ts";
import { managedStore } from "../managed/managed-store.ts";
import { heapBlocks } from "../pages/block-source.ts";
import { PageAllocator } from "../pages/page-allocator.ts";
import type { KeyedStore, KeyedStoreOptions } from "../store/keyed-store.ts";
import { farBlocks } from "./far-blocks.contract.ts";
import { PageWatch } from "./page-watch.contract.ts";
import { testOwner } from "./test-owner.contract.ts";
import { MAX_PARALLELISM, type StoreMaker, type StoreSetup, type TestedStore } from "./tested-store.contract.ts";

const LIMIT_BYTES = 32 << 20;

export const makeManaged: StoreMaker = (setup) => make(setup, managedStore);

/** In the last pages of as much managed memory as there may be. */
export const makeFar: StoreMaker = (setup) => make(setup, managedStore, farBlocks);

export const makeHeap: StoreMaker = (setup) => make(setup, heapStore);

function make(
  setup: StoreSetup,
  open: (options: KeyedStoreOptions) => KeyedStore,
  blocksOf: (limitBytes: number) => ReturnType<typeof farBlocks> = heapBlocks,
): TestedStore {
  const limitBytes = setup.limitBytes ?? LIMIT_BYTES;
  const maxParallelism = setup.maxParallelism ?? MAX_PARALLELISM;
  const blocks = blocksOf(limitBytes);
  const allocator = new PageAllocator(blocks);
  const heapBudget = { limitBytes, configKey: "taskmanager.memory.task.heap.size", usedBytes: 0 };
  const watch = new PageWatch(allocator);
  let nowMs = 1000;
  const store = open({
    owner: testOwner(allocator, "contract"),
    key: setup.key,
    maxParallelism,
    keyGroups: setup.keyGroups ?? { first: 0, last: maxParallelism - 1 },
    allocator,
    clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
    seed: 3,
    heapBudget,
    ...(setup.bitSteps !== undefined && { bitSteps: setup.bitSteps }),
  });
  return {
    store: watched(store, watch),
    freeze: () => watch.freeze(),
    advance: (ms) => {
      nowMs += ms;
    },
    finish: () => {
      watch.check();
      store.release();
      return allocator.close() + blocks.leased() + heapBudget.usedBytes;
    },
  };
}

/** Pages are frozen at some of the moments at which a snapshot can be taken: before another key is worked on. */
function watched(store: KeyedStore, watch: PageWatch): KeyedStore {
  const setKey = store.setKey.bind(store);
  store.setKey = (key, hash) => {
    watch.turn();
    setKey(key, hash);
  };
  return store;
}

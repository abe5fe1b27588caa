// A store with 1 GiB of managed state, and what writes and reads it: for the cases checkpoint-1g and restore-1g.

import { spawnSync } from "node:child_process";
import { memoryView } from "../src/base/memory-view.ts";
import { snapshotsWrite, type WrittenState } from "../src/checkpoint/format/subtask-state.ts";
import type { CheckpointStorage } from "../src/checkpoint/storage/checkpoint-storage.ts";
import { DirectoryStorage } from "../src/checkpoint/storage/directory-storage.ts";
import type { KeyedStateStore, ValueState } from "../src/state/contract/keyed-state.ts";
import { managedStore } from "../src/state/managed/managed-store.ts";
import { type BlockSource, PageAllocator } from "../src/state/pages/page-allocator.ts";
import { nodeDisk } from "../src/storage/node-disk.ts";
import { compileKeyHash } from "../src/types/keys/key-hash.ts";

const MIB = 2 ** 20;
const REGION_BYTES = 1_400 * MIB;
/** Rows of 5 words: 1 GiB of row pages. */
export const KEYS = 26_500_000;
const GROUPS = 128;

export type LargeState = {
  readonly store: KeyedStateStore;
  readonly allocator: PageAllocator;
  /** Changes the state of a key. */
  touch(key: number): void;
  get(key: number): unknown;
};

export function largeState(): LargeState {
  const allocator = new PageAllocator(sharedBlocks());
  const key = { kind: "f64" } as const;
  const store = managedStore({
    ...{ allocator, key, seed: 1, maxParallelism: GROUPS, keyGroups: { first: 0, last: GROUPS - 1 } },
    owner: allocator.openOwner({ job: "bench", operator: "large", subtask: 0, parallelism: 1 }),
    clock: { nowMs: () => 0, monotonicMs: () => performance.now() },
    heapBudget: { limitBytes: MIB, configKey: "none", usedBytes: 0 },
  });
  const type = {
    kind: "struct",
    fields: ["a", "b", "c", "d"].map((name) => ({ name, type: key, optional: false })),
  } as const;
  const value: ValueState<{ a: number; b: number; c: number; d: number }> = store.value(
    { kind: "value", name: "v", type, ttlMs: null },
    null,
  );
  const hash = compileKeyHash(key, "bench");
  let stamp = 0;
  return {
    store,
    allocator,
    touch: (of) => {
      stamp += 1;
      store.setKey(of, hash(of));
      value.set({ a: of, b: stamp, c: stamp * 2, d: 1 });
    },
    get: (of) => {
      store.setKey(of, hash(of));
      return value.get();
    },
  };
}

/** As managed memory of a TaskManager: one region of shared memory. */
function sharedBlocks(): BlockSource {
  const view = memoryView(new SharedArrayBuffer(REGION_BYTES));
  const free = Array.from({ length: REGION_BYTES / MIB }, (_, block) => block * MIB).reverse();
  return {
    ...{ view, blockBytes: MIB, limitBytes: REGION_BYTES, configKey: "none" },
    allocate: () => free.pop() ?? -1,
    release: (offset) => void free.push(offset),
  };
}

export const storageIn = (directory: string): CheckpointStorage => new DirectoryStorage(nodeDisk(), directory);

/** Takes a snapshot; `begun` is told how long that took, before it is written. */
export async function checkpoint(
  storage: CheckpointStorage,
  { store }: LargeState,
  number: number,
  begun: (syncMs: number) => void,
): Promise<WrittenState> {
  const startedMs = performance.now();
  const keyed = store.freeze(number, () => undefined);
  begun(performance.now() - startedMs);
  const snapshot = { uid: "large", subtask: 0, parts: {}, keyed, splits: [] };
  const written = await snapshotsWrite(storage, [snapshot], {
    ...{ name: `chk-${number}/0-0-0`, packs: `shared/${number}-0-0-0`, inlineBytesMax: 0, compression: false },
  });
  store.completed(number);
  return written;
}

/** Seconds that dd takes. */
export function dd(...args: readonly string[]): number {
  const startedMs = performance.now();
  const { status, stderr } = spawnSync("dd", [...args], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return (performance.now() - startedMs) / 1_000;
}

// Tables over a region of their own: for tests and benches of operators, without a store around them.

import type { KeyGroupRange } from "../../src/state/keys/key-groups.ts";
import { heapBlocks } from "../../src/state/pages/block-source.ts";
import { PageAllocator } from "../../src/state/pages/page-allocator.ts";
import { OperatorTables } from "../../src/state/store/operator-tables.ts";
import { testOwner } from "../../src/state/suites/test-owner.contract.ts";

export type TablesOptions = {
  readonly limitBytes: number;
  readonly keyGroups: KeyGroupRange;
  readonly maxParallelism: number;
  readonly heapLimitBytes?: number;
};

export type TestTables = { readonly tables: OperatorTables; readonly allocator: PageAllocator };

export function operatorTables({
  limitBytes,
  keyGroups,
  maxParallelism,
  heapLimitBytes = Infinity,
}: TablesOptions): TestTables {
  const allocator = new PageAllocator(heapBlocks(limitBytes));
  const heap = { limitBytes: heapLimitBytes, configKey: "taskmanager.memory.task.heap.size", usedBytes: 0 };
  return {
    allocator,
    tables: new OperatorTables(
      { allocator, owner: testOwner(allocator), key: { kind: "string" }, maxParallelism, keyGroups, seed: 7 },
      heap,
    ),
  };
}

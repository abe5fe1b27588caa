// Tables over a region of their own: for tests and benches of operators, without a store around them.

import { heapBlocks } from "../state/block-source.ts";
import type { KeyGroupRange } from "../state/key-groups.ts";
import type { KeyedPart, KeyedTables } from "../state/keyed-tables.ts";
import { ManagedTable } from "../state/managed-table.ts";
import { TableHeads } from "../state/namespace-heads.ts";
import { PageAllocator } from "../state/page-allocator.ts";

export type TestTables = KeyedTables & {
  readonly parts: KeyedPart[];
  readonly allocator: PageAllocator;
  readonly keyGroups: KeyGroupRange;
};

export function testTables(
  limitBytes: number,
  keyGroups: KeyGroupRange = { first: 0, last: 127 },
  maxParallelism = 128,
  heapLimitBytes = Number.POSITIVE_INFINITY,
): TestTables {
  const allocator = new PageAllocator(heapBlocks(limitBytes, 1024 * 1024));
  const options = { allocator, operator: "test", maxParallelism, keyGroups, seed: 7 };
  const parts: KeyedPart[] = [];
  return {
    parts,
    keyGroups,
    allocator,
    heapLimitBytes,
    heapConfigKey: "taskmanager.memory.task.heap.size",
    attach: (part) => void parts.push(part),
    table: (spec) =>
      new ManagedTable(spec, options, spec.listed ? new TableHeads(`${spec.name} lists`, options) : null),
  };
}

// The memory model as a table, for `millrace memory explain`.

import { memorySizeText } from "../base/memory-size.ts";
import type { MemoryTerm } from "./memory-term.ts";
import type { TaskManagerMemory } from "./task-manager-memory.ts";

export type MemoryRow = {
  readonly component: string;
  /** Depth in the tree of components. */
  readonly level: number;
  readonly bytes: number;
  /** "1.5 GiB"; with the number of segments for a pool. */
  readonly pretty: string;
  /** Part of the process size. */
  readonly share: number;
  readonly origin: string;
  readonly key: string | null;
  /** Uid of the operator whose managed memory it is, in rows about a job. */
  readonly operator?: string;
};

export function memoryExplain(memory: TaskManagerMemory): MemoryRow[] {
  const row = (level: number, term: MemoryTerm, pieces = ""): MemoryRow => ({
    component: term.name,
    level,
    bytes: term.bytes,
    pretty: memorySizeText(term.bytes) + pieces,
    share: term.bytes / memory.process.bytes,
    origin: term.origin,
    key: term.key,
  });
  const pieces = (count: number, size: number) => ` = ${count.toLocaleString("en-US")} × ${memorySizeText(size)}`;
  return [
    row(0, memory.process),
    row(1, memory.v8Overhead),
    row(1, memory.flink),
    row(2, memory.heap),
    row(3, memory.frameworkHeap),
    row(3, memory.taskHeap),
    row(2, memory.offHeap),
    row(3, memory.frameworkOffHeap),
    row(3, memory.taskOffHeap),
    row(3, memory.managed, pieces(memory.managedBlocks, memory.managedBlockSize)),
    row(3, memory.network, pieces(memory.networkSegments, memory.networkSegmentSize)),
    row(0, memory.slot.heap),
    row(1, memory.slot.oldGeneration),
    row(1, memory.slot.youngGeneration),
    row(0, memory.slot.managed, pieces(memory.slot.managedBlocks, memory.managedBlockSize)),
  ];
}

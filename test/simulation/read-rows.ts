// Which rows of a generated source a checkpoint says are read.

import type { CheckpointMetadata } from "../../src/checkpoint/format/metadata.ts";

/** Those before the positions of its splits, of a source without end. */
export function rowsRead(newest: CheckpointMetadata | null, uid: string): readonly number[] {
  const source = newest?.operators.find((operator) => operator.uid === uid);
  if (source === undefined) return [];
  const splits = [...(source.coordinator as unknown[]), ...source.subtasks.flatMap((subtask) => subtask.splits)];
  return (splits as { id: string; position: number }[]).flatMap(({ id, position }) => {
    const [first, step] = id.split("/").map(Number) as [number, number];
    return Array.from({ length: (position - first) / step }, (_, index) => first + index * step);
  });
}

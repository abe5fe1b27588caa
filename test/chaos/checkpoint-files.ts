// A checkpoint directory as seen from outside.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CheckpointMetadata } from "../../src/checkpoint/format/metadata.ts";

/** The newest completed checkpoint; null: there is none. */
export function newestId(directory: string): number | null {
  try {
    return Number(/^chk-(\d+) /.exec(readFileSync(join(directory, "latest"), "utf8"))?.[1] ?? Number.NaN);
  } catch {
    return null;
  }
}

/** Files of one checkpoint, as absolute paths. */
export function checkpointFiles(directory: string, id: number): string[] {
  const folder = join(directory, `chk-${id}`);
  try {
    const names = readdirSync(folder);
    return names.map((name) => join(folder, name)).sort();
  } catch {
    return []; // It has gone, or goes as it is looked at.
  }
}

export function metadataIn(directory: string, id: number): CheckpointMetadata {
  const text = readFileSync(join(directory, `chk-${id}`, "_metadata"), "utf8");
  return JSON.parse(text.slice(text.indexOf("\n") + 1)) as CheckpointMetadata;
}

/** Indices that a generated source had emitted when the checkpoint was taken. */
export function emittedIndices({ operators }: CheckpointMetadata, source: string): Set<number> {
  const subtasks = operators.find(({ uid }) => uid === source)?.subtasks ?? [];
  const indices = new Set<number>();
  for (const { id, position } of subtasks.flatMap(({ splits }) => splits)) {
    const [first = 0, step = 1] = id.split("/").map(Number);
    for (let index = first; index < Number(position); index += step) indices.add(index);
  }
  return indices;
}

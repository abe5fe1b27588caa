// The checkpoints there are at a place, for people. Reads only and takes no lock: a job may be running on it.

import { EngineError } from "../base/errors.ts";
import type { CheckpointId } from "../base/ids.ts";
import { CompletedCheckpointStore } from "./completed-store.ts";
import type { CheckpointMetadata } from "./format/metadata.ts";
import type { CheckpointStorage } from "./storage/checkpoint-storage.ts";
import { checkBytes } from "./verify.ts";

export type ListedCheckpoint = {
  readonly id: CheckpointId;
  /** False: it was begun, and never counted. */
  readonly completed: boolean;
  /** Null where it cannot be read, and of those that were never completed. */
  readonly metadata: CheckpointMetadata | null;
  /** Why it cannot be restored; null: it can be, each byte of it was checked. */
  readonly damage: EngineError | null;
};

/** Newest first. */
export async function checkpointsIn(storage: CheckpointStorage): Promise<readonly ListedCheckpoint[]> {
  const store = new CompletedCheckpointStore(storage);
  const { completed } = await store.known();
  const listed: ListedCheckpoint[] = [];
  for (const id of (await store.all()).toReversed()) {
    const isCompleted = completed.includes(id);
    const checked = isCompleted ? await checkedOf(storage, store, id) : { metadata: null, damage: null };
    listed.push({ id, completed: isCompleted, ...checked });
  }
  // What is gone meanwhile was removed by the job that runs.
  const left = await store.all();
  return listed.filter(({ id }) => left.includes(id));
}

async function checkedOf(
  storage: CheckpointStorage,
  store: CompletedCheckpointStore,
  id: CheckpointId,
): Promise<Pick<ListedCheckpoint, "metadata" | "damage">> {
  let metadata: CheckpointMetadata | null = null;
  try {
    metadata = await store.metadata(id);
    await checkBytes(storage, metadata);
    return { metadata, damage: null };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return { metadata, damage: error };
  }
}

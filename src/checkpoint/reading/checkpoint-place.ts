// Where a checkpoint or savepoint lies that is to be read. Takes no lock: a job may be running on it.
//
//   savepoint/_metadata           a savepoint: its files lie beside its metadata
//   checkpoints/chk-7/_metadata   a checkpoint: its files have the names that the checkpoint directory knows them by
//   checkpoints/latest            a checkpoint directory: the newest one that is whole

import type { Disk } from "../../base/disk.ts";
import { UserError } from "../../base/errors.ts";
import { CompletedCheckpointStore, checkpointFolder } from "../completed-store.ts";
import { type CheckpointMetadata, metadataOf } from "../format/metadata.ts";
import { DirectoryStorage } from "../storage/directory-storage.ts";
import { checkSizes } from "../verify.ts";

const METADATA = "_metadata";

export type CheckpointPlace = { readonly storage: DirectoryStorage; readonly metadata: CheckpointMetadata };

/** `path`: absolute. Throws CHECKPOINT_PATH_INVALID where there is none, and what is wrong with one that is damaged. */
export async function checkpointAt(disk: Disk, path: string): Promise<CheckpointPlace> {
  if ((await disk.stat(path))?.kind !== "directory") throw invalid(path, "is no directory");
  const own = new DirectoryStorage(disk, path);
  if ((await disk.stat(`${path}/${METADATA}`)) === null) {
    const store = new CompletedCheckpointStore(own);
    const metadata = await store.newest(
      (each) => checkSizes(own, each),
      () => undefined,
    );
    if (metadata === null) throw invalid(path, "has neither a checkpoint nor a savepoint");
    return { storage: own, metadata };
  }
  const metadata = await metadataIn(own);
  const storage = metadata.kind === "savepoint" ? own : new DirectoryStorage(disk, path.replace(/\/[^/]*$/, "") || "/");
  const name = checkpointFolder(metadata.id);
  if (metadata.kind === "checkpoint" && !path.endsWith(`/${name}`)) {
    throw invalid(path, `is checkpoint ${metadata.id} under another name than ${name}`);
  }
  await checkSizes(storage, metadata);
  return { storage, metadata };
}

async function metadataIn(storage: DirectoryStorage): Promise<CheckpointMetadata> {
  const reader = await storage.open(METADATA);
  try {
    return metadataOf(`${storage.place}/${METADATA}`, await reader.read(0, reader.size));
  } finally {
    await reader.close();
  }
}

function invalid(path: string, what: string): UserError {
  return new UserError("CHECKPOINT_PATH_INVALID", `${path} ${what}`, {
    fix: "give a savepoint, a folder chk-… of a checkpoint, or a checkpoint directory, of which the newest one is taken",
  });
}

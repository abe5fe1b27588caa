// A savepoint or checkpoint that is to be started from, wherever it lies. Reads only.
//
//   savepoint/_metadata         a savepoint: its files lie beside its metadata, under names of its own
//   checkpoints/chk-7/_metadata a checkpoint: its files have the names that the checkpoint directory knows them by
//   checkpoints/latest          a checkpoint directory: the newest one that is whole

import type { Disk } from "../base/disk.ts";
import { type EngineError, UserError } from "../base/errors.ts";
import type { CheckpointId } from "../base/ids.ts";
import { CompletedCheckpointStore, checkpointFolder, METADATA, metadataRead } from "./completed-store.ts";
import type { CheckpointMetadata } from "./format/metadata.ts";
import { DirectoryStorage } from "./storage/directory-storage.ts";
import { checkBytes, checkSizes } from "./verify.ts";

export type Snapshot = {
  /** Its own folder. */
  readonly path: string;
  readonly metadata: CheckpointMetadata;
  /** What its files' names are relative to. */
  readonly place: string;
};

/**
 * The one at this absolute path. Throws RESTORE_PATH_INVALID where there is none, and what is wrong with one that
 * cannot be read. `onUnreadable`: a newer one of a checkpoint directory that is passed over.
 */
export async function snapshotAt(
  disk: Disk,
  path: string,
  onUnreadable: (id: CheckpointId, error: EngineError) => void,
): Promise<Snapshot> {
  const stat = await disk.stat(path);
  if (stat === null)
    throw invalid(path, "there is nothing", "give a savepoint, a checkpoint or a checkpoint directory");
  if (stat.kind !== "directory") throw invalid(path, "is no directory", "give the folder that has the metadata in it");
  if ((await disk.stat(`${path}/${METADATA}`)) !== null) return snapshotOf(disk, path);
  const store = new CompletedCheckpointStore(new DirectoryStorage(disk, path));
  const metadata = await store.newest((each) => checkSizes(new DirectoryStorage(disk, path), each), onUnreadable);
  if (metadata !== null) return { path: `${path}/${checkpointFolder(metadata.id)}`, metadata, place: path };
  const within = await snapshotsIn(disk, path);
  const fix = within.length === 0 ? "look at the path" : `name one of those in it: ${within.slice(0, 3).join(", ")}`;
  throw invalid(path, "has neither a checkpoint nor a savepoint", fix);
}

/** Reads every byte of it. Throws CHECKPOINT_OBJECT_DAMAGED or CHECKPOINT_OBJECT_MISSING. */
export function snapshotCheck(disk: Disk, { place, metadata }: Snapshot): Promise<void> {
  return checkBytes(new DirectoryStorage(disk, place), metadata);
}

async function snapshotOf(disk: Disk, path: string): Promise<Snapshot> {
  const metadata = await metadataRead(new DirectoryStorage(disk, path), METADATA);
  if (metadata.kind === "savepoint") return { path, metadata, place: path };
  const name = checkpointFolder(metadata.id);
  if (path.endsWith(`/${name}`)) return { path, metadata, place: path.slice(0, -name.length - 1) };
  throw invalid(path, `is checkpoint ${metadata.id} under another name`, `call its folder ${name}`);
}

/** Names of folders with metadata. */
async function snapshotsIn(disk: Disk, path: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of await disk.list(path)) {
    if (!name.startsWith(".") && (await disk.stat(`${path}/${name}/${METADATA}`)) !== null) found.push(name);
  }
  return found;
}

function invalid(path: string, what: string, fix: string): UserError {
  return new UserError("RESTORE_PATH_INVALID", `the job cannot start from ${path}: ${what}`, { fix });
}

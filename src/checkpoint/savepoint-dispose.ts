// The end of a savepoint, and who keeps it from it.
//
//   <parent>/.used-<name>.…   somebody starts from the savepoint <name>: a lock, which the end of its process frees
//
//   D1. Removed is only what its metadata names: a folder that holds anything else stays.
//   D2. A job that has started from it and has no checkpoint of its own yet needs it. Where nothing can be written
//       beside a savepoint, nobody knows of that.

import type { Disk } from "../base/disk.ts";
import { EngineError, UserError } from "../base/errors.ts";
import { METADATA, metadataRead } from "./completed-store.ts";
import type { CheckpointMetadata } from "./format/metadata.ts";
import { DirectoryStorage } from "./storage/directory-storage.ts";

/** D2. Gives what ends it. `name`: used by nobody else. */
export async function savepointUse(
  disk: Disk,
  path: string,
  { user, name }: { readonly user: string; readonly name: string },
): Promise<() => Promise<void>> {
  try {
    const attempt = await disk.lock(`${usePrefix(path)}${name}`, user);
    if (attempt.kind === "locked") return attempt.release;
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
  }
  return async () => undefined;
}

/**
 * Removes the savepoint at this absolute path. False: its folder stays, for there is more in it (D1). Throws
 * SAVEPOINT_INVALID for what is none, and SAVEPOINT_IN_USE (D2).
 */
export async function savepointDispose(disk: Disk, path: string): Promise<boolean> {
  const metadata = await savepointMetadata(disk, path);
  await refuseInUse(disk, path);
  // First what makes it a savepoint: what a crash leaves is none any more.
  await disk.remove(`${path}/${METADATA}`);
  for (const name of Object.keys(metadata.files)) await disk.remove(`${path}/${name}`);
  const isEmpty = (await disk.list(path)).length === 0;
  if (isEmpty) await disk.remove(path);
  await disk.syncDirectory(isEmpty ? parentOf(path) : path);
  return isEmpty;
}

async function refuseInUse(disk: Disk, path: string): Promise<void> {
  const prefix = usePrefix(path);
  const parent = parentOf(path);
  for (const file of await disk.list(parent)) {
    const at = `${parent === "/" ? "" : parent}/${file}`;
    if (!at.startsWith(prefix)) continue;
    const attempt = await disk.lock(at.slice(0, at.lastIndexOf(".")), "dispose");
    if (attempt.kind === "locked") await attempt.release();
    else {
      const { holder, host, pid } = attempt.by;
      const who = `${holder} (process ${pid} on ${host})`;
      throw new UserError("SAVEPOINT_IN_USE", `${who} has started from ${path}, and has no checkpoint of its own yet`, {
        fix: "wait for its first checkpoint, or stop it",
      });
    }
  }
}

async function savepointMetadata(disk: Disk, path: string): Promise<CheckpointMetadata> {
  if ((await disk.stat(`${path}/${METADATA}`)) === null)
    throw noSavepoint(path, "it has no metadata", "look at the path");
  let metadata: CheckpointMetadata;
  try {
    metadata = await metadataRead(new DirectoryStorage(disk, path), METADATA);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw noSavepoint(path, `what it is cannot be told: ${error.message}`, "if it is to go, remove the folder by hand");
  }
  if (metadata.kind === "savepoint") return metadata;
  throw noSavepoint(
    path,
    `it is checkpoint ${metadata.id}`,
    "leave it to its job, which removes its checkpoints itself",
  );
}

function noSavepoint(path: string, what: string, fix: string): UserError {
  return new UserError("SAVEPOINT_INVALID", `${path} is no savepoint: ${what}`, { fix });
}

function usePrefix(path: string): string {
  const slash = path.lastIndexOf("/");
  return `${path.slice(0, slash)}/.used-${path.slice(slash + 1)}.`;
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

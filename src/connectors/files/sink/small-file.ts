// Small files of text, read and replaced whole.

import type { Disk } from "../../../base/disk.ts";
import { EngineError } from "../../../base/errors.ts";

/** Null when there is none. */
export async function textRead(disk: Disk, path: string): Promise<string | null> {
  const opened = await disk.open(path, "read").catch((error: unknown) => {
    if (error instanceof EngineError && error.code === "DISK_NOT_FOUND") return null;
    throw error;
  });
  if (opened === null) return null;
  await using file = opened;
  const bytes = Buffer.alloc((await file.stat()).size);
  let filled = 0;
  for (let count = -1; count !== 0; filled += count)
    count = await file.read(bytes, filled, bytes.length - filled, filled);
  return bytes.toString("utf8", 0, filled);
}

export async function textWrite(disk: Disk, path: string, text: string, mode: "create" | "replace"): Promise<void> {
  await using file = await disk.open(path, mode);
  await file.append(Buffer.from(text));
  await file.sync();
}

/** All at once. The name is durable once its directory is. */
export async function textReplace(disk: Disk, path: string, text: string): Promise<void> {
  await disk.remove(`${path}.tmp`); // A file whose sync has failed once may never become durable.
  await textWrite(disk, `${path}.tmp`, text, "replace");
  await disk.rename(`${path}.tmp`, path);
}

// A file in progress that outlives its writer: what a checkpoint knows of it, and how a later writer goes on with it.
//
// A writer that was paused may have its file open still, and nothing keeps it from writing. So nobody goes on with a
// file that another has begun: what the checkpoint knows of it is copied into one that only the new writer has.
//
//   G1. A copy has the bytes that the checkpoint knows, by their number and their checksum, or there is none.
//   G2. It is durable before anything that it could be made from is removed, and it can be made from any of these: the
//       file that the checkpoint names, hidden or committed since, or another copy of it.

import { crc32 } from "node:zlib";
import type { Disk, FileHandle } from "../../../base/disk.ts";
import { ExternalError } from "../../../base/errors.ts";

/** Plain data, stored in checkpoints. */
export type PartState = {
  readonly kind: "part" | "single";
  readonly directory: string;
  readonly subtask: number;
  readonly number: number;
  /** Its name while it is in progress, and the one that it was to have in the end. */
  readonly from: string;
  readonly to: string;
  readonly size: number;
  /** CRC-32 of its bytes. */
  readonly crc: number;
  readonly rows: number;
  /** How long it was written to. */
  readonly ageMs: number;
  /** What it begins with: the header. */
  readonly layout: string;
};

/** A file that is being written. */
export type OpenFile = {
  readonly handle: FileHandle;
  readonly from: string;
  readonly to: string;
  readonly number: number;
  size: number;
  crc: number;
  /** A checkpoint may know it: it outlives its writer's abort. */
  isKept: boolean;
  /** Its name outlives a power cut. */
  isNamed: boolean;
};

export type FileNames = Pick<OpenFile, "from" | "to" | "number">;

/** What a writer that is opened goes on with. */
export type TakenOver = { readonly file: OpenFile; readonly state: PartState };

const CHUNK_BYTES = 256 * 1024;

/** `sources`: names in the directory of the state, the likeliest first. G1, G2: the directory is not synced yet. */
export async function partCopy(
  disk: Disk,
  { state, sources, into }: { state: PartState; sources: readonly string[]; into: FileNames & { directory: string } },
): Promise<OpenFile> {
  const { directory, ...names } = into;
  const path = `${directory}/${names.from}`;
  for (const source of sources) {
    await using opened = await openedOf(disk, `${state.directory}/${source}`);
    if (opened === null || (await opened.stat()).size < state.size) continue;
    const handle = await disk.open(path, "create");
    try {
      if ((await copied(opened, handle, state.size)) === state.crc) {
        await handle.sync();
        return { handle, ...names, size: state.size, crc: state.crc, isKept: true, isNamed: false };
      }
    } catch (error) {
      await handle.close();
      throw error;
    }
    await handle.close();
    await disk.remove(path);
  }
  throw lost(state, sources);
}

/** Null when it has gone meanwhile. */
async function openedOf(disk: Disk, path: string): Promise<FileHandle | null> {
  return (await disk.stat(path)) === null ? null : disk.open(path, "read");
}

/** The checksum of what was copied; NaN: there was less. */
async function copied(from: FileHandle, to: FileHandle, size: number): Promise<number> {
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size));
  let crc = 0;
  for (let position = 0; position < size; ) {
    const count = await from.read(chunk, 0, Math.min(chunk.length, size - position), position);
    if (count === 0) return Number.NaN;
    const bytes = chunk.subarray(0, count);
    crc = crc32(bytes, crc);
    await to.append(bytes);
    position += count;
  }
  return crc;
}

function lost({ directory, from, to, size }: PartState, sources: readonly string[]): ExternalError {
  const found = sources.map((name) => `${directory}/${name}`).join(", ");
  const what =
    sources.length === 0
      ? `${directory}/${from} is gone, and there is no ${to}`
      : `${found} ${sources.length === 1 ? "has" : "have"} lost or changed bytes of it`;
  return new ExternalError("SINK_PART_LOST", `of a file in progress the checkpoint knows ${size} bytes: ${what}`, {
    fix: "bring the file back as it was; an older checkpoint is tried meanwhile, and --fresh begins anew",
  });
}

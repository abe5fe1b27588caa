// Which files are used by more than one checkpoint (packs of pages, format/pack-file.ts), and by whom: pure.
//
//   shared/7-1-0-0-0   written for checkpoint 7; later ones refer to it
//
//   R1. A file goes with the last checkpoint that uses it, and not before. What a checkpoint that was never completed
//       has written is used by nobody.
//   R2. A checkpoint uses only what was written for itself and for older ones. So one whose metadata cannot be read
//       keeps what it could use.

import type { CheckpointId } from "../base/ids.ts";
import { type CheckpointMetadata, stateBytes } from "./format/metadata.ts";

export const SHARED_FOLDER = "shared";
const NAME = /^shared\/([1-9]\d{0,14})-/;

/** What the names of the packs begin with that a task writes for a checkpoint. */
export function packsOf(id: CheckpointId, task: string): string {
  return `${SHARED_FOLDER}/${id}-${task}`;
}

/** The checkpoint that a shared file was written for; null: it is none. */
export function writtenFor(name: string): CheckpointId | null {
  const id = NAME.exec(name)?.[1];
  return id === undefined ? null : (Number(id) as CheckpointId);
}

/** What of a checkpoint was written for itself, in bytes: what it refers to in files of older ones is left out. */
export function writtenBytes(metadata: CheckpointMetadata): number {
  const older = Object.entries(metadata.files).filter(([name]) => (writtenFor(name) ?? metadata.id) !== metadata.id);
  return stateBytes(metadata) - older.reduce((sum, [, bytes]) => sum + bytes, 0);
}

export class SharedFiles {
  /** By completed checkpoint; null: nobody knows which. */
  readonly #used = new Map<CheckpointId, readonly string[] | null>();
  /** By file: how many checkpoints use it. */
  readonly #counts = new Map<string, number>();

  /** `files`: all of the checkpoint; null: its metadata cannot be read. */
  use(id: CheckpointId, files: readonly string[] | null): void {
    this.drop(id);
    const shared = files?.filter((name) => writtenFor(name) !== null) ?? null;
    this.#used.set(id, shared);
    for (const name of shared ?? []) this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  /** It is completed, and nobody knows what it uses. */
  isUnknown(id: CheckpointId): boolean {
    return this.#used.get(id) === null;
  }

  /** The checkpoint goes: gives those files of it that may go with it. */
  drop(id: CheckpointId): readonly string[] {
    const files = this.#used.get(id) ?? [];
    this.#used.delete(id);
    for (const name of files) {
      const count = this.#counts.get(name)! - 1;
      if (count === 0) this.#counts.delete(name);
      else this.#counts.set(name, count);
    }
    return files.filter((name) => this.isFree(name));
  }

  /** Nobody uses the file, nor can. */
  isFree(name: string): boolean {
    if (this.#counts.has(name)) return false;
    const written = writtenFor(name)!;
    return ![...this.#used].some(([id, files]) => files === null && id >= written);
  }
}

// A directory as storage of checkpoints. Its owner holds the lock of the directory: nobody else writes to it (O2).
//
// An object is written beside its place under a name of the storage's own, made durable, renamed, and the directory is
// made durable (I6). What a crash leaves under such names is removed by `sweep`.

import type { Disk, FileHandle } from "../../base/disk.ts";
import { assert, EngineError, ExternalError } from "../../base/errors.ts";
import type { CheckpointStorage, ObjectReader, ObjectWriter } from "./checkpoint-storage.ts";
import { damaged } from "./damage.ts";

const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]*(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/;
/** What names of files and folders begin with that are being written. */
export const UNFINISHED = ".unfinished-";

export class DirectoryStorage implements CheckpointStorage {
  readonly place: string;
  readonly #disk: Disk;
  /** Swaps of this process, one after the other. */
  #swapping: Promise<unknown> = Promise.resolve();

  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.place = directory;
  }

  async create(name: string): Promise<ObjectWriter> {
    const path = this.#path(name);
    await this.#disk.makeDirectory(directoryOf(path));
    const unfinished = unfinishedOf(path);
    return new DirectoryWriter(this.#disk, { name, path, unfinished }, await this.#disk.open(unfinished, "replace"));
  }

  async open(name: string): Promise<ObjectReader> {
    const file = await orMissing(name, () => this.#disk.open(this.#path(name), "read"));
    try {
      return new DirectoryReader(name, file, (await file.stat()).size);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async list(prefix: string): Promise<readonly string[]> {
    const names: string[] = [];
    await this.#visit(prefix, names);
    return names.sort();
  }

  async remove(name: string): Promise<void> {
    const path = this.#path(name);
    const stat = await this.#disk.stat(path);
    if (stat === null) return;
    if (stat.kind === "directory") await this.#removeDirectory(path);
    else await this.#disk.remove(path);
    await this.#disk.syncDirectory(directoryOf(path));
  }

  async pointer(name: string): Promise<string | null> {
    const path = this.#path(name);
    if ((await this.#disk.stat(path)) === null) return null;
    const reader = await this.open(name);
    try {
      return (await reader.read(0, reader.size)).toString("utf8");
    } finally {
      await reader.close();
    }
  }

  swap(name: string, expected: string | null, next: string): Promise<boolean> {
    const swapped = this.#swapping.then(() => this.#swap(name, expected, next));
    this.#swapping = swapped.catch(() => undefined);
    return swapped;
  }

  /**
   * Removes what is unfinished, or half removed, by processes that are gone; before any of this one has begun. What
   * these have renamed last is seen, and may not be durable: it is then, before anything is built on it.
   */
  async sweep(): Promise<void> {
    if ((await this.#disk.stat(this.place)) !== null) await this.#sweep(this.place);
  }

  /** A file or folder, with all that is in it. */
  async removeUnfinished(entry: string, path: string = this.place): Promise<void> {
    assert(entry.startsWith(UNFINISHED), `${entry} may be whole`);
    const inner = `${path}/${entry}`;
    if ((await this.#disk.stat(inner))?.kind === "directory") await this.#removeDirectory(inner);
    else await this.#disk.remove(inner);
  }

  async #sweep(path: string): Promise<void> {
    await this.#disk.syncDirectory(path);
    for (const entry of await this.#disk.list(path)) {
      const inner = `${path}/${entry}`;
      if (entry.startsWith(UNFINISHED)) await this.removeUnfinished(entry, path);
      if (!NAME.test(entry) || (await this.#disk.stat(inner))?.kind !== "directory") continue;
      await this.#sweep(inner);
      if ((await this.#disk.list(inner)).length === 0) await this.#disk.remove(inner);
    }
  }

  async #swap(name: string, expected: string | null, next: string): Promise<boolean> {
    if ((await this.pointer(name)) !== expected) return false;
    const path = this.#path(name);
    await this.#disk.makeDirectory(directoryOf(path));
    const unfinished = unfinishedOf(path);
    {
      await using file = await this.#disk.open(unfinished, "replace");
      await file.append(Buffer.from(next, "utf8"));
      await file.sync();
    }
    await this.#disk.rename(unfinished, path);
    await this.#disk.syncDirectory(directoryOf(path));
    return true;
  }

  async #visit(name: string, names: string[]): Promise<void> {
    const path = name === "" ? this.place : this.#path(name);
    if ((await this.#disk.stat(path))?.kind !== "directory") return;
    for (const entry of await this.#disk.list(path)) {
      if (!NAME.test(entry)) continue;
      const inner = name === "" ? entry : `${name}/${entry}`;
      const stat = await this.#disk.stat(`${path}/${entry}`);
      if (stat?.kind === "directory") await this.#visit(inner, names);
      else if (stat?.kind === "file") names.push(inner);
    }
  }

  async #removeDirectory(path: string): Promise<void> {
    for (const entry of await this.#disk.list(path)) {
      const inner = `${path}/${entry}`;
      if ((await this.#disk.stat(inner))?.kind === "directory") await this.#removeDirectory(inner);
      else await this.#disk.remove(inner);
    }
    await this.#disk.remove(path);
  }

  #path(name: string): string {
    assert(NAME.test(name), `"${name}" is no name of a checkpoint's object`);
    return `${this.place}/${name}`;
  }
}

type Place = { readonly name: string; readonly path: string; readonly unfinished: string };

class DirectoryWriter implements ObjectWriter {
  readonly #disk: Disk;
  readonly #place: Place;
  readonly #file: FileHandle;
  #state: "open" | "committed" | "aborted" = "open";
  #closed = false;

  constructor(disk: Disk, place: Place, file: FileHandle) {
    this.#disk = disk;
    this.#place = place;
    this.#file = file;
  }

  append(bytes: Uint8Array): Promise<void> {
    assert(this.#state === "open", "an object is written once");
    return this.#file.append(bytes);
  }

  async commit(): Promise<void> {
    assert(this.#state === "open", "an object is written once");
    const { name, path, unfinished } = this.#place;
    await this.#file.sync();
    await this.#close();
    if ((await this.#disk.stat(path)) !== null) {
      throw new ExternalError("CHECKPOINT_OBJECT_EXISTS", `there is an object ${name} already`, {
        fix: "somebody else writes to this directory: give each job one of its own",
      });
    }
    await this.#disk.rename(unfinished, path);
    await this.#disk.syncDirectory(directoryOf(path));
    this.#state = "committed";
  }

  async abort(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "aborted";
    await this.#close();
    await this.#disk.remove(this.#place.unfinished);
  }

  async #close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#file.close();
  }
}

class DirectoryReader implements ObjectReader {
  readonly size: number;
  readonly #name: string;
  readonly #file: FileHandle;

  constructor(name: string, file: FileHandle, size: number) {
    this.#name = name;
    this.#file = file;
    this.size = size;
  }

  async read(offset: number, length: number, room = Buffer.allocUnsafeSlow(length)): Promise<Buffer> {
    if (offset + length > this.size) throw damaged(this.#name, `it ends at ${this.size}, before ${offset + length}`);
    const bytes = room.subarray(0, length);
    for (let filled = 0; filled < length; ) {
      const count = await this.#file.read(bytes, filled, length - filled, offset + filled);
      if (count === 0) throw damaged(this.#name, `it ends at ${offset + filled}, before ${offset + length}`);
      filled += count;
    }
    return bytes;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

async function orMissing<T>(name: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof EngineError && error.code === "DISK_NOT_FOUND")) throw error;
    throw new ExternalError("CHECKPOINT_OBJECT_MISSING", `there is no ${name}`, {
      fix: "restore from an older checkpoint or a savepoint",
      cause: error,
    });
  }
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function unfinishedOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return `${path.slice(0, slash + 1)}${UNFINISHED}${path.slice(slash + 1)}`;
}

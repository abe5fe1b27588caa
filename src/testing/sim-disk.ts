// A simulated disk: files in memory, faults on request, and crashes that lose or tear what was not synced.
//
// Every operation takes effect at the end of a delay on the virtual clock, so that a crash can come in between.
//
//   D1. After `crash("power")` a file has its synced bytes, then any part of the rest, of which a piece may read as
//       zeros.
//   D2. A creation, rename or removal survives `crash("power")` for certain only once its directory was synced; those
//       that were not survive up to some point in time, drawn from the seed.
//   D3. A failed sync loses what it should have made durable: later syncs of that file succeed and do not bring it
//       back, unless all of it is written anew.
//   D4. After any crash, handles of before are dead.

import { posix } from "node:path";
import type { Disk, FileHandle, FileStat, LockAttempt, LockHolder } from "../base/disk.ts";
import type { Clock, Timers } from "../base/env.ts";
import { assert } from "../base/errors.ts";
import type { SeededRandom } from "../base/seeded-random.ts";
import { type DiskErrorCode, diskError } from "../storage/disk-error.ts";

export type DiskOperation =
  | "open"
  | "read"
  | "append"
  | "sync"
  | "rename"
  | "remove"
  | "list"
  | "stat"
  | "makeDirectory";

export type SimDiskFaults = {
  /** Bytes all files may hold together; an append that goes over writes what fits and fails with DISK_FULL. */
  capacityBytes: number;
  readOnly: boolean;
  /** Reads return fewer bytes than asked for. */
  shortReads: boolean;
  /** Each operation takes between 0 and so many milliseconds. */
  latencyMaxMs: number;
  /** The code an operation shall fail with, or null. */
  fail: (operation: DiskOperation, path: string) => DiskErrorCode | null;
  /** Milliseconds that it takes on top of that. */
  slow: (operation: DiskOperation, path: string) => number;
  /** Whether what is read comes with one bit changed. */
  flips: (path: string) => boolean;
  /** Told when an append did not fit. */
  onFull: (path: string) => void;
  /** Told when an operation has had its effect. */
  onDone: (operation: DiskOperation, path: string) => void;
};

type SimFile = {
  kind: "file";
  bytes: Uint8Array;
  size: number;
  syncedSize: number;
  /** What is durable while a truncation is not: the content before it. */
  beforeTruncation: Uint8Array | null;
  syncLost: boolean;
  modifiedMs: number;
};

type SimDirectory = {
  kind: "directory";
  entries: Map<string, SimEntry>;
  durable: Map<string, SimEntry>;
  modifiedMs: number;
};

type SimEntry = SimFile | SimDirectory;

type SimRead = {
  readonly into: Uint8Array;
  readonly offset: number;
  readonly count: number;
  readonly position: number;
};

/** A change of names that is not durable yet. */
type PendingChange = { directories: readonly SimDirectory[]; apply: () => void };

const VERBS: Readonly<Record<DiskOperation, string>> = {
  open: "open",
  read: "read",
  append: "write to",
  sync: "sync",
  rename: "rename",
  remove: "remove",
  list: "list",
  stat: "look up",
  makeDirectory: "make the directory",
};

export class SimDisk implements Disk {
  readonly directory = "/";
  readonly faults: SimDiskFaults = {
    capacityBytes: Number.POSITIVE_INFINITY,
    readOnly: false,
    shortReads: false,
    latencyMaxMs: 1,
    fail: () => null,
    slow: () => 0,
    flips: () => false,
    onFull: () => undefined,
    onDone: () => undefined,
  };
  /** Handles opened and not closed; a test's measure of leaks. */
  openHandles = 0;

  readonly #timers: Timers;
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #root: SimDirectory = directoryNew(0);
  #pending: PendingChange[] = [];
  #usedBytes = 0;
  #crashes = 0;
  readonly #rotten: (() => void)[] = [];
  /** All processes die in a crash, and with them their locks. */
  readonly #locks = new Map<string, LockHolder>();

  constructor(timers: Timers, clock: Clock, random: SeededRandom) {
    this.#timers = timers;
    this.#clock = clock;
    this.#random = random;
  }

  /** "process": what was written stays, handles die. "power": what was not synced may be lost as well. */
  crash(kind: "process" | "power" = "power"): void {
    this.#crashes += 1;
    this.openHandles = 0;
    this.#locks.clear();
    if (kind === "process") return;
    const survived = this.#random.below(this.#pending.length + 1);
    for (const change of this.#pending.splice(0).slice(0, survived)) change.apply();
    this.#usedBytes = 0;
    this.#loseUnsynced(this.#root);
  }

  /** Puts a file there durably, with its directories, at once and whatever the faults say. */
  put(path: string, content: string | Uint8Array): void {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content.slice();
    let directory = this.#root;
    const names = segments(path);
    for (const name of names.slice(0, -1)) directory = this.#directoryEnsure(directory, name);
    const replaced = directory.entries.get(names.at(-1)!);
    this.#usedBytes -= replaced?.kind === "file" ? replaced.size : 0;
    const file: SimFile = { ...fileNew(this.#clock.nowMs()), bytes, size: bytes.length, syncedSize: bytes.length };
    this.#usedBytes += bytes.length;
    this.#setEntry(directory, names.at(-1)!, file);
    this.#makeDurable(directory);
  }

  /** Removes a directory with all that is in it, durably and at once; does nothing where there is none. */
  wipe(path: string): void {
    const [parent, name] = this.#parent("remove", path);
    for (const file of this.paths(path)) this.#usedBytes -= this.get(file)!.length;
    this.#makeDurable(parent);
    parent.entries.delete(name);
    parent.durable.delete(name);
  }

  /** Bytes of all files together. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** One bit of a file is another one from now on, also of what is durable; false: it has none. */
  rot(path: string): boolean {
    const entry = this.#find(path);
    if (entry?.kind !== "file" || entry.size === 0) return false;
    const at = this.#random.below(entry.size);
    const bit = 1 << this.#random.below(8);
    const { bytes } = entry;
    bytes[at]! ^= bit;
    this.#rotten.push(() => {
      bytes[at]! ^= bit;
    });
    return true;
  }

  /** Somebody puts back what has rotten, from a copy. */
  heal(): void {
    for (const heal of this.#rotten.splice(0)) heal();
  }

  /** What is certain to be there after `crash("power")`; null: nothing is. */
  durable(path: string): Uint8Array | null {
    let entry: SimEntry | undefined = this.#root;
    for (const name of segments(path)) entry = entry?.kind === "directory" ? entry.durable.get(name) : undefined;
    if (entry?.kind !== "file" || entry.beforeTruncation !== null) return null;
    return entry.bytes.slice(0, entry.syncedSize);
  }

  /** The content as a reader would see it now. */
  get(path: string): Uint8Array | null {
    const entry = this.#find(path);
    return entry?.kind === "file" ? entry.bytes.slice(0, entry.size) : null;
  }

  /** Paths of all files in a directory, sorted. */
  paths(under = "/"): string[] {
    const found: string[] = [];
    const visit = (directory: SimDirectory, prefix: string): void => {
      for (const [name, entry] of directory.entries) {
        if (entry.kind === "file") found.push(`${prefix}/${name}`);
        else visit(entry, `${prefix}/${name}`);
      }
    };
    const entry = this.#find(under);
    if (entry?.kind === "directory") visit(entry, under === "/" ? "" : under);
    return found.sort();
  }

  open(path: string, mode: "read" | "create" | "replace"): Promise<FileHandle> {
    return this.operate("open", path, mode !== "read", () => {
      const file = mode === "read" ? this.#fileExisting(path) : this.#fileForWriting(path, mode);
      return this.#handle(path, file);
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.operate("rename", `${from} to ${to}`, true, () => {
      const [source, sourceName] = this.#parent("rename", from);
      const [target, targetName] = this.#parent("rename", to);
      const entry = source.entries.get(sourceName);
      if (entry === undefined) throw diskError("rename", `${from} to ${to}`, "DISK_NOT_FOUND");
      const replaced = target.entries.get(targetName);
      if (replaced === entry) return;
      if (replaced?.kind === "directory") throw diskError("rename", `${from} to ${to}`, "DISK_EXISTS");
      if (replaced !== undefined) this.#usedBytes -= replaced.size;
      source.entries.delete(sourceName);
      target.entries.set(targetName, entry);
      this.#pending.push({
        directories: [source, target],
        apply: () => {
          source.durable.delete(sourceName);
          target.durable.set(targetName, entry);
        },
      });
    });
  }

  remove(path: string): Promise<void> {
    return this.operate("remove", path, true, () => {
      const entry = this.#find(path);
      if (entry === null) return;
      if (entry.kind === "directory" && entry.entries.size > 0) {
        throw diskError("remove", path, "DISK_IO", { reason: "the directory is not empty" });
      }
      const [parent, name] = this.#parent("remove", path);
      if (entry.kind === "file") this.#usedBytes -= entry.size;
      parent.entries.delete(name);
      this.#pending.push({ directories: [parent], apply: () => parent.durable.delete(name) });
    });
  }

  makeDirectory(path: string): Promise<void> {
    return this.operate("makeDirectory", path, true, () => {
      let directory = this.#root;
      for (const name of segments(path)) directory = this.#directoryEnsure(directory, name, path);
    });
  }

  list(path: string): Promise<readonly string[]> {
    return this.operate("list", path, false, () => [...this.#directory("list", path).entries.keys()].sort());
  }

  stat(path: string): Promise<FileStat | null> {
    return this.operate("stat", path, false, () => {
      const entry = this.#find(path);
      return entry === null ? null : statOf(entry);
    });
  }

  realPath(path: string): Promise<string | null> {
    return this.operate("stat", path, false, () => (this.#find(path) === null ? null : posix.resolve("/", path)));
  }

  /** There are no links here. */
  readLink(path: string): Promise<string | null> {
    return this.operate("stat", path, false, () => null);
  }

  lock(path: string, holder: string): Promise<LockAttempt> {
    return this.operate("open", path, true, (): LockAttempt => {
      const by = this.#locks.get(path);
      if (by !== undefined) return { kind: "held", by };
      this.#directory("lock", posix.dirname(path));
      const own = { holder, host: "sim", pid: this.#crashes, since: "", file: path, isCertain: true };
      this.#locks.set(path, own);
      const release = async (): Promise<void> => {
        if (this.#locks.get(path) === own) this.#locks.delete(path);
      };
      return { kind: "locked", release };
    });
  }

  syncDirectory(path: string): Promise<void> {
    return this.operate("sync", path, false, () => this.#makeDurable(this.#directory("sync", path)));
  }

  /** Runs `effect` after the operation's delay, unless a fault or a crash comes first. Shared with the handles. */
  operate<T>(
    operation: DiskOperation,
    path: string,
    writes: boolean,
    effect: () => T,
    crashes = this.#crashes,
  ): Promise<T> {
    const delayMs = this.#random.next() * this.faults.latencyMaxMs + this.faults.slow(operation, path);
    return new Promise((resolve, reject) => {
      this.#timers.after(delayMs, () => {
        try {
          if (crashes !== this.#crashes)
            throw diskError(VERBS[operation], path, "DISK_IO", { reason: "the machine crashed" });
          if (writes && this.faults.readOnly) throw diskError(VERBS[operation], path, "DISK_READ_ONLY");
          const code = this.faults.fail(operation, path);
          if (code !== null) throw this.#failure(operation, path, code);
          const result = effect();
          this.faults.onDone(operation, path);
          resolve(result);
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /** What a read gives: short, or not what was written, where faults have it so. */
  read(file: SimFile, path: string, { into, offset, count, position }: SimRead): number {
    const taken = this.faults.shortReads && count > 1 ? 1 + this.#random.below(count) : count;
    into.set(file.bytes.subarray(position, position + taken), offset);
    if (this.faults.flips(path)) into[offset + this.#random.below(taken)]! ^= 1 << this.#random.below(8);
    return taken;
  }

  append(file: SimFile, path: string, bytes: Uint8Array): void {
    const room = Math.max(0, this.faults.capacityBytes - this.#usedBytes);
    const taken = bytes.subarray(0, Math.min(bytes.length, room));
    if (file.size + taken.length > file.bytes.length) {
      const grown = new Uint8Array(Math.max(64, 2 * (file.size + taken.length)));
      grown.set(file.bytes.subarray(0, file.size));
      file.bytes = grown;
    }
    file.bytes.set(taken, file.size);
    file.size += taken.length;
    file.modifiedMs = this.#clock.nowMs();
    this.#usedBytes += taken.length;
    if (taken.length === bytes.length) return;
    this.faults.onFull(path);
    throw diskError("write to", path, "DISK_FULL");
  }

  #handle(path: string, file: SimFile): FileHandle {
    const crashes = this.#crashes;
    this.openHandles += 1;
    return new SimHandle(this, path, file, crashes, () => {
      if (crashes === this.#crashes) this.openHandles -= 1;
    });
  }

  #failure(operation: DiskOperation, path: string, code: DiskErrorCode): Error {
    const entry = operation === "sync" ? this.#find(path) : null;
    if (entry?.kind === "file") entry.syncLost = true; // D3
    return diskError(VERBS[operation], path, code);
  }

  #fileExisting(path: string): SimFile {
    const entry = this.#find(path);
    if (entry === null) throw diskError("open", path, "DISK_NOT_FOUND");
    if (entry.kind === "directory") throw diskError("open", path, "DISK_IO", { reason: "it is a directory" });
    return entry;
  }

  #fileForWriting(path: string, mode: "create" | "replace"): SimFile {
    const [parent, name] = this.#parent("open", path);
    const existing = parent.entries.get(name);
    if (existing === undefined) {
      const file = fileNew(this.#clock.nowMs());
      this.#setEntry(parent, name, file);
      return file;
    }
    if (mode === "create") throw diskError("open", path, "DISK_EXISTS");
    if (existing.kind === "directory") throw diskError("open", path, "DISK_IO", { reason: "it is a directory" });
    existing.beforeTruncation ??= existing.bytes.slice(0, existing.syncedSize);
    existing.syncLost = false; // All of it is written anew.
    this.#usedBytes -= existing.size;
    existing.size = 0;
    existing.syncedSize = 0;
    return existing;
  }

  #directoryEnsure(parent: SimDirectory, name: string, path = name): SimDirectory {
    const existing = parent.entries.get(name);
    if (existing?.kind === "file") throw diskError("make the directory", path, "DISK_EXISTS");
    if (existing !== undefined) return existing;
    const made = directoryNew(this.#clock.nowMs());
    this.#setEntry(parent, name, made);
    this.#makeDurable(parent);
    return made;
  }

  #setEntry(parent: SimDirectory, name: string, entry: SimEntry): void {
    parent.entries.set(name, entry);
    this.#pending.push({ directories: [parent], apply: () => parent.durable.set(name, entry) });
  }

  #makeDurable(directory: SimDirectory): void {
    this.#pending = this.#pending.filter((change) => {
      if (!change.directories.includes(directory)) return true;
      change.apply();
      return false;
    });
  }

  #find(path: string): SimEntry | null {
    let entry: SimEntry = this.#root;
    for (const name of segments(path)) {
      const next: SimEntry | undefined = entry.kind === "directory" ? entry.entries.get(name) : undefined;
      if (next === undefined) return null;
      entry = next;
    }
    return entry;
  }

  #directory(verb: string, path: string): SimDirectory {
    const entry = this.#find(path);
    if (entry === null) throw diskError(verb, path, "DISK_NOT_FOUND");
    if (entry.kind === "file") {
      throw diskError(verb, path, "DISK_NOT_FOUND", { reason: "a part of the path is not a directory" });
    }
    return entry;
  }

  #parent(verb: string, path: string): [SimDirectory, string] {
    return [this.#directory(verb, posix.dirname(posix.resolve("/", path))), segments(path).at(-1)!];
  }

  #loseUnsynced(directory: SimDirectory): void {
    directory.entries = new Map(directory.durable);
    for (const entry of directory.entries.values()) {
      if (entry.kind === "directory") this.#loseUnsynced(entry);
      else this.#tear(entry);
    }
  }

  #tear(file: SimFile): void {
    if (file.beforeTruncation !== null && this.#random.next() < 0.5) {
      file.bytes = file.beforeTruncation;
      file.size = file.bytes.length;
    } else {
      const kept = file.syncedSize + this.#random.below(file.size - file.syncedSize + 1);
      // Blocks can be allocated before they are written: then they read as zeros.
      const holeStart = file.syncedSize + this.#random.below(kept - file.syncedSize + 1);
      if (this.#random.next() < 0.5) file.bytes.fill(0, holeStart, kept);
      file.size = kept;
    }
    file.syncedSize = file.size;
    file.beforeTruncation = null;
    file.syncLost = false;
    this.#usedBytes += file.size;
  }
}

class SimHandle implements FileHandle {
  readonly path: string;
  readonly #disk: SimDisk;
  readonly #file: SimFile;
  readonly #crashes: number;
  readonly #onClose: () => void;
  #busy: boolean;
  #closed: boolean;

  constructor(disk: SimDisk, path: string, file: SimFile, crashes: number, onClose: () => void) {
    this.#disk = disk;
    this.path = path;
    this.#file = file;
    this.#crashes = crashes;
    this.#onClose = onClose;
    this.#busy = false;
    this.#closed = false;
  }

  read(into: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return this.#operate("read", () => {
      const count = Math.min(length, into.length - offset, this.#file.size - position);
      if (count <= 0) return 0;
      return this.#disk.read(this.#file, this.path, { into, offset, count, position });
    });
  }

  append(bytes: Uint8Array): Promise<void> {
    return this.#operate("append", () => this.#disk.append(this.#file, this.path, bytes));
  }

  sync(): Promise<void> {
    return this.#operate("sync", () => {
      if (this.#file.syncLost) return; // D3
      this.#file.syncedSize = this.#file.size;
      this.#file.beforeTruncation = null;
    });
  }

  stat(): Promise<FileStat> {
    return this.#operate("stat", () => statOf(this.#file));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    assert(!this.#busy, `${this.path} is closed during another operation`);
    this.#closed = true;
    this.#onClose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #operate<T>(operation: DiskOperation, effect: () => T): Promise<T> {
    assert(!this.#busy, `${operation} of ${this.path} during another operation`);
    if (this.#closed) throw diskError(VERBS[operation], this.path, "DISK_IO", { reason: "the file was closed" });
    this.#busy = true;
    try {
      return await this.#disk.operate(operation, this.path, operation === "append", effect, this.#crashes);
    } finally {
      this.#busy = false;
    }
  }
}

function fileNew(nowMs: number): SimFile {
  return {
    kind: "file",
    bytes: new Uint8Array(0),
    size: 0,
    syncedSize: 0,
    beforeTruncation: null,
    syncLost: false,
    modifiedMs: nowMs,
  };
}

function directoryNew(nowMs: number): SimDirectory {
  return { kind: "directory", entries: new Map(), durable: new Map(), modifiedMs: nowMs };
}

function statOf(entry: SimEntry): FileStat {
  return { size: entry.kind === "file" ? entry.size : 0, modifiedMs: entry.modifiedMs, kind: entry.kind };
}

function segments(path: string): string[] {
  return posix
    .resolve("/", path)
    .split("/")
    .filter((name) => name !== "");
}

// The real disk: `node:fs/promises` behind the disk seam. Owns no state; paths are those of the operating system.

import { constants } from "node:fs";
import * as fs from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { type Disk, type FileHandle, type FileStat, STDIN_PATH } from "../base/disk.ts";
import { type DiskErrorCode, diskError } from "./disk-error.ts";
import { lockTry } from "./lock-node.ts";
import { STREAM_STAT, streamOpen } from "./stream-node.ts";

const FLAGS = {
  read: constants.O_RDONLY,
  create: constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL,
  replace: constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC,
} as const;

export function nodeDisk(): Disk {
  return {
    directory: process.cwd(),
    open: (path, mode, signal) => attempt("open", path, () => fileOpen(path, mode, signal)),
    rename: (from, to) => attempt("rename", `${from} to ${to}`, () => fs.rename(from, to)),
    remove: (path) => attempt("remove", path, () => entryRemove(path)),
    makeDirectory: (path) => attempt("make the directory", path, () => directoryMake(resolve(path))),
    list: (path) => attempt("list", path, async () => (await fs.readdir(path)).sort()),
    stat: (path) => attempt("look up", path, () => orNull(async () => statOf(path))),
    realPath: (path) => attempt("look up", path, () => orNull(() => fs.realpath(path))),
    readLink: (path) => attempt("look up", path, () => orNull(() => linkTarget(path))),
    lock: (path, holder) => attempt("lock", path, () => lockTry(path, holder)),
    syncDirectory: (path) => attempt("sync the directory", path, () => directorySync(path)),
  };
}

async function statOf(path: string): Promise<FileStat> {
  return path === STDIN_PATH ? STREAM_STAT : fileStat(await fs.stat(path));
}

async function fileOpen(path: string, mode: keyof typeof FLAGS, signal: AbortSignal | undefined): Promise<FileHandle> {
  if (mode === "read" && (await statOf(path)).kind === "stream") return streamOpen(path, signal);
  const file = await fs.open(path, FLAGS[mode]);
  if (mode === "read") {
    // The system opens a directory without complaint and fails at the first read.
    const found = await file.stat();
    if (found.isDirectory()) {
      await file.close();
      throw diskError("open", path, "DISK_IO", { reason: "it is a directory" });
    }
  }
  return new NodeFile(path, file);
}

class NodeFile implements FileHandle {
  readonly path: string;
  readonly #file: fs.FileHandle;

  constructor(path: string, file: fs.FileHandle) {
    this.path = path;
    this.#file = file;
  }

  read(into: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return attempt("read", this.path, async () => (await this.#file.read(into, offset, length, position)).bytesRead);
  }

  append(bytes: Uint8Array): Promise<void> {
    return attempt("write to", this.path, async () => {
      let written = 0; // One call may write less than asked, on a disk that fills up for example.
      while (written < bytes.length) written += (await this.#file.write(bytes, written)).bytesWritten;
    });
  }

  sync(): Promise<void> {
    return attempt("sync", this.path, () => this.#file.sync());
  }

  stat(): Promise<FileStat> {
    return attempt("look up", this.path, async () => fileStat(await this.#file.stat()));
  }

  close(): Promise<void> {
    return attempt("close", this.path, () => this.#file.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

type NodeStats = Awaited<ReturnType<typeof fs.stat>>;

function fileStat(stats: NodeStats): FileStat {
  if (stats.isFIFO() || stats.isCharacterDevice()) return STREAM_STAT;
  const kind = stats.isFile() ? "file" : stats.isDirectory() ? "directory" : "other";
  return { size: Number(stats.size), modifiedMs: Number(stats.mtimeMs), kind };
}

async function linkTarget(path: string): Promise<string | null> {
  return (await fs.lstat(path)).isSymbolicLink() ? fs.readlink(path) : null;
}

/** Null when there is nothing at the path. */
async function orNull<T>(look: () => Promise<T>): Promise<T | null> {
  try {
    return await look();
  } catch (error) {
    if (diskErrorCode(error) === "DISK_NOT_FOUND") return null;
    throw error;
  }
}

async function entryRemove(path: string): Promise<void> {
  try {
    await fs.rm(path, { force: true });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ERR_FS_EISDIR")) throw error;
    await fs.rmdir(path);
  }
}

/** Not `recursive: true`: that reports a missing parent where the disk is read-only. */
async function directoryMake(path: string): Promise<void> {
  try {
    await directoryMakeOne(path);
  } catch (error) {
    if (errnoCode(error) !== "ENOENT" || dirname(path) === path) throw error;
    await directoryMake(dirname(path));
    await directoryMakeOne(path); // Once: some file systems take no new names and say that the parent is missing.
  }
}

async function directoryMakeOne(path: string): Promise<void> {
  try {
    await fs.mkdir(path);
  } catch (error) {
    if (errnoCode(error) === "EEXIST" && (await fs.stat(path)).isDirectory()) return;
    throw error;
  }
  await directorySync(dirname(path)); // The new name is durable once the directory that holds it is.
}

async function directorySync(path: string): Promise<void> {
  const directory = await fs.open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function attempt<T>(operation: string, path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const errno = errnoCode(error);
    if (errno === null) throw error; // Not from the file system: an error of ours, or a bug.
    const code = diskErrorCode(error);
    const reason = SPECIFIC_REASONS[errno] ?? (code === "DISK_IO" ? `the disk reports ${errno}` : undefined);
    throw diskError(operation, path, code, { cause: error, ...(reason === undefined ? {} : { reason }) });
  }
}

const CODES: Readonly<Record<string, DiskErrorCode>> = {
  ENOENT: "DISK_NOT_FOUND",
  ENOTDIR: "DISK_NOT_FOUND",
  EACCES: "DISK_ACCESS",
  EPERM: "DISK_ACCESS",
  ENOSPC: "DISK_FULL",
  EDQUOT: "DISK_FULL",
  EROFS: "DISK_READ_ONLY",
  EEXIST: "DISK_EXISTS",
  ELOOP: "PATH_INVALID",
  ENAMETOOLONG: "PATH_INVALID",
};

const SPECIFIC_REASONS: Readonly<Record<string, string>> = {
  ENOTDIR: "a part of the path is not a directory",
  EISDIR: "it is a directory",
  ENOTEMPTY: "the directory is not empty",
  EMFILE: "this process has too many open files (raise `ulimit -n`)",
  ENFILE: "the system has too many open files",
  ELOOP: "its symbolic links lead round in a circle, or there are too many of them",
  ENAMETOOLONG: "the name is too long for this file system",
  EDQUOT: "the disk quota is used up",
};

function diskErrorCode(error: unknown): DiskErrorCode {
  return CODES[errnoCode(error) ?? ""] ?? "DISK_IO";
}

function errnoCode(error: unknown): string | null {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return null;
  return /^E[A-Z0-9]+$/.test(error.code) ? error.code : null; // Not Node's own ERR_…: those are bugs of the caller.
}

// The disk seam: what the engine needs of a file system, nothing more.
//
// Implementations: `storage/node-disk.ts` (real) and `testing/sim-disk.ts` (simulated). One contract suite runs both
// (`storage/disk.contract.ts`). One call at a time per handle. Failures are `ExternalError`s with code DISK_NOT_FOUND,
// DISK_ACCESS, DISK_FULL, DISK_READ_ONLY, DISK_IO or DISK_EXISTS, or the `UserError` PATH_INVALID for a path that no
// file can have; the message names the path.

export type FileStat = {
  readonly size: number;
  readonly modifiedMs: number;
  /** "stream": read once from start to end; its size is not known. */
  readonly kind: "file" | "directory" | "stream" | "other";
};

/** The paths that stand for the standard streams of the process, on every system. */
export const STDIN_PATH = "/dev/stdin";

/** Whether a source of these paths reads nothing but standard input. */
export function areStdin(paths: readonly string[]): boolean {
  return paths.every((path) => path === STDIN_PATH);
}
export const STDOUT_PATH = "/dev/stdout";

export interface FileHandle extends AsyncDisposable {
  readonly path: string;
  /**
   * Reads at most `length` bytes at `position` into `into` at `offset`; resolves to the count, 0 at the end of the
   * file.
   */
  read(into: Uint8Array, offset: number, length: number, position: number): Promise<number>;
  /** Writes all of `bytes` at the end of what was written so far. */
  append(bytes: Uint8Array): Promise<void>;
  /** Makes everything written so far durable. */
  sync(): Promise<void>;
  stat(): Promise<FileStat>;
  close(): Promise<void>;
}

/** Who holds a lock. */
export type LockHolder = {
  /** What it is doing there, in its own words. */
  readonly holder: string;
  readonly host: string;
  readonly pid: number;
  /** ISO 8601, by its own clock. */
  readonly since: string;
  /** Removing it frees the lock. */
  readonly file: string;
  /** It runs for certain; false when that cannot be told from here. */
  readonly isCertain: boolean;
};

/** Who it is, for people. */
export function holderText({ holder, host, pid, since, file }: LockHolder): string {
  // A lock that was torn by a crash does not say.
  return holder === "?" ? `whoever made ${file}` : `${holder} (process ${pid} on ${host}, since ${since})`;
}

export type LockAttempt =
  | { readonly kind: "locked"; readonly release: () => Promise<void> }
  | { readonly kind: "held"; readonly by: LockHolder };

export interface Disk {
  /** Where relative paths start. */
  readonly directory: string;
  /**
   * `read`: must exist. `create`: must not exist. `replace`: truncates what is there. Parent directories are not made.
   * A stream whose writer lets us wait has ended when `signal` aborts.
   */
  open(path: string, mode: "read" | "create" | "replace", signal?: AbortSignal): Promise<FileHandle>;
  /** Atomic; replaces the target. */
  rename(from: string, to: string): Promise<void>;
  /** A file or an empty directory; missing is fine. */
  remove(path: string): Promise<void>;
  /** With all parents, durably; existing is fine. */
  makeDirectory(path: string): Promise<void>;
  /** Names of the entries, sorted. */
  list(path: string): Promise<readonly string[]>;
  /** Null when there is nothing at `path`. */
  stat(path: string): Promise<FileStat | null>;
  /** The one absolute path, free of links, of what is at `path`; null when there is nothing. */
  realPath(path: string): Promise<string | null>;
  /** Where the symbolic link at `path` leads, as it is written there; null when it is none. */
  readLink(path: string): Promise<string | null>;
  /**
   * Locks `path` for this process, until `release` or its end, whatever ends it; files beside it whose names begin with
   * that of `path` are the lock's. Two holders in one process exclude each other as well.
   */
  lock(path: string, holder: string): Promise<LockAttempt>;
  /** Makes renames and creations inside a directory durable. */
  syncDirectory(path: string): Promise<void>;
}

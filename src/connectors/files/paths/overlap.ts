// Whether a job would read what it writes: by real paths, before anything has run.

import { dirname, join, relative, resolve } from "node:path/posix";
import type { Disk } from "../../../base/disk.ts";
import { filesReached, type Reached } from "./files-find.ts";
import { isHidden, type NamePattern, type PathPattern, pathPattern } from "./pattern.ts";

/** What a sink makes: a file, or files in a directory, of which `file` is one. */
export type Written = { readonly path: string; readonly file: string | null };

/** What a path of a source stands for. */
export type Read = { readonly base: string; readonly pattern: PathPattern | null; readonly reached: Reached };

export async function readOf(disk: Disk, path: string): Promise<Read> {
  const pattern = (await disk.stat(path)) === null ? pathPattern(path) : null;
  const base = resolve(disk.directory, pattern?.fixed ?? path);
  const reached = await filesReached(disk, path);
  return { base, pattern, reached };
}

/** Whether `written` is at, in or above what is read, now or once it is there; through links as well. */
export async function readsWritten(disk: Disk, { base, pattern, reached }: Read, written: Written): Promise<boolean> {
  const target = await realPathToBe(disk, written.path);
  const isAt = (path: string): boolean => path === target || (written.file !== null && isWithin(path, target));
  const realBase = await realPathToBe(disk, base);
  if (isAt(realBase)) return true;
  /** `directory` is `names` below the base. */
  const isFoundIn = (directory: string, names: string): boolean => {
    if (target !== directory && !isWithin(target, directory)) return false;
    const below = `${names}/${relative(directory, target)}/${written.file ?? ""}`
      .split("/")
      .filter((name) => name !== "");
    return pattern === null ? !below.some(isHidden) : reaches(pattern.names, below);
  };
  if (isFoundIn(realBase, "")) return true;
  for (const [path, real] of reached.directories) {
    if (isFoundIn(real, relative(base, resolve(disk.directory, path)))) return true;
  }
  for (const file of reached.files) {
    if (isAt(await realPathToBe(disk, file))) return true;
  }
  return false;
}

/** The real path of what is there, and of the nearest directory above what is not. */
export async function realPathToBe(disk: Disk, path: string): Promise<string> {
  const full = resolve(disk.directory, path);
  const real = await disk.realPath(full);
  if (real !== null || full === dirname(full)) return real ?? full;
  return join(await realPathToBe(disk, dirname(full)), full.slice(dirname(full).length));
}

function isWithin(path: string, directory: string): boolean {
  return path.startsWith(directory.endsWith("/") ? directory : `${directory}/`);
}

function reaches([pattern, ...rest]: readonly NamePattern[], [name, ...below]: readonly string[]): boolean {
  if (pattern === undefined || name === undefined) return pattern === undefined && name === undefined;
  if (pattern.kind === "below") {
    return pattern.matches([name, ...below].join("/")) && (pattern.hidden || ![name, ...below].some(isHidden));
  }
  return (name === pattern.literal || pattern.matches(name)) && reaches(rest, below);
}

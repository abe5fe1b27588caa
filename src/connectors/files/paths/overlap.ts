// Whether a job would read what it writes: by real paths, before anything has run.

import { dirname, join, relative, resolve } from "node:path/posix";
import type { Disk } from "../../../base/disk.ts";
import { isHidden, type NamePattern, pathPattern } from "./pattern.ts";

/** What a sink makes: a file, or files in a directory, of which `file` is one. */
export type Written = { readonly path: string; readonly file: string | null };

/** Whether `written` is at, in or above what the path `read` of a source stands for, now or once it is there. */
export async function readsWritten(disk: Disk, read: string, written: Written): Promise<boolean> {
  const target = await realPathToBe(disk, written.path);
  const isAbove = (path: string): boolean => written.file !== null && isWithin(path, target);
  const pattern = (await disk.stat(read)) === null ? pathPattern(read) : null;
  const base = await realPathToBe(disk, pattern?.fixed ?? read);
  if (base === target || isAbove(base)) return true;
  if (!isWithin(target, base)) return false;
  const below = [...relative(base, target).split("/"), ...(written.file === null ? [] : [written.file])];
  return pattern === null ? !below.some(isHidden) : reaches(pattern.names, below);
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

// The files that paths, directories and glob patterns stand for: found on a disk, in a fixed order.
//
// Patterns: `*` and `?` within a name, `[a-z]`, `{one,two}`, `**` for any number of directories. A path that exists is
// taken as it is, whatever characters it holds. Directories stand for all files below them. Names that begin with "."
// or "_" are found only when the pattern says so: that is how files that are not data are called.

import type { Disk } from "../../base/disk.ts";
import { UserError } from "../../base/errors.ts";
import { naturalOrder } from "../../base/natural-order.ts";
import { nearest } from "../../base/nearest.ts";

export type FoundFile = { readonly path: string; readonly size: number };

/**
 * Each path's files sorted, the paths in their order, no file twice. Throws a UserError when one stands for nothing.
 */
export async function filesFind(disk: Disk, paths: readonly string[]): Promise<readonly FoundFile[]> {
  const found = new Map<string, FoundFile>();
  for (const path of paths) {
    for (const file of await filesOf(disk, path)) if (!found.has(file.path)) found.set(file.path, file);
  }
  return [...found.values()];
}

async function filesOf(disk: Disk, path: string): Promise<readonly FoundFile[]> {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(path)?.[1];
  if (scheme !== undefined) {
    throw new UserError("PATH_UNSUPPORTED", `${path}: there is no connector for ${scheme}:// here`, {
      fix: "give a path on this machine's disks",
    });
  }
  const stat = await disk.stat(path);
  if (stat?.kind === "file") return [{ path, size: stat.size }];
  if (stat?.kind === "directory") return filesBelow(disk, path);
  if (stat !== null) {
    throw new UserError("PATH_UNSUPPORTED", `${path} is neither a file nor a directory`, {
      fix: "write its content to a file first",
    });
  }
  if (!/[*?[{]/.test(path)) throw await missing(disk, path);
  const files = (await Promise.all(bracesExpand(path).map((pattern) => globFiles(disk, pattern)))).flat();
  if (files.length > 0) return sorted(files);
  throw new UserError("FILES_NONE", `no file matches ${path}`, {
    fix: 'check the pattern; names that begin with "." or "_" have to be written out, and ** stands for any directories',
  });
}

async function missing(disk: Disk, path: string): Promise<UserError> {
  const [directory, name] = splitPath(path);
  const isThere = (await disk.stat(directory))?.kind === "directory";
  const similar = isThere ? nearest(name, await disk.list(directory)) : null;
  const fix =
    similar === null
      ? "check the path; relative paths start at the directory the job was started in"
      : `did you mean ${join(directory, similar)}?`;
  const where = path.startsWith("/") ? "" : ` in ${disk.directory}`;
  const what = isThere ? "" : `, nor a directory ${directory}`;
  return new UserError("FILE_MISSING", `there is no file ${path}${what}${where}`, { fix });
}

/** An empty directory stands for no files and is fine: it may be the output of a job that found nothing. */
async function filesBelow(disk: Disk, directory: string): Promise<readonly FoundFile[]> {
  return sorted(await globWalk(disk, directory, ["**", "*"]));
}

function globFiles(disk: Disk, pattern: string): Promise<FoundFile[]> {
  const names = pattern.split("/").filter((name, index) => name !== "" || index === 0);
  if (names.at(-1) === "**") names.push("*");
  // The fixed beginning needs no listing: directories above may be closed to us.
  let fixed = 0;
  while (fixed < names.length - 1 && !/[*?[]/.test(names[fixed]!)) fixed += 1;
  const root = names.slice(0, fixed).join("/");
  return globWalk(disk, fixed === 0 ? "." : root === "" ? "/" : root, names.slice(fixed));
}

/**
 * Files below `directory` whose path matches `names`, one pattern a name. Recursion is as deep as the directories are.
 */
async function globWalk(disk: Disk, directory: string, names: readonly string[]): Promise<FoundFile[]> {
  if ((await disk.stat(directory))?.kind !== "directory") return [];
  const [first = "*", ...rest] = names;
  const isDeep = first === "**";
  const found = isDeep ? await globWalk(disk, directory, rest) : [];
  const matches = nameMatcher(isDeep ? "*" : first);
  const below = isDeep ? names : rest;
  for (const name of await disk.list(directory)) {
    if (!matches(name)) continue;
    const path = join(directory, name);
    if (below.length > 0) {
      found.push(...(await globWalk(disk, path, below)));
      continue;
    }
    const stat = await disk.stat(path);
    if (stat?.kind === "file") found.push({ path, size: stat.size });
  }
  return found;
}

function nameMatcher(pattern: string): (name: string) => boolean {
  const source = pattern.replace(/\[!?[^\]]+\]|[*?]|[\\^$.|+(){}[\]]/g, (part) => {
    if (part === "*") return ".*";
    if (part === "?") return ".";
    if (part.length > 1) return part.replace(/^\[!/, "[^").replace(/\\/g, "\\\\");
    return `\\${part}`;
  });
  const expression = new RegExp(`^${source}$`, "su");
  const hidden = /^[._]/;
  return (name) => expression.test(name) && (!hidden.test(name) || hidden.test(pattern));
}

const PATTERNS_MAX = 1_000;

/** `{a,b}{1,2}` as four patterns. */
function bracesExpand(pattern: string): string[] {
  let patterns = [pattern];
  for (;;) {
    const expanded = patterns.flatMap((text) => {
      const match = /^(.*?)\{([^{}]*)\}(.*)$/s.exec(text);
      if (match === null) return [text];
      return match[2]!.split(",").map((choice) => `${match[1]}${choice}${match[3]}`);
    });
    if (expanded.length > PATTERNS_MAX) {
      throw new UserError("PATH_UNSUPPORTED", `${pattern} stands for more than ${PATTERNS_MAX} patterns`, {
        fix: "use * instead",
      });
    }
    if (expanded.every((text, index) => text === patterns[index])) return expanded;
    patterns = expanded;
  }
}

function splitPath(path: string): [directory: string, name: string] {
  const at = path.replace(/\/+$/, "").lastIndexOf("/");
  return at < 0 ? [".", path] : [at === 0 ? "/" : path.slice(0, at), path.slice(at + 1)];
}

function join(directory: string, name: string): string {
  if (directory === ".") return name;
  return directory.endsWith("/") ? `${directory}${name}` : `${directory}/${name}`;
}

/** Numbers in names by their value: day-2 comes before day-10. */
function sorted(files: readonly FoundFile[]): FoundFile[] {
  return [...files].sort((left, right) => naturalOrder(left.path, right.path));
}

// The files that paths, directories and glob patterns stand for: found on a disk, in a fixed order.
//
// A path that exists is taken as it is, whatever characters it holds; so is a name with brackets, braces or parentheses
// inside a pattern. Directories stand for all files below them. Names that begin with "." or "_" are found only when
// the pattern says so: that is how files that are not data are called.
//
//   F1. A file is found once, however it is spelt: files are told apart by their real paths.
//   F2. Links are followed. One that leads back to a directory above it, or to itself, holds nothing new and is passed
//       over; one that leads nowhere is an error that names it.
//   F3. What a directory lists and nobody can open by its name is an error, not a file that has gone.

import type { Disk, FileStat } from "../../../base/disk.ts";
import { EngineError, ExternalError, UserError } from "../../../base/errors.ts";
import { naturalOrder } from "../../../base/natural-order.ts";
import { nearest } from "../../../base/nearest.ts";
import { isHidden, type NamePattern, type PathPattern, pathPattern, patternEscape } from "./pattern.ts";

export type FoundFile = {
  readonly path: string;
  readonly size: number;
  /** Read once, from start to end; its size is not known. */
  readonly isStream: boolean;
};

/**
 * Each path's files sorted, the paths in their order, no file twice. Throws a UserError when one stands for nothing.
 */
export async function filesFind(disk: Disk, paths: readonly string[]): Promise<readonly FoundFile[]> {
  const found = new Map<string, FoundFile>();
  for (const path of paths) {
    for (const file of await filesOf(disk, path)) {
      const real = (await disk.realPath(file.path)) ?? file.path;
      if (!found.has(real)) found.set(real, file);
    }
  }
  return [...found.values()];
}

/** Where a search comes by: directories as the path has them and by their real paths, and the files found. */
export type Reached = { readonly directories: ReadonlyMap<string, string>; readonly files: readonly string[] };

/** Throws what is wrong with one entry; of what else cannot be found, the search itself tells, when the job runs. */
export async function filesReached(disk: Disk, path: string): Promise<Reached> {
  const walk = new Walk(disk);
  const files = await filesOf(disk, path, walk).catch((error: unknown) => {
    if (!(error instanceof EngineError) || WRONG_WITH_ENTRY.has(error.code)) throw error;
    return [];
  });
  return { directories: walk.entered, files: files.filter(({ isStream }) => !isStream).map((file) => file.path) };
}

async function filesOf(disk: Disk, path: string, walk = new Walk(disk)): Promise<readonly FoundFile[]> {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(path)?.[1];
  if (scheme !== undefined) {
    throw new UserError("PATH_UNSUPPORTED", `${path}: there is no connector for ${scheme}:// here`, {
      fix: "give a path on this machine's disks",
    });
  }
  const stat = await disk.stat(path);
  if (stat?.kind === "file" || stat?.kind === "stream") {
    return [{ path, size: stat.size, isStream: stat.kind === "stream" }];
  }
  // An empty directory stands for no files and is fine: it may be the output of a job that found nothing.
  if (stat?.kind === "directory") return sorted(await walk.below(path, "", everything));
  if (stat !== null) {
    throw new UserError("PATH_UNSUPPORTED", `${path} is neither a file nor a directory`, {
      fix: "give a file, a directory or a pipe; write its content to a file first",
    });
  }
  const link = await disk.readLink(path);
  if (link !== null) throw linkBroken(path, link);
  const pattern = pathPattern(path);
  if (pattern === null) throw await missing(disk, path);
  const files = await walk.pattern(pattern);
  if (files.length > 0) return sorted(files);
  const { there, place, similar } = await placeOf(disk, path, pattern.fixed);
  const nor = there ? "" : `, nor is there a directory ${pattern.fixed}`;
  const fix = similar === null ? patternFix(path) : `did you mean the directory ${similar}?`;
  throw new UserError("FILES_NONE", `no file matches ${path}${nor}${place}`, { fix });
}

function patternFix(path: string): string {
  const escaped = /[[{(]/.test(path) ? `; signs that stand for themselves need a \\: ${patternEscape(path)}` : "";
  const names = 'names that begin with "." or "_" have to be written out, and ** stands for any directories';
  return `check the pattern; ${names}${escaped}`;
}

async function missing(disk: Disk, path: string): Promise<UserError> {
  const [directory, name] = splitPath(path);
  const { there, place, similar } = await placeOf(disk, path, directory);
  const named = there ? await similarIn(disk, directory, name) : similar;
  const fix =
    named === null
      ? "check the path; relative paths start at the directory the job was started in"
      : `did you mean ${there ? "" : "the directory "}${named}?`;
  const what = there ? "" : `, nor a directory ${directory}`;
  return new UserError("FILE_MISSING", `there is no file ${path}${what}${place}`, { fix });
}

/** Whether the directory of a path is there, where a relative path begins, and what else may have been meant by it. */
async function placeOf(disk: Disk, path: string, directory: string) {
  const there = (await disk.stat(directory))?.kind === "directory";
  const place = path.startsWith("/") ? "" : ` in ${disk.directory}`;
  return { there, place, similar: there ? null : await similarIn(disk, ...splitPath(directory)) };
}

async function similarIn(disk: Disk, directory: string, name: string): Promise<string | null> {
  if ((await disk.stat(directory))?.kind !== "directory") return null;
  const similar = nearest(name, await disk.list(directory));
  return similar === null ? null : join(directory, similar);
}

function linkBroken(path: string, target: string): UserError {
  return new UserError("LINK_BROKEN", `${path} is a symbolic link to ${target}, where there is nothing`, {
    fix: "mend or remove the link, or give a pattern that leaves it out",
  });
}

/** What stands in a listed name for bytes that are no text: by that name nothing is found. */
const NOT_UTF8 = "\ufffd";

function nameUnreadable(path: string): UserError {
  return new UserError(
    "PATH_NOT_UTF8",
    `${path} cannot be read: its name is not UTF-8 (${NOT_UTF8} stands for what is not)`,
    {
      fix: "rename it, or give a pattern that leaves it out",
    },
  );
}

const WRONG_WITH_ENTRY: ReadonlySet<string> = new Set(["LINK_BROKEN", "PATH_NOT_UTF8"]);

type BelowPattern = Extract<NamePattern, { kind: "below" }>;

const everything: BelowPattern = { kind: "below", hidden: false, matches: () => true };

/** One walk through directories; recursion is as deep as they are. */
class Walk {
  readonly #disk: Disk;
  readonly #found: FoundFile[] = [];
  /** Directories that the walk has been in, with their real paths. */
  readonly entered = new Map<string, string>();
  /** Real paths of the directories that the walk is in. */
  readonly #inside = new Set<string>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  // The fixed beginning needs no listing: directories above may be closed to us.
  async pattern({ fixed, names }: PathPattern): Promise<FoundFile[]> {
    if ((await this.#disk.stat(fixed))?.kind === "directory") await this.#names(fixed, names);
    return this.#found;
  }

  /** All files below that match, by their path from where "below" began. */
  async below(directory: string, from: string, pattern: BelowPattern): Promise<FoundFile[]> {
    await this.#enter(directory, async () => {
      for (const name of await this.#disk.list(directory)) {
        if (isHidden(name) && !pattern.hidden) continue;
        const path = join(directory, name);
        const stat = await this.#stat(path);
        if (stat?.kind === "directory") await this.below(path, `${from}${name}/`, pattern);
        else if (pattern.matches(`${from}${name}`)) this.#take(path, stat);
      }
    });
    return this.#found;
  }

  async #names(directory: string, [pattern, ...rest]: readonly NamePattern[]): Promise<void> {
    if (pattern === undefined) return;
    if (pattern.kind === "below") {
      await this.below(directory, "", pattern);
      return;
    }
    for (const name of await this.#matching(directory, pattern)) {
      const path = join(directory, name);
      const stat = await this.#stat(path);
      if (rest.length === 0) this.#take(path, stat);
      else if (stat?.kind === "directory") await this.#enter(path, () => this.#names(path, rest));
    }
  }

  async #matching(directory: string, { literal, matches }: Extract<NamePattern, { kind: "name" }>): Promise<string[]> {
    if (literal !== null && (await this.#disk.stat(join(directory, literal))) !== null) return [literal];
    return (await this.#disk.list(directory)).filter(matches);
  }

  async #enter(directory: string, visit: () => Promise<void>): Promise<void> {
    const real = (await this.#disk.realPath(directory)) ?? directory;
    if (this.#inside.has(real)) return; // F2
    this.#inside.add(real);
    this.entered.set(directory, real);
    await visit();
    this.#inside.delete(real);
  }

  #take(path: string, stat: FileStat | null): void {
    if (stat?.kind === "file") this.#found.push({ path, size: stat.size, isStream: false });
  }

  /** Null for what has gone since it was listed, and for a link to itself. */
  async #stat(path: string): Promise<FileStat | null> {
    try {
      const stat = await this.#disk.stat(path);
      const link = stat === null ? await this.#disk.readLink(path) : null;
      if (link !== null) throw linkBroken(path, link);
      if (stat === null && path.includes(NOT_UTF8)) throw nameUnreadable(path); // F3
      return stat;
    } catch (error) {
      if (!(error instanceof EngineError) || WRONG_WITH_ENTRY.has(error.code)) throw error;
      const link = await this.#disk.readLink(path).catch(() => null);
      if (link === null) throw error;
      if (error.code === "PATH_INVALID") return null; // F2
      const { code, fix = "mend the link", cause } = error;
      throw new ExternalError(code, `cannot follow the symbolic link ${path} to ${link}: ${error.message}`, {
        fix,
        cause,
      });
    }
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

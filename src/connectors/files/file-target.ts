// The directory a file sink writes to: the names in it, who wrote what, and the commit.
//
//   part-<subtask>-<n>.<ext>                                 committed, visible; 3 and 5 digits or more
//   .part-<subtask>-<n>.<sink>.<job>.<attempt>.tmp           in progress; names of two attempts never meet
//   .millrace-<subtask>.json                                 the claim: {"uid", "job", "first", "committed"}
//
// The claim says which parts of its subtask belong to which run: those from `first` up to `committed` to run `job` of
// sink `uid`. Parts from `committed` on are of an earlier run, or of a failed attempt of this one, and go away with the
// first commit. Until then they stay: a run that fails at once costs nobody yesterday's results.
//
//   T1. A file is visible under its part name only when it is whole and durable.
//   T2. A commit can be repeated at any time, after any crash, with the same result.
//   T3. Only parts that a claim of the same sink covers are ever replaced or removed, unless `mode` says "replace".

import type { Disk } from "../../base/disk.ts";
import { ExternalError, UserError } from "../../base/errors.ts";
import { mix32 } from "../../base/seeded-random.ts";
import type { SinkWriterContext } from "../../operators/sink.ts";

export type TargetMode = "own" | "append" | "replace";

/** A file written and synced, waiting to be made visible. Names are relative to the directory. */
export type PendingFile = { readonly from: string; readonly to: string; readonly size: number };

/** Plain data, stored in checkpoints: what `commit` needs, wherever it runs. */
export type FileCommit = {
  readonly directory: string;
  readonly uid: string;
  readonly job: string;
  readonly subtask: number;
  readonly parallelism: number;
  readonly files: readonly PendingFile[];
  /** Parts of this run so far, these files included. */
  readonly committed: number;
  readonly mode: TargetMode;
};

type Claim = { readonly uid: string; readonly job: string; readonly first: number; readonly committed: number };

const PART = /^part-(\d+)-(\d+)\.\w+$/;
const CLAIM = /^\.millrace-(\d+)\.json$/;
const IN_PROGRESS = /^\.part-(\d+)-\d+\.([0-9a-f]{8})\.(.+)\.(\d+)\.tmp$/;

export class FileTarget {
  readonly directory: string;
  readonly #context: SinkWriterContext;
  readonly #extension: string;
  readonly #mode: TargetMode;
  #next = 0;

  constructor(directory: string, options: { context: SinkWriterContext; extension: string; mode: TargetMode }) {
    this.directory = directory.length > 1 ? directory.replace(/\/+$/, "") : directory;
    this.#context = options.context;
    this.#extension = options.extension;
    this.#mode = options.mode;
  }

  /** Makes the directory, sees what is in it, claims it, sweeps what crashed attempts left. */
  async open(): Promise<void> {
    const { disk, uid, jobId, subtaskIndex, restored } = this.#context;
    await directoryMake(disk, this.directory);
    const names = await disk.list(this.directory);
    const claims = await claimsRead(disk, this.directory, names);
    this.#refuseOthers(names, claims);
    const own = claims.get(subtaskIndex);
    const before = own?.uid === uid ? own : undefined;
    let first = 0;
    if (this.#mode === "append") first = before?.job === jobId ? before.first : firstFree(names, subtaskIndex);
    // Without a restore this run starts over, and whatever an earlier attempt of it committed is written again.
    const claim = restored && before !== undefined ? before : { uid, first, committed: first };
    this.#next = claim.committed;
    await claimWrite(disk, this.directory, subtaskIndex, { ...claim, job: jobId });
    if (restored && subtaskIndex === 0) await this.#adopt(claims);
    for (const name of names) if (this.#isLeftover(name)) await disk.remove(`${this.directory}/${name}`);
  }

  /** Names for the next file: where it is written, and what it is called in the end. */
  nextFile(): { from: string; to: string } {
    const { uid, jobId, subtaskIndex, attempt } = this.#context;
    const part = partName(subtaskIndex, this.#next);
    this.#next += 1;
    return { from: `.${part}.${sinkId(uid)}.${jobId}.${attempt}.tmp`, to: `${part}.${this.#extension}` };
  }

  async prepare(files: readonly PendingFile[]): Promise<FileCommit> {
    const { uid, jobId, subtaskIndex, parallelism, disk } = this.#context;
    if (files.length > 0) await disk.syncDirectory(this.directory); // The names survive a crash before the commit.
    const base = { directory: this.directory, uid, job: jobId, subtask: subtaskIndex, parallelism };
    return { ...base, files, committed: this.#next, mode: this.#mode };
  }

  #refuseOthers(names: readonly string[], claims: ReadonlyMap<number, Claim>): void {
    const { uid, jobId } = this.#context;
    for (const claim of claims.values()) {
      if (claim.uid === uid || claim.job !== jobId) continue;
      throw new UserError(
        "SINK_TARGET_SHARED",
        `the sinks "${claim.uid}" and "${uid}" both write to ${this.directory}`,
        {
          fix: "give each sink a directory of its own",
          operator: uid,
        },
      );
    }
    if (this.#mode !== "own") return;
    const foreign = names.find((name) => !name.startsWith(".") && this.#isForeign(name, claims));
    if (foreign === undefined) return;
    throw new UserError(
      "SINK_TARGET_OCCUPIED",
      `${this.directory} holds ${foreign}, which the sink "${uid}" did not write`,
      {
        fix: 'use another directory, or say what shall happen: mode: "append" keeps what is there, mode: "replace" replaces all parts',
        operator: uid,
      },
    );
  }

  /** A file that would be mixed up with ours. */
  #isForeign(name: string, claims: ReadonlyMap<number, Claim>): boolean {
    const part = PART.exec(name);
    if (part === null) return name.endsWith(`.${this.#extension}`);
    return claims.get(Number(part[1]))?.uid !== this.#context.uid;
  }

  /** Subtasks that this run no longer has: their parts belong to it now. */
  async #adopt(claims: ReadonlyMap<number, Claim>): Promise<void> {
    const { disk, uid, jobId, parallelism } = this.#context;
    for (const [subtask, claim] of claims) {
      if (subtask >= parallelism && claim.uid === uid)
        await claimWrite(disk, this.directory, subtask, { ...claim, job: jobId });
    }
  }

  /** Files of attempts before this one, of this sink and subtask, or of a subtask that no longer is. */
  #isLeftover(name: string): boolean {
    const match = IN_PROGRESS.exec(name);
    if (match === null) return false;
    const { uid, jobId, subtaskIndex, parallelism, attempt } = this.#context;
    const subtask = Number(match[1]);
    const isOurs = subtask === subtaskIndex || (subtaskIndex === 0 && subtask >= parallelism);
    return match[2] === sinkId(uid) && isOurs && (match[3] !== jobId || Number(match[4]) < attempt);
  }
}

/** T2: every step is done, or found done already. */
export async function fileCommit(disk: Disk, commit: FileCommit): Promise<void> {
  const { directory, uid, job, subtask, files } = commit;
  const names = await disk.list(directory);
  const claims = await claimsRead(disk, directory, names);
  const claim = claims.get(subtask);
  const isOurs = claim?.uid === uid && claim.job === job;
  if (isOurs && claim.committed < commit.committed) {
    await claimWrite(disk, directory, subtask, { ...claim, committed: commit.committed });
  }
  for (const { from, to, size } of files) {
    if (isOurs && names.includes(from)) await disk.rename(`${directory}/${from}`, `${directory}/${to}`);
    else await checkCommitted(disk, `${directory}/${to}`, size);
  }
  if (!isOurs) return; // A repeated commit, after the next run has begun.
  const committed = Math.max(claim.committed, commit.committed);
  // Backwards: parts before the claims that say whose they are.
  for (const name of [...names].reverse()) {
    if (isStale(name, { ...commit, committed }, claims)) await disk.remove(`${directory}/${name}`);
  }
  await disk.syncDirectory(directory);
}

async function checkCommitted(disk: Disk, path: string, size: number): Promise<void> {
  if ((await disk.stat(path))?.size === size) return;
  throw new ExternalError("SINK_COMMIT_LOST", `${path} cannot be committed: its data is gone from the directory`, {
    fix: "nobody but one job may write to or clean up the directory of a sink: check for a second run or another program",
  });
}

/** A part of an earlier run, or a claim of a subtask that only an earlier run had. */
function isStale(name: string, commit: FileCommit, claims: ReadonlyMap<number, Claim>): boolean {
  const part = PART.exec(name);
  const subtask = Number((part ?? CLAIM.exec(name))?.[1] ?? -1);
  if (subtask === commit.subtask) return part !== null && isStalePart(name, Number(part[2]), commit);
  if (commit.subtask !== 0 || subtask < commit.parallelism || commit.mode === "append") return false;
  const claim = claims.get(subtask);
  const isOtherSink = claim?.uid !== commit.uid;
  return isOtherSink ? commit.mode === "replace" : claim.job !== commit.job;
}

/** Parts of before numbers had leading zeros are not overwritten by those of the same number. */
function isStalePart(name: string, n: number, { committed, subtask, mode }: FileCommit): boolean {
  return n >= committed || (mode !== "append" && !name.startsWith(`${partName(subtask, n)}.`));
}

/** With leading zeros: whoever sorts the names as texts has the files in their order. */
function partName(subtask: number, n: number): string {
  return `part-${String(subtask).padStart(3, "0")}-${String(n).padStart(5, "0")}`;
}

async function directoryMake(disk: Disk, directory: string): Promise<void> {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(directory) || /[*?]/.test(directory)) {
    throw new UserError("PATH_UNSUPPORTED", `a sink cannot write to ${directory}`, {
      fix: "give a directory on this machine's disks",
    });
  }
  const stat = await disk.stat(directory);
  if (stat === null) return disk.makeDirectory(directory);
  if (stat.kind === "directory") return;
  throw new UserError("SINK_TARGET_IS_FILE", `${directory} is a file; a sink writes a directory of part files`, {
    fix: "remove the file, or give another path",
  });
}

function firstFree(names: readonly string[], subtask: number): number {
  let next = 0;
  for (const name of names) {
    const part = PART.exec(name);
    if (part !== null && Number(part[1]) === subtask) next = Math.max(next, Number(part[2]) + 1);
  }
  return next;
}

async function claimsRead(disk: Disk, directory: string, names: readonly string[]): Promise<Map<number, Claim>> {
  const claims = new Map<number, Claim>();
  for (const name of names) {
    const match = CLAIM.exec(name);
    const text = match === null ? null : await textRead(disk, `${directory}/${name}`);
    if (match !== null && text !== null) claims.set(Number(match[1]), JSON.parse(text) as Claim);
  }
  return claims;
}

/** Null when the file has gone: another subtask may have removed it. */
async function textRead(disk: Disk, path: string): Promise<string | null> {
  if ((await disk.stat(path)) === null) return null;
  await using file = await disk.open(path, "read");
  const bytes = Buffer.alloc((await file.stat()).size);
  let filled = 0;
  for (let count = -1; count !== 0; filled += count)
    count = await file.read(bytes, filled, bytes.length - filled, filled);
  return bytes.toString("utf8", 0, filled);
}

async function claimWrite(disk: Disk, directory: string, subtask: number, claim: Claim): Promise<void> {
  const path = `${directory}/.millrace-${subtask}.json`;
  {
    await using file = await disk.open(`${path}.tmp`, "replace");
    await file.append(Buffer.from(`${JSON.stringify(claim)}\n`));
    await file.sync();
  }
  await disk.rename(`${path}.tmp`, path);
  await disk.syncDirectory(directory);
}

/** Eight hex digits of the sink's uid, for file names. */
function sinkId(uid: string): string {
  let hash = 0;
  for (let index = 0; index < uid.length; index += 1) hash = mix32(hash + uid.charCodeAt(index) + 1);
  return hash.toString(16).padStart(8, "0");
}

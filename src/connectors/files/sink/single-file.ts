// One file as the target of a sink, for results that are small: written beside its place under another name, and
// renamed when the job has ended. One subtask writes it.
//
//   <name>                                    the result of the last run that ended well
//   .<name>.<sink>.<job>.<attempt>.tmp        in progress
//   .<name>.millrace-0-<epoch>.json           who writes it, and which sink wrote what is there (claims.ts)
//
// A writer that was paused while another run or attempt took over finds its file gone or its claim outdone.
//
// What a commit of part of a run would show is no result: runs without an end are refused. (With checkpoints, parts
// will wait hidden, and be put together at the end.)

import { basename, dirname } from "node:path/posix";
import type { Disk } from "../../../base/disk.ts";
import { UserError } from "../../../base/errors.ts";
import type { SinkWriterContext } from "../../../operators/sink.ts";
import { type ClaimPlace, claimAdd, claimCommit, claimsRead, newestClaim, superseded } from "./claims.ts";
import { checkCommitted, type PendingFile, type TargetMode } from "./file-target.ts";
import { sinkId } from "./part-names.ts";

/** Plain data: what `commit` needs, wherever it runs. */
export type SingleCommit = {
  readonly kind: "single";
  readonly directory: string;
  readonly uid: string;
  readonly job: string;
  readonly attempt: number;
  readonly files: readonly PendingFile[];
};

export class SingleFile {
  readonly directory: string;
  readonly isSingle = true;
  readonly #name: string;
  readonly #context: SinkWriterContext;
  readonly #mode: TargetMode;

  constructor(path: string, { context, mode }: { context: SinkWriterContext; mode: TargetMode }) {
    this.directory = dirname(path);
    this.#name = basename(path);
    this.#context = context;
    this.#mode = mode;
  }

  async open(): Promise<void> {
    const { disk, uid, jobId: job, attempt } = this.#context;
    if ((await disk.stat(this.directory)) === null) await disk.makeDirectory(this.directory);
    const path = `${this.directory}/${this.#name}`;
    const stat = await disk.stat(path);
    if (stat?.kind === "directory") {
      throw new UserError("SINK_TARGET_IS_DIRECTORY", `${path} is a directory; by its name it is a single file`, {
        fix: `write ${path}/ to have part files in that directory, or remove it`,
        operator: uid,
      });
    }
    const place = filePlace(disk, this.directory, this.#name);
    const names = await disk.list(this.directory);
    const claims = await claimsRead(place, names);
    const newest = newestClaim(claims, 0);
    if (newest?.job === job && newest.attempt > attempt) throw superseded(path, { uid, job, attempt });
    const owner = newest?.owner;
    if (this.#mode === "own" && stat !== null && owner !== uid) {
      throw new UserError("SINK_TARGET_OCCUPIED", `there is a file ${path}, which the sink "${uid}" did not write`, {
        fix: 'use another name, or mode: "replace" to replace it',
        operator: uid,
      });
    }
    const claim = { uid, job, attempt, since: attempt, kept: [], committed: 0, ...(owner !== undefined && { owner }) };
    const after = await claimAdd(place, { subtask: 0, claim, names, claims });
    const prefix = `.${this.#name}.${sinkId(uid)}.`;
    for (const name of after) {
      if (!name.startsWith(prefix) || !name.endsWith(".tmp")) continue;
      const [ofJob, ofAttempt] = name.slice(prefix.length).split(".");
      if (ofJob !== job || Number(ofAttempt) < attempt) await disk.remove(`${this.directory}/${name}`);
    }
  }

  nextFile(): { from: string; to: string } {
    const { uid, jobId, attempt } = this.#context;
    return { from: `.${this.#name}.${sinkId(uid)}.${jobId}.${attempt}.tmp`, to: this.#name };
  }

  async prepare(files: readonly PendingFile[]): Promise<SingleCommit> {
    const { disk, uid, jobId: job, attempt } = this.#context;
    await disk.syncDirectory(this.directory); // The name survives a crash before the commit.
    return { kind: "single", directory: this.directory, uid, job, attempt, files };
  }
}

/** Every step is done, or found done already. */
export async function singleCommit(disk: Disk, commit: SingleCommit): Promise<void> {
  const { directory, uid, job, attempt, files } = commit;
  const names = await disk.list(directory);
  for (const { from, to, size } of files) {
    const place = filePlace(disk, directory, to);
    const claim = newestClaim(await claimsRead(place, names), 0);
    const isOurs = claim?.uid === uid && claim.job === job && claim.attempt <= attempt;
    if (!isOurs || !names.includes(from)) {
      await checkCommitted(disk, `${directory}/${to}`, size);
      continue;
    }
    await claimCommit(place, 0, { ...claim, owner: uid });
    await disk.rename(`${directory}/${from}`, `${directory}/${to}`);
  }
  await disk.syncDirectory(directory);
}

/** Claims of a file. One subtask writes it: 0. */
function filePlace(disk: Disk, directory: string, name: string): ClaimPlace {
  return { disk, directory, stem: `.${name}.millrace-` };
}

// One file as the target of a sink, for results that are small: written beside its place under another name, and
// renamed when the job has ended. One subtask writes it. With checkpoints it is in progress until the end of the job:
// whoever goes on from one of them goes on with a copy of it (part-state.ts).
//
//   <name>                                    the result of the last run that ended well
//   .<name>.<sink>.<job>.<attempt>.tmp        in progress
//   .<name>.millrace-0-<epoch>.json           who writes it, and which sink wrote what is there (claims.ts)
//
// A writer that was paused while another run or attempt took over finds its file gone or its claim outdone.
//
// What a commit of part of a run would show is no result: runs without an end are refused.

import { basename, dirname } from "node:path/posix";
import type { Disk } from "../../../base/disk.ts";
import { UserError } from "../../../base/errors.ts";
import type { SinkWriterContext } from "../../../operators/sink.ts";
import {
  type ClaimPlace,
  claimAdd,
  claimCommit,
  claimContinued,
  claimsRead,
  goesOnFrom,
  newestClaim,
  superseded,
} from "./claims.ts";
import { checkCommitted, type FileCommit, type PendingFile, type TargetMode } from "./file-target.ts";
import { sinkId } from "./part-names.ts";
import { type FileNames, type OpenFile, type PartState, partCopy, type TakenOver } from "./part-state.ts";

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

  async open(): Promise<TakenOver | null> {
    const { disk, uid, jobId: job, attempt, restored } = this.#context;
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
    const anew = { uid, job, attempt, since: attempt, kept: {}, committed: 0, ...(owner !== undefined && { owner }) };
    const goesOn = restored && newest?.uid === uid;
    const claim = goesOn ? claimContinued(newest, { job, attempt, committed: 0 }) : anew;
    const taken = await this.#takeOver();
    try {
      const after = await claimAdd(place, { subtask: 0, claim, names, claims });
      await this.#sweep(after);
    } catch (error) {
      await taken?.file.handle.close();
      throw error;
    }
    return taken;
  }

  get #prefix(): string {
    return `.${this.#name}.${sinkId(this.#context.uid)}.`;
  }

  async #sweep(names: readonly string[]): Promise<void> {
    const { disk, jobId, attempt, uncommitted = [] } = this.#context;
    const prepared = (uncommitted as readonly SingleCommit[]).flatMap(({ files }) => files.map(({ from }) => from));
    for (const name of names) {
      if (!name.startsWith(this.#prefix) || !name.endsWith(".tmp") || prepared.includes(name)) continue;
      const [ofJob, ofAttempt] = name.slice(this.#prefix.length).split(".");
      if (ofJob !== jobId || Number(ofAttempt) < attempt) await disk.remove(`${this.directory}/${name}`);
    }
  }

  async #takeOver(): Promise<TakenOver | null> {
    const { disk, states = [], uncommitted = [] } = this.#context;
    const commits = uncommitted as readonly (FileCommit | SingleCommit)[];
    const [state, ...others] = states as readonly PartState[];
    const hasParts = state?.kind === "part" || commits.some((each) => !("kind" in each) && each.files.length > 0);
    if (hasParts || others.length > 0) throw this.changed("part files were written");
    if (state === undefined) return null;
    const names = (await disk.stat(state.directory)) === null ? [] : await disk.list(state.directory);
    const isCopy = (name: string): boolean => name.startsWith(this.#prefix) && name.endsWith(".tmp");
    const all = new Set([state.from, state.to, ...names.filter(isCopy)]);
    const sources = [...all].filter((name) => names.includes(name));
    const file = await partCopy(disk, { state, sources, into: { ...this.nextFile(), directory: this.directory } });
    await disk.syncDirectory(this.directory);
    return { file, state };
  }

  /** What the checkpoint holds cannot become part of this one file. */
  changed(what: string): UserError {
    const path = `${this.directory}/${this.#name}`;
    return new UserError("SINK_TARGET_CHANGED", `${what} when the checkpoint was taken, and ${path} is a single file`, {
      fix: "let the sink write what it wrote then, or begin anew with --fresh",
      operator: this.#context.uid,
    });
  }

  nextFile(): FileNames {
    const { jobId, attempt } = this.#context;
    return { from: `${this.#prefix}${jobId}.${attempt}.tmp`, to: this.#name, number: 0 };
  }

  stateOf({ number, from, to, size, crc }: OpenFile): Omit<PartState, "rows" | "ageMs" | "layout"> {
    return { kind: "single", directory: this.directory, subtask: 0, number, from, to, size, crc };
  }

  async prepare(files: readonly PendingFile[]): Promise<readonly SingleCommit[]> {
    const { disk, uid, jobId: job, attempt } = this.#context;
    if (files.length === 0) return [];
    await disk.syncDirectory(this.directory); // The name survives a crash before the commit.
    return [{ kind: "single", directory: this.directory, uid, job, attempt, files }];
  }
}

/** Every step is done, or found done already. */
export async function singleCommit(disk: Disk, commit: SingleCommit): Promise<void> {
  const { directory, uid, files } = commit;
  const names = await disk.list(directory);
  for (const { from, to, size } of files) {
    const place = filePlace(disk, directory, to);
    const claim = newestClaim(await claimsRead(place, names), 0);
    if (claim === undefined || !goesOnFrom(claim, commit) || !names.includes(from)) {
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

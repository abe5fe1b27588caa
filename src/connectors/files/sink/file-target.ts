// The directory a file sink writes to: what is in it, whose it is, and the commit. Names of files: part-names.ts; who
// wrote what: claims.ts.
//
// Parts of an earlier run, or of a failed attempt of this one, go away with the first commit, unless the run adds to
// what is there. Until then they stay: a run that fails at once costs nobody yesterday's results.
//
//   T1. A file is visible under its part name only when it is whole and durable.
//   T2. A commit can be repeated at any time, after any crash, with the same result.
//   T3. Only parts that a claim of the same sink covers are ever removed, unless `mode` says "replace"; none of an
//       earlier run by a run without an end.
//   T4. A run that goes on from a snapshot removes the parts that were committed after it, as it writes their rows
//       again: one without an end at once, one with an end by its commit. There are some when a newer snapshot could
//       not be read, or was not meant.
//   T5. A writer that was paused while another run or attempt took over finds its files gone or its claim outdone. All
//       names it uses are its own: it can neither overwrite nor remove what others have committed.
//   T6. A part that a checkpoint knows in progress is gone on with by the writer of its subtask; where there is none
//       any more the first one finishes it. Either way it has a new file (part-state.ts), and keeps subtask and
//       number: so it is found again from the same checkpoint, whatever has become of it.

import type { Disk } from "../../../base/disk.ts";
import { ExternalError, UserError } from "../../../base/errors.ts";
import type { SinkWriterContext } from "../../../operators/sink.ts";
import {
  type Claim,
  type ClaimPlace,
  type Claims,
  claimAdd,
  claimCommit,
  claimContinued,
  claimOf,
  claimsRead,
  goesOnFrom,
  newestClaim,
  partsPlace,
  runsOf,
  superseded,
} from "./claims.ts";
import { inProgressName, inProgressOf, type Part, partName, partOf, runId, sinkId } from "./part-names.ts";
import { type FileNames, type OpenFile, type PartState, partCopy, type TakenOver } from "./part-state.ts";

export type TargetMode = "own" | "append" | "replace";

/** A file written and synced, waiting to be made visible. Names are relative to the directory. */
export type PendingFile = { readonly from: string; readonly to: string; readonly size: number };

/** Plain data, stored in checkpoints: what `commit` needs, wherever it runs. */
export type FileCommit = {
  readonly directory: string;
  readonly uid: string;
  readonly job: string;
  readonly attempt: number;
  readonly subtask: number;
  readonly parallelism: number;
  readonly files: readonly PendingFile[];
  /** Parts of this run so far, these files included. */
  readonly committed: number;
  /** Of subtask 0: the same, by subtask, of those that only earlier runs had. */
  readonly adopted?: Readonly<Record<number, number>>;
  /** "append" for runs without an end, too, unless they are to replace. */
  readonly mode: TargetMode;
};

export class FileTarget {
  readonly directory: string;
  readonly isSingle = false;
  readonly #context: SinkWriterContext;
  readonly #extension: string;
  readonly #mode: TargetMode;
  /** Runs that prepared what the restored snapshot has. Null: nobody says. */
  readonly #runsThen: ReadonlySet<string> | null;
  #next = 0;
  readonly #adopted: Record<number, number> = {};
  /** Parts of others that were finished as this one was opened, and are to be committed with what is prepared next. */
  #finished: readonly (FileNames & { readonly subtask: number; readonly size: number })[] = [];

  constructor(directory: string, options: { context: SinkWriterContext; extension: string; mode: TargetMode }) {
    this.directory = directory.length > 1 ? directory.replace(/\/+$/, "") : directory;
    this.#context = options.context;
    this.#extension = options.extension;
    this.#mode = options.mode;
    this.#runsThen = runsThen(options.context);
  }

  /** Makes the directory, sees what is in it, takes over what is in progress, claims it, sweeps what attempts left. */
  async open(): Promise<TakenOver | null> {
    const { disk, jobId, subtaskIndex: subtask, attempt } = this.#context;
    const { directory } = this;
    if ((await disk.stat(directory)) === null) await disk.makeDirectory(directory);
    const names = await disk.list(directory);
    const place = partsPlace(disk, directory);
    const claims = await claimsRead(place, names);
    this.#refuseOthers(names, claims);
    const newest = newestClaim(claims, subtask);
    if (newest?.job === jobId && newest.attempt > attempt) throw superseded(directory, { ...newest, attempt });
    const claim = this.#nextClaim(names, newest);
    this.#next = Math.max(claim.committed, this.#committedThen(subtask) ?? 0);
    const taken = await this.#takeOver();
    try {
      const after = await claimAdd(place, { subtask, claim, names, claims });
      if (subtask === 0) await this.#adopt(names, claims);
      await this.#sweep(after, claims);
    } catch (error) {
      await taken?.file.handle.close();
      throw error;
    }
    return taken;
  }

  async #sweep(names: readonly string[], claims: Claims): Promise<void> {
    const kept = new Set(this.#uncommitted.flatMap(({ files }) => files.map(({ from }) => from)));
    for (const name of names) {
      const goes = (this.#isLeftover(name) && !kept.has(name)) || this.#isAfter(name, claims);
      if (goes) await this.#context.disk.remove(`${this.directory}/${name}`);
    }
  }

  /** T6. Null: there is nothing to go on with. All of it is durable then. */
  async #takeOver(): Promise<TakenOver | null> {
    const { disk, subtaskIndex, parallelism } = this.#context;
    const states = (this.#context.states ?? []) as readonly PartState[];
    const isOurs = ({ subtask }: PartState): boolean =>
      subtask === subtaskIndex || (subtaskIndex === 0 && subtask >= parallelism);
    let own: TakenOver | null = null;
    // Its own at last: what is in progress has the highest number.
    const inOrder = states.filter(isOurs).sort((left, right) => right.subtask - left.subtask);
    for (const state of inOrder) {
      const file = await this.#copy(state);
      if (state.subtask === subtaskIndex) own = { file, state };
      else {
        await file.handle.close();
        const subtask = this.#isHere(state) ? state.subtask : subtaskIndex;
        this.#finished = [...this.#finished, { ...file, subtask }];
        if (subtask !== subtaskIndex) this.#adopted[subtask] = file.number + 1;
      }
    }
    if (states.length > 0) await disk.syncDirectory(this.directory);
    return own;
  }

  async #copy(state: PartState): Promise<OpenFile> {
    const { disk, uid, subtaskIndex } = this.#context;
    const { subtask, number } = this.#isHere(state) ? state : { subtask: subtaskIndex, number: this.#next };
    if (subtask === subtaskIndex) this.#next = Math.max(this.#next, number + 1);
    const names = (await disk.stat(state.directory)) === null ? [] : await disk.list(state.directory);
    const sources = sourcesOf(state, names, sinkId(uid));
    const into = { ...this.#names(subtask, number), directory: this.directory };
    return partCopy(disk, { state, sources, into });
  }

  /** False: the job wrote elsewhere then. What it had not shown goes on here, as a part like any other. */
  #isHere({ kind, directory }: PartState): boolean {
    return kind === "part" && directory === this.directory;
  }

  get #uncommitted(): readonly FileCommit[] {
    return (this.#context.uncommitted ?? []) as readonly FileCommit[];
  }

  /** Parts of a subtask when the restored snapshot was taken; null: it does not say. */
  #committedThen(subtask: number): number | null {
    const own = this.#uncommitted.filter((each) => each.subtask === subtask);
    if (own.length > 0) return Math.max(...own.map(({ committed }) => committed));
    const first = this.#uncommitted.findLast((each) => each.subtask === 0);
    return first !== undefined && subtask >= first.parallelism ? (first.adopted?.[subtask] ?? 0) : null;
  }

  /** T4 */
  #isAfter(name: string, claims: Claims): boolean {
    const { bounded, restored, parallelism, subtaskIndex, uid } = this.#context;
    const part = partOf(name);
    if (part === null || !restored || bounded) return false;
    const isOurs = part.subtask === subtaskIndex || (subtaskIndex === 0 && part.subtask >= parallelism);
    const claim = newestClaim(claims, part.subtask);
    if (!isOurs || claim?.uid !== uid || !runsOf(claim).includes(part.job)) return false;
    return part.number >= (this.#committedThen(part.subtask) ?? Infinity);
  }

  /** Names for the next file: where it is written, and what it is called in the end. */
  nextFile(): FileNames {
    const number = this.#next;
    this.#next += 1;
    return this.#names(this.#context.subtaskIndex, number);
  }

  #names(subtask: number, number: number): FileNames {
    const { uid, jobId: job, attempt } = this.#context;
    const file = { subtask, number, job, attempt };
    return { from: inProgressName({ ...file, uid }), to: partName({ ...file, extension: this.#extension }), number };
  }

  stateOf({ number, from, to, size, crc }: OpenFile): Omit<PartState, "rows" | "ageMs" | "layout"> {
    const { subtaskIndex: subtask } = this.#context;
    return { kind: "part", directory: this.directory, subtask, number, from, to, size, crc };
  }

  /** `inProgress` goes on; null: none does. `always`: also without files. */
  async prepare(
    files: readonly PendingFile[],
    { inProgress, always }: { readonly inProgress: OpenFile | null; readonly always: boolean },
  ): Promise<readonly FileCommit[]> {
    const { subtaskIndex: own, disk } = this.#context;
    const finished = this.#finished;
    this.#finished = [];
    if (files.length > 0) await disk.syncDirectory(this.directory); // The names survive a crash before the commit.
    const ofOthers = finished
      .filter(({ subtask }) => subtask !== own)
      .map(({ subtask, number, ...file }) => this.#commit(subtask, [pending(file)], number + 1));
    const all = [...finished.filter(({ subtask }) => subtask === own).map(pending), ...files];
    if (all.length === 0 && !always) return ofOthers;
    const commit = this.#commit(own, all, inProgress?.number ?? this.#next);
    const adopts = Object.keys(this.#adopted).length > 0;
    return [adopts ? { ...commit, adopted: { ...this.#adopted } } : commit, ...ofOthers];
  }

  #commit(subtask: number, files: readonly PendingFile[], committed: number): FileCommit {
    const { uid, jobId: job, parallelism, attempt } = this.#context;
    const mode = this.#adds ? "append" : this.#mode;
    return { directory: this.directory, uid, job, attempt, subtask, parallelism, files, committed, mode };
  }

  get #adds(): boolean {
    return this.#mode === "append" || (this.#mode === "own" && !this.#context.bounded);
  }

  #nextClaim(names: readonly string[], newest: Claim | undefined): Claim {
    const { uid, jobId: job, subtaskIndex: subtask, attempt, restored } = this.#context;
    const before = newest?.uid === uid ? newest : undefined;
    if (restored && before !== undefined) return this.#continued(subtask, before);
    // This run starts over, and whatever an earlier attempt of it committed is written again.
    const committed = this.#firstFree(names, subtask);
    return { uid, job, attempt, since: attempt, kept: restored ? this.#keptThen(subtask) : {}, committed };
  }

  /** The number of a run's first part: behind those of other runs, where they stay. */
  #firstFree(names: readonly string[], subtask: number): number {
    if (!this.#adds) return 0;
    const own = runId(this.#context.jobId);
    let next = 0;
    for (const name of names) {
      const part = partOf(name);
      if (part?.subtask === subtask && part.job !== own) next = Math.max(next, part.number + 1);
    }
    return next;
  }

  #refuseOthers(names: readonly string[], claims: Claims): void {
    const { uid, jobId } = this.#context;
    for (const subtask of claims.keys()) {
      const claim = newestClaim(claims, subtask)!;
      if (claim.uid === uid || claim.job !== jobId) continue;
      throw new UserError(
        "SINK_TARGET_SHARED",
        `the sinks "${claim.uid}" and "${uid}" both write to ${this.directory}`,
        { fix: "give each sink a place of its own", operator: uid },
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
  #isForeign(name: string, claims: Claims): boolean {
    const part = partOf(name);
    if (part === null) return name.endsWith(`.${this.#extension}`);
    return newestClaim(claims, part.subtask)?.uid !== this.#context.uid;
  }

  /** Subtasks that this run does not have: where it goes on, their parts belong to it now. */
  async #adopt(names: readonly string[], claims: Claims): Promise<void> {
    const { disk, uid, parallelism, restored } = this.#context;
    const own = new Set([...runsOf(newestClaim(claims, 0)), ...(this.#runsThen ?? [])]);
    for (const subtask of claims.keys()) {
      const before = newestClaim(claims, subtask)!;
      if (subtask < parallelism || before.uid !== uid) continue;
      const finished = this.#adopted[subtask] ?? 0;
      // Otherwise it is of a run that this one does not go on from.
      const isOwn = this.#adds || finished > 0 || runsOf(before).some((run) => own.has(run));
      if (restored && !isOwn) continue;
      this.#adopted[subtask] = this.#firstFree(names, subtask);
      if (!restored) continue;
      const claim = this.#continued(subtask, before);
      this.#adopted[subtask] = Math.max(claim.committed, finished);
      await claimAdd(partsPlace(disk, this.directory), { subtask, claim, names, claims });
    }
  }

  /** The claim of a run that goes on from a snapshot. */
  #continued(subtask: number, before: Claim): Claim {
    const { jobId: job, attempt } = this.#context;
    const committed = this.#committedThen(subtask) ?? before.committed;
    const claim = claimContinued(before, { job, attempt, committed });
    const runs = this.#runsThen;
    if (before.job === job || runs === null) return claim;
    // Otherwise the run before began anew meanwhile: this one does not go on from it.
    const isOwn = runsOf(before).some((run) => runs.has(run));
    return { ...claim, kept: { ...this.#keptThen(subtask), ...(isOwn && claim.kept) } };
  }

  #keptThen(subtask: number): Claim["kept"] {
    const below = this.#committedThen(subtask) ?? 0;
    return Object.fromEntries(Array.from(this.#runsThen ?? [], (run) => [run, below]));
  }

  /**
   * Files of attempts before this one, of this sink and subtask, or of a subtask that no longer is. No other run lives:
   * this one has the lock, or had it when the files were listed.
   */
  #isLeftover(name: string): boolean {
    const file = inProgressOf(name);
    if (file === null || file.sink !== sinkId(this.#context.uid)) return false;
    const { jobId, subtaskIndex, parallelism, attempt } = this.#context;
    const isOurs = file.subtask === subtaskIndex || (subtaskIndex === 0 && file.subtask >= parallelism);
    return isOurs && (file.job !== jobId || file.attempt < attempt);
  }
}

/** T2: every step is done, or found done already. */
export async function fileCommit(disk: Disk, commit: FileCommit): Promise<void> {
  const { directory, subtask, files } = commit;
  const names = await disk.list(directory);
  const place = partsPlace(disk, directory);
  const claims = await claimsRead(place, names);
  const claim = newestClaim(claims, subtask);
  // What it does not go on from can only be found done.
  const isOurs = claim !== undefined && goesOnFrom(claim, commit);
  if (isOurs && claim.committed < commit.committed) {
    await claimCommit(place, subtask, { ...claim, committed: commit.committed });
  }
  for (const { from, to, size } of files) {
    if (isOurs && names.includes(from)) await disk.rename(`${directory}/${from}`, `${directory}/${to}`);
    else await checkCommitted(disk, `${directory}/${to}`, size);
  }
  if (!isOurs) return disk.syncDirectory(directory);
  const committed = Math.max(claim.committed, commit.committed);
  // Backwards: parts before the claims that say whose they are.
  for (const name of [...names].reverse()) {
    if (isStale(name, { ...commit, committed }, { place, claims })) await disk.remove(`${directory}/${name}`);
  }
  await disk.syncDirectory(directory);
}

export async function checkCommitted(disk: Disk, path: string, size: number): Promise<void> {
  if ((await disk.stat(path))?.size === size) return;
  throw new ExternalError("SINK_COMMIT_LOST", `${path} cannot be committed: its data is gone from the directory`, {
    fix: "nobody but one job may write to or clean up the directory of a sink: check for a second run or another program",
  });
}

/** A part of an earlier run, or a claim of a subtask that only an earlier run had. */
function isStale(
  name: string,
  commit: FileCommit,
  { place, claims }: { readonly place: ClaimPlace; readonly claims: Claims },
): boolean {
  const part = partOf(name);
  const subtask = part?.subtask ?? claimOf(place, name)?.subtask ?? -1;
  const claim = newestClaim(claims, subtask);
  if (subtask === commit.subtask && claim !== undefined) return part !== null && isStalePart(part, commit, claim);
  if (commit.subtask !== 0 || subtask < commit.parallelism) return false;
  if (claim?.uid !== commit.uid) return commit.mode === "replace";
  // It was not adopted, or whoever goes on from this commit's run has that subtask already.
  if (claim.job !== commit.job) return commit.mode !== "append" && !(runId(commit.job) in claim.kept);
  return part !== null && part.job !== runId(claim.job) && isStaleBefore(part, commit, claim);
}

/** Of the same subtask. */
function isStalePart(part: Part, commit: FileCommit, claim: Claim): boolean {
  if (part.job !== runId(claim.job)) return isStaleBefore(part, commit, claim);
  return part.attempt < claim.since || part.number >= commit.committed;
}

/** Of another run than the claim's. */
function isStaleBefore({ job, number }: Part, { mode }: FileCommit, { kept }: Claim): boolean {
  const below = kept[job];
  return below === undefined ? mode !== "append" : number >= below;
}

function runsThen({ uncommitted, states = [] }: SinkWriterContext): ReadonlySet<string> | null {
  if (uncommitted === undefined) return null;
  const prepared = (uncommitted as readonly FileCommit[]).map(({ job }) => runId(job));
  const inProgress = (states as readonly PartState[]).flatMap(({ to }) => partOf(to)?.job ?? []);
  return new Set([...prepared, ...inProgress]);
}

function pending({ from, to, size }: PendingFile): PendingFile {
  return { from, to, size };
}

/** Files that may begin with what the checkpoint knows of a part, the likeliest first. */
function sourcesOf({ kind, subtask, number, from, to }: PartState, names: readonly string[], sink: string): string[] {
  const isSame = (name: string): boolean => {
    const part = inProgressOf(name) ?? partOf(name);
    if (part === null || kind !== "part") return false;
    return part.subtask === subtask && part.number === number && ("sink" in part ? part.sink === sink : true);
  };
  const all = new Set([from, to, ...names.filter(isSame)]);
  return [...all].filter((name) => names.includes(name));
}

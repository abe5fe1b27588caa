// Who wrote which parts of a sink's directory, or a single file, as files beside them.
//
//   .millrace-<subtask>-<epoch>.json            {"uid", "job", "attempt", "since", "kept", "committed"}
//   .<file>.millrace-<subtask>-<epoch>.json     of a single file; with "owner"
//
// The highest epoch counts. A new attempt makes a claim of the next one, which must not be there yet: an attempt
// that was paused, and has read what was newest then, finds that somebody else made it, and can never come after.
//
//   C1. A claim that was torn by a crash counts for nothing; the one before it stays until the next one is durable.
//   C2. Claims change in one way only: parts are committed.

import type { Disk } from "../../../base/disk.ts";
import { EngineError, ExternalError } from "../../../base/errors.ts";
import { runId } from "./part-names.ts";
import { textRead, textReplace, textWrite } from "./small-file.ts";

export type Claim = {
  readonly uid: string;
  readonly job: string;
  readonly attempt: number;
  /** The run began with this attempt: what earlier ones committed, it writes again. */
  readonly since: number;
  /** Runs that this one goes on from, as they are in the names of parts; it keeps those whose numbers are below. */
  readonly kept: Readonly<Record<string, number>>;
  /** Numbers of parts of this run are below. */
  readonly committed: number;
  /** Of a single file: uid of the sink that wrote what is visible. */
  readonly owner?: string;
};

/** Where claims are, and how their names begin. */
export type ClaimPlace = { readonly disk: Disk; readonly directory: string; readonly stem: string };

/** Of the parts in a directory. */
export function partsPlace(disk: Disk, directory: string): ClaimPlace {
  return { disk, directory, stem: ".millrace-" };
}

type Found = Claim & { readonly epoch: number };

/** By subtask, the newest first. */
export type Claims = ReadonlyMap<number, readonly Found[]>;

const CLAIM = /^(\d+)-(\d+)\.json$/;

export async function claimsRead(place: ClaimPlace, names: readonly string[]): Promise<Claims> {
  const { disk, directory } = place;
  const claims = new Map<number, Found[]>();
  for (const name of names) {
    const at = claimOf(place, name);
    const claim = at === null ? null : await claimRead(disk, `${directory}/${name}`);
    if (at === null || claim === null) continue;
    const ofSubtask = claims.get(at.subtask) ?? [];
    ofSubtask.push({ ...claim, epoch: at.epoch });
    claims.set(at.subtask, ofSubtask);
  }
  for (const ofSubtask of claims.values()) ofSubtask.sort((left, right) => right.epoch - left.epoch);
  return claims;
}

export function newestClaim(claims: Claims, subtask: number): Found | undefined {
  return claims.get(subtask)?.[0];
}

/** Null for other files. */
export function claimOf(
  { stem }: Pick<ClaimPlace, "stem">,
  name: string,
): { readonly subtask: number; readonly epoch: number } | null {
  const match = name.startsWith(stem) ? CLAIM.exec(name.slice(stem.length)) : null;
  return match === null ? null : { subtask: Number(match[1]), epoch: Number(match[2]) };
}

/**
 * Adds a claim that comes after those among `names`; removes what nobody needs any more. Gives the names that are there
 * afterwards: what others write by an older claim has begun before.
 */
export async function claimAdd(
  place: ClaimPlace,
  { subtask, claim, names, claims }: { subtask: number; claim: Claim; names: readonly string[]; claims: Claims },
): Promise<readonly string[]> {
  const { disk, directory, stem } = place;
  const epochs = epochsOf(place, names, subtask);
  const epoch = 1 + Math.max(0, ...epochs);
  try {
    await textWrite(disk, claimPath(place, subtask, epoch), textOf(claim), "create");
  } catch (error) {
    if (error instanceof EngineError && error.code === "DISK_EXISTS") throw superseded(directory, claim);
    throw error;
  }
  await disk.syncDirectory(directory);
  const before = newestClaim(claims, subtask)?.epoch ?? 0;
  for (const old of epochs) if (old < before) await disk.remove(claimPath(place, subtask, old)); // C1
  for (const name of names) {
    if (name.startsWith(`${stem}${subtask}-`) && name.endsWith(".tmp")) await disk.remove(`${directory}/${name}`);
  }
  const after = await disk.list(directory);
  // Whose claim came after it may be at work already: its files are among them.
  if (epochsOf(place, after, subtask).some((other) => other > epoch)) throw superseded(directory, claim);
  return after;
}

function epochsOf(place: ClaimPlace, names: readonly string[], subtask: number): number[] {
  return names.flatMap((name) => {
    const found = claimOf(place, name);
    return found?.subtask === subtask ? [found.epoch] : [];
  });
}

/** C2 */
export async function claimCommit(place: ClaimPlace, subtask: number, claim: Found): Promise<void> {
  await textReplace(place.disk, claimPath(place, subtask, claim.epoch), textOf(claim));
  await place.disk.syncDirectory(place.directory);
}

/** Whether what an attempt of a job has prepared is this claim's to show: it goes on from there. */
export function goesOnFrom(
  claim: Claim | undefined,
  { uid, job, attempt }: Pick<Claim, "uid" | "job" | "attempt">,
): boolean {
  if (claim?.uid !== uid) return false;
  return claim.job === job ? attempt >= claim.since : runId(job) in claim.kept;
}

/** The run of a claim, and those that it goes on from. */
export function runsOf(claim: Claim | undefined): readonly string[] {
  return claim === undefined ? [] : [runId(claim.job), ...Object.keys(claim.kept)];
}

/** The claim of an attempt that goes on from a snapshot, after `before`. `committed`: parts that the snapshot knows. */
export function claimContinued(
  before: Claim,
  { job, attempt, committed }: Pick<Claim, "job" | "attempt" | "committed">,
): Claim {
  if (before.job === job) return { ...before, attempt, committed };
  const kept = Object.entries(before.kept).map(([run, below]) => [run, Math.min(below, committed)]);
  kept.push([runId(before.job), committed]);
  return { ...before, job, attempt, committed, since: 0, kept: Object.fromEntries(kept) };
}

export function superseded(
  directory: string,
  { uid, job, attempt }: Pick<Claim, "uid" | "job" | "attempt">,
): ExternalError {
  const what = `attempt ${attempt} of job ${runId(job)} no longer writes to ${directory}: another one has taken over`;
  return new ExternalError("SINK_SUPERSEDED", what, {
    fix: "nothing, if this process was paused or cut off for a while: its work goes on elsewhere",
    operator: uid,
  });
}

function claimPath({ directory, stem }: ClaimPlace, subtask: number, epoch: number): string {
  return `${directory}/${stem}${subtask}-${epoch}.json`;
}

/** The epoch is in the name. */
function textOf({ epoch: _epoch, ...claim }: Claim & Partial<Found>): string {
  return `${JSON.stringify(claim)}\n`;
}

/** Null when it has gone, or is torn. */
async function claimRead(disk: Disk, path: string): Promise<Claim | null> {
  const text = await textRead(disk, path);
  try {
    return text === null ? null : (JSON.parse(text) as Claim);
  } catch {
    return null; // C1
  }
}

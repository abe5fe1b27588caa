// Where a process is killed to the call, and what its disk does to it: which system calls, about which files.

import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { checkpointFiles, newestId } from "./checkpoint-files.ts";
import type { Tampering } from "./strace.ts";

export type JobPlace = { readonly checkpoints: string; readonly out: string };

/** What a process does when it is killed. */
export type Phase =
  | "running"
  | "checkpoint"
  | "pointer"
  | "commit"
  | "discard"
  | "finish"
  | "restore"
  | "savepoint"
  | "stop";

export type KillPoint = {
  readonly phase: Phase;
  readonly calls: string;
  /** None: there is nothing of the kind now. */
  readonly paths: (place: JobPlace) => readonly string[];
};

/** So many checkpoints may be completed before strace sees the process. */
const AHEAD = 150;
const UNFINISHED = ".unfinished-";
const METADATA = "_metadata";
const POINTER = "latest";
export const REMOVE_CALLS = "unlink,unlinkat,rmdir";

/** Each just before the call. */
export const KILL_POINTS: Readonly<Record<string, KillPoint>> = {
  stateSync: { phase: "checkpoint", calls: "fsync", paths: (place) => comingStates(place) },
  stateName: { phase: "checkpoint", calls: "rename", paths: (place) => comingStates(place) },
  metadataOpen: { phase: "checkpoint", calls: "openat", paths: (place) => coming(place, [UNFINISHED + METADATA]) },
  metadataSync: { phase: "checkpoint", calls: "fsync", paths: (place) => coming(place, [UNFINISHED + METADATA]) },
  metadataName: { phase: "checkpoint", calls: "rename", paths: (place) => coming(place, [UNFINISHED + METADATA]) },
  folderSync: { phase: "checkpoint", calls: "fsync", paths: (place) => coming(place, [""]) },
  /** The metadata is there, and the pointer names the one before. */
  pointerOpen: { phase: "pointer", calls: "openat", paths: ({ checkpoints }) => [newPointer(checkpoints)] },
  pointerSync: { phase: "pointer", calls: "fsync", paths: ({ checkpoints }) => [newPointer(checkpoints)] },
  pointerName: { phase: "pointer", calls: "rename", paths: ({ checkpoints }) => [newPointer(checkpoints)] },
  /** Also before the folder of the checkpoint is durable. */
  directorySync: { phase: "pointer", calls: "fsync", paths: ({ checkpoints }) => [checkpoints] },
  /** The checkpoint counts, and what it commits is not to be seen. A bounded job: at its end. */
  commitName: { phase: "commit", calls: "rename", paths: ({ out }) => hiddenFiles(out) },
  commitSync: { phase: "commit", calls: "fsync", paths: ({ out }) => outDirectories(out) },
  discard: { phase: "discard", calls: REMOVE_CALLS, paths: ({ checkpoints }) => present(checkpoints, METADATA) },
};

/** Of a bounded job: all is committed, and its checkpoints are there. */
export const FINISH_POINT: KillPoint = {
  phase: "finish",
  calls: REMOVE_CALLS,
  paths: ({ checkpoints }) => [join(checkpoints, POINTER)],
};

/** Of a process that goes on. */
export const RESTORE_POINTS: Readonly<Record<string, KillPoint>> = {
  sweep: { phase: "restore", calls: "fsync", paths: ({ checkpoints }) => [checkpoints] },
  pointer: { phase: "restore", calls: "openat", paths: ({ checkpoints }) => [join(checkpoints, POINTER)] },
  state: { phase: "restore", calls: "read,pread64", paths: ({ checkpoints }) => newestFiles(checkpoints) },
  partOpen: { phase: "restore", calls: "openat", paths: ({ out }) => hiddenFiles(out) },
  partRemove: { phase: "restore", calls: REMOVE_CALLS, paths: ({ out }) => hiddenFiles(out) },
  partSync: { phase: "restore", calls: "fsync", paths: ({ out }) => outDirectories(out) },
  firstPointer: { phase: "restore", calls: "rename", paths: ({ checkpoints }) => [newPointer(checkpoints)] },
};

/** Calls of which a disk may say that they have failed. */
export const DISK_CALLS: Readonly<Record<string, string>> = {
  Sync: "fsync,fdatasync",
  Write: "write,pwrite64,writev,pwritev",
  Open: "openat",
  Name: "rename",
  Make: "mkdir",
  Remove: REMOVE_CALLS,
};

/** Checkpoints to come and those there are, and the files of sinks in progress. */
export function diskPaths(place: JobPlace): readonly string[] {
  const { checkpoints, out } = place;
  const names = ["", METADATA, UNFINISHED + METADATA, ...stateNames(checkpoints).map((name) => UNFINISHED + name)];
  return [
    ...[checkpoints, newPointer(checkpoints), ...outDirectories(out), ...hiddenFiles(out)],
    ...[...present(checkpoints, METADATA), ...coming(place, names)],
  ];
}

export function killAt({ calls, paths }: KillPoint, place: JobPlace, when = "1+"): Tampering {
  return { calls, effect: "signal=KILL", paths: paths(place), when };
}

function coming({ checkpoints }: JobPlace, names: readonly string[]): string[] {
  const newest = newestId(checkpoints) ?? 0;
  const folders = Array.from({ length: AHEAD }, (_, index) => join(checkpoints, `chk-${newest + 1 + index}`));
  return folders.flatMap((folder) => names.map((name) => join(folder, name)));
}

function comingStates(place: JobPlace): string[] {
  return coming(
    place,
    stateNames(place.checkpoints).map((name) => UNFINISHED + name),
  );
}

/** As the newest checkpoint has them: so does the next one of the same attempt. */
function stateNames(checkpoints: string): string[] {
  return newestFiles(checkpoints)
    .map((path) => basename(path))
    .filter((name) => name !== METADATA);
}

function newestFiles(checkpoints: string): string[] {
  const newest = newestId(checkpoints);
  return newest === null ? [] : checkpointFiles(checkpoints, newest);
}

function present(checkpoints: string, name: string): string[] {
  return readdirSync(checkpoints)
    .filter((entry) => /^chk-\d+$/.test(entry))
    .map((entry) => join(checkpoints, entry, name));
}

function newPointer(checkpoints: string): string {
  return join(checkpoints, UNFINISHED + POINTER);
}

/** The directory that it is given, or those in it that its sinks write to. */
function outDirectories(out: string): string[] {
  if (!existsSync(out)) return [out];
  const entries = readdirSync(out, { withFileTypes: true });
  const inner = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(out, name));
  return inner.length > 0 ? inner : [out];
}

/** What is written, or waits for its commit. */
function hiddenFiles(out: string): string[] {
  const isPart = (name: string): boolean => name.startsWith(".part-");
  const namesIn = (path: string): string[] => (existsSync(path) ? readdirSync(path) : []);
  return outDirectories(out).flatMap((path) =>
    namesIn(path)
      .filter(isPart)
      .map((name) => join(path, name)),
  );
}

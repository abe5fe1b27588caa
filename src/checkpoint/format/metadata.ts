// What a checkpoint or savepoint consists of: one line with a checksum, then JSON.
//
//   millrace checkpoint <CRC-32 of what follows the first line, and of the version, 8 hex digits> <version>\n
//   {"id":…}
//
// It is self-describing: uids, parallelism and the plan with names and types of all state are in it, so that it can be
// read, checked and migrated without the job.

import { crc32 } from "node:zlib";
import type { CheckpointId, JobId } from "../../base/ids.ts";
import type { Json, SourceSplit } from "../../operators/source.ts";
import { damaged, versionUnknown } from "../storage/damage.ts";
import type { Section } from "./state-file.ts";

export const METADATA_VERSION = 1;
const FIRST_LINE = /^millrace checkpoint ([0-9a-f]{8}) (\d{1,9})\n/;
const FIRST_LINE_MAX = 64;

/** Bytes of state: in a file, or, where they are few, here, in base 64. */
export type StateHandle = Section | { readonly inline: string };

/** What one subtask of an operator keeps. */
export type SubtaskState = {
  readonly subtask: number;
  /** It had come to its end: it keeps nothing, and does nothing when it is restored. */
  readonly finished: boolean;
  /** By what keeps it: the operator itself, its watermarks, … */
  readonly parts: Readonly<Record<string, StateHandle>>;
  /** Of key groups `first`, `first` + 1, … */
  readonly keyed: { readonly first: number; readonly groups: readonly StateHandle[] } | null;
  /** Of a source: what its reader had, each with where to go on. */
  readonly splits: readonly SourceSplit[];
  /** Of a sink: what makes visible what it wrote before the checkpoint. */
  readonly committables: readonly Json[];
};

export type OperatorState = {
  readonly uid: string;
  readonly parallelism: number;
  readonly maxParallelism: number;
  /** Of a source: what its coordinator has not handed out. */
  readonly coordinator: Json;
  readonly subtasks: readonly SubtaskState[];
};

export type CheckpointMetadata = {
  readonly id: CheckpointId;
  readonly kind: "checkpoint" | "savepoint";
  readonly jobId: JobId;
  readonly jobName: string;
  /** All that its sinks had prepared is committed. Default: nobody knows. */
  readonly settled?: boolean;
  /** Its sources were ended ahead of their end: what is restored from it has nothing more to do. Default: false. */
  readonly drained?: boolean;
  /** By the wall clock, for people only. */
  readonly completedAt: string;
  readonly planHash: string;
  readonly planText: string;
  readonly operators: readonly OperatorState[];
  /** All files, with their sizes. */
  readonly files: Readonly<Record<string, number>>;
};

export function metadataBytes(metadata: CheckpointMetadata): Buffer {
  const body = Buffer.from(JSON.stringify(metadata), "utf8");
  return Buffer.concat([
    Buffer.from(`millrace checkpoint ${checksum(METADATA_VERSION, body)} ${METADATA_VERSION}\n`, "latin1"),
    body,
  ]);
}

/** Throws CHECKPOINT_OBJECT_DAMAGED, or CHECKPOINT_VERSION_UNKNOWN. */
export function metadataOf(name: string, bytes: Buffer): CheckpointMetadata {
  const [line, expected, version] = FIRST_LINE.exec(bytes.toString("latin1", 0, FIRST_LINE_MAX)) ?? [];
  if (line === undefined) throw damaged(name, "it does not begin as the metadata of a checkpoint does");
  const body = bytes.subarray(line.length);
  if (checksum(Number(version), body) !== expected) throw damaged(name, "its checksum differs");
  if (Number(version) !== METADATA_VERSION) throw versionUnknown(name, version ?? "", METADATA_VERSION);
  return JSON.parse(body.toString("utf8")) as CheckpointMetadata;
}

/** Null: the operator is not in it. */
export function operatorStateOf({ operators }: CheckpointMetadata, uid: string): OperatorState | null {
  return operators.find((state) => state.uid === uid) ?? null;
}

/** The greatest of any operator, as people know the job's. */
export function parallelismOf({ operators }: CheckpointMetadata): number {
  return Math.max(...operators.map(({ parallelism }) => parallelism));
}

function checksum(version: number, body: Uint8Array): string {
  return crc32(body, version).toString(16).padStart(8, "0");
}

/** Of its files, and of the state that lies in the metadata itself. */
export function stateBytes({ files, operators }: Pick<CheckpointMetadata, "files" | "operators">): number {
  const handles = operators.flatMap(handlesOf).filter((handle) => "inline" in handle);
  return [...Object.values(files), ...handles.map(handleBytes)].reduce((sum, bytes) => sum + bytes, 0);
}

/** What an operator keeps, as it is stored. */
export function operatorBytes(state: OperatorState): number {
  return handlesOf(state).reduce((sum, handle) => sum + handleBytes(handle), 0);
}

/** All there are, of all its subtasks. */
export function handlesOf({ subtasks }: OperatorState): StateHandle[] {
  return subtasks.flatMap(({ parts, keyed }) => [...Object.values(parts), ...(keyed?.groups ?? [])]);
}

/** As it is stored. */
export function handleBytes(handle: StateHandle): number {
  return "inline" in handle ? Buffer.byteLength(handle.inline, "base64") : handle.length;
}

// From what a subtask keeps, as bytes, to handles of it in storage, and back.
//
//   H1. What is small goes into the metadata: a job with little state has one file per checkpoint.
//   H2. Files are written before anybody gets a handle of them, and removed when that fails.

import { assert } from "../../base/errors.ts";
import type { SourceSplit } from "../../operators/source.ts";
import type { CheckpointStorage } from "../storage/checkpoint-storage.ts";
import type { StateHandle, SubtaskState } from "./metadata.ts";
import { type Section, StateFileReader, StateFileWriter } from "./state-file.ts";

/** The part of a sink: what its writer keeps back. */
export const WRITER_PART = "writer";

/** What one subtask of an operator keeps, at one moment. */
export type SubtaskSnapshot = {
  readonly uid: string;
  readonly subtask: number;
  readonly parts: Readonly<Record<string, Uint8Array>>;
  readonly keyed: { readonly first: number; readonly groups: readonly Uint8Array[] } | null;
  readonly splits: readonly SourceSplit[];
};

export type WriteOptions = {
  /** Of the file; used by nobody else. */
  readonly name: string;
  /** Bytes of all snapshots together that still go into the metadata. */
  readonly inlineBytesMax: number;
  readonly compression: boolean;
};

export type WrittenState = {
  readonly states: readonly { readonly uid: string; readonly state: SubtaskState }[];
  /** Null: all of it is small. */
  readonly file: { readonly name: string; readonly bytes: number } | null;
};

/** H1, H2. The snapshots of the operators of one task. */
export async function snapshotsWrite(
  storage: CheckpointStorage,
  snapshots: readonly SubtaskSnapshot[],
  { name, inlineBytesMax, compression }: WriteOptions,
): Promise<WrittenState> {
  if (snapshots.reduce((sum, each) => sum + bytesOf(each), 0) <= inlineBytesMax) {
    const inline = async (bytes: Uint8Array): Promise<StateHandle> => ({
      inline: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64"),
    });
    return { states: await statesOf(snapshots, inline), file: null };
  }
  const file = await StateFileWriter.create(storage, name, { compression });
  try {
    const states = await statesOf(snapshots, (bytes) => file.add(bytes));
    await file.commit();
    return { states, file: { name, bytes: file.length } };
  } catch (error) {
    await file.abort();
    throw error;
  }
}

async function statesOf(
  snapshots: readonly SubtaskSnapshot[],
  put: (bytes: Uint8Array) => Promise<StateHandle>,
): Promise<WrittenState["states"]> {
  const states: { uid: string; state: SubtaskState }[] = [];
  for (const { uid, subtask, parts, keyed, splits } of snapshots) {
    const handles: Record<string, StateHandle> = {};
    for (const [part, bytes] of Object.entries(parts)) handles[part] = await put(bytes);
    const groups: StateHandle[] = [];
    for (const bytes of keyed?.groups ?? []) groups.push(await put(bytes));
    const state: SubtaskState = {
      subtask,
      finished: false,
      parts: handles,
      keyed: keyed === null ? null : { first: keyed.first, groups },
      splits,
      committables: [], // They are told as soon as they are there, and travel apart.
    };
    states.push({ uid, state });
  }
  return states;
}

function bytesOf({ parts, keyed }: SubtaskSnapshot): number {
  return [...Object.values(parts), ...(keyed?.groups ?? [])].reduce((sum, { length }) => sum + length, 0);
}

/** Reads what handles stand for; each file is opened once. */
export class StateReader {
  readonly #storage: CheckpointStorage;
  readonly #files = new Map<string, StateFileReader>();

  constructor(storage: CheckpointStorage) {
    this.#storage = storage;
  }

  async read(handle: StateHandle): Promise<Buffer> {
    if ("inline" in handle) return Buffer.from(handle.inline, "base64");
    return (await this.#file(handle)).read(handle);
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.close();
    this.#files.clear();
  }

  async #file({ file }: Section): Promise<StateFileReader> {
    const known = this.#files.get(file);
    if (known !== undefined) return known;
    const opened = await StateFileReader.open(this.#storage, file);
    assert(!this.#files.has(file), `${file} is read by two at a time`);
    this.#files.set(file, opened);
    return opened;
  }
}

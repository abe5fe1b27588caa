// From what a subtask keeps, as bytes, to handles of it in storage, and back.
//
//   H1. What is small goes into the metadata: a job with little state has one file per checkpoint.
//   H2. Files are written before anybody gets a handle of them, and removed when that fails.
//   H3. Of keyed state that is written by pages, a key group is the places of its pages in packs (pack-file.ts). Those
//       lie outside of the checkpoint's folder: later checkpoints refer to them.

import { assert } from "../../base/errors.ts";
import type { SourceSplit } from "../../operators/source.ts";
import type { FrozenState } from "../../state/contract/frozen-state.ts";
import { ByteSink } from "../../types/bytes/byte-buffer.ts";
import type { CheckpointStorage } from "../storage/checkpoint-storage.ts";
import type { StateHandle, SubtaskState } from "./metadata.ts";
import { packsWrite } from "./pack-file.ts";
import { type Section, StateFileReader, StateFileWriter } from "./state-file.ts";

/** The part of a sink: what its writer keeps back. */
export const WRITER_PART = "writer";

/** What one subtask of an operator keeps, at one moment. */
export type SubtaskSnapshot = {
  readonly uid: string;
  readonly subtask: number;
  readonly parts: Readonly<Record<string, Uint8Array>>;
  readonly keyed: { readonly first: number; readonly groups: readonly Uint8Array[] } | FrozenState | null;
  readonly splits: readonly SourceSplit[];
};

export type WriteOptions = {
  /** Of the file; used by nobody else. */
  readonly name: string;
  /** What the names of packs begin with; used by nobody else. */
  readonly packs: string;
  /** Bytes of all snapshots together that still go into the metadata. */
  readonly inlineBytesMax: number;
  readonly compression: boolean;
};

export type WrittenState = {
  readonly states: readonly { readonly uid: string; readonly state: SubtaskState }[];
  /** All that it needs; none: all of it is small. */
  readonly files: readonly StoredFile[];
};

export type StoredFile = { readonly name: string; readonly bytes: number };

/** H1, H2. The snapshots of the operators of one task. */
export async function snapshotsWrite(
  storage: CheckpointStorage,
  snapshots: readonly SubtaskSnapshot[],
  options: WriteOptions,
): Promise<WrittenState> {
  const { inlineBytesMax } = options;
  const frozen = snapshots.flatMap(({ keyed }) => (isFrozen(keyed) ? [keyed] : []));
  if (frozen.length === 0 && snapshots.reduce((sum, each) => sum + bytesOf(each), 0) <= inlineBytesMax) {
    const inline = async (bytes: Uint8Array): Promise<StateHandle> => ({
      inline: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64"),
    });
    return { states: await statesOf(snapshots, inline), files: [] };
  }
  const own: string[] = [];
  try {
    await allPacksWrite(storage, frozen, options, own);
    const file = await fileWrite(storage, snapshots, options);
    const packs = new Map(frozen.flatMap((each) => each.packs()).map((pack) => [pack.name, pack.bytes]));
    return { ...file, files: [...file.files, ...[...packs].map(([pack, bytes]) => ({ name: pack, bytes }))] };
  } catch (error) {
    for (const pack of own) await storage.remove(pack).catch(() => undefined); // The first failure is the one to tell.
    throw error;
  } finally {
    snapshotsEnd(snapshots);
  }
}

/** They are written, or not wanted any more. */
export function snapshotsEnd(snapshots: readonly SubtaskSnapshot[]): void {
  for (const { keyed } of snapshots) if (isFrozen(keyed)) keyed.end();
}

async function allPacksWrite(
  storage: CheckpointStorage,
  frozen: readonly FrozenState[],
  { packs, compression }: WriteOptions,
  own: string[],
): Promise<void> {
  const nextName = (): string => {
    own.push(`${packs}-${own.length}`);
    return own.at(-1)!;
  };
  for (const each of frozen) await packsWrite(storage, each, { nextName, compression });
}

async function fileWrite(
  storage: CheckpointStorage,
  snapshots: readonly SubtaskSnapshot[],
  { name, compression }: WriteOptions,
): Promise<WrittenState> {
  const file = await StateFileWriter.create(storage, name, { compression });
  try {
    const states = await statesOf(snapshots, async (bytes, what) => {
      const section = await file.add(bytes, compression || what === "places");
      if (what === "bit") await file.flush(); // The store works on meanwhile.
      return section;
    });
    await file.commit();
    return { states, files: [{ name, bytes: file.length }] };
  } catch (error) {
    await file.abort();
    throw error;
  }
}

function isFrozen(keyed: SubtaskSnapshot["keyed"]): keyed is FrozenState {
  return keyed !== null && !("groups" in keyed);
}

type Put = (bytes: Uint8Array, what: "whole" | "places" | "bit") => Promise<StateHandle>;

async function statesOf(snapshots: readonly SubtaskSnapshot[], put: Put): Promise<WrittenState["states"]> {
  const states: { uid: string; state: SubtaskState }[] = [];
  const sink = new ByteSink();
  for (const { uid, subtask, parts, keyed, splits } of snapshots) {
    const handles: Record<string, StateHandle> = {};
    for (const [part, bytes] of Object.entries(parts)) handles[part] = await put(bytes, "whole");
    const groups: StateHandle[] = [];
    if (isFrozen(keyed)) {
      for (let group = 0; group < keyed.count; group += 1) groups.push(await groupWrite(keyed, group, sink, put));
    } else {
      for (const bytes of keyed?.groups ?? []) groups.push(await put(bytes, "whole"));
    }
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

/** Bit by bit, between which the store works on. */
async function groupWrite(keyed: FrozenState, group: number, sink: ByteSink, put: Put): Promise<StateHandle> {
  const keyGroup = keyed.first + group;
  sink.position = 0;
  keyed.writeGroup(keyGroup, sink);
  let handle = await put(sink.bytes.subarray(0, sink.position), "places");
  for (let isMore = true; isMore; ) {
    sink.position = 0;
    isMore = keyed.writeMore(keyGroup, sink);
    if (sink.position > 0) handle = joined(handle, await put(sink.bytes.subarray(0, sink.position), "bit"));
  }
  return handle;
}

/** Of two sections, the second of which follows the first. */
function joined(first: StateHandle, second: StateHandle): StateHandle {
  assert("file" in first && "file" in second, "what is written bit by bit goes into a file");
  assert(second.offset === first.offset + first.length, "nothing comes between bits");
  return { ...first, length: first.length + second.length };
}

function bytesOf({ parts, keyed }: SubtaskSnapshot): number {
  const groups = keyed === null || isFrozen(keyed) ? [] : keyed.groups;
  return [...Object.values(parts), ...groups].reduce((sum, { length }) => sum + length, 0);
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

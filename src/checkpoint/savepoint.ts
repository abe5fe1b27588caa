// Savepoints: what a checkpoint consists of, written out once more into a folder of its own, which is its owner's.
//
//   <path>/_metadata      as a checkpoint's, of the kind "savepoint"
//   <path>/3-0            state of subtask 0 of the fourth operator, where it is not small
//
//   V1. A savepoint is there whole, or not at all: it is written beside its place and made durable, then renamed.
//   V2. It needs nothing but its folder, wherever that is moved to: no other file is named in it.
//   V3. Each byte was read and found right when it was written.

import type { Disk } from "../base/disk.ts";
import { assert, EngineError, ExternalError, UserError } from "../base/errors.ts";
import type { CheckpointId } from "../base/ids.ts";
import { checkpointFolder, METADATA, metadataWrite } from "./completed-store.ts";
import {
  type CheckpointMetadata,
  type OperatorState,
  type StateHandle,
  type SubtaskState,
  stateBytes,
} from "./format/metadata.ts";
import { StateFileWriter } from "./format/state-file.ts";
import { StateReader } from "./format/subtask-state.ts";
import type { CheckpointStorage } from "./storage/checkpoint-storage.ts";
import { DirectoryStorage, UNFINISHED } from "./storage/directory-storage.ts";

export type Savepoint = {
  /** Of its folder; absolute. */
  readonly path: string;
  /** Of the checkpoint that it was taken with. */
  readonly checkpoint: CheckpointId;
  /** Of its state. */
  readonly bytes: number;
};

/** Where a savepoint is going to be. */
export type SavepointTarget = {
  readonly path: string;
  /** Where it is written. */
  readonly unfinished: string;
};

export type SavepointSource = { readonly storage: CheckpointStorage; readonly metadata: CheckpointMetadata };

export type TargetOptions = {
  /** Absolute; a directory that is there gets a folder of the name below. Null: `directory` does. */
  readonly path: string | null;
  readonly directory: string;
  /** Used by nobody else. */
  readonly name: string;
};

/** Makes sure that there is a place to write to. Throws SAVEPOINT_TARGET_EXISTS or SAVEPOINT_NOT_WRITTEN. */
export async function savepointTarget(disk: Disk, { path, directory, name }: TargetOptions): Promise<SavepointTarget> {
  const own = path === null ? `${directory}/${name}` : await pathWithin(disk, path, name);
  const slash = own.lastIndexOf("/");
  const unfinished = `${own.slice(0, slash + 1)}${UNFINISHED}${name}`;
  await written(own, () => disk.makeDirectory(unfinished));
  return { path: own, unfinished };
}

async function pathWithin(disk: Disk, path: string, name: string): Promise<string> {
  const stat = await disk.stat(path);
  if (stat === null) return path;
  const isFolder = stat.kind === "directory" && (await disk.stat(`${path}/${METADATA}`)) === null;
  if (isFolder) return `${path}/${name}`;
  const what = stat.kind === "directory" ? "a savepoint or checkpoint" : "a file";
  throw new UserError("SAVEPOINT_TARGET_EXISTS", `there is ${what} at ${path} already`, {
    fix: "give a path that is not there yet, or a directory, in which the savepoint gets a folder of its own",
  });
}

/** V1, V2, V3. Throws SAVEPOINT_NOT_WRITTEN; then nothing is left of it. */
export async function savepointWrite(
  disk: Disk,
  target: SavepointTarget,
  { storage, metadata }: SavepointSource,
  { compression, settled }: { readonly compression: boolean; readonly settled: boolean },
): Promise<Savepoint> {
  const { path, unfinished } = target;
  const isOwn = (name: string): boolean => name.startsWith(`${checkpointFolder(metadata.id)}/`);
  assert(Object.keys(metadata.files).every(isOwn), "a savepoint is written from a checkpoint that needs no other");
  try {
    return await written(path, async () => {
      const files: Record<string, number> = {};
      const copy = new SavepointCopy(new DirectoryStorage(disk, unfinished), storage, { compression, files });
      const operators = await copy.operators(metadata.operators);
      const own: CheckpointMetadata = { ...metadata, kind: "savepoint", operators, files, ...(settled && { settled }) };
      await metadataWrite(new DirectoryStorage(disk, unfinished), METADATA, own);
      await disk.rename(unfinished, path);
      await disk.syncDirectory(path.slice(0, path.lastIndexOf("/")) || "/"); // As its parent is called at the root.
      return { path, checkpoint: metadata.id, bytes: stateBytes(own) };
    });
  } catch (error) {
    await savepointAbort(disk, target).catch(() => undefined); // Why it was not written is what counts.
    throw error;
  }
}

/** Nothing is written there any more, and nothing is left of what was. */
export async function savepointAbort(disk: Disk, { unfinished }: SavepointTarget): Promise<void> {
  const slash = unfinished.lastIndexOf("/");
  await new DirectoryStorage(disk, unfinished.slice(0, slash)).removeUnfinished(unfinished.slice(slash + 1));
}

class SavepointCopy {
  readonly #target: CheckpointStorage;
  readonly #reader: StateReader;
  readonly #compression: boolean;
  readonly #files: Record<string, number>;

  constructor(
    target: CheckpointStorage,
    source: CheckpointStorage,
    { compression, files }: { readonly compression: boolean; readonly files: Record<string, number> },
  ) {
    this.#target = target;
    this.#reader = new StateReader(source);
    this.#compression = compression;
    this.#files = files;
  }

  async operators(states: readonly OperatorState[]): Promise<OperatorState[]> {
    const operators: OperatorState[] = [];
    try {
      for (const [index, operator] of states.entries()) {
        const subtasks: SubtaskState[] = [];
        for (const state of operator.subtasks) subtasks.push(await this.#subtask(`${index}-${state.subtask}`, state));
        operators.push({ ...operator, subtasks });
      }
      return operators;
    } finally {
      await this.#reader.close();
    }
  }

  /** One file, where any of its state is in files. */
  async #subtask(name: string, state: SubtaskState): Promise<SubtaskState> {
    let file: StateFileWriter | null = null;
    const copied = async (handle: StateHandle): Promise<StateHandle> => {
      if ("inline" in handle) return handle;
      const bytes = await this.#reader.read(handle);
      file ??= await StateFileWriter.create(this.#target, name, { compression: this.#compression });
      return file.add(bytes);
    };
    try {
      const parts: Record<string, StateHandle> = {};
      for (const [part, handle] of Object.entries(state.parts)) parts[part] = await copied(handle);
      const groups: StateHandle[] = [];
      for (const handle of state.keyed?.groups ?? []) groups.push(await copied(handle));
      await this.#commit(name, file);
      return { ...state, parts, keyed: state.keyed === null ? null : { ...state.keyed, groups } };
    } catch (error) {
      await abort(file);
      throw error;
    }
  }

  async #commit(name: string, file: StateFileWriter | null): Promise<void> {
    if (file === null) return;
    await file.commit();
    this.#files[name] = file.length;
  }
}

async function abort(file: StateFileWriter | null): Promise<void> {
  await file?.abort();
}

/** What it is about is told with what goes wrong. */
async function written<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new ExternalError("SAVEPOINT_NOT_WRITTEN", `the savepoint ${path} could not be written: ${error.message}`, {
      fix: error.fix ?? "look at the place it was to be written to",
      cause: error,
    });
  }
}

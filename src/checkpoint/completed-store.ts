// The completed checkpoints of one job (CompletedCheckpointStore in Flink): one folder each, and a pointer to the one
// that counts.
//
//   latest            the name of the newest completed checkpoint, and its checksum
//   chk-7/_metadata   what it consists of
//   chk-7/…           its files of state
//   shared/7-…        files of state that later ones refer to (shared-files.ts)
//
//   M1. A checkpoint is complete when the pointer names it, or a later one: files of state first, then metadata, then
//       the pointer, each durable before the next. The pointer never goes back, and what it names is not discarded.
//   M2. Of several that want to complete one, one does: the others see it at the pointer, and are told.
//   M3. What cannot be read is never taken for nothing: the next older one is tried, each failure is told, and when
//       none is left the start is refused.
//   M4. A shared file is there as long as a checkpoint that uses it is (R1 of shared-files.ts).

import { crc32 } from "node:zlib";
import { EngineError, ExternalError } from "../base/errors.ts";
import type { CheckpointId } from "../base/ids.ts";
import { type CheckpointMetadata, metadataBytes, metadataOf } from "./format/metadata.ts";
import { SHARED_FOLDER, SharedFiles, writtenFor } from "./shared-files.ts";
import type { CheckpointStorage } from "./storage/checkpoint-storage.ts";
import { damaged } from "./storage/damage.ts";

export const POINTER = "latest";
/** Name of the object that says what a checkpoint or savepoint consists of, in its folder. */
export const METADATA = "_metadata";
const FOLDER = /^chk-([1-9]\d{0,14})\//;

/** Folder of a checkpoint's objects. */
export function checkpointFolder(id: CheckpointId): string {
  return `chk-${id}`;
}

/** Whether what is at `path` would be taken for something of the store whose storage is the directory `place`. */
export function isOfStore(path: string, place: string): boolean {
  const name = path.startsWith(`${place}/`) ? path.slice(place.length + 1) : "";
  return name === POINTER || FOLDER.test(`${name}/`);
}

export type KnownCheckpoints = {
  /** By age: those with metadata, and the one that the pointer names. Which is not to say that each can be read. */
  readonly completed: readonly CheckpointId[];
  /** The greatest id of which anything is there; 0: none. */
  readonly greatest: number;
};

export class CompletedCheckpointStore {
  readonly #storage: CheckpointStorage;
  /** As last read or written: undefined before. */
  #pointer: string | null | undefined;
  /** Whether what the pointer names may be seen, and not be durable. */
  #isUnsure = false;
  /** Null: not read yet. */
  #shared: SharedFiles | null = null;
  /** How many read it at present. */
  readonly #held = new Map<CheckpointId, number>();
  readonly #overdue = new Set<CheckpointId>();

  constructor(storage: CheckpointStorage) {
    this.#storage = storage;
  }

  /** M1, M2. When it rejects with CHECKPOINT_OVERTAKEN, another process completes checkpoints of this job. */
  async complete(metadata: CheckpointMetadata): Promise<void> {
    (await this.#sharedFiles()).use(metadata.id, Object.keys(metadata.files));
    await metadataWrite(this.#storage, metadataName(metadata.id), metadata);
    await this.#point(metadata.id);
  }

  /** Ids of which anything is there, by age. */
  async all(): Promise<readonly CheckpointId[]> {
    return idsIn(await this.#storage.list(""));
  }

  async known(): Promise<KnownCheckpoints> {
    const names = await this.#storage.list("");
    const ids = idsIn(names);
    const newest = await this.#newest();
    const completed = ids.filter((id) => id < newest && names.includes(metadataName(id)));
    const named = Number.isFinite(newest) ? [newest as CheckpointId] : [];
    const written = names.flatMap((name) => writtenFor(name) ?? []);
    return { completed: [...completed, ...named], greatest: Math.max(0, ...named, ...ids.slice(-1), ...written) };
  }

  /** Whether there has never been a completed one, or they have been forgotten. */
  async isEmpty(): Promise<boolean> {
    return (await this.#read()) === null && (await this.known()).completed.length === 0;
  }

  /** Throws CHECKPOINT_OBJECT_DAMAGED, CHECKPOINT_OBJECT_MISSING or CHECKPOINT_VERSION_UNKNOWN. */
  async metadata(id: CheckpointId): Promise<CheckpointMetadata> {
    const name = metadataName(id);
    const metadata = await metadataRead(this.#storage, name);
    if (metadata.id !== id) throw damaged(name, `it is that of checkpoint ${metadata.id}`);
    return metadata;
  }

  /**
   * M3. Null: there has never been one. `isWhole` looks at the rest of it, and throws. What it gives is durable:
   * whoever goes on from it commits what it holds.
   */
  async newest(
    isWhole: (metadata: CheckpointMetadata) => Promise<void>,
    onUnreadable: (id: CheckpointId, error: EngineError) => void,
  ): Promise<CheckpointMetadata | null> {
    if (this.#isUnsure) await this.#makeSure(await this.#read());
    const { completed } = await this.known();
    let first: EngineError | null = null;
    for (const id of completed.toReversed()) {
      try {
        const metadata = await this.metadata(id);
        await isWhole(metadata);
        return metadata;
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        first ??= error;
        onUnreadable(id, error);
      }
    }
    if (first === null && (await this.#read()) === null) return null;
    throw noneReadable(this.#storage.place, first);
  }

  /** There is no newest one any more. Those that are there would count again (M1) until they are discarded. */
  async forget(): Promise<void> {
    await this.#storage.remove(POINTER);
    this.#pointer = null;
  }

  /** What is discarded from now on stays until nobody holds it; gives what lets go of it. */
  hold(id: CheckpointId): () => Promise<void> {
    this.#held.set(id, (this.#held.get(id) ?? 0) + 1);
    return async () => {
      const others = this.#held.get(id)! - 1;
      this.#held.set(id, others);
      if (others > 0) return;
      this.#held.delete(id);
      if (this.#overdue.delete(id)) await this.discard(id);
    };
  }

  /**
   * Its metadata first: what a crash leaves of it is no checkpoint any more. Then what it alone has used. What the
   * pointer names stays: one that was given up, because nobody could say whether the pointer is durable, counts for
   * whoever starts now.
   */
  async discard(id: CheckpointId): Promise<void> {
    if (this.#held.has(id)) {
      this.#overdue.add(id);
      return;
    }
    const pointer = this.#pointer === undefined ? await this.#read() : this.#pointer;
    if (pointer === pointerText(id)) return;
    const shared = await this.#sharedFiles();
    await this.#storage.remove(metadataName(id));
    await this.#storage.remove(checkpointFolder(id));
    const wasUnknown = shared.isUnknown(id);
    const unused = new Set(shared.drop(id));
    for (const name of await this.#storage.list(SHARED_FOLDER)) {
      const written = writtenFor(name) ?? Infinity;
      if ((wasUnknown ? written <= id : written === id) && shared.isFree(name)) unused.add(name);
    }
    for (const name of unused) await this.#storage.remove(name);
  }

  /** Removes shared files that nobody uses; while no checkpoint is being taken. */
  async sweep(): Promise<void> {
    const shared = await this.#sharedFiles();
    for (const name of await this.#storage.list(SHARED_FOLDER)) {
      if (writtenFor(name) !== null && shared.isFree(name)) await this.#storage.remove(name);
    }
  }

  /** R2 */
  async #sharedFiles(): Promise<SharedFiles> {
    if (this.#shared !== null) return this.#shared;
    const shared = new SharedFiles();
    for (const id of (await this.known()).completed) shared.use(id, await this.#filesOf(id));
    this.#shared ??= shared;
    return this.#shared;
  }

  /** Null: nobody knows. */
  async #filesOf(id: CheckpointId): Promise<readonly string[] | null> {
    try {
      return Object.keys((await this.metadata(id)).files);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      return null;
    }
  }

  async #point(id: CheckpointId): Promise<void> {
    const next = pointerText(id);
    const expected = this.#pointer === undefined ? await this.#read() : this.#pointer;
    if ((idNamed(expected) ?? 0) > id) return; // A later one was completed before it.
    if (!(await this.#swapped(expected, next))) throw overtaken(this.#storage.place, next);
    this.#pointer = next;
    this.#isUnsure = false;
  }

  /** When nobody knows whether it was swapped, the pointer says so. */
  async #swapped(expected: string | null, next: string): Promise<boolean> {
    try {
      return await this.#storage.swap(POINTER, expected, next);
    } catch (error) {
      const wasUnsure = this.#isUnsure;
      this.#pointer = undefined;
      this.#isUnsure = true;
      const pointer = await this.#read();
      if (pointer === next) return this.#makeSure(pointer);
      if (pointer === expected) this.#isUnsure = wasUnsure; // Nothing of it can be seen.
      throw error;
    }
  }

  /** What can be seen of the pointer is durable once it is written again. False: it is another one by then. */
  async #makeSure(pointer: string | null): Promise<boolean> {
    const isSure = pointer === null || (await this.#storage.swap(POINTER, pointer, pointer));
    if (isSure) this.#isUnsure = false;
    return isSure;
  }

  async #read(): Promise<string | null> {
    this.#pointer = await this.#storage.pointer(POINTER);
    return this.#pointer;
  }

  /**
   * The one that the pointer names. Where it is missing or damaged, all that have metadata count: tasks and disk have
   * done their part for them.
   */
  async #newest(): Promise<number> {
    return idNamed(await this.#read()) ?? Infinity;
  }
}

/** Null: there is no pointer, or it is damaged. */
function idNamed(pointer: string | null): CheckpointId | null {
  const named = idOf(`${pointer?.split(" ")[0]}/`);
  return named !== null && pointerText(named) === pointer ? named : null;
}

export function metadataName(id: CheckpointId): string {
  return `${checkpointFolder(id)}/${METADATA}`;
}

/** Throws as `CompletedCheckpointStore.metadata`. */
export async function metadataRead(storage: CheckpointStorage, name: string): Promise<CheckpointMetadata> {
  const reader = await storage.open(name);
  try {
    return metadataOf(name, await reader.read(0, reader.size));
  } finally {
    await reader.close();
  }
}

/** Durable when it resolves. */
export async function metadataWrite(
  storage: CheckpointStorage,
  name: string,
  metadata: CheckpointMetadata,
): Promise<void> {
  const writer = await storage.create(name);
  try {
    await writer.append(metadataBytes(metadata));
    await writer.commit();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

function pointerText(id: CheckpointId): string {
  const name = checkpointFolder(id);
  return `${name} ${crc32(name).toString(16)}`;
}

function idsIn(names: readonly string[]): readonly CheckpointId[] {
  return [...new Set(names.flatMap((name) => idOf(name) ?? []))].sort((left, right) => left - right);
}

function idOf(name: string): CheckpointId | null {
  const id = FOLDER.exec(name)?.[1];
  return id === undefined ? null : (Number(id) as CheckpointId);
}

function overtaken(place: string, next: string): ExternalError {
  return new ExternalError(
    "CHECKPOINT_OVERTAKEN",
    `${next.split(" ")[0]} cannot be completed: another process has completed a checkpoint in ${place} meanwhile`,
    { fix: "run one process per checkpoint directory" },
  );
}

function noneReadable(place: string, cause: EngineError | null): ExternalError {
  return new ExternalError(
    "CHECKPOINT_NONE_READABLE",
    `there are checkpoints in ${place}, and none of them can be read${cause === null ? "" : `: ${cause.message}`}`,
    {
      fix: "restore the directory from a copy, start from a savepoint, or begin anew, which loses the state",
      ...(cause !== null && { cause }),
    },
  );
}

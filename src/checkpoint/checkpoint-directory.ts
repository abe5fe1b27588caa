// The checkpoint directory of one job, held by one process.
//
//   D1. One process at a time holds it, told by a lock that its end frees, whatever ends it.
//   D2. What is found is the newest checkpoint that is whole, with a word on each newer one that is not, or a refusal.

import { type Disk, holderText } from "../base/disk.ts";
import { type EngineError, UserError } from "../base/errors.ts";
import type { CheckpointId } from "../base/ids.ts";
import { CompletedCheckpointStore, checkpointFolder, metadataName, POINTER } from "./completed-store.ts";
import type { CheckpointMetadata } from "./format/metadata.ts";
import { SHARED_FOLDER } from "./shared-files.ts";
import { damaged } from "./storage/damage.ts";
import { DirectoryStorage } from "./storage/directory-storage.ts";
import { checkSizes } from "./verify.ts";

/** At the end of the name of metadata that counts no more. */
export const PASSED_OVER = ".passed-over";

export class CheckpointDirectory {
  readonly path: string;
  readonly storage: DirectoryStorage;
  readonly store: CompletedCheckpointStore;
  readonly #disk: Disk;
  readonly #release: () => Promise<void>;

  private constructor(disk: Disk, storage: DirectoryStorage, release: () => Promise<void>) {
    this.#disk = disk;
    this.path = storage.place;
    this.storage = storage;
    this.store = new CompletedCheckpointStore(storage);
    this.#release = release;
  }

  /** Makes it where there is none. Throws CHECKPOINT_DIR_LOCKED when another process holds it. */
  static async open(disk: Disk, path: string, jobName: string): Promise<CheckpointDirectory> {
    await disk.makeDirectory(path);
    const attempt = await disk.lock(`${path}/.lock`, `job "${jobName}"`);
    if (attempt.kind === "held") {
      const { file, isCertain } = attempt.by;
      const who = holderText(attempt.by);
      throw new UserError(
        "CHECKPOINT_DIR_LOCKED",
        isCertain
          ? `the checkpoint directory ${path} is in use by ${who}`
          : `the checkpoint directory ${path} was in use by ${who}, and whether that still runs cannot be told from here`,
        {
          fix: isCertain
            ? "stop it, or give this job a checkpoint directory of its own"
            : `if it does not run any more, remove ${file}`,
        },
      );
    }
    const storage = new DirectoryStorage(disk, path);
    try {
      await storage.sweep();
    } catch (error) {
      await attempt.release();
      throw error;
    }
    return new CheckpointDirectory(disk, storage, attempt.release);
  }

  /** D2. Null: there has never been one. `except`: known not to be readable. */
  newest(
    onUnreadable: (id: CheckpointId, error: EngineError) => void,
    except: ReadonlySet<CheckpointId> = new Set(),
  ): Promise<CheckpointMetadata | null> {
    return this.store.newest(async (metadata) => {
      if (except.has(metadata.id)) throw damaged(`chk-${metadata.id}`, "it could not be restored");
      await checkSizes(this.storage, metadata);
    }, onUnreadable);
  }

  /**
   * What came after a checkpoint that the job goes back to: that counts no more, also when it can be read again, as
   * what it had made visible is written again.
   */
  async passOver(ids: Iterable<CheckpointId>): Promise<void> {
    for (const id of ids) {
      const metadata = `${this.path}/${metadataName(id)}`;
      if ((await this.#disk.stat(metadata)) === null) continue;
      await this.#disk.rename(metadata, `${metadata}${PASSED_OVER}`);
      await this.#disk.syncDirectory(`${this.path}/${checkpointFolder(id)}`);
    }
  }

  /** Removes what was begun and never completed, and what is no longer kept. */
  async sweep(kept: readonly CheckpointId[]): Promise<void> {
    for (const id of await this.store.all()) if (!kept.includes(id)) await this.store.discard(id);
    await this.store.sweep();
  }

  /** Moves what is there into a folder of its own beside it; null: there is nothing. */
  async setAside(): Promise<string | null> {
    const isOurs = (name: string): boolean => name === POINTER || name === SHARED_FOLDER || /^chk-\d+$/.test(name);
    const names = (await this.#disk.list(this.path)).filter(isOurs);
    if (names.length === 0) return null;
    let number = 1;
    while ((await this.#disk.stat(`${this.path}/aside-${number}`)) !== null) number += 1;
    const aside = `${this.path}/aside-${number}`;
    await this.#disk.makeDirectory(aside);
    // The pointer last: without it those that are left would still count.
    for (const name of names.toSorted((left) => (left === POINTER ? 1 : -1)))
      await this.#disk.rename(`${this.path}/${name}`, `${aside}/${name}`);
    await this.#disk.syncDirectory(aside);
    await this.#disk.syncDirectory(this.path);
    return aside;
  }

  /** The job has finished, and all of it is committed: the next run begins anew. */
  async finish(): Promise<void> {
    await this.store.forget();
    await this.sweep([]);
  }

  release(): Promise<void> {
    return this.#release();
  }
}

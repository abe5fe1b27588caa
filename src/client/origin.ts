// What a job starts from that is not in its own checkpoint directory (`execution.state-recovery.path`): a savepoint, a
// checkpoint of another directory, or one that was put aside.
//
//   G1. Nothing at its place is changed or removed (no-claim). A savepoint that is claimed goes when the job has as
//       many checkpoints of its own as it retains.
//   G2. What is wrong with it is found before any task starts and before anything is changed: each byte is read.
//   G3. It is what the job goes back to until there is a checkpoint of its own, and not afterwards. Ids of those are
//       greater than its own.

import { resolve } from "node:path";
import type { Disk } from "../base/disk.ts";
import type { Env } from "../base/env.ts";
import { type EngineError, ExternalError, UserError } from "../base/errors.ts";
import { hexDigits } from "../base/hex-digits.ts";
import type { CheckpointId } from "../base/ids.ts";
import type { CheckpointDirectory } from "../checkpoint/checkpoint-directory.ts";
import { type RestorePlan, restorePlanOf } from "../checkpoint/restore.ts";
import { savepointDispose, savepointUse } from "../checkpoint/savepoint-dispose.ts";
import { type Snapshot, snapshotAt, snapshotCheck } from "../checkpoint/snapshot-place.ts";
import { type Configuration, originText } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import type { Plan } from "../graph/plan.ts";
import { withoutEffect } from "../types/check-options.ts";

const NAME_DIGITS = 12;

export type OriginOptions = {
  readonly env: Env;
  /** What a relative directory is below. */
  readonly cwd: string;
  readonly plan: Plan;
  readonly configuration: Configuration;
  /** Begin anew; what is there is kept aside. */
  readonly fresh: boolean;
  readonly log: (line: string) => void;
};

/** Null: the job starts from what its own directory has. Throws a UserError or ExternalError for what cannot be. */
export async function originOpen(
  options: OriginOptions,
  directory: CheckpointDirectory,
  onUnreadable: (id: CheckpointId, error: EngineError) => void,
): Promise<Origin | null> {
  const { env, cwd, plan, configuration, fresh } = options;
  const given = configuration.get(OPTIONS.restorePath);
  if (given === null) return refuseNameAlone(configuration);
  if (!fresh) await refuseOccupied(directory, given);
  const snapshot = await snapshotAt(env.disk, resolve(cwd, given), onUnreadable);
  checkName(snapshot, plan.name, configuration.get(OPTIONS.restoreJobName));
  const isClaimed = configuration.get(OPTIONS.restoreClaimMode) === "claim";
  if (isClaimed && snapshot.metadata.kind !== "savepoint") throw notClaimed(snapshot);
  const allowNonRestored = configuration.get(OPTIONS.ignoreUnclaimedState);
  const { place } = snapshot;
  const restored = restorePlanOf(snapshot.metadata, plan, { allowNonRestored, place });
  await snapshotCheck(env.disk, snapshot);
  return new Origin(options, snapshot, { restored, isClaimed });
}

/** Whoever gives it takes the job for one that starts from something. */
function refuseNameAlone(configuration: Configuration): null {
  const option = OPTIONS.restoreJobName;
  if (configuration.get(option) === null) return null;
  const from = originText(configuration.origin(option));
  const fix = `give --from (${OPTIONS.restorePath.key}) with it, or leave it out`;
  throw withoutEffect(`${option.key} (${from})`, "without something to start from", fix);
}

export class Origin {
  readonly #options: OriginOptions;
  readonly #snapshot: Snapshot;
  readonly #restored: RestorePlan;
  readonly #isClaimed: boolean;
  #own = 0;
  #unused: (() => Promise<void>) | null = null;
  #ending: Promise<void> = Promise.resolve();

  constructor(
    options: OriginOptions,
    snapshot: Snapshot,
    { restored, isClaimed }: { readonly restored: RestorePlan; readonly isClaimed: boolean },
  ) {
    this.#options = options;
    this.#snapshot = snapshot;
    this.#restored = restored;
    this.#isClaimed = isClaimed;
  }

  get id(): CheckpointId {
    return this.#snapshot.metadata.id;
  }

  /** As it is when what was in `directory` lies in `aside` now. */
  movedFrom(directory: string, aside: string): Origin {
    if (this.#snapshot.place !== directory) return this;
    const path = aside + this.#snapshot.path.slice(directory.length);
    const restored = { ...this.#restored, place: aside };
    return new Origin(
      this.#options,
      { ...this.#snapshot, path, place: aside },
      { restored, isClaimed: this.#isClaimed },
    );
  }

  /** Throws when it has turned out not to be readable. */
  planUnless(unreadable: ReadonlySet<CheckpointId>): RestorePlan {
    if (!unreadable.has(this.id)) return this.#restored;
    throw new ExternalError("CHECKPOINT_NONE_READABLE", `${this.#snapshot.path} cannot be read any more`, {
      fix: "start from another savepoint or checkpoint",
    });
  }

  /** Says that it is needed. */
  async begin(): Promise<void> {
    const { env, plan } = this.#options;
    if (this.#snapshot.metadata.kind !== "savepoint") return; // Its own job may remove it at any time.
    const name = hexDigits(env.random, NAME_DIGITS);
    this.#unused = await savepointUse(env.disk, this.#snapshot.path, { user: `job "${plan.name}"`, name });
  }

  /** G1, G3 */
  onCompleted(): void {
    const { configuration } = this.#options;
    this.#own += 1;
    if (this.#own === 1) this.#ending = this.#release();
    if (this.#isClaimed && this.#own === configuration.get(OPTIONS.checkpointingRetained)) {
      this.#ending = this.#ending.then(() => this.#dispose(this.#options.env.disk));
    }
  }

  async end(): Promise<void> {
    await this.#ending;
    await this.#release();
  }

  async #release(): Promise<void> {
    const unused = this.#unused;
    this.#unused = null;
    await unused?.();
  }

  async #dispose(disk: Disk): Promise<void> {
    const { log } = this.#options;
    const { path } = this.#snapshot;
    try {
      await savepointDispose(disk, path);
      log(`savepoint ${path}, which the job had claimed, is removed: it has checkpoints of its own`);
    } catch (error) {
      log(`savepoint ${path}, which the job had claimed, could not be removed: ${(error as EngineError).message}`);
    }
  }
}

async function refuseOccupied({ store, path }: CheckpointDirectory, given: string): Promise<void> {
  if (await store.isEmpty()) return;
  throw new UserError(
    "CHECKPOINT_DIR_OCCUPIED",
    `the job is to start from ${given}, and ${path} has checkpoints of it already, from which it would go on`,
    {
      fix: "leave out --from to go on from them; with --fresh the job starts from it, and they are kept aside",
    },
  );
}

/** A job is known by its name: what is of another one does not fit, even where it can be restored. */
function checkName({ path, metadata }: Snapshot, name: string, before: string | null): void {
  const { jobName, kind, id } = metadata;
  if (jobName === (before ?? name)) return;
  throw new UserError(
    "CHECKPOINT_OF_OTHER_JOB",
    `${path} is ${kind} ${id} of the job "${jobName}", not of "${before ?? name}"`,
    { fix: `if "${name}" was called "${jobName}" then, say so: --renamed-from ${jobName}` },
  );
}

function notClaimed({ path, metadata: { id } }: Snapshot): UserError {
  return new UserError("CHECKPOINT_NOT_CLAIMED", `${path} is checkpoint ${id}, which belongs to its directory`, {
    fix: `start from it with ${OPTIONS.restoreClaimMode.key}=no-claim; only savepoints can be claimed`,
  });
}

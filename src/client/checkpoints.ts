// The checkpoints of a job that is about to run: its directory taken hold of, and what it starts from.

import { resolve } from "node:path";
import { type Disk, STDIN_PATH } from "../base/disk.ts";
import { assert, type EngineError, UserError } from "../base/errors.ts";
import type { CheckpointId } from "../base/ids.ts";
import { CheckpointDirectory } from "../checkpoint/checkpoint-directory.ts";
import type { CheckpointMetadata } from "../checkpoint/format/metadata.ts";
import { type RestorePlan, restorePlanOf } from "../checkpoint/restore.ts";
import { type Configuration, originText } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import { isBounded, type Plan } from "../graph/plan.ts";
import {
  type CheckpointingOptions,
  type CheckpointingState,
  checkpointingStateOf,
} from "../jobmanager/checkpointing/coordinator.ts";
import { withoutEffect } from "../types/check-options.ts";
import { beginText } from "./checkpoints-told.ts";
import { type OriginOptions, originOpen } from "./origin.ts";

export type OpenedCheckpoints = {
  readonly directory: CheckpointDirectory;
  /** As the first attempt begins. */
  readonly state: CheckpointingState;
  /** What the job starts from; null: from nothing. */
  readonly restored: RestorePlan | null;
  /** What relative paths are below. */
  readonly cwd: string;
  /** Where savepoints are that are asked for without a path. */
  readonly savepointDirectory: string;
  /** All sources can be read again: the job can be started again after a failure. */
  readonly repeatable: boolean;
  /** The newest that can be restored now, but for those that have turned out not to be. Throws when there is none. */
  newest(except: ReadonlySet<CheckpointId>): Promise<RestorePlan | null>;
  /** There is one checkpoint more. */
  onCompleted(): void;
  /** Lets go of all. */
  release(): Promise<void>;
};

export type CheckpointsOptions = OriginOptions;

/**
 * As `execution.checkpointing.dir` has it, and says where the job begins; null: it takes none. Throws a UserError for
 * what the user has to mend, and an ExternalError when no checkpoint can be read.
 */
export async function checkpointsOpen(options: CheckpointsOptions): Promise<OpenedCheckpoints | null> {
  const { env, cwd, plan, configuration } = options;
  const place = configuration.get(OPTIONS.checkpointDirectory);
  if (place === null) return refuseWithout(configuration);
  const directory = await CheckpointDirectory.open(env.disk, resolve(cwd, place), plan.name);
  try {
    return await opened(options, directory, place);
  } catch (error) {
    await directory.release();
    throw error;
  }
}

async function opened(
  options: CheckpointsOptions,
  directory: CheckpointDirectory,
  place: string,
): Promise<OpenedCheckpoints> {
  const { env, cwd, plan, configuration, fresh, log } = options;
  const allowNonRestored = configuration.get(OPTIONS.ignoreUnclaimedState);
  const unreadable = new Set<CheckpointId>();
  const shown = isBounded(plan) ? "" : ": sinks other than files show again what came after it";
  const onUnreadable = (id: CheckpointId, error: EngineError): void => {
    if (!unreadable.has(id))
      log(`checkpoint ${id} cannot be restored: ${error.message}; an older one is tried${shown}`);
    unreadable.add(id);
  };
  // All that may be wrong with it is found before anything is changed.
  let origin = await originOpen(options, directory, onUnreadable);
  const aside = fresh ? await directory.setAside() : null;
  if (aside !== null) log(`the checkpoints there were are kept in ${aside}`);
  if (aside !== null) origin = origin?.movedFrom(directory.path, aside) ?? null;
  const newest = async (except: ReadonlySet<CheckpointId>): Promise<RestorePlan | null> => {
    const metadata = await directory.newest(onUnreadable, except);
    if (metadata === null) return origin?.planUnless(except) ?? null;
    checkJob(metadata, plan, directory.path);
    const restored = restorePlanOf(metadata, plan, { allowNonRestored });
    await directory.passOver([...unreadable].filter((id) => id > metadata.id));
    return restored;
  };
  const known = await directory.store.known();
  const restored = await newest(new Set());
  await directory.sweep(known.completed);
  for (const uid of restored?.dropped ?? []) log(`state of "${uid}", which the job does not have any more, is dropped`);
  for (const { uid, state } of restored?.droppedStates ?? [])
    log(`state "${state}" of "${uid}", which declares it no more, is dropped`);
  log(beginText(restored, place, env.clock.nowMs()));
  const streams = await streamSources(plan, env.disk);
  for (const { uid, path } of streams)
    log(`"${uid}" reads ${path}, which cannot be read again: a failure ends the job, and it cannot go on from here`);
  if (restored !== null && restored.place !== null) await origin?.begin();
  // It does not take the place of one that can be restored among those that are retained.
  const completed = known.completed.filter((id) => !unreadable.has(id));
  const greatest = Math.max(known.greatest, origin?.id ?? 0);
  return {
    ...{ directory, restored, newest, cwd },
    state: checkpointingStateOf(checkpointingOptions(configuration), { completed, greatest }),
    savepointDirectory: resolve(cwd, configuration.get(OPTIONS.savepointDirectory) ?? place),
    repeatable: streams.length === 0,
    onCompleted: () => origin?.onCompleted(),
    release: async () => {
      await origin?.end();
      await directory.release();
    },
  };
}

/** A job that takes no checkpoints starts from none: whoever has named one would not know that it began anew. */
function refuseWithout(configuration: Configuration): null {
  const option = [OPTIONS.restorePath, OPTIONS.restoreJobName].find((each) => configuration.get(each) !== null);
  if (option === undefined) return null;
  const from = originText(configuration.origin(option));
  const fix = `say in ${OPTIONS.checkpointDirectory.key} where the job is to keep its own, or leave it out`;
  throw withoutEffect(`${option.key} (${from})`, "without checkpoints", fix);
}

/** Standard input, pipes and devices. Patterns and directories pass over them. */
async function streamSources({ operators }: Plan, disk: Disk): Promise<{ uid: string; path: string }[]> {
  const streams: { uid: string; path: string }[] = [];
  for (const { uid, kind, options } of operators) {
    const paths = kind === "source" ? (options as { paths?: unknown } | null)?.paths : null;
    for (const path of Array.isArray(paths) ? paths.map(String) : []) {
      if (path === STDIN_PATH || (await disk.stat(path))?.kind === "stream") streams.push({ uid, path });
    }
  }
  return streams;
}

function checkJob({ jobName }: CheckpointMetadata, { name }: Plan, path: string): void {
  if (jobName === name) return;
  throw new UserError(
    "CHECKPOINT_OF_OTHER_JOB",
    `${path} has the checkpoints of the job "${jobName}", not of "${name}"`,
    {
      fix: `give each job a checkpoint directory of its own; if this one was renamed, start it with another one and --from ${path} --renamed-from ${jobName}`,
    },
  );
}

function checkpointingOptions(configuration: Configuration): CheckpointingOptions {
  const intervalMs = configuration.get(OPTIONS.checkpointingInterval);
  assert(intervalMs > 0, "an interval between checkpoints");
  return {
    intervalMs,
    minPauseMs: configuration.get(OPTIONS.checkpointingMinPause),
    timeoutMs: configuration.get(OPTIONS.checkpointingTimeout),
    maxConcurrent: configuration.get(OPTIONS.checkpointingMaxConcurrent),
    tolerableFailures: configuration.get(OPTIONS.checkpointingTolerableFailures),
    retained: configuration.get(OPTIONS.checkpointingRetained),
  };
}

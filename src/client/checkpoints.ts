// The checkpoints of a job that is about to run: its directory taken hold of, and what it starts from.

import type { Disk } from "../base/disk.ts";
import { assert, type EngineError, UserError } from "../base/errors.ts";
import type { CheckpointId } from "../base/ids.ts";
import { CheckpointDirectory } from "../checkpoint/checkpoint-directory.ts";
import type { CheckpointMetadata } from "../checkpoint/format/metadata.ts";
import { type RestorePlan, restorePlanOf } from "../checkpoint/restore.ts";
import type { Configuration } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import { isFileTarget, isToStdout } from "../connectors/files/sink/target-path.ts";
import type { Plan } from "../graph/plan.ts";
import {
  type CheckpointingOptions,
  type CheckpointingState,
  checkpointingStateOf,
} from "../jobmanager/checkpointing/coordinator.ts";

export type OpenedCheckpoints = {
  readonly directory: CheckpointDirectory;
  /** As the first attempt begins. */
  readonly state: CheckpointingState;
  /** What the job starts from; null: from nothing. */
  readonly restored: RestorePlan | null;
  /** The newest that can be restored now, but for those that have turned out not to be. Throws when there is none. */
  newest(except: ReadonlySet<CheckpointId>): Promise<RestorePlan | null>;
};

export type CheckpointsOptions = {
  readonly disk: Disk;
  /** Absolute. */
  readonly directory: string;
  readonly plan: Plan;
  readonly configuration: Configuration;
  /** Begin anew; what is there is kept aside. */
  readonly fresh: boolean;
  /** Drop state of operators that the job does not have any more. */
  readonly allowNonRestored: boolean;
  readonly log: (line: string) => void;
};

/** Throws a UserError for what the user has to mend, and an ExternalError when no checkpoint can be read. */
export async function checkpointsOpen(options: CheckpointsOptions): Promise<OpenedCheckpoints> {
  const { disk, plan, configuration, fresh, allowNonRestored, log } = options;
  checkSinks(plan);
  const directory = await CheckpointDirectory.open(disk, options.directory, plan.name);
  const newest = async (except: ReadonlySet<CheckpointId>): Promise<RestorePlan | null> => {
    const onUnreadable = (id: CheckpointId, error: EngineError): void =>
      log(`checkpoint ${id} cannot be restored: ${error.message}; an older one is tried`);
    const metadata = await directory.newest(onUnreadable, except);
    if (metadata === null) return null;
    checkJob(metadata, plan, directory.path);
    return restorePlanOf(metadata, plan, { allowNonRestored });
  };
  try {
    const aside = fresh ? await directory.setAside() : null;
    if (aside !== null) log(`the checkpoints there were are kept in ${aside}`);
    const known = await directory.store.known();
    const restored = await newest(new Set());
    await directory.sweep(known.completed);
    for (const uid of restored?.dropped ?? [])
      log(`state of "${uid}", which the job does not have any more, is dropped`);
    return { directory, state: checkpointingStateOf(checkpointingOptions(configuration), known), restored, newest };
  } catch (error) {
    await directory.release();
    throw error;
  }
}

/** What a checkpoint has prepared is shown, or kept, apart from what comes after it. */
function checkSinks({ operators, locations }: Plan): void {
  for (const { uid, kind, options } of operators) {
    const paths = kind === "sink" ? (options as { paths?: unknown } | null)?.paths : null;
    if (!Array.isArray(paths) || isToStdout(options) || !isFileTarget(String(paths[0]))) continue;
    const location = locations[uid];
    throw new UserError(
      "CHECKPOINT_SINK_SINGLE_FILE",
      `the sink "${uid}" writes a single file, in a job with checkpoints`,
      {
        operator: uid,
        fix: `give it a directory: ${String(paths[0]).replace(/\.\w+$/, "")}/`,
        ...(location !== undefined && { location }),
      },
    );
  }
}

function checkJob({ jobName }: CheckpointMetadata, { name }: Plan, path: string): void {
  if (jobName === name) return;
  throw new UserError(
    "CHECKPOINT_OF_OTHER_JOB",
    `${path} has the checkpoints of the job "${jobName}", not of "${name}"`,
    {
      fix: "give each job a checkpoint directory of its own",
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

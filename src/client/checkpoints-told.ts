// What a job with checkpoints says of itself, on the log: where it goes on, what failed, what was restored.

import { durationText } from "../base/duration.ts";
import type { Env } from "../base/env.ts";
import type { CheckpointId } from "../base/ids.ts";
import type { RestorePlan } from "../checkpoint/restore.ts";
import type { CompletedCheckpoint } from "../jobmanager/checkpointing/checkpoint-driver.ts";
import type { AttemptStart, FailedAttempt } from "../jobmanager/job-attempts.ts";

export type CheckpointsTold = {
  /** Checkpoints that turned out not to be readable when a task was restored. */
  readonly unreadable: Set<CheckpointId>;
  readonly onCompleted: (checkpoint: CompletedCheckpoint) => void;
  readonly onFailed: (id: CheckpointId, reason: string) => void;
  readonly onAttemptFailed: (failed: FailedAttempt, delayMs: number) => void;
  readonly onBegin: (attempt: number, start: AttemptStart<RestorePlan>) => void;
};

export function checkpointsTold({
  env,
  log,
}: {
  readonly env: Env;
  readonly log: (line: string) => void;
}): CheckpointsTold {
  const unreadable = new Set<CheckpointId>();
  return {
    unreadable,
    onCompleted: () => undefined,
    onFailed: (id, reason) => log(`checkpoint ${id} was given up: ${reason}`),
    onAttemptFailed: ({ error, from }, delayMs) => {
      if (from !== null && DAMAGE.has(error.code)) unreadable.add(from);
      log(`failed: ${error.code} ${error.message}; the job starts again in ${durationText(delayMs)}`);
    },
    onBegin: (attempt, start) => log(`attempt ${attempt + 1} ${beginText(start, env.clock.nowMs())}`),
  };
}

const DAMAGE: ReadonlySet<string> = new Set(["CHECKPOINT_OBJECT_DAMAGED", "CHECKPOINT_OBJECT_MISSING"]);

/** Where a job, or an attempt of it, begins. */
export function beginText({ restore }: AttemptStart<RestorePlan>, nowMs: number): string {
  if (restore === null) return "begins anew: there is no checkpoint yet";
  const { id, kind, completedAt, operators } = restore.metadata;
  const age = durationText(Math.max(0, nowMs - Date.parse(completedAt)));
  const parallelism = Math.max(...operators.map((operator) => operator.parallelism));
  return `goes on from ${kind} ${id}, taken ${age} ago at parallelism ${parallelism}`;
}

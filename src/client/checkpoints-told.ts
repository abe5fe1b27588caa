// What a job with checkpoints says of itself, on the log: where it goes on, what failed, what was restored. Nothing is
// said twice: what fails again as it has failed before is told by the number of that attempt.

import { aboutText } from "../base/duration.ts";
import type { Env } from "../base/env.ts";
import type { EngineError } from "../base/errors.ts";
import type { CheckpointId } from "../base/ids.ts";
import { memorySizeText } from "../base/memory-size.ts";
import { parallelismOf, stateBytes } from "../checkpoint/format/metadata.ts";
import type { RestorePlan } from "../checkpoint/restore.ts";
import type { CompletedCheckpoint } from "../jobmanager/checkpointing/checkpoint-driver.ts";
import { CheckpointStats } from "../jobmanager/checkpointing/checkpoint-stats.ts";
import { TASKS_ENDED } from "../jobmanager/checkpointing/coordinator.ts";
import { SAME_FAILURES_MAX } from "../jobmanager/recovery/failure-policy.ts";
import type { FailedAttempt, Recovery } from "../jobmanager/recovery/recoveries.ts";
import type { ErrorReport } from "./errors/error-report.ts";

/** What is told of an error, with its place in the user's files. */
export type ToldOf = (error: EngineError) => Pick<ErrorReport, "message" | "location">;

export type CheckpointsTold = {
  readonly stats: CheckpointStats;
  /** Checkpoints that turned out not to be readable when a task was restored. */
  readonly unreadable: Set<CheckpointId>;
  readonly onCompleted: (checkpoint: CompletedCheckpoint) => void;
  readonly onFailed: (id: CheckpointId, reason: string) => void;
  readonly onAttemptFailed: (failed: FailedAttempt, delayMs: number) => void;
  readonly onStuck: (failed: FailedAttempt) => void;
  readonly onRecovered: (recovery: Recovery) => void;
};

export type CheckpointsToldOptions = {
  readonly env: Env;
  readonly log: (line: string) => void;
  readonly toldOf?: ToldOf;
  /** Names of the tasks of each region of the job. */
  readonly regions: readonly (readonly string[])[];
};

export function checkpointsTold({ env, log, toldOf = asItCame, regions }: CheckpointsToldOptions): CheckpointsTold {
  const stats = new CheckpointStats();
  const unreadable = new Set<CheckpointId>();
  let before: { readonly attempt: number; readonly text: string } | null = null;
  return {
    stats,
    unreadable,
    onCompleted: (checkpoint) => stats.onCompleted(checkpoint),
    onFailed: (id, reason) => {
      stats.onFailed();
      if (reason !== TASKS_ENDED) log(`checkpoint ${id} was given up: ${reason}`);
    },
    onAttemptFailed: ({ attempt, error, from, tasks, slot }, delayMs) => {
      if (from !== null && DAMAGE.has(error.code)) unreadable.add(from);
      const text = failureText(error, toldOf);
      const isAgain = before?.text === text;
      if (!isAgain) before = { attempt, text };
      const next = delayMs === 0 ? "starts again at once" : `starts again in ${aboutText(delayMs)}`;
      if (isAgain) log(`attempt ${attempt + 1} failed as attempt ${before!.attempt + 1} did; ${next}`);
      else log(`attempt ${attempt + 1} failed  ${text}\n  ${whereText(tasks, slot)}${next}`);
    },
    onStuck: ({ from }) => {
      const where = from === null ? "from the start" : `from checkpoint ${from}`;
      log(
        `it has failed so ${SAME_FAILURES_MAX} times, now going on ${where}, and would for ever: mend the function, or ` +
          "let it pass over such records (onError), and start the job again",
      );
    },
    onRecovered: (recovery) => log(recoveryText(recovery, regions, env.clock.nowMs())),
  };
}

/** Of what a checkpoint consists of, or of what it knows to be with its sinks. */
const DAMAGE: ReadonlySet<string> = new Set([
  "CHECKPOINT_OBJECT_DAMAGED",
  "CHECKPOINT_OBJECT_MISSING",
  "SINK_PART_LOST",
]);

function asItCame({ message, location }: EngineError): ReturnType<ToldOf> {
  return { message, location: location ?? null };
}

/** Where a job begins. */
export function beginText(restore: RestorePlan | null, place: string, nowMs: number): string {
  if (restore === null) return `begins anew: there is no checkpoint in ${place} yet`;
  return `goes on from ${restoredText(restore, nowMs)}`;
}

function restoredText({ metadata, place }: RestorePlan, nowMs: number): string {
  const { id, kind, completedAt, drained } = metadata;
  const where = place === null ? "" : kind === "savepoint" ? ` at ${place}` : ` of ${place}`;
  const end = drained === true ? ": it was drained, and has nothing more to do" : "";
  const age = aboutText(nowMs - Date.parse(completedAt));
  const size = memorySizeText(stateBytes(metadata));
  return `${kind} ${id}${where}, taken ${age} ago (${size}, parallelism ${parallelismOf(metadata)})${end}`;
}

function failureText(error: EngineError, toldOf: ToldOf): string {
  const { message, location } = toldOf(error);
  const place = location === null ? "" : `  ${location.file}:${location.line}:${location.column}`;
  return `${error.code}  ${message}${place}`;
}

/** "in "read -> check (2/2)", slot 1; ": nothing of what is of no task. */
function whereText(tasks: readonly string[], slot: number | null): string {
  const [first, ...others] = tasks;
  if (first === undefined) return "";
  const more = others.length === 0 ? "" : ` and ${others.length} more`;
  return `in "${first}"${more}${slot === null ? "" : `, slot ${slot}`}; `;
}

function recoveryText(recovery: Recovery, regions: readonly (readonly string[])[], nowMs: number): string {
  const { attempt, restore, failed, tookMs } = recovery;
  const { end, wait, read, deploy } = tookMs;
  const from = restore === null ? "from the start: there is no checkpoint yet" : `from ${restoredText(restore, nowMs)}`;
  const steps = [
    `${aboutText(end)} until attempt ${failed.attempt + 1} had ended`,
    `${aboutText(wait)} to wait`,
    `${aboutText(read)} to find the checkpoint`,
    `${aboutText(deploy)} to deploy and restore`,
  ];
  const took = `took ${aboutText(end + wait + read + deploy)}: ${steps.join(", ")}`;
  return `attempt ${attempt + 1} runs ${from}\n  ${partText(recovery, regions)}${threadsText(recovery)}\n  ${took}`;
}

/** Which tasks began anew. */
function partText({ regions: again }: Recovery, regions: readonly (readonly string[])[]): string {
  if (again.length === regions.length) return "all of it, ";
  const names = again.map((region) => `"${(regions[region] ?? []).join('", "')}"`);
  return `${names.join(" and ")}; the rest of the job has gone on; `;
}

function threadsText({ newThreads }: Recovery): string {
  if (newThreads === 0) return "in the threads that there were";
  return newThreads === 1 ? "in one new thread, else in those that there were" : `in ${newThreads} new threads`;
}

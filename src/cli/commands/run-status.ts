// The live line of a running job. Pure: counts in, text out.

import { aboutText, durationText } from "../../base/duration.ts";
import { memorySizeText } from "../../base/memory-size.ts";
import type { JobCounts, JobMetrics, TaskMetricValues } from "../../protocol/job-messages.ts";
import { TIME_MAX_MS } from "../../types/spec/source-value.ts";
import { countText } from "../terminal/number-text.ts";

export type StatusSample = {
  readonly atMs: number;
  readonly metrics: Pick<JobMetrics, keyof JobCounts | "runningMs" | "tasks" | "jobManager">;
};

export type StatusFacts = {
  readonly name: string;
  /** How many slots share the work. */
  readonly slots: number;
  readonly nowMs: number;
  readonly memoryBytes: number;
  /** Names of the tasks, by vertex. */
  readonly tasks: readonly string[];
  /** Part of the input that has been read; null where its end is not known. */
  readonly progress: number | null;
  readonly previous: StatusSample;
  readonly current: StatusSample;
};

const MIB = 1024 ** 2;
/**
 * A watermark further behind than this comes from old data, not from slowness: then the event time itself says more.
 */
const LAG_MAX_MS = 24 * 3_600_000;

export function statusText(facts: StatusFacts): string {
  const { name, slots, nowMs, previous, current } = facts;
  const counts = current.metrics;
  const elapsedMs = Math.max(1, current.atMs - previous.atMs);
  // An attempt that has just begun has counted less than the one before it.
  const rate = Math.max(0, ((counts.rowsIn - previous.metrics.rowsIn) * 1_000) / elapsedMs);
  const busy = Math.max(0, Math.min(1, (counts.busyMs - previous.metrics.busyMs) / (elapsedMs * slots)));
  const parts = [
    `${name}  ${progressText(facts)}in ${countText(counts.rowsIn)}`,
    `out ${countText(counts.rowsOut)}`,
    `${countText(rate)}/s`,
    ...(counts.watermarkMs === null ? [] : [watermarkText(counts.watermarkMs, nowMs)]),
    `busy ${Math.round(busy * 100)} %${busiestText(facts, elapsedMs)}`,
    `${memorySizeText(Math.round(facts.memoryBytes / MIB) * MIB)}`,
    ...checkpointTexts(facts),
  ];
  return parts.join(" · ");
}

/** "checkpoint 7 4s ago, 12ms, 17.4 KiB": the newest, how long it took, and its size. */
function checkpointTexts({ nowMs, current }: StatusFacts): string[] {
  const { lastCompletedCheckpointId: id, ...last } = current.metrics.jobManager;
  if (id === undefined) return [];
  const ago = aboutText(Math.floor((nowMs - last.lastCheckpointCompletedTimestamp!) / 1_000) * 1_000);
  const took = aboutText(last.lastCheckpointDuration!);
  return [`checkpoint ${id} ${ago} ago, ${took}, ${memorySizeText(last.lastCheckpointFullSize!)}`];
}

/**
 * "37 %, 12s left · ". The time is that of a job that goes on as it has until now. What was read before a checkpoint
 * is not known after it.
 */
function progressText({ progress, current }: StatusFacts): string {
  if (progress === null || current.metrics.jobManager.lastRestoredCheckpointId !== undefined) return "";
  const leftMs = progress > 0 ? (current.metrics.runningMs * (1 - progress)) / progress : null;
  const left = leftMs === null || progress >= 1 ? "" : `, ${durationText(Math.ceil(leftMs / 1_000) * 1_000)} left`;
  return `${Math.floor(progress * 100)} %${left} · `;
}

/** The subtask that works most: the others wait for it. Not told of a job of one task. */
function busiestText({ tasks, previous, current }: StatusFacts, elapsedMs: number): string {
  const before = new Map(previous.metrics.tasks.map((task) => [`${task.vertex}/${task.subtask}`, busyMsOf(task)]));
  const parts = current.metrics.tasks.map((task) => {
    const since = busyMsOf(task) - (before.get(`${task.vertex}/${task.subtask}`) ?? 0);
    return { name: tasks[task.vertex] ?? "", busy: Math.max(0, Math.min(1, since / elapsedMs)) };
  });
  const [most, ...others] = parts.sort((left, right) => right.busy - left.busy);
  return most === undefined || others.length === 0 ? "" : `, most ${most.name} ${Math.round(most.busy * 100)} %`;
}

function busyMsOf({ metrics }: TaskMetricValues): number {
  return metrics.accumulateBusyTimeMs ?? 0;
}

function watermarkText(watermarkMs: number, nowMs: number): string {
  const lagMs = nowMs - watermarkMs;
  if (lagMs >= 0 && lagMs < LAG_MAX_MS) return `watermark lag ${durationText(Math.round(lagMs / 100) * 100)}`;
  return `event time ${timeText(watermarkMs)}`;
}

function timeText(ms: number): string {
  return Math.abs(ms) < TIME_MAX_MS ? new Date(ms).toISOString().slice(0, 16).replace("T", " ") : String(ms);
}

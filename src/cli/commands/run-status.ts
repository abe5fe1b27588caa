// The live line of a running job. Pure: counts in, text out.

import { durationText } from "../../base/duration.ts";
import type { JobCounts } from "../../protocol/job-messages.ts";
import { countText } from "../terminal/number-text.ts";

export type StatusSample = { readonly atMs: number; readonly counts: JobCounts };

export type StatusFacts = {
  readonly name: string;
  /** How many slots share the work. */
  readonly slots: number;
  readonly nowMs: number;
  readonly previous: StatusSample;
  readonly current: StatusSample;
};

/**
 * A watermark further behind than this comes from old data, not from slowness: then the event time itself says more.
 */
const LAG_MAX_MS = 24 * 3_600_000;

export function statusText({ name, slots, nowMs, previous, current }: StatusFacts): string {
  const { counts } = current;
  const elapsedMs = Math.max(1, current.atMs - previous.atMs);
  const rate = ((counts.rowsIn - previous.counts.rowsIn) * 1_000) / elapsedMs;
  const busy = Math.min(1, (counts.busyMs - previous.counts.busyMs) / (elapsedMs * slots));
  const parts = [
    `${name}  in ${countText(counts.rowsIn)}`,
    `out ${countText(counts.rowsOut)}`,
    `${countText(rate)}/s`,
    ...(counts.watermarkMs === null ? [] : [watermarkText(counts.watermarkMs, nowMs)]),
    `busy ${Math.round(busy * 100)} %`,
  ];
  return parts.join(" · ");
}

function watermarkText(watermarkMs: number, nowMs: number): string {
  const lagMs = nowMs - watermarkMs;
  if (lagMs >= 0 && lagMs < LAG_MAX_MS) return `watermark lag ${durationText(Math.round(lagMs / 100) * 100)}`;
  return `event time ${timeText(watermarkMs)}`;
}

function timeText(ms: number): string {
  return Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString().slice(0, 16).replace("T", " ") : String(ms);
}

// What has failed in a job, as Flink's exception history has it: by age of the last time, the newest first, and what is
// the same once, with how often it came. Immutable.
//
//   H1. Bounded: beyond `ENTRIES_MAX` kinds of failures the one that did not come for longest is left out, and told as
//       left out; texts of one have an end, too.

import type { EngineError } from "../../base/errors.ts";
import { type EngineErrorData, errorData } from "../../protocol/error-data.ts";
import type { JobException, JobExceptions } from "../../protocol/job-messages.ts";
import type { TaskDescriptor } from "../../protocol/slot-messages.ts";
import { fingerprintOf } from "./fingerprint.ts";

/** As many as Flink keeps (`web.exception-history-size`). */
export const ENTRIES_MAX = 16;
const TASKS_MAX = 16;
const TEXT_MAX = 8_192;

export type Happened = {
  readonly error: EngineError;
  /** Of the job. */
  readonly attempt: number;
  readonly tasks: readonly TaskDescriptor[];
  /** Null: it is of no slot. */
  readonly slot: number | null;
  /** Wall clock. */
  readonly atMs: number;
};

export const NO_EXCEPTIONS: JobExceptions = { entries: [], truncated: false };

export function exceptionsWith(history: JobExceptions, happened: Happened): JobExceptions {
  const { error, attempt, tasks, slot, atMs } = happened;
  const fingerprint = fingerprintOf(error);
  const before = history.entries.find((entry) => entry.fingerprint === fingerprint);
  const entry: JobException = {
    fingerprint,
    count: (before?.count ?? 0) + 1,
    firstAtMs: before?.firstAtMs ?? atMs,
    ...{ lastAtMs: atMs, attempt, slot },
    tasks: tasks.slice(0, TASKS_MAX).map(({ name, vertex, subtask }) => ({ name, vertex, subtask })),
    error: cut(errorData(error)),
  };
  const entries = [entry, ...history.entries.filter((each) => each !== before)];
  return { entries: entries.slice(0, ENTRIES_MAX), truncated: history.truncated || entries.length > ENTRIES_MAX };
}

function cut(error: EngineErrorData): EngineErrorData {
  const short = (text: string): string => (text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text);
  const causes = error.causes.map(({ name, message, stack }) => ({
    name,
    message: short(message),
    stack: short(stack),
  }));
  return { ...error, message: short(error.message), stack: short(error.stack), causes };
}

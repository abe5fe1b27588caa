// What the path of a sink means: one file, by its name, or a directory of part files.

import { STDOUT_PATH } from "../../../base/disk.ts";
import type { Written } from "../paths/overlap.ts";
import { partName } from "./part-names.ts";

export function isFileTarget(path: string): boolean {
  return /[^/]\.(csv|tsv|txt|json|jsonl|ndjson)$/i.test(path);
}

/** Whether a sink with these options, as the plan has them, writes to standard output. */
export function isToStdout(options: unknown): boolean {
  const { sink, paths } = (options ?? {}) as { readonly sink?: unknown; readonly paths?: unknown };
  return (sink === "csv" || sink === "jsonl") && Array.isArray(paths) && paths[0] === STDOUT_PATH;
}

/** When parts of a sink of a job without an end are complete, as the plan has it; null: it writes none. */
export function partRollOf({
  options,
}: {
  readonly options: unknown;
}): { every: string; everyCheckpoint: boolean } | null {
  const { sink, paths, roll } = (options ?? {}) as { sink?: unknown; paths?: unknown; roll?: Record<string, unknown> };
  const isFiles = (sink === "csv" || sink === "jsonl") && Array.isArray(paths);
  if (!isFiles || isToStdout(options) || isFileTarget(String(paths[0]))) return null;
  const { every = "1m", everyCheckpoint } = roll ?? {};
  return { every: typeof every === "number" ? `${every}ms` : String(every), everyCheckpoint: everyCheckpoint === true };
}

/** What a sink of this kind makes at `path`. */
export function writtenTo(path: string, kind: string): Written {
  const part = partName({ subtask: 0, number: 0, job: "0", attempt: 0, extension: kind });
  return { path, file: isFileTarget(path) || path === STDOUT_PATH ? null : part };
}

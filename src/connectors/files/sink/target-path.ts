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

/** The single file that a sink writes; null: it writes a directory, or none. */
export function singleFileOf({ kind, options }: { readonly kind: string; readonly options: unknown }): string | null {
  const paths = kind === "sink" ? (options as { readonly paths?: unknown } | null)?.paths : null;
  if (!Array.isArray(paths) || isToStdout(options) || !isFileTarget(String(paths[0]))) return null;
  return String(paths[0]);
}

/** What a sink of this kind makes at `path`. */
export function writtenTo(path: string, kind: string): Written {
  const part = partName({ subtask: 0, number: 0, job: "0", attempt: 0, extension: kind });
  return { path, file: isFileTarget(path) || path === STDOUT_PATH ? null : part };
}

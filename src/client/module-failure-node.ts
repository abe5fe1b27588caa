// What is told when a job's module cannot be loaded or has no job: with the place, where the text of the file shows it.

import { relative, resolve } from "node:path";
import { durationText } from "../base/duration.ts";
import { EngineError, type SourceLocation, UserError } from "../base/errors.ts";
import { OPTIONS } from "../config/options.ts";
import { fileText } from "./bundle/bundle-sources-node.ts";
import { thrownText } from "./errors/thrown-text.ts";

export type LoadedModule = {
  /** As the user wrote it. */
  readonly file: string;
  readonly cwd: string;
};

/** `waitedMs`: how long; null: nothing is left that could end its waiting. */
export function neverLoaded(module: LoadedModule, waitedMs: number | null): UserError {
  const { file } = module;
  const look = "look for an await outside of functions in it and in what it imports";
  const place = placeOf(module, "await");
  const [message, fix] =
    waitedMs === null
      ? [`${file} waits for ever: what it awaits never settles`, look]
      : [
          `${file} has waited for ${durationText(waitedMs)} while it was loaded`,
          `${look}; if it has to wait that long, raise ${OPTIONS.watchdogTimeout.key}`,
        ];
  return new UserError("MODULE_NEVER_LOADED", message, { fix, ...(place !== null && { location: place }) });
}

/** The error to report for one that came of loading the module. */
export function loadFailure(module: LoadedModule, error: unknown): unknown {
  if (error instanceof UserError && error.code === "JOB_NOT_EXPORTED") error.location = exportPlace(module);
  return moduleThrew(module, error) ?? error;
}

/** For what a module threw that is no error, or none that can be read: it has no stack. */
function moduleThrew(module: LoadedModule, error: unknown): UserError | null {
  if (error instanceof EngineError && (error.code !== "MODULE_THREW" || error.cause instanceof Error)) return null;
  const cause = error instanceof EngineError ? error.cause : error;
  const place = cause instanceof Error ? null : placeOf(module, "throw");
  const message = `${module.file}, or what it imports, threw ${thrownText(cause)} while it was loaded`;
  return new UserError("MODULE_THREW", message, {
    fix: "mend what stands outside of functions there; errors that are thrown as new Error(…) show their place",
    ...(place !== null && { location: place }),
    cause,
  });
}

/** Where the module has this word outside of functions; null unless it is plain from its text. */
function placeOf(module: LoadedModule, word: "await" | "throw"): SourceLocation | null {
  const outside = new RegExp(`^(?!\\s)(?:(?!=>|\\basync\\b|\\bfunction\\b|//|\\*).)*?\\b${word}\\b`);
  const lines = textOf(module)
    .split("\n")
    .map((line) => outside.exec(line)?.[0].length ?? 0);
  const [line = 0, ...others] = lines.flatMap((length, index) => (length > 0 ? [index + 1] : []));
  if (line === 0 || others.length > 0) return null;
  return { file: shownPath(module), line, column: (lines[line - 1] ?? 0) - word.length + 1 };
}

/** Where its default export stands, or where it begins. */
function exportPlace(module: LoadedModule): SourceLocation {
  const text = textOf(module);
  const before = text.slice(0, Math.max(0, text.search(/^export\s+default\b/m))).split("\n");
  return { file: shownPath(module), line: before.length, column: 1 };
}

const textOf = ({ file, cwd }: LoadedModule): string => fileText(resolve(cwd, file)) ?? "";

const shownPath = ({ file, cwd }: LoadedModule): string => relative(cwd, resolve(cwd, file));

// Where in the user's module an API call was made. Taken once per operator, while the job is built.

import { fileURLToPath } from "node:url";
import { type SourceLocation, UserError } from "../../base/errors.ts";

/** Folder of the engine's own code: frames inside it are skipped. */
const ENGINE_ROOT = new URL("../../", import.meta.url).href;

/** Test files beside the sources are users of the API, too. */
const isEngineFrame = (file: string): boolean =>
  file.startsWith(ENGINE_ROOT) && !/\.(test|types|contract)\.ts$/.test(file);

/** The first frame outside the engine, as V8 reports it (before source maps); null when there is none. */
export function callSite(): SourceLocation | null {
  const holder: { stack?: string } = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 30;
  Error.captureStackTrace(holder, callSite);
  Error.stackTraceLimit = limit;
  return userFrame(holder.stack ?? "");
}

/** The error; a mistake of the user's that has no place was made at `location`. */
export function locatedAt<E>(location: SourceLocation | null, error: E): E {
  if (error instanceof UserError && location !== null) error.location ??= location;
  return error;
}

/** The first frame of a stack text that lies outside the engine and Node itself. */
export function userFrame(stack: string): SourceLocation | null {
  for (const line of stack.split("\n")) {
    const match = /(?:\(|at (?:async )?)((?:file:\/\/|\/|[A-Za-z]:\\|millrace-)[^()]*?):(\d+):(\d+)\)?$/.exec(
      line.trim(),
    );
    const file = match?.[1];
    if (file === undefined || file.startsWith("node:") || isEngineFrame(file)) continue;
    const path = file.startsWith("file://") ? fileURLToPath(file) : file;
    if (isEngineFrame(`file://${path}`) || path.startsWith("millrace-")) continue;
    return { file: path, line: Number(match?.[2]), column: Number(match?.[3]) };
  }
  return null;
}

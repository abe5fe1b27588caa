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
  for (const frame of callers()) {
    const location = userPlace(frame.getFileName() ?? "", frame.getLineNumber() ?? 0, frame.getColumnNumber() ?? 0);
    if (location !== null) return location;
  }
  return null;
}

/** Frames as they are: to write them all into a text takes longer than to build the rest of an operator. */
function callers(): readonly NodeJS.CallSite[] {
  const { stackTraceLimit, prepareStackTrace } = Error;
  const holder: { stack?: unknown } = {};
  Error.stackTraceLimit = 30;
  Error.prepareStackTrace = (_error, frames) => frames;
  Error.captureStackTrace(holder, callSite);
  const frames = holder.stack as readonly NodeJS.CallSite[]; // Made when it is read.
  Error.stackTraceLimit = stackTraceLimit;
  Error.prepareStackTrace = prepareStackTrace;
  return frames;
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
    const location = userPlace(match?.[1] ?? "", Number(match?.[2]), Number(match?.[3]));
    if (location !== null) return location;
  }
  return null;
}

/** Null for a place in the engine, in Node itself, or in code without a file. */
function userPlace(file: string, line: number, column: number): SourceLocation | null {
  if (!/^(?:file:\/\/|\/|[A-Za-z]:\\)/.test(file) || isEngineFrame(file)) return null;
  const path = file.startsWith("file://") ? fileURLToPath(file) : file;
  return isEngineFrame(`file://${path}`) ? null : { file: path, line, column };
}

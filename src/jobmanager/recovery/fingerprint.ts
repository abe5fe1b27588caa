// What is the same when the same fails again: code, operator and place, not the record.

import { causesBehind, type EngineError } from "../../base/errors.ts";

const CAUSES_MAX = 10;
/** "    at name (file:line:column)", of anything but Node itself. */
const FRAME = /^\s+at (?:.*\()?((?!node:).+:\d+:\d+)\)?$/m;

/** Where the error was thrown, as it is known before source maps: the innermost cause's first frame. */
export function fingerprintOf(error: EngineError): string {
  const { code, operator = "", location } = error;
  const place = location === undefined ? thrownAt(error) : `${location.file}:${location.line}:${location.column}`;
  return `${code} ${operator} ${place}`;
}

function thrownAt(error: EngineError): string {
  const cause = causesBehind(error, CAUSES_MAX).at(-1) ?? error;
  return (cause instanceof Error && FRAME.exec(cause.stack ?? "")?.[1]) || "";
}

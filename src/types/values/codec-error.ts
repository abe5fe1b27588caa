// Turns a mismatch into the error that the user reads. The caller adds the operator and the place in the user's code.

import { type ErrorDetail, UserError } from "../../base/errors.ts";
import type { Mismatch } from "../bytes/codec.ts";

/** `what` names the value as a whole, for example "record" or `state "totals"`. */
export function codecError(mismatch: Mismatch, what: string, detail: ErrorDetail = {}): UserError {
  const where = mismatch.path === "" ? `the ${what}` : `${mismatch.path} of the ${what}`;
  if (!mismatch.unsupported) {
    return new UserError(
      "CODEC_MISMATCH",
      `${where} does not fit its type: expected ${mismatch.expected}, got ${mismatch.actual}`,
      {
        fix: "Make the value fit, or declare the type as it is.",
        ...detail,
      },
    );
  }
  return new UserError("CODEC_UNSUPPORTED", `${where} is ${mismatch.actual}, which cannot be sent or stored`, {
    fix: unsupportedFix(mismatch.actual),
    ...detail,
  });
}

/** What to do about a value that no codec carries. */
export function unsupportedFix(actual: string): string {
  if (actual === "a promise") return "Put in the value, not a promise of it: functions are synchronous.";
  if (actual.startsWith("an instance of"))
    return "Copy its fields into a plain object: methods and private state do not travel.";
  return "Leave it out, or turn it into plain data: numbers, strings, dates, arrays, plain objects, maps, sets.";
}

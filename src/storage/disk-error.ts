// Failures of disks as errors with a code, the same for the real and the simulated one.

import { type EngineError, ExternalError, UserError } from "../base/errors.ts";

export type DiskErrorCode =
  | "DISK_NOT_FOUND"
  | "DISK_ACCESS"
  | "DISK_FULL"
  | "DISK_READ_ONLY"
  | "DISK_IO"
  | "DISK_EXISTS"
  | "PATH_INVALID";

const REASONS: Readonly<Record<DiskErrorCode, { reason: string; fix: string }>> = {
  DISK_NOT_FOUND: { reason: "there is no such file or directory", fix: "check the path" },
  DISK_ACCESS: { reason: "permission denied", fix: "check the owner and the mode of the file and its directories" },
  DISK_FULL: { reason: "no space is left on the disk", fix: "free some space, or use a path on another disk" },
  DISK_READ_ONLY: { reason: "the file system is read-only", fix: "use a path on a disk that can be written" },
  DISK_IO: { reason: "the disk failed", fix: "check the disk and the system log" },
  PATH_INVALID: { reason: "no file can have such a path", fix: "use another path" },
  DISK_EXISTS: { reason: "it exists already", fix: "remove it, or use another path" },
};

/**
 * `operation` completes the sentence "cannot …", for example "open" or "write to"; `reason` replaces the code's usual
 * one.
 */
export function diskError(
  operation: string,
  path: string,
  code: DiskErrorCode,
  detail: { reason?: string; cause?: unknown } = {},
): EngineError {
  const { reason, fix } = REASONS[code];
  const message = `cannot ${operation} ${path}: ${detail.reason ?? reason}`;
  const options = { fix, ...("cause" in detail ? { cause: detail.cause } : {}) };
  return code === "PATH_INVALID" ? new UserError(code, message, options) : new ExternalError(code, message, options);
}

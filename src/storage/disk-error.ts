// Failures of disks as errors with a code, the same for the real and the simulated one.

import { ExternalError } from "../base/errors.ts";

export type DiskErrorCode =
  | "DISK_NOT_FOUND"
  | "DISK_ACCESS"
  | "DISK_FULL"
  | "DISK_READ_ONLY"
  | "DISK_IO"
  | "DISK_EXISTS";

const REASONS: Readonly<Record<DiskErrorCode, { reason: string; fix: string }>> = {
  DISK_NOT_FOUND: { reason: "there is no such file or directory", fix: "check the path" },
  DISK_ACCESS: { reason: "permission denied", fix: "check the owner and the mode of the file and its directories" },
  DISK_FULL: { reason: "no space is left on the disk", fix: "free some space, or use a path on another disk" },
  DISK_READ_ONLY: { reason: "the file system is read-only", fix: "use a path on a disk that can be written" },
  DISK_IO: { reason: "the disk failed", fix: "check the disk and the system log" },
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
): ExternalError {
  const { reason, fix } = REASONS[code];
  const message = `cannot ${operation} ${path}: ${detail.reason ?? reason}`;
  return new ExternalError(code, message, { fix, ...("cause" in detail ? { cause: detail.cause } : {}) });
}

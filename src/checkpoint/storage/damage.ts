// What is wrong with what a checkpoint holds.

import { type EngineError, ExternalError, UserError } from "../../base/errors.ts";

/** Not what was written. */
export function damaged(name: string, what: string): ExternalError {
  return new ExternalError("CHECKPOINT_OBJECT_DAMAGED", `${name} is damaged: ${what}`, {
    fix: "restore from an older checkpoint or a savepoint, and check the disk",
  });
}

export function versionUnknown(name: string, version: string, known: number): EngineError {
  return new UserError("CHECKPOINT_VERSION_UNKNOWN", `${name} is of version ${version}; known is up to ${known}`, {
    fix: "restore it with the version of Millrace that wrote it, or a later one",
  });
}

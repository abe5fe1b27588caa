// The identity of a spec: plans, snapshots and batch headers compare it. The order of fields and members belongs to it,
// because bytes are laid out by that order and records come out in it.

import { canonicalHash } from "../base/canonical-json.ts";
import type { TypeSpec } from "./type-spec.ts";

/** 32 hex digits, equal for equal specs in every process. */
export function specFingerprint(spec: TypeSpec): string {
  return canonicalHash(spec).slice(0, 32);
}

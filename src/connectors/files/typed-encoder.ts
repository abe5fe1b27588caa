// Records of a sink with a declared type: one that does not fit is refused, since what reads the files by that type
// would not take it.

import { codecError } from "../../types/codec-error.ts";
import { compileRecordGuard } from "../../types/record-guard.ts";
import { specMismatch } from "../../types/spec-mismatch.ts";
import type { TypeSpec } from "../../types/type-spec.ts";
import type { RowEncoder } from "./row-encoder.ts";

/** Further fields of a record are none of the type's business. Throws CODEC_MISMATCH. */
export function typedEncoder(encoder: RowEncoder, type: TypeSpec, kind: string): RowEncoder {
  const fits = compileRecordGuard(type, "ignore", `${kind}-sink`);
  return {
    begin: (record) => encoder.begin(record),
    line(record) {
      if (fits(record, true)) return encoder.line(record);
      const mismatch = specMismatch(type, record, "ignore");
      if (mismatch === null) return encoder.line(record);
      throw codecError(mismatch, `record for the ${kind} file`);
    },
  };
}

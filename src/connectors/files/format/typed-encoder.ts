// Records of a sink with a declared type: one that does not fit is refused, since what reads the files by that type
// would not take it.

import { compileRecordGuard } from "../../../types/record-guard.ts";
import type { TypeSpec } from "../../../types/spec/type-spec.ts";
import { codecError } from "../../../types/values/codec-error.ts";
import { specMismatch } from "../../../types/values/spec-mismatch.ts";
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

// Compiles a spec to a codec for batches of records in columns (layout: batch-layout.ts; docs/internals/codecs.md).

import { canonicalHash } from "../../base/canonical-json.ts";
import type { BatchCodec, BatchCodecOptions } from "../bytes/codec.ts";
import type { TypeSpec } from "../spec/type-spec.ts";
import { specMismatch } from "../values/spec-mismatch.ts";
import { ValueSource } from "../values/value-source.ts";
import { appendSource } from "./batch-append.ts";
import { batchLayout } from "./batch-layout.ts";
import { ColumnReader, type ReadRecord } from "./batch-reader.ts";
import { recordSource } from "./batch-record.ts";
import { type Append, ColumnWriter } from "./batch-writer.ts";

const FORMAT = 2;

/** `label` keeps the generated code of one use apart from that of another: equal texts share their type feedback. */
export function compileBatchCodec(spec: TypeSpec, options: BatchCodecOptions, label = ""): BatchCodec {
  const { timestamps, extraFields, kinds = false } = options;
  const fingerprint = canonicalHash({ format: FORMAT, spec, timestamps, extraFields, kinds }).slice(0, 32);
  const tag = Number.parseInt(fingerprint.slice(0, 8), 16) | 0;
  const layout = batchLayout(spec, options);
  const source = new ValueSource(extraFields);
  const result = `{ append: ${appendSource(source, layout)}, record: ${recordSource(source, layout)} }`;
  const generated = source.code.build(`batch-codec-${fingerprint}-${label}`, result) as {
    append: Append;
    record: ReadRecord;
  };
  return {
    spec,
    options,
    fingerprint,
    createWriter: () => new ColumnWriter(layout, tag, generated.append),
    createReader: () => new ColumnReader(layout, tag, generated.record),
    mismatch: (record) => specMismatch(spec, record, extraFields),
  };
}

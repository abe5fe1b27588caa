// The kind of each row as its field "op", for sinks that write one row after the other: Flink's short names.

import { UserError } from "../../base/errors.ts";
import type { Sink, SinkWriter } from "../../operators/sink.ts";
import { ROW_KIND, type RowKind } from "../../types/bytes/row-kind.ts";
import { checkValue, oneOf } from "../../types/check-options.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";

/** By RowKind. */
const OPS = ["+I", "-U", "+U", "-D"] as const;

export type RowOp = (typeof OPS)[number];

const OP_TYPE: TypeSpec = { kind: "enum", values: OPS };

export function rowOp(kind: RowKind): RowOp {
  return OPS[kind];
}

/** Throws for what is no kind. */
export function opKind(op: RowOp): RowKind {
  checkValue({ what: "the kind of a row", value: op, kind: oneOf(...OPS) });
  return OPS.indexOf(op) as RowKind;
}

/** The sink for rows of every kind, with the field "op" before their own; what is no object is the field "value". */
export function withOp<S extends Pick<Sink<unknown>, "createWriter">>(sink: S): S & Pick<Sink<unknown>, "takes"> {
  return {
    ...sink,
    takes: "changes",
    createWriter: (context) => {
      const recordType = context.recordType == null ? null : typeWithOp(context.uid, context.recordType);
      return opWriter(context.uid, sink.createWriter({ ...context, recordType }));
    },
  };
}

function opWriter(uid: string, writer: SinkWriter<unknown>): SinkWriter<unknown> {
  return {
    open: () => writer.open(),
    write: (record, timestampMs, kind = ROW_KIND.insert) =>
      writer.write(recordWithOp(uid, record, rowOp(kind)), timestampMs, kind),
    flush: () => writer.flush(),
    prepareCommit: (isLast) => writer.prepareCommit(isLast),
    ...(writer.snapshot !== undefined && { snapshot: () => writer.snapshot!() }),
    abort: () => writer.abort(),
    close: () => writer.close(),
  };
}

function recordWithOp(uid: string, record: unknown, op: RowOp): object {
  if (typeof record !== "object" || record === null || Object.getPrototypeOf(record) !== Object.prototype)
    return { op, value: record };
  if (Object.hasOwn(record, "op")) throw opTaken(uid);
  return { op, ...record };
}

function typeWithOp(uid: string, type: TypeSpec): TypeSpec {
  const fields = type.kind === "struct" ? type.fields : [{ name: "value", type, optional: false }];
  if (fields.some(({ name }) => name === "op")) throw opTaken(uid);
  return { kind: "struct", fields: [{ name: "op", type: OP_TYPE, optional: false }, ...fields] };
}

function opTaken(uid: string): UserError {
  return new UserError("OP_FIELD_TAKEN", `the records of the sink "${uid}" have a field "op" of their own`, {
    fix: "rename it in a map before the sink, or leave out the sink's option op",
    operator: uid,
  });
}

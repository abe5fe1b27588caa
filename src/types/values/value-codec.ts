// Compiles a spec to a codec for single values as bytes (format: value-source.ts).

import type { ByteReader, ByteWriter, Strictness, ValueCodec } from "../bytes/codec.ts";
import type { TypeSpec } from "../spec/type-spec.ts";
import { codecError } from "./codec-error.ts";
import { specMismatch } from "./spec-mismatch.ts";
import { ValueSource } from "./value-source.ts";

/** `write` is all or nothing only in its answer: on false the caller puts `out.position` back. */
export type ValueProgram = {
  readonly write: (value: unknown, out: ByteWriter) => boolean;
  readonly read: (input: ByteReader) => unknown;
};

export function compileValueProgram(spec: TypeSpec, strictness: Strictness, label = ""): ValueProgram {
  const source = new ValueSource(strictness);
  const result = `{ write: ${source.writer(spec)}, read: ${source.reader(spec)} }`;
  return source.code.build(`value-codec-${label}`, result) as ValueProgram;
}

/** `label` keeps the generated code of one use apart from that of another: equal texts share their type feedback. */
export function compileValueCodec(spec: TypeSpec, label = ""): ValueCodec {
  const program = compileValueProgram(spec, "refuse", label);
  return {
    spec,
    write(value, out) {
      const start = out.position;
      if (program.write(value, out)) return;
      out.position = start;
      throw misfit(spec, value);
    },
    read: program.read,
    mismatch: (value) => specMismatch(spec, value),
  };
}

function misfit(spec: TypeSpec, value: unknown): Error {
  const mismatch = specMismatch(spec, value);
  return codecError(
    mismatch ?? { path: "", expected: "a value that does not change", actual: "one that did", unsupported: false },
    "value",
  );
}

// How the value of a state lies in a row: in words of the fixed part when its type has a fixed size, else as bytes of
// the variable part.
//
//   fixed   f64, f32, timestamp, date: a word (f64) · i64: a word · i32, bool, enum: half a word (i32) · null: nothing
//           nullable: half a word (1: null) and its inner type · struct: its fields; the halves come after the words
//   blob    the bytes of the value codec
//
//   V1. `write` of a fixed format checks the whole value before it writes any of it.

import { assert } from "../../base/errors.ts";
import type { MemoryView } from "../../base/memory-view.ts";
import { objectLiteral } from "../../types/bytes/generated-code.ts";
import type { StructSpec, TypeSpec } from "../../types/spec/type-spec.ts";
import { codecError } from "../../types/values/codec-error.ts";
import { specMismatch } from "../../types/values/spec-mismatch.ts";
import { countGuard, structGuard } from "../../types/values/struct-guard.ts";
import { compileValueProgram, type ValueProgram } from "../../types/values/value-codec.ts";
import { ValueSource } from "../../types/values/value-source.ts";

/** Fixed values larger than this are kept as bytes: rows are for what is read and written in part. */
const FIXED_WORDS_MAX = 64;

export type FixedFormat = {
  readonly kind: "fixed";
  readonly spec: TypeSpec;
  readonly words: number;
  /** `address` is that of the first word. False when the value does not fit its type. */
  readonly write: (value: unknown, address: number) => boolean;
  readonly read: (address: number) => unknown;
  /** The form of snapshots. */
  readonly program: ValueProgram;
};

export type BlobFormat = { readonly kind: "blob"; readonly spec: TypeSpec; readonly program: ValueProgram };

export type ValueFormat = FixedFormat | BlobFormat;

/** `label` keeps the generated code of different states apart. */
export function valueFormat(spec: TypeSpec, view: MemoryView, label: string): ValueFormat {
  const program = compileValueProgram(spec, "refuse", label);
  const slots = { words: 0, halves: 0 };
  countSlots(spec, slots);
  const words = slots.words + Math.ceil(slots.halves / 2);
  if (words > FIXED_WORDS_MAX) return { kind: "blob", spec, program };
  const { write, read } = new FixedSource(view, slots.words).build(spec, label);
  return { kind: "fixed", spec, words, write, read, program };
}

/** The error for a value that a state's type does not admit. */
export function valueMisfit(spec: TypeSpec, value: unknown, place: { operator: string; state: string }): Error {
  const { operator, state } = place;
  const mismatch = specMismatch(spec, value);
  assert(mismatch !== null, `a value of state ${state} of ${operator} was refused, but fits`);
  return codecError(mismatch, `value of state "${state}"`, { operator });
}

/** Adds what a type takes; an infinite number of words when it has no fixed size. */
function countSlots(spec: TypeSpec, slots: { words: number; halves: number }): void {
  switch (spec.kind) {
    case "f64":
    case "f32":
    case "timestamp":
    case "date":
    case "i64":
      slots.words += 1;
      return;
    case "i32":
    case "bool":
    case "enum":
      slots.halves += 1;
      return;
    case "null":
      return;
    case "nullable":
      slots.halves += 1;
      if (spec.inner.kind === "struct" || spec.inner.kind === "nullable") slots.words = Infinity;
      countSlots(spec.inner, slots);
      return;
    case "struct":
      for (const field of spec.fields) {
        if (field.optional) slots.words = Infinity;
        countSlots(field.type, slots);
      }
      return;
    default:
      slots.words = Infinity;
  }
}

/**
 * Generates `write` and `read`. Names of fields enter as JSON strings, values of enums as constants
 * (types/bytes/generated-code.ts).
 */
class FixedSource {
  readonly #source = new ValueSource("refuse");
  readonly #checks: string[] = [];
  readonly #stores: string[] = [];
  readonly #f64: string;
  readonly #i32: string;
  readonly #i64: string;
  #word = 0;
  #half: number;

  constructor(view: MemoryView, words: number) {
    const { code } = this.#source;
    this.#f64 = code.constant(view.f64);
    this.#i32 = code.constant(view.i32);
    this.#i64 = code.constant(new BigInt64Array(view.f64.buffer));
    this.#half = words * 2;
  }

  build(spec: TypeSpec, label: string): Pick<FixedFormat, "write" | "read"> {
    const { code } = this.#source;
    const value = this.#value(spec, "v");
    code.add(`function write(v, a) {\n${this.#checks.join("\n")}\n${this.#stores.join("\n")}\nreturn true;\n}`);
    code.add(`function read(a) { return ${value}; }`);
    return code.build(`state-value-${label}`, "{ write, read }") as Pick<FixedFormat, "write" | "read">;
  }

  /** Adds the checks and stores of the value in `v`; returns the expression that reads it. */
  #value(spec: TypeSpec, v: string): string {
    switch (spec.kind) {
      case "struct":
        return this.#struct(spec, v);
      case "nullable": {
        const flag = this.#nextHalf();
        this.#stores.push(`${flag} = ${v} === null ? 1 : 0;`);
        return `(${flag} === 1 ? null : ${this.#leaf(spec.inner, v, true)})`;
      }
      default:
        return this.#leaf(spec, v, false);
    }
  }

  #struct(spec: StructSpec, v: string): string {
    const { code } = this.#source;
    this.#checks.push(structGuard(code, spec, "refuse", v));
    const literal = spec.fields.map((field) => {
      const local = code.name("v");
      this.#checks.push(this.#source.loadField(field, v, local));
      return { name: field.name, value: this.#value(field.type, local), present: null };
    });
    this.#checks.push(countGuard(spec, "refuse", v, []));
    return objectLiteral(code, literal);
  }

  #leaf(spec: TypeSpec, v: string, nullable: boolean): string {
    const when = nullable ? `${v} !== null && ` : "";
    const orZero = (expression: string): string => (nullable ? `${v} === null ? 0 : ${expression}` : expression);
    if (spec.kind === "enum") {
      const index = this.#source.code.name("index");
      const slot = this.#nextHalf();
      this.#checks.push(
        `const ${index} = ${orZero(this.#source.enumIndex(spec.values, v))}; if (${index} < 0) return false;`,
      );
      this.#stores.push(`${slot} = ${index};`);
      return `${this.#source.code.constant(spec.values)}[${slot}]`;
    }
    this.#checks.push(`if (${when}(${this.#source.leafMisfit(spec, v)})) return false;`);
    switch (spec.kind) {
      case "i32":
        return this.#store(this.#nextHalf(), orZero(v));
      case "bool":
        return `${this.#store(this.#nextHalf(), `${v} === true ? 1 : 0`)} === 1`;
      case "i64":
        return this.#store(`${this.#i64}[a + ${this.#word++}]`, nullable ? `${v} === null ? 0n : ${v}` : v);
      case "date":
        return `new Date(${this.#store(this.#nextWord(), orZero(`${v}.getTime()`))})`;
      case "null":
        return "null";
      default:
        return this.#store(this.#nextWord(), orZero(v));
    }
  }

  #store(slot: string, expression: string): string {
    this.#stores.push(`${slot} = ${expression};`);
    return slot;
  }

  #nextWord(): string {
    return `${this.#f64}[a + ${this.#word++}]`;
  }

  #nextHalf(): string {
    return `${this.#i32}[a * 2 + ${this.#half++}]`;
  }
}

// The types users declare: `t.struct({ symbol: t.string, price: t.f64 })`. Each carries its `TypeSpec`, from which the
// fast codecs are generated, and is a Standard Schema, so that it can stand wherever a schema can.
//
//   T1. What a type infers is exactly what its codec takes and gives back.
//   T2. As a schema a type drops fields that a struct does not declare (as most schema libraries do); the codecs
//       between operators refuse them.

import type { Duration } from "../base/duration.ts";
import { UserError } from "../base/errors.ts";
import { ByteCursor, ByteSink } from "./bytes/byte-buffer.ts";
import { checkedLayout } from "./spec/schema-spec.ts";
import type { Infer, StandardIssue, StandardProps, StandardResult } from "./spec/standard-schema.ts";
import type { StructField, TypedArrayName, TypeSpec } from "./spec/type-spec.ts";
import { specProblem } from "./values/spec-check.ts";
import { specIssues } from "./values/spec-mismatch.ts";
import { compileValueProgram, type ValueProgram } from "./values/value-codec.ts";

/** A type of values `T`. */
export interface Type<T> {
  readonly "~standard": TypeProps<T>;
  readonly spec: TypeSpec;
  /** The same type, or null. */
  nullable(): Type<T | null>;
  /** As a field of a struct: may be absent or undefined, and the two are told apart. Elsewhere: or undefined. */
  optional(): OptionalType<T>;
}

/** What marks a field as optional; of no use outside `t.struct`. */
export interface OptionalType<T> extends Type<T | undefined> {
  readonly required: Type<T>;
}

interface TypeProps<T> extends StandardProps<T, T> {
  readonly validate: (value: unknown) => StandardResult<T>;
}

type AnyType = Type<unknown>;
type Fields = Readonly<Record<string, AnyType>>;
type OptionalKeys<F extends Fields> = {
  [K in keyof F]: F[K] extends { readonly required: AnyType } ? K : never;
}[keyof F];
type StructValue<F extends Fields> = [OptionalKeys<F>] extends [never]
  ? { -readonly [K in keyof F]: Infer<F[K]> }
  : Flat<
      { -readonly [K in Exclude<keyof F, OptionalKeys<F>>]: Infer<F[K]> } & {
        -readonly [K in OptionalKeys<F>]?: Infer<F[K]>;
      }
    >;
type Flat<T> = { [K in keyof T]: T[K] };

type TypedArrays = {
  Int8Array: Int8Array;
  Uint8Array: Uint8Array;
  Uint8ClampedArray: Uint8ClampedArray;
  Int16Array: Int16Array;
  Uint16Array: Uint16Array;
  Int32Array: Int32Array;
  Uint32Array: Uint32Array;
  Float32Array: Float32Array;
  Float64Array: Float64Array;
  BigInt64Array: BigInt64Array;
  BigUint64Array: BigUint64Array;
};

export const t = {
  /** Any string. */
  string: type<string>({ kind: "string" }),
  /** A span of time as text: "500ms", "5s", "10m", "2h", "7d". For parameters: `session(params.gap)`. */
  duration: type<Duration>({ kind: "string", form: "duration" }),
  /** Any number. */
  f64: type<number>({ kind: "f64" }),
  /** A number that is exact in 32-bit floating point: files and parameters are rounded, others by `Math.fround`. */
  f32: type<number>({ kind: "f32" }),
  /** An integer from -2³¹ to 2³¹ - 1; -0 is 0. */
  i32: type<number>({ kind: "i32" }),
  /** A bigint from -2⁶³ to 2⁶³ - 1. */
  i64: type<bigint>({ kind: "i64" }),
  /** Any bigint. */
  bigint: type<bigint>({ kind: "bigint" }),
  bool: type<boolean>({ kind: "bool" }),
  /** A point in time as a number: milliseconds since 1970 UTC, as many as a `Date` holds (±8.64e15); not NaN. */
  timestamp: type<number>({ kind: "timestamp" }),
  /** A `Date`. */
  date: type<Date>({ kind: "date" }),
  null: type<null>({ kind: "null" }),
  undefined: type<undefined>({ kind: "undefined" }),
  /** A `Uint8Array`; a `Buffer` stays one. */
  bytes: type<Uint8Array>({ kind: "bytes", array: "Uint8Array" }),
  /** Whatever structured clone carries: flexible, and several times slower than a declared type. */
  any: type<unknown>({ kind: "any" }),

  /** One of a fixed set of strings. */
  enum<const V extends readonly [string, ...string[]]>(...values: V): Type<V[number]> {
    return declared({ kind: "enum", values }, enumFix(values));
  },
  /** A typed array by the name of its class. */
  typed<N extends TypedArrayName>(array: N): Type<TypedArrays[N]> {
    return declared({ kind: "bytes", array });
  },
  list<S extends AnyType>(item: S): Type<Infer<S>[]> {
    return declared({ kind: "list", item: checkedLayout(item, "t.list") });
  },
  set<S extends AnyType>(item: S): Type<Set<Infer<S>>> {
    return declared({ kind: "set", item: checkedLayout(item, "t.set") });
  },
  map<K extends AnyType, V extends AnyType>(key: K, value: V): Type<Map<Infer<K>, Infer<V>>> {
    return declared({ kind: "map", key: checkedLayout(key, "t.map"), value: checkedLayout(value, "t.map") });
  },
  /** An object with these fields and no others; records come out with the fields in this order. */
  struct<F extends Fields>(fields: F): Type<StructValue<F>> {
    return declared({ kind: "struct", fields: Object.keys(fields).map((name) => structField(name, fields[name]!)) });
  },
  /** A value of one of these types; the first that fits is taken. */
  union<const M extends readonly [AnyType, ...AnyType[]]>(...members: M): Type<Infer<M[number]>> {
    return declared({ kind: "union", members: members.map((member) => checkedLayout(member, "t.union")) });
  },
} as const;

function structField(name: string, field: AnyType | OptionalType<unknown>): StructField {
  const type = checkedLayout(field, `the field ${JSON.stringify(name)} of t.struct`);
  const optional = "required" in field;
  return { name, type: optional ? field.required.spec : type, optional };
}

const CORRECT = "Correct the declaration of the type.";

/** Values in a list are what most people write first. */
function enumFix(values: readonly unknown[]): string {
  const [list] = values;
  if (!Array.isArray(list) || list.some((value) => typeof value !== "string")) return CORRECT;
  return `write t.enum(${list.map((value) => JSON.stringify(value)).join(", ")})`;
}

function declared<T>(spec: TypeSpec, fix: string = CORRECT): Type<T> {
  const found = specProblem(spec);
  if (found !== null) throw new UserError("TYPE_INVALID", found, { fix });
  return type<T>(spec);
}

function type<T>(spec: TypeSpec): Type<T> {
  const validate = validator<T>(spec);
  const made: Type<T> = {
    "~standard": { version: 1, vendor: "millrace", validate },
    spec,
    nullable: () => type<T | null>({ kind: "nullable", inner: spec }),
    optional: () => ({
      ...type<T | undefined>({ kind: "union", members: [spec, { kind: "undefined" }] }),
      required: made,
    }),
  };
  return made;
}

const ISSUES_MAX = 20;

function validator<T>(spec: TypeSpec): (value: unknown) => StandardResult<T> {
  let check: ValueProgram | null = null;
  let project: ValueProgram | null = null;
  const sink = new ByteSink(0);
  return (value) => {
    check ??= compileValueProgram(spec, "refuse");
    sink.position = 0;
    if (check.write(value, sink)) return { value: value as T };
    project ??= compileValueProgram(spec, "ignore");
    sink.position = 0;
    if (project.write(value, sink)) {
      return { value: project.read(new ByteCursor(sink.bytes, 0, sink.position)) as T };
    }
    return { issues: specIssues(spec, value, "ignore", ISSUES_MAX).map(standardIssue) };
  };
}

function standardIssue(issue: ReturnType<typeof specIssues>[number]): StandardIssue {
  const where = issue.path === "" ? "" : `${issue.path}: `;
  return { message: `${where}expected ${issue.expected}, got ${issue.actual}`, path: issue.keys };
}

export type { Infer };

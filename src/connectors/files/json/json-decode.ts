// JSON values as values of a declared type: what JSON cannot say itself is taken in the forms that `json-encode.ts`
// writes.
//
//   Date, timestamp     ISO 8601 text or epoch milliseconds
//   i64, bigint         a whole number, or its digits as text
//   string              text, or a whole number: its digits
//   Map                 an object (text keys), or a list of pairs
//   Set, typed arrays   a list
//
// Fields that a struct does not declare are left out. Absent and null are told apart.

import { isDuration } from "../../../base/duration.ts";
import { unreachable } from "../../../base/errors.ts";
import { defineField } from "../../../types/spec/field-path.ts";
import { bigintOf, dateOf, numberOf } from "../../../types/spec/source-value.ts";
import { fieldPath } from "../../../types/spec/spec-text.ts";
import { timeInDigits } from "../../../types/spec/time-in-digits.ts";
import { timeParse } from "../../../types/spec/time-text.ts";
import type { StructSpec, TypedArrayName, TypeSpec } from "../../../types/spec/type-spec.ts";
import { rawJson } from "./json-encode.ts";
import { everyNumber, isUnrounded, WITHIN_RANGE } from "./json-numbers.ts";

export type JsonTrace = {
  /** The first thing that is wrong, with the path to it grown from the inside out. Empty: nothing is. */
  issue: string;
  /** Whether the value came from `jsonExact`: then whole numbers beyond 2^53 are bigints. */
  readonly exact: boolean;
  /** Set where digits of a number count, if only for the issue, that JSON.parse has rounded: the value is of no use. */
  rounded: boolean;
};
export type JsonDecode = (value: unknown, trace: JsonTrace) => unknown;

export function jsonDecoder(spec: TypeSpec): JsonDecode {
  const decode = decoder(spec, false);
  return (value, trace) => {
    const decoded = decode(value, trace);
    trace.issue = trace.issue.replace(/^(\.|: )/, "");
    return decoded;
  };
}

/** `strict`: texts are texts only, so that of a union the member is taken that a value was written for. */
function decoder(spec: TypeSpec, strict: boolean): JsonDecode {
  switch (spec.kind) {
    case "any":
      return anyValue;
    case "f64":
    case "f32":
    case "i32":
      return numberDecoder(spec.kind);
    case "i64":
    case "bigint":
      return bigintDecoder(spec.kind);
    case "bool":
      return (value, trace) => (typeof value === "boolean" ? value : fail(trace, "true or false", value));
    case "string":
      if (spec.form === "duration") {
        return (value, trace) =>
          typeof value === "string" && isDuration(value) ? value : fail(trace, 'a duration like "5m"', value);
      }
      return strict
        ? (value, trace) => (typeof value === "string" ? value : fail(trace, "a string", value))
        : (value, trace) => (typeof value === "string" ? value : digitsText(value, trace));
    case "timestamp":
      return (value, trace) => time(value, trace);
    case "date":
      return (value, trace) => dateOf(time(value, trace)) ?? fail(trace, TIME, value);
    case "null":
      return (value, trace) => (value === null ? null : fail(trace, "null", value));
    case "undefined":
      // JSON has no undefined: the field is absent.
      return (value, trace) => (value === undefined ? undefined : fail(trace, "nothing", value));
    case "enum":
      return enumDecoder(spec.values);
    case "nullable":
      return nullableDecoder(decoder(spec.inner, strict));
    case "struct":
      return structDecoder(spec, strict);
    case "list":
      return listDecoder(decoder(spec.item, strict));
    case "set": {
      const items = listDecoder(decoder(spec.item, strict));
      return (value, trace) => new Set(items(value, trace) as unknown[]);
    }
    case "bytes":
      return typedArrayDecoder(spec.array);
    case "map":
      return mapDecoder(decoder(spec.key, strict), decoder(spec.value, strict));
    case "union":
      return unionDecoder(spec.members, strict);
    default:
      return unreachable(spec);
  }
}

/** Numbers as they were written. */
function exactText(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return rawJson(String(value));
  return typeof value === "number" && !Number.isFinite(value) ? BEYOND : value;
}

const BEYOND = "a number beyond 1.8e308";

function fail(trace: JsonTrace, expected: string, value: unknown): undefined {
  if (!trace.exact && !everyNumber(value, isUnrounded, 0)) trace.rounded = true;
  const isBeyond = value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY;
  const text = value === undefined ? "absent" : isBeyond ? BEYOND : JSON.stringify(value, exactText);
  trace.issue = `: expected ${expected}, got ${text.length > 80 ? `${text.slice(0, 80)}…` : text}`;
}

const EXPECTED = { f64: "a number", f32: "a 32-bit number", i32: "a 32-bit integer" } as const;

function numberDecoder(kind: "f64" | "f32" | "i32"): JsonDecode {
  return (value, trace) => {
    // A whole number beyond 2^53 is the nearest one that the type has.
    const number = typeof value === "bigint" ? Number(value) : value;
    const taken = typeof number === "number" ? numberOf(kind, number) : Number.NaN;
    return Number.isNaN(taken) ? fail(trace, EXPECTED[kind], value) : taken;
  };
}

function bigintDecoder(kind: "i64" | "bigint"): JsonDecode {
  return (value, trace) => {
    const digits = typeof value === "string" ? value : wholeDigits(value, trace);
    const big = digits === null ? null : bigintOf(kind, digits);
    return (
      big ??
      fail(trace, kind === "i64" ? "a whole number of 64 bits or its digits" : "a whole number or its digits", value)
    );
  };
}

function digitsText(value: unknown, trace: JsonTrace): string | undefined {
  return wholeDigits(value, trace) ?? fail(trace, "a string", value);
}

/** Null when it is no whole number, or one whose digits are not known yet. */
function wholeDigits(value: unknown, trace: JsonTrace): string | null {
  if (typeof value !== "number") return typeof value === "bigint" ? String(value) : null;
  if (Number.isSafeInteger(value)) return String(value);
  if (!trace.exact) trace.rounded = true;
  return null;
}

function anyValue(value: unknown, trace: JsonTrace): unknown {
  if (trace.exact) return everyNumber(value, Number.isFinite, 0) ? value : fail(trace, WITHIN_RANGE, value);
  if (!everyNumber(value, isUnrounded, 0)) trace.rounded = true;
  return value;
}

const TIME = "a date-time or epoch milliseconds";

function time(value: unknown, trace: JsonTrace): number {
  if (typeof value === "string") {
    const ms = timeParse(value, 0, value.length);
    if (!Number.isNaN(ms)) return ms;
  } else if (typeof value === "number" || typeof value === "bigint") {
    const ms = numberOf("timestamp", Number(value));
    if (!Number.isNaN(ms)) return ms;
  }
  const written = typeof value === "string" ? timeInDigits(Number(value)) : null;
  fail(trace, written === null ? TIME : `${TIME}, a day as ${written}`, value);
  return Number.NaN;
}

function enumDecoder(values: readonly string[]): JsonDecode {
  const set = new Set<unknown>(values);
  return (value, trace) => (set.has(value) ? value : fail(trace, `one of ${values.join(", ")}`, value));
}

function nullableDecoder(inner: JsonDecode): JsonDecode {
  return (value, trace) => (value === null ? null : inner(value, trace));
}

function structDecoder(spec: StructSpec, strict: boolean): JsonDecode {
  const fields = spec.fields.map(({ name, type, optional }) => ({ name, optional, decode: decoder(type, strict) }));
  return (value, trace) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return fail(trace, "an object", value);
    const record: Record<string, unknown> = {};
    for (const { name, optional, decode } of fields) {
      const isPresent = Object.hasOwn(value, name);
      if (!isPresent && optional) continue;
      const decoded = decode(isPresent ? (value as Record<string, unknown>)[name] : undefined, trace);
      if (trace.issue !== "") return under(trace, fieldPath("", name));
      fieldSet(record, name, decoded);
    }
    return record;
  };
}

function fieldSet(record: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== "__proto__") record[name] = value;
  else defineField(record, name, value);
}

/** Puts one more step in front of the path of an issue. */
function under(trace: JsonTrace, step: string): undefined {
  trace.issue = `${step.startsWith("[") ? "" : "."}${step}${trace.issue}`;
}

function listDecoder(item: JsonDecode): (value: unknown, trace: JsonTrace) => unknown[] | undefined {
  return (value, trace) => {
    if (!Array.isArray(value)) return fail(trace, "a list", value);
    const list: unknown[] = [];
    for (let index = 0; index < value.length; index += 1) {
      list.push(item(value[index], trace));
      if (trace.issue !== "") return under(trace, `[${index}]`);
    }
    return list;
  };
}

function typedArrayDecoder(name: TypedArrayName): JsonDecode {
  const isBig = name === "BigInt64Array" || name === "BigUint64Array";
  const items = listDecoder(decoder({ kind: isBig ? "bigint" : name === "Float32Array" ? "f32" : "f64" }, true));
  return (value, trace) => {
    const list = items(value, trace);
    if (list === undefined) return undefined;
    const array = TYPED_ARRAYS[name](list);
    const misfit = list.findIndex((item, index) => !Object.is(item, array[index]) && item !== array[index]);
    if (misfit < 0) return array;
    fail(trace, `an element of ${name}`, (value as readonly unknown[])[misfit]);
    return under(trace, `[${misfit}]`);
  };
}

type Elements = ArrayLike<unknown>;
const numbers = (list: readonly unknown[]): number[] => list as number[];
const bigints = (list: readonly unknown[]): bigint[] => list as bigint[];

const TYPED_ARRAYS: Readonly<Record<TypedArrayName, (list: readonly unknown[]) => Elements>> = {
  Int8Array: (list) => new Int8Array(numbers(list)),
  Uint8Array: (list) => new Uint8Array(numbers(list)),
  Uint8ClampedArray: (list) => new Uint8ClampedArray(numbers(list)),
  Int16Array: (list) => new Int16Array(numbers(list)),
  Uint16Array: (list) => new Uint16Array(numbers(list)),
  Int32Array: (list) => new Int32Array(numbers(list)),
  Uint32Array: (list) => new Uint32Array(numbers(list)),
  Float32Array: (list) => new Float32Array(numbers(list)),
  Float64Array: (list) => new Float64Array(numbers(list)),
  BigInt64Array: (list) => new BigInt64Array(bigints(list)),
  BigUint64Array: (list) => new BigUint64Array(bigints(list)),
};

function mapDecoder(key: JsonDecode, item: JsonDecode): JsonDecode {
  return (value, trace) => {
    if (typeof value !== "object" || value === null) return fail(trace, "an object or a list of pairs", value);
    const isList = Array.isArray(value);
    const map = new Map<unknown, unknown>();
    for (const [index, pair] of (isList ? value : Object.entries(value)).entries()) {
      pairDecode(pair, map, trace);
      if (trace.issue !== "") return under(trace, isList ? `[${index}]` : fieldPath("", pair[0]));
    }
    return map;
  };

  function pairDecode(pair: unknown, map: Map<unknown, unknown>, trace: JsonTrace): void {
    if (!Array.isArray(pair) || pair.length !== 2) fail(trace, "a pair of key and value", pair);
    else map.set(key(pair[0], trace), item(pair[1], trace));
  }
}

function unionDecoder(members: readonly TypeSpec[], strict: boolean): JsonDecode {
  const strictly = members.map((member) => decoder(member, true));
  const decoders = strict ? strictly : [...strictly, ...members.map((member) => decoder(member, false))];
  return (value, trace) => {
    for (const decode of decoders) {
      const attempt: JsonTrace = { ...trace, issue: "" };
      const decoded = decode(value, attempt);
      trace.rounded ||= attempt.rounded;
      if (trace.rounded || attempt.issue === "") return decoded;
    }
    return fail(trace, `one of ${members.map((member) => member.kind).join(", ")}`, value);
  };
}

// Says in a few words what a value is, for error messages: never runs user code, never fails, never grows long.

import { types } from "node:util";

const TEXT_MAX = 40;

export function describe(value: unknown): string {
  switch (typeof value) {
    case "string":
      return `string ${JSON.stringify(value.length > TEXT_MAX ? `${value.slice(0, TEXT_MAX)}…` : value)}`;
    case "number":
      return `number ${Object.is(value, -0) ? "-0" : value}`;
    case "bigint":
      return `bigint ${shortened(`${value}n`)}`;
    case "boolean":
    case "undefined":
      return String(value);
    case "symbol":
      return "a symbol";
    case "function":
      return types.isProxy(value) ? "a Proxy" : "a function";
    case "object":
      return value === null ? "null" : describeObject(value);
  }
}

/** The class of an object whose prototype is its own, null for what a codec may be able to carry. */
export function foreignClass(value: object): string | null {
  if (types.isProxy(value)) return "a Proxy";
  if (types.isPromise(value)) return "a promise";
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || CARRIED.has(prototype as object)) return null;
  return `an instance of ${className(prototype as object)}`;
}

function describeObject(value: object): string {
  const foreign = foreignClass(value);
  if (foreign !== null) return foreign;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return "an object";
  if (types.isDate(value) && Number.isNaN(value.getTime())) return "an invalid Date";
  const name = className(prototype as object);
  return /^[AEIOU]/.test(name) ? `an ${name}` : `a ${name}`;
}

function className(prototype: object): string {
  // Read as plain data: a getter or a Proxy named `constructor` must not run.
  const type: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
  if (typeof type !== "function" || types.isProxy(type)) return "a class without a name";
  const name: unknown = Object.getOwnPropertyDescriptor(type, "name")?.value;
  return typeof name === "string" && name !== "" ? shortened(name) : "a class without a name";
}

function shortened(text: string): string {
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text;
}

const CARRIED: ReadonlySet<object> = new Set(
  [
    Object,
    Array,
    Date,
    RegExp,
    Map,
    Set,
    Buffer,
    ArrayBuffer,
    DataView,
    Number,
    String,
    Boolean,
    BigInt,
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float16Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
    Error,
    EvalError,
    RangeError,
    ReferenceError,
    SyntaxError,
    TypeError,
    URIError,
    AggregateError,
  ].map((type): object => type.prototype),
);

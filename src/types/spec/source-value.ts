// What texts and numbers of the outside world (files, parameters) mean as values of a type: one rule for every format.
//
//   V1. What these give, the type takes. -0 is the integer 0; numbers beyond the range of the type, infinities that
//       nobody wrote and times that no Date can hold are none.
//   V2. A t.f32 is the nearest 32-bit number. Codecs do not round: a number that is computed is rounded by Math.fround.

import { isDuration } from "../../base/duration.ts";
import { unreachable } from "../../base/errors.ts";
import type { TypeSpec } from "./type-spec.ts";

/** A `Date` holds times up to this one, before and after 1970: 100 million days. */
export const TIME_MAX_MS = 8.64e15;

/** The number as a value of its type; NaN when it is none. */
export function numberOf(kind: "f64" | "f32" | "i32" | "timestamp", value: number): number {
  if (kind === "i32") return value === (value | 0) ? value | 0 : Number.NaN;
  if (kind === "timestamp") return Math.abs(value) <= TIME_MAX_MS ? value : Number.NaN;
  const number = kind === "f32" ? Math.fround(value) : value;
  return Number.isFinite(number) ? number : Number.NaN;
}

/** Null when no Date holds it. */
export function dateOf(ms: number): Date | null {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? null : date;
}

/** The digits of a whole number as a value of its type; null when they are none. */
export function bigintOf(kind: "i64" | "bigint", text: string): bigint | null {
  if (!/^[+-]?\d+$/.test(text)) return null;
  const value = BigInt(text.startsWith("+") ? text.slice(1) : text);
  return kind === "bigint" || value === BigInt.asIntN(64, value) ? value : null;
}

type Scalar = Extract<
  TypeSpec,
  { kind: "f64" | "f32" | "i32" | "timestamp" | "i64" | "bigint" | "bool" | "string" | "enum" }
>;

/** Whether a type without parts takes a value. */
export function scalarFits(spec: Scalar, value: unknown): boolean {
  switch (spec.kind) {
    case "f64":
      return typeof value === "number";
    case "timestamp":
      return typeof value === "number" && Math.abs(value) <= TIME_MAX_MS;
    case "f32":
      return typeof value === "number" && Object.is(Math.fround(value), value);
    case "i32":
      return typeof value === "number" && (value | 0) === value;
    case "i64":
      return typeof value === "bigint" && BigInt.asIntN(64, value) === value;
    case "bigint":
      return typeof value === "bigint";
    case "bool":
      return typeof value === "boolean";
    case "string":
      return typeof value === "string" && (spec.form === undefined || isDuration(value));
    case "enum":
      return typeof value === "string" && spec.values.includes(value);
    default:
      return unreachable(spec);
  }
}

// Event times as they come from records: a number, a bigint, or a Date. Everything else is told apart for the error.
//
// Numbers that can hardly be what they are taken for, because they would then lie tens of thousands of years from now
// or in the weeks after 1970, or are a date written in digits, are refused, unless the user has said that they are
// milliseconds.

import { TIME_MAX_MS } from "../../types/spec/source-value.ts";
import { isTimeInDigits, timeInDigits } from "../../types/spec/time-in-digits.ts";

/** By unit: how many of them are a millisecond, and what people call them. */
const UNITS = {
  ms: { perMs: 1, name: "milliseconds", code: "TIMESTAMP_IN_MILLISECONDS" },
  s: { perMs: 0.001, name: "seconds", code: "TIMESTAMP_IN_SECONDS" },
  us: { perMs: 1e3, name: "microseconds", code: "TIMESTAMP_IN_MICROSECONDS" },
  ns: { perMs: 1e6, name: "nanoseconds", code: "TIMESTAMP_IN_NANOSECONDS" },
} as const;

export type TimestampUnit = keyof typeof UNITS;

export const TIMESTAMP_UNITS = Object.keys(UNITS) as readonly TimestampUnit[];

// Seconds since 1985 to 5138, taken as milliseconds, would lie in January 1970 to March 1973: hardly ever meant.
const SECONDS_FROM = 5e8;
const SECONDS_TO = 1e11;
/** The same seconds as microseconds; as milliseconds it is the year 17814. The year 9999 is before it. */
const FAR_MS = 5e14;

/**
 * Event time in milliseconds; NaN when `timestampProblem` has something to say. `unit` null: milliseconds, as nobody
 * has said what else. Budget: 2 ns.
 */
export function timestampOf(value: unknown, unit: TimestampUnit | null): number {
  if (typeof value === "number") {
    const ms = unit === null || unit === "ms" ? value : scaled(value, unit);
    return isLikely(ms, unit) ? ms + 0 : NaN; // -0 is 0.
  }
  if (typeof value === "bigint") {
    const ms = scaledExactly(value, unit ?? "ms");
    return isLikely(ms, unit) ? ms : NaN;
  }
  if (!(value instanceof Date)) return NaN;
  const ms = value.getTime();
  return isLikely(ms, unit === null ? null : "ms") ? ms : NaN;
}

function isLikely(ms: number, unit: TimestampUnit | null): boolean {
  if (unit === "ms") return ms >= -TIME_MAX_MS && ms <= TIME_MAX_MS;
  if (!(ms > -FAR_MS && ms < FAR_MS)) return false;
  if (unit !== null) return true;
  return (ms < SECONDS_FROM || ms >= SECONDS_TO) && !isTimeInDigits(ms);
}

/** What a number of another unit is short of whole milliseconds by less than half a microsecond is rounding. */
function scaled(value: number, unit: TimestampUnit): number {
  const ms = unit === "s" ? value * 1_000 : value / UNITS[unit].perMs;
  const whole = Math.round(ms);
  return Math.abs(ms - whole) < 5e-4 ? whole : ms;
}

function scaledExactly(value: bigint, unit: TimestampUnit): number {
  if (unit === "s") return Number(value * 1_000n);
  const perMs = BigInt(UNITS[unit].perMs);
  return Number(value / perMs) + Number(value % perMs) / UNITS[unit].perMs;
}

const SET_ASIDE =
  'filter such records out first, or count them with .onError("skip") after eventTime, or set them aside with "side"';

export type TimestampProblem = { readonly code: string; readonly message: string; readonly fix: string };

/** Why `timestampOf` gave NaN. */
export function timestampProblem(value: unknown, unit: TimestampUnit | null): TimestampProblem {
  if (value === null || value === undefined) {
    return { code: "TIMESTAMP_MISSING", message: `the event time is ${value}`, fix: SET_ASIDE };
  }
  if (typeof value !== "number" && typeof value !== "bigint" && !(value instanceof Date)) {
    return {
      code: "TIMESTAMP_TYPE",
      message: `the event time is ${value instanceof Promise ? "a promise" : `a ${typeof value}: ${String(value).slice(0, 100)}`}`,
      fix: "give epoch milliseconds as a number, or a Date; parse text in the source's type (t.timestamp) or in a map",
    };
  }
  if (Number.isNaN(Number(value))) {
    const message = `the event time is ${value instanceof Date ? "an invalid Date" : "not a number (NaN)"}`;
    return { code: "TIMESTAMP_NAN", message, fix: SET_ASIDE };
  }
  return unitProblem(value, unit);
}

function unitProblem(value: number | bigint | Date, unit: TimestampUnit | null): TimestampProblem {
  const isDate = value instanceof Date;
  const taken = isDate ? "ms" : (unit ?? "ms");
  const digits = unit === null && !isDate ? timeInDigits(Number(value)) : null;
  if (digits !== null) return digitsProblem(Number(value), digits);
  const looks = unitOf(Math.abs(Number(value)));
  if (looks === null || looks === taken) {
    const message = `the event time ${Number(value)} is too far from 1970 for a time in any unit`;
    return { code: "TIMESTAMP_RANGE", message, fix: SET_ASIDE };
  }
  const ms = scaled(Number(value), taken);
  const isTime = Math.abs(ms) <= TIME_MAX_MS;
  const wanted = isDate ? "make the Date of milliseconds" : `say which unit it is: unit: "${looks}"`;
  // Milliseconds are taken at the user's word.
  const meant = unit === null && isTime ? `, or unit: "ms" if it really is ${new Date(ms).getUTCFullYear()}` : "";
  const would = isTime ? new Date(ms).toISOString() : "beyond the year 275760";
  return {
    code: UNITS[looks].code,
    message: `the event time ${Number(value)} looks like ${UNITS[looks].name}: as ${UNITS[taken].name} it would be ${would}`,
    fix: `${wanted}${meant}`,
  };
}

function digitsProblem(value: number, time: string): TimestampProblem {
  const would = Math.abs(value) <= TIME_MAX_MS ? `: as milliseconds it would be ${new Date(value).toISOString()}` : "";
  const meant = would === "" ? "" : ', or say unit: "ms" if it really is that';
  return {
    code: "TIMESTAMP_IN_DIGITS",
    message: `the event time ${value} looks like ${time} in digits${would}`,
    fix: `make milliseconds of it in a map before eventTime: Date.parse("${time}${time.length > 10 ? "Z" : ""}")${meant}; or set such rows aside with .onError("side") behind eventTime`,
  };
}

/** The unit in which a number is a time since 1985 or a little before; null: it is too large for any. */
function unitOf(size: number): TimestampUnit | null {
  if (size < SECONDS_TO) return "s";
  return size < FAR_MS ? "ms" : size < FAR_MS * 1e3 ? "us" : size < FAR_MS * 1e6 ? "ns" : null;
}

// Points in time as text: ISO 8601 dates and date-times, and epoch milliseconds.
//
//   time      date [("T" | " ") clock [[" "] zone]] | epoch milliseconds: 1767225600000   -86400000.5
//   date      2026-01-31
//   clock     09:30   09:30:15   09:30:15.25   09:30:15,250   24:00   24:00:00, the end of the day
//   zone      Z   UTC   GMT   +05   +0530   +05:30, of at most 23:59
//
// Epoch milliseconds that look like a day in digits, 20260105 or 20260105100059, are refused: they are hardly ever
// meant.
//
// Without a zone the time is UTC, whatever the machine's zone is: the same file gives the same records everywhere. What
// is finer than milliseconds is cut off, towards the past.

import { numberOf } from "./source-value.ts";
import { isTimeInDigits } from "./time-in-digits.ts";

const DIGIT_0 = 48;
const DAY_MS = 86_400_000;
const ZONE = /^ ?(?:Z|UTC|GMT|([+-])([01]\d|2[0-3])(?::?([0-5]\d))?)$/i;

/** Epoch milliseconds of the time in `text` from `start` to `end`; NaN when it is none. */
export function timeParse(text: string, start: number, end: number): number {
  if (end - start >= 10 && text.charCodeAt(start + 4) === 45 && text.charCodeAt(start) !== 45) {
    return isoParse(text, start, end);
  }
  const part = text.slice(start, end);
  if (/^[+-]?\d+(\.\d+)?$/.test(part)) {
    const ms = numberOf("timestamp", Number(part));
    return isTimeInDigits(ms) ? Number.NaN : ms;
  }
  // What Date writes for years before 0 and after 9999.
  return /^[+-]\d{6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(part) ? Date.parse(part) : Number.NaN;
}

function isoParse(text: string, start: number, end: number): number {
  const year = digits(text, start, 4);
  const month = digits(text, start + 5, 2);
  const day = digits(text, start + 8, 2);
  const days = text.charCodeAt(start + 7) === 45 ? daysOf(year, month, day) : Number.NaN;
  if (end - start === 10) return days * DAY_MS;
  const separator = text.charCodeAt(start + 10);
  if (separator !== 84 && separator !== 32 && separator !== 116) return Number.NaN;
  return days * DAY_MS + clockParse(text, start + 11, end);
}

/** `HH:MM[:SS[.fraction]][zone]` as milliseconds after midnight UTC. */
function clockParse(text: string, start: number, end: number): number {
  const hour = digits(text, start, 2);
  const minute = digits(text, start + 3, 2);
  if (start + 5 > end || text.charCodeAt(start + 2) !== 58 || minute > 59) return Number.NaN;
  const minutesMs = hour * 3_600_000 + minute * 60_000;
  if (minutesMs > DAY_MS) return Number.NaN;
  if (start + 5 === end || text.charCodeAt(start + 5) !== 58) return minutesMs - zoneParse(text, start + 5, end);
  const second = start + 8 <= end ? digits(text, start + 6, 2) : Number.NaN;
  if (second > 59) return Number.NaN;
  const fractionEnd = fractionParseEnd(text, start + 8, end);
  if (fractionEnd === start + 9) return Number.NaN;
  const clockMs = minutesMs + second * 1_000 + fractionParse(text, start + 9, fractionEnd);
  return clockMs > DAY_MS ? Number.NaN : clockMs - zoneParse(text, fractionEnd, end);
}

/** The index after a point or comma and digits at `start`, or `start`. */
function fractionParseEnd(text: string, start: number, end: number): number {
  if (start >= end || (text.charCodeAt(start) !== 46 && text.charCodeAt(start) !== 44)) return start;
  let at = start + 1;
  while (at < end && isDigit(text.charCodeAt(at))) at += 1;
  return at;
}

/** Whole milliseconds of the digits after the point: what is finer is cut off. */
function fractionParse(text: string, start: number, end: number): number {
  let ms = 0;
  for (let at = start, digitMs = 100; at < end && digitMs >= 1; at += 1, digitMs /= 10) {
    ms += (text.charCodeAt(at) - DIGIT_0) * digitMs;
  }
  return ms;
}

/** Milliseconds that a zone is ahead of UTC; none is UTC. */
function zoneParse(text: string, start: number, end: number): number {
  if (start === end) return 0;
  const match = ZONE.exec(text.slice(start, end));
  if (match === null) return Number.NaN;
  const minutes = Number(match[2] ?? 0) * 60 + Number(match[3] ?? 0);
  return (match[1] === "-" ? -minutes : minutes) * 60_000;
}

/** Days since 1970-01-01 in the Gregorian calendar; NaN when there is no such day. */
function daysOf(year: number, month: number, day: number): number {
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month))) return Number.NaN;
  // Years that begin in March put the leap day last; 146097 days are 400 years.
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function daysInMonth(year: number, month: number): number {
  if (month !== 2) return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
}

/** A number of exactly `count` digits; NaN when there is anything else. */
function digits(text: string, start: number, count: number): number {
  let value = 0;
  for (let at = start; at < start + count; at += 1) {
    const code = text.charCodeAt(at);
    if (!isDigit(code)) return Number.NaN;
    value = value * 10 + code - DIGIT_0;
  }
  return value;
}

function isDigit(code: number): boolean {
  return code >= DIGIT_0 && code <= 57;
}

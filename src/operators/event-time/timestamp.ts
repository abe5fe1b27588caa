// Event times as they come from records: epoch milliseconds as a number, or a Date. Everything else is told apart for
// the error.

export type TimestampUnit = "ms" | "s" | "us";

export const UNIT_SCALE: Readonly<Record<TimestampUnit, number>> = { ms: 1, s: 1_000, us: 0.001 };

/** Largest time a Date can hold. */
const TIMESTAMP_MAX = 8.64e15;

// Seconds since 1985 to 5138, taken as milliseconds, would lie in January 1970 to March 1973: hardly ever meant.
const SECONDS_FROM = 5e8;
const SECONDS_TO = 1e11;

/** Event time in milliseconds; NaN when `timestampProblem` has something to say. Budget: 2 ns. */
export function timestampOf(value: unknown, scale: number, checkSeconds: boolean): number {
  if (typeof value === "number") {
    const ms = value * scale;
    if (ms >= 0 && ms <= TIMESTAMP_MAX && !(checkSeconds && ms >= SECONDS_FROM && ms < SECONDS_TO)) return ms;
    return NaN;
  }
  if (!(value instanceof Date)) return NaN;
  const ms = value.getTime();
  return ms >= 0 && !(checkSeconds && ms >= SECONDS_FROM && ms < SECONDS_TO) ? ms : NaN;
}

const SET_ASIDE =
  'filter such records out first, or count them with .onError("skip") after eventTime, or set them aside with "side"';

export type TimestampProblem = { readonly code: string; readonly message: string; readonly fix: string };

/** Why `timestampOf` gave NaN. */
export function timestampProblem(value: unknown): TimestampProblem {
  if (value === null || value === undefined) {
    return {
      code: "TIMESTAMP_MISSING",
      message: `the event time is ${value}`,
      fix: SET_ASIDE,
    };
  }
  if (typeof value !== "number" && !(value instanceof Date)) {
    return {
      code: "TIMESTAMP_TYPE",
      message: `the event time is ${value instanceof Promise ? "a promise" : `a ${typeof value}: ${String(value).slice(0, 100)}`}`,
      fix: "give epoch milliseconds as a number, or a Date; parse text in the source's type (t.timestamp) or in a map",
    };
  }
  const ms = Number(value);
  if (Number.isNaN(ms))
    return {
      code: "TIMESTAMP_NAN",
      message: "the event time is not a number (NaN)",
      fix: SET_ASIDE,
    };
  if (ms < 0) {
    return {
      code: "TIMESTAMP_NEGATIVE",
      message: `the event time ${ms} lies before 1970`,
      fix: `times before 1970 are not supported: ${SET_ASIDE}`,
    };
  }
  if (ms > TIMESTAMP_MAX) {
    return {
      code: "TIMESTAMP_RANGE",
      message: `the event time ${ms} lies beyond the year 275760`,
      fix: ms / 1_000 <= TIMESTAMP_MAX ? 'if these are microseconds, say so: unit: "us"' : SET_ASIDE,
    };
  }
  const wanted = value instanceof Date ? "make the Date of milliseconds" : 'say which unit it is: unit: "s"';
  return {
    code: "TIMESTAMP_IN_SECONDS",
    message: `the event time ${ms} looks like seconds: as milliseconds it would be ${new Date(ms).toISOString()}`,
    fix: `${wanted}, or unit: "ms" if it really is ${new Date(ms).getUTCFullYear()}`,
  };
}

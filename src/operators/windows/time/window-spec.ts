// Windows as users write them and as plans carry them.

import { type Duration, durationMs } from "../../../base/duration.ts";
import { UserError } from "../../../base/errors.ts";
import { checkOptions, withoutEffect } from "../../../types/check-options.ts";

export type WindowSpec =
  /**
   * `zone` null: boundaries are multiples of the size since 1970-01-01T00:00Z, plus the offset. With a zone: of its
   * local time.
   */
  | { readonly kind: "tumbling"; readonly sizeMs: number; readonly offsetMs: number; readonly zone: string | null }
  | {
      readonly kind: "sliding";
      readonly sizeMs: number;
      readonly slideMs: number;
      readonly offsetMs: number;
      readonly zone: string | null;
    }
  | { readonly kind: "session"; readonly gapMs: number };

export type PaneWindowSpec = Exclude<WindowSpec, { kind: "session" }>;
export type SessionWindowSpec = Extract<WindowSpec, { kind: "session" }>;

/** Start (inclusive) and end (exclusive) of a window, epoch milliseconds; fields of every window row. */
export type WindowBounds = { readonly start: number; readonly end: number };

export type WindowOptions = {
  /**
   * Moves the boundaries: `tumbling("7d", { offset: "4d" })` starts weeks on Mondays, because 1970-01-01 was a
   * Thursday.
   */
  readonly offset?: Duration;
  /** IANA time zone whose local time the boundaries follow, across daylight saving: "America/New_York". */
  readonly zone?: string;
};

/** Windows that a record may be in: each of them is a row of its own for each key. */
const OVERLAP_MAX = 1_000_000;

/** Windows of equal size, side by side. */
export function tumbling(size: Duration, options: WindowOptions = {}): PaneWindowSpec {
  checkOptions({ of: "tumbling", given: options, takes: { offset: true, zone: true } });
  const sizeMs = wholeMs("size", size);
  return { kind: "tumbling", sizeMs, offsetMs: offsetMs(options, sizeMs), zone: zoneChecked(options) };
}

/**
 * Windows of equal size, one starting every `slide`. Costs as much as tumbling windows of gcd(size, slide). Throws
 * WINDOW_SLIDE where windows would leave records out, or a record would be in more than a million.
 */
export function sliding(size: Duration, slide: Duration, options: WindowOptions = {}): PaneWindowSpec {
  checkOptions({ of: "sliding", given: options, takes: { offset: true, zone: true } });
  const sizeMs = wholeMs("size", size);
  const slideMs = wholeMs("slide", slide);
  if (slideMs > sizeMs) {
    throw new UserError("WINDOW_SLIDE", `windows of ${size} that slide by ${slide} leave records out`, {
      fix: "make the slide at most the size; to sample, filter first",
    });
  }
  if (sizeMs / slideMs > OVERLAP_MAX) {
    const overlap = Math.ceil(sizeMs / slideMs).toLocaleString("en");
    throw new UserError("WINDOW_SLIDE", `with windows of ${size} that slide by ${slide} each record is in ${overlap}`, {
      fix: `make the slide at least ${Math.ceil(sizeMs / OVERLAP_MAX)}ms: a record is in at most ${OVERLAP_MAX.toLocaleString("en")} windows`,
    });
  }
  return { kind: "sliding", sizeMs, slideMs, offsetMs: offsetMs(options, slideMs), zone: zoneChecked(options) };
}

/**
 * One window per burst of activity of a key: a pause longer than `gap` ends it. Records exactly `gap` apart belong
 * together.
 */
export function session(gap: Duration): SessionWindowSpec;
export function session(gap: Duration, options?: WindowOptions): SessionWindowSpec {
  const [name] = Object.keys(options ?? {});
  if (name !== undefined) {
    throw withoutEffect(name, "on session windows", "leave it out: they begin with a record, and end with a pause");
  }
  return { kind: "session", gapMs: wholeMs("gap", gap) };
}

function wholeMs(what: string, text: Duration): number {
  const ms = durationMs(text, `the ${what} of a window`);
  if (ms >= 1 && Number.isInteger(ms)) return ms;
  throw new UserError("WINDOW_DURATION", `a window cannot have a ${what} of ${text}`, {
    fix: "use a whole number of milliseconds, at least 1",
  });
}

function offsetMs(options: WindowOptions, everyMs: number): number {
  if (options.offset === undefined) return 0;
  const ms = durationMs(options.offset, "the offset of a window");
  if (!Number.isInteger(ms)) {
    throw new UserError("WINDOW_DURATION", `a window cannot have an offset of ${options.offset}`, {
      fix: "use a whole number of milliseconds",
    });
  }
  return ms % everyMs;
}

function zoneChecked(options: WindowOptions): string | null {
  if (options.zone === undefined) return null;
  try {
    return new Intl.DateTimeFormat("en", { timeZone: options.zone }).resolvedOptions().timeZone;
  } catch (cause) {
    throw new UserError("WINDOW_ZONE", `not a time zone: ${JSON.stringify(options.zone)}`, {
      fix: 'use a name of the IANA data base, for example "Europe/Berlin", or leave it out for UTC',
      cause,
    });
  }
}

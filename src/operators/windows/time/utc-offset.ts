// The distance of a time zone's local time from UTC, from the time zone data that comes with Node (Intl), cached by
// day.
//
//   Z1. `offsetAt` is exact to the second at any instant: a day in which it changes is searched for the instant.
//   Z2. A zone changes its offset at most once in 32 hours. (None ever did otherwise.)

import { TIME_MAX_MS } from "../../../types/spec/source-value.ts";

const DAY_MS = 86_400_000;
/** More than any zone was ever ahead or behind, so that a local time lies within so much of the same number in UTC. */
const REACH_MS = 16 * 3_600_000;
/** Clocks of the first and last days that a Date holds cannot be told: those of the days beside them count. */
const CLOCKS_MAX_MS = TIME_MAX_MS - 2 * DAY_MS;
/** Days kept; far beyond what an operator has open at a time. */
const DAYS_MAX = 4_096;

/** Offsets of one UTC day: `before` until `changeMs`, then `after`. */
type Day = { readonly changeMs: number; readonly before: number; readonly after: number };

export class UtcOffset {
  readonly #format: Intl.DateTimeFormat;
  readonly #days = new Map<number, Day>();

  constructor(zone: string) {
    this.#format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      era: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  }

  /** Local time minus UTC, milliseconds. */
  offsetAt(utcMs: number): number {
    const { changeMs, before, after } = this.#day(Math.floor(utcMs / DAY_MS));
    return utcMs < changeMs ? before : after;
  }

  /** The first instant at which clocks show `localMs` or more: the earlier of two, the end of a gap. */
  firstInstant(localMs: number): number {
    const before = this.offsetAt(localMs - REACH_MS);
    const after = this.offsetAt(localMs + REACH_MS);
    if (before === after) return localMs - before;
    const changeMs = this.#changeBetween(localMs - REACH_MS, localMs + REACH_MS);
    return localMs - before < changeMs ? localMs - before : Math.max(changeMs, localMs - after);
  }

  #changeBetween(fromMs: number, endMs: number): number {
    for (let day = Math.floor(fromMs / DAY_MS); day * DAY_MS <= endMs; day += 1) {
      const { changeMs, before, after } = this.#day(day);
      if (before !== after && changeMs > fromMs) return changeMs;
    }
    return endMs;
  }

  #day(day: number): Day {
    const known = this.#days.get(day);
    if (known !== undefined) return known;
    const found = this.#search(day * DAY_MS, (day + 1) * DAY_MS);
    if (this.#days.size >= DAYS_MAX) this.#days.clear();
    this.#days.set(day, found);
    return found;
  }

  /** The change in (start, end], if there is one. */
  #search(startMs: number, endMs: number): Day {
    const before = this.#measure(startMs);
    const after = this.#measure(endMs);
    if (before === after) return { changeMs: endMs, before, after };
    let low = startMs;
    let high = endMs;
    while (high - low > 1_000) {
      const middle = Math.floor((low + high) / 2_000) * 1_000;
      if (this.#measure(middle) === before) low = middle;
      else high = middle;
    }
    return { changeMs: high, before, after };
  }

  #measure(instantMs: number): number {
    const utcMs = Math.min(Math.max(instantMs, -CLOCKS_MAX_MS), CLOCKS_MAX_MS);
    const parts: Record<string, number> = {};
    let isBefore = false;
    for (const { type, value } of this.#format.formatToParts(utcMs)) {
      if (type === "era") isBefore = value.startsWith("B");
      else parts[type] = Number(value);
    }
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
    // Date.UTC takes years below 100 for those of the last century.
    const clock = new Date(Date.UTC(2000, 0, 1, hour, minute, second));
    const localMs = clock.setUTCFullYear(isBefore ? 1 - year : year, month - 1, day);
    return localMs - Math.floor(utcMs / 1_000) * 1_000;
  }
}

// What the clocks of a time zone show, the slow way: its offset is asked for every quarter of an hour around an
// instant.
//
// Where clocks are put back they show a time twice; the second time does not count, so local time here is the greatest
// that they have shown by then. The zones and years of the tests change their clocks at quarters of an hour.

import fc from "fast-check";
import type { PaneSizes } from "./pane-model.ts";
import { paneSizes } from "./pane-model.ts";
import { type StreamCase, streamCases } from "./window-streams.ts";

const MINUTE = 60_000;
const QUARTER = 15 * MINUTE;
const HOUR = 60 * MINUTE;
const REACH = 75 * 24 * HOUR;

export class ZoneModel {
  readonly zone: string;
  readonly #firstMs: number;
  /** By quarter of an hour: local time minus UTC. */
  readonly #offsets: number[] = [];
  /** By quarter of an hour: the latest local time shown before it. */
  readonly #shown: number[] = [];

  constructor(zone: string, aroundMs: number) {
    this.zone = zone;
    this.#firstMs = Math.floor((aroundMs - REACH) / QUARTER) * QUARTER;
    const format = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
    let shown = -Infinity;
    for (let ms = this.#firstMs; ms < aroundMs + REACH; ms += QUARTER) {
      const offset = Date.parse(`${format.format(ms).replace(" ", "T")}Z`) - ms;
      this.#offsets.push(offset);
      this.#shown.push(shown);
      shown = Math.max(shown, ms + QUARTER - 1 + offset);
    }
  }

  /** Local time at an instant, as if it were UTC. */
  localOf(ms: number): number {
    const quarter = Math.floor((ms - this.#firstMs) / QUARTER);
    return Math.max(ms + this.#at(this.#offsets, quarter), this.#at(this.#shown, quarter));
  }

  /** The first instant at which clocks show a local time, or a later one. */
  instantOf(localMs: number): number {
    let [low, high] = [0, this.#shown.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#at(this.#shown, middle) < localMs) low = middle + 1;
      else high = middle;
    }
    const quarter = low - 1; // The last one before which clocks had not shown it.
    return Math.max(this.#firstMs + quarter * QUARTER, localMs - this.#at(this.#offsets, quarter));
  }

  #at(list: readonly number[], quarter: number): number {
    const value = list[quarter];
    if (value === undefined) throw new Error(`${this.zone}: out of reach`);
    return value;
  }
}

/** Instants at which clocks are put forward, back, across midnight, by half an hour, by a day, or not at all. */
const CHANGES: readonly (readonly [zone: string, instant: string])[] = [
  ["America/New_York", "2024-03-10T07:00Z"],
  ["America/New_York", "2024-11-03T06:00Z"],
  ["Europe/Berlin", "2024-03-31T01:00Z"],
  ["Europe/Berlin", "2024-10-27T01:00Z"],
  ["Australia/Lord_Howe", "2024-04-06T15:00Z"],
  ["Australia/Lord_Howe", "2024-10-05T15:30Z"],
  ["America/Sao_Paulo", "2018-11-04T03:00Z"],
  ["America/Sao_Paulo", "2019-02-17T02:00Z"],
  ["Africa/Casablanca", "2024-03-10T02:00Z"],
  ["Pacific/Apia", "2011-12-30T10:00Z"],
  ["Asia/Kathmandu", "2024-05-05T05:00Z"],
  ["Pacific/Chatham", "2024-04-06T14:00Z"],
  ["Pacific/Chatham", "2024-09-28T14:00Z"],
  ["Antarctica/Troll", "2024-10-27T01:00Z"],
  ["Antarctica/Troll", "2024-03-31T01:00Z"],
  ["Europe/Berlin", "1945-05-24T00:00Z"],
  ["America/New_York", "1918-10-27T06:00Z"],
];
const MODELS = new Map<string, ZoneModel>();

function zoneModel(zone: string, aroundMs: number): ZoneModel {
  const id = `${zone} ${aroundMs}`;
  const model = MODELS.get(id) ?? new ZoneModel(zone, aroundMs);
  MODELS.set(id, model);
  return model;
}

export type ZonedCase = { readonly sizes: PaneSizes; readonly testCase: StreamCase };

/** Windows of half hours to days, over streams that pass a change of the clocks. */
export const zonedCases: fc.Arbitrary<ZonedCase> = fc
  .record({
    change: fc.constantFrom(...CHANGES),
    unitMs: fc.constantFrom(HOUR / 2, HOUR, 6 * HOUR, 24 * HOUR),
    tickMs: fc.constantFrom(QUARTER, HOUR, 4 * HOUR),
    ticksBefore: fc.integer({ min: 20, max: 120 }),
    halfHours: fc.nat(48),
    sizes: paneSizes,
    testCase: streamCases,
  })
  .map(({ change: [zone, instant], unitMs, tickMs, ticksBefore, halfHours, sizes, testCase }) => {
    const changeMs = Date.parse(instant);
    const slideMs = sizes.slideMs * unitMs;
    const timeOf = (ts: number) => changeMs + (ts - ticksBefore) * tickMs;
    return {
      sizes: {
        sizeMs: sizes.sizeMs * unitMs,
        slideMs,
        offsetMs: (halfHours * (HOUR / 2)) % slideMs,
        zone: zoneModel(zone, changeMs),
      },
      testCase: {
        ...testCase,
        latenessMs: testCase.latenessMs * tickMs,
        steps: testCase.steps.map((step) => {
          if ("rows" in step) return { rows: step.rows.map((row) => ({ ...row, ts: timeOf(row.ts) })) };
          return "watermark" in step ? { watermark: timeOf(step.watermark) - 1 } : step;
        }),
      },
    };
  });

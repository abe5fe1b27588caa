// Meters: how fast counters grow, by Flink's names. Kept on the reading side, so that the loops only count.
//
// A rate is the growth over the last minute, as in Flink, or since the job began when that is shorter. It ends at the
// moment of reading: what was sampled before is only where it begins.

import type { MetricEntry, MetricStore } from "./metric-store.ts";

export type MeterReading = { readonly entry: MetricEntry; readonly name: string; readonly perSecond: number };

const TIME_COUNTER = /^accumulate(Busy|Idle|BackPressured)TimeMs$/;
/** A task cannot be anything for longer than a second a second; its clock and ours begin a moment apart. */
const TIME_PER_SECOND_MAX = 1_000;

/** Flink's name of the rate of a counter; null for counters that have no meter. */
export function meterName(counter: string): string | null {
  const time = TIME_COUNTER.exec(counter)?.[1];
  if (time !== undefined) return `${time.charAt(0).toLowerCase()}${time.slice(1)}TimeMsPerSecond`;
  return /^num[A-Z]\w*$/.test(counter) ? `${counter}PerSecond` : null;
}

type Sample = { readonly atMs: number; readonly values: Float64Array };

/** Rates over the last `windowMs`; samples come at the caller's own pace. */
export class MetricRates {
  readonly #store: MetricStore;
  readonly #windowMs: number;
  /** Oldest first; bounded by the window and the pace. */
  #samples: Sample[] = [];

  constructor(store: MetricStore, windowMs = 60_000) {
    this.#store = store;
    this.#windowMs = windowMs;
  }

  /** The job runs from now on, and nothing has been counted; later calls do nothing. */
  start(): void {
    if (this.#samples.length === 0) this.#samples.push({ atMs: this.#store.nowMs(), values: new Float64Array(0) });
  }

  sample(): void {
    if (this.#samples.length === 0) return;
    const nowMs = this.#store.nowMs();
    const values = Float64Array.from(this.#store.entries(), (entry) => this.#store.value(entry));
    this.#samples.push({ atMs: nowMs, values });
    // The oldest sample kept is the last one outside the window, so that the window is always covered.
    while ((this.#samples[1]?.atMs ?? nowMs) <= nowMs - this.#windowMs) this.#samples.shift();
  }

  /** Growth per second up to now; 0 before the start. `index`: in `store.entries()`. */
  perSecond(index: number): number {
    const entry = this.#store.entries()[index];
    const first = this.#samples[0];
    if (entry === undefined || first === undefined) return 0;
    const elapsedMs = this.#store.nowMs() - first.atMs;
    if (elapsedMs <= 0) return 0;
    const before = first.values[index] ?? 0; // Defined later: it grew from 0.
    const rate = ((this.#store.value(entry) - before) / elapsedMs) * 1_000;
    return Math.max(0, TIME_COUNTER.test(entry.name) ? Math.min(rate, TIME_PER_SECOND_MAX) : rate);
  }

  /** All meters, with the counter each is made from. A user's meter keeps its name. */
  meters(): readonly MeterReading[] {
    return this.#store.entries().flatMap((entry, index) => {
      const name = entry.kind === "counter" ? meterName(entry.name) : entry.kind === "meter" ? entry.name : null;
      return name === null ? [] : [{ entry, name, perSecond: this.perSecond(index) }];
    });
  }

  /** Sum of a meter over the entries that match. */
  sum(name: string, matches: (entry: MetricEntry) => boolean = () => true): number {
    let sum = 0;
    for (const meter of this.meters()) if (meter.name === name && matches(meter.entry)) sum += meter.perSecond;
    return sum;
  }
}

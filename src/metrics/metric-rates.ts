// Meters: how fast counters grow, by Flink's names. Kept on the reading side, so that the loops only count.

import type { MetricEntry, MetricStore } from "./metric-store.ts";

/** Flink's name of the rate of a counter; null for counters that have no meter. */
export function meterName(counter: string): string | null {
  const time = /^accumulate(Busy|Idle|BackPressured)TimeMs$/.exec(counter)?.[1];
  if (time !== undefined) return `${time.charAt(0).toLowerCase()}${time.slice(1)}TimeMsPerSecond`;
  return /^num[A-Z]/.test(counter) ? `${counter}PerSecond` : null;
}

type Sample = { readonly atMs: number; readonly values: Float64Array };

/** Rates over the last `windowMs`, from samples that the caller takes at its own pace. */
export class MetricRates {
  readonly #store: MetricStore;
  readonly #windowMs: number;
  #samples: Sample[] = [];

  constructor(store: MetricStore, windowMs = 60_000) {
    this.#store = store;
    this.#windowMs = windowMs;
  }

  /** `nowMs` is monotonic. */
  sample(nowMs: number): void {
    const entries = this.#store.entries();
    this.#samples.push({ atMs: nowMs, values: Float64Array.from(entries, (entry) => this.#store.value(entry)) });
    // The oldest sample kept is the last one outside the window, so that the window is always covered.
    while (this.#samples.length > 2 && (this.#samples[1]?.atMs ?? nowMs) <= nowMs - this.#windowMs)
      this.#samples.shift();
  }

  /**
   * Growth per second between the oldest and the newest sample; 0 before there are two. `index`: in `store.entries()`.
   */
  perSecond(index: number): number {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.atMs === first.atMs) return 0;
    const before = index < first.values.length ? (first.values[index] ?? 0) : 0; // Defined later: it grew from 0.
    return (((last.values[index] ?? before) - before) / (last.atMs - first.atMs)) * 1_000;
  }

  /** All meters, with the counter each is made from. */
  meters(): readonly { readonly entry: MetricEntry; readonly name: string; readonly perSecond: number }[] {
    return this.#store.entries().flatMap((entry, index) => {
      const name = entry.kind === "counter" ? meterName(entry.name) : null;
      return name === null ? [] : [{ entry, name, perSecond: this.perSecond(index) }];
    });
  }
}

// The reading side of metrics: definitions of every slot, and their numbers read from shared memory when somebody asks.

import { HISTOGRAM_BUCKETS, HISTOGRAM_HEADER, histogramValue, type MetricDefinition } from "./metric-registry.ts";

export type MetricEntry = MetricDefinition & { readonly slot: number };

export type HistogramSummary = {
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
};

export class MetricStore {
  readonly #entries: MetricEntry[] = [];
  readonly #values = new Map<number, Float64Array>();

  define(slot: number, memory: SharedArrayBuffer | undefined, definitions: readonly MetricDefinition[]): void {
    if (memory === undefined) return;
    if (!this.#values.has(slot)) this.#values.set(slot, new Float64Array(memory));
    for (const definition of definitions) this.#entries.push({ ...definition, slot });
  }

  /** Copies all numbers, so that the memory can go: the job has ended. */
  freeze(): void {
    for (const [slot, values] of this.#values) this.#values.set(slot, values.slice());
  }

  entries(): readonly MetricEntry[] {
    return this.#entries;
  }

  value(entry: MetricEntry): number {
    return this.#values.get(entry.slot)?.[entry.index] ?? 0;
  }

  /** Sum of a counter or gauge over the entries that match. */
  sum(name: string, matches: (entry: MetricEntry) => boolean = () => true): number {
    let sum = 0;
    for (const entry of this.#entries) if (entry.name === name && matches(entry)) sum += this.value(entry);
    return sum;
  }

  histogram(entry: MetricEntry): HistogramSummary {
    const values = this.#values.get(entry.slot) ?? new Float64Array(0);
    return summary(values.subarray(entry.index, entry.index + HISTOGRAM_HEADER + HISTOGRAM_BUCKETS));
  }
}

function summary(numbers: Float64Array): HistogramSummary {
  const count = numbers[0] ?? 0;
  const [sum, min, max] = [numbers[1] ?? 0, numbers[2] ?? 0, numbers[3] ?? 0];
  const quantile = (q: number): number => {
    let rank = Math.ceil(q * count);
    for (let bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket += 1) {
      rank -= numbers[HISTOGRAM_HEADER + bucket] ?? 0;
      if (rank <= 0) return Math.min(max, Math.max(min, histogramValue(bucket)));
    }
    return max;
  };
  return { count, sum, min, max, p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99), p999: quantile(0.999) };
}

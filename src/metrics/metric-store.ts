// The reading side of metrics: definitions of every slot, and their numbers read from shared memory when somebody asks.
//
//   E1. A task's time counts up to the moment of reading, also while user code holds its thread: what the task is doing
//       since its last mark is added by the reader.
//   E2. After `freeze` nothing changes any more, and the memory may go.
//   E3. A metric has one entry, whatever slots and threads the attempts of its task have had: what it counts is that of
//       the last one. Of a thread that has ended nothing counts any more.

import type { Clock } from "../base/env.ts";
import {
  HISTOGRAM_BUCKETS,
  HISTOGRAM_HEADER,
  histogramValue,
  METRIC_NUMBERS,
  type MetricDefinition,
} from "./metric-registry.ts";
import { ACTIVITIES, type Activity, activityCounter } from "./task-activity.ts";

export type MetricEntry = MetricDefinition & { readonly slot: number };

export type HistogramSummary = {
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
};

type StoreClock = Pick<Clock, "nowMs" | "monotonicMs">;

/** Of metrics whose thread has ended: nothing is counted there. */
const NO_SLOT = -1;
const STOPPED: StoreClock = { nowMs: () => 0, monotonicMs: () => 0 };
const HISTOGRAM_NUMBERS = HISTOGRAM_HEADER + HISTOGRAM_BUCKETS;

export class MetricStore {
  readonly #entries: MetricEntry[] = [];
  /** Where the entry of a metric is. */
  readonly #places = new Map<string, number>();
  /** Of each task, by `taskKey`. */
  readonly #activities = new Map<string, MetricEntry>();
  readonly #values = new Map<number, Float64Array>();
  #clock: StoreClock;
  #frozen = false;

  constructor(clock: StoreClock = STOPPED) {
    this.#clock = clock;
  }

  /** Monotonic; stands still once frozen. */
  nowMs(): number {
    return this.#clock.monotonicMs();
  }

  define(slot: number, memory: SharedArrayBuffer | undefined, definitions: readonly MetricDefinition[]): void {
    if (memory === undefined || this.#frozen) return;
    if (this.#values.get(slot)?.buffer !== memory) this.#renew(slot, memory);
    for (const definition of definitions) {
      const entry = { ...definition, slot };
      if (entry.kind === "activity") this.#activities.set(taskKey(entry), entry);
      else this.#put(entry);
    }
  }

  /** A thread has begun that knows nothing of what the one before it in this slot counted (E3). */
  #renew(slot: number, memory: SharedArrayBuffer): void {
    this.#values.set(slot, new Float64Array(memory));
    for (const [place, entry] of this.#entries.entries())
      if (entry.slot === slot) this.#entries[place] = { ...entry, slot: NO_SLOT };
    for (const [task, entry] of this.#activities) if (entry.slot === slot) this.#activities.delete(task);
  }

  #put(entry: MetricEntry): void {
    const { vertex, subtask, operator, kind, name } = entry;
    const key = `${vertex}/${subtask}/${kind}/${name}/${operator ?? ""}`;
    const place = this.#places.get(key) ?? this.#entries.length;
    this.#places.set(key, place);
    this.#entries[place] = entry;
  }

  /** Copies all numbers and stops the clock: the job has ended. */
  freeze(): void {
    this.#frozen = true;
    const [nowMs, monotonicMs] = [this.#clock.nowMs(), this.#clock.monotonicMs()];
    this.#clock = { nowMs: () => nowMs, monotonicMs: () => monotonicMs };
    for (const [slot, values] of this.#values) this.#values.set(slot, values.slice());
  }

  /** In the order of their definition; further ones come at the end. */
  entries(): readonly MetricEntry[] {
    return this.#entries;
  }

  /** Metrics that the memory of their slots had no room for. */
  refused(): number {
    let refused = 0;
    for (const slot of this.#values.keys()) refused += this.#number(slot, METRIC_NUMBERS);
    return refused;
  }

  value(entry: MetricEntry): number {
    let value = this.#number(entry.slot, entry.index);
    if (entry.plus !== undefined) for (const index of entry.plus) value += this.#number(entry.slot, index);
    return entry.operator === null && entry.kind === "counter" ? value + this.#underWay(entry) : value;
  }

  /** What the task that an entry belongs to is doing; null when it is not known. */
  activity(entry: MetricEntry): Activity | null {
    const found = this.#activities.get(taskKey(entry));
    return found === undefined ? null : (ACTIVITIES[this.#number(found.slot, found.index)] ?? null);
  }

  /** Sum of a counter, meter or gauge over the entries that match. */
  sum(name: string, matches: (entry: MetricEntry) => boolean = () => true): number {
    let sum = 0;
    for (const entry of this.#entries) if (entry.name === name && matches(entry)) sum += this.value(entry);
    return sum;
  }

  /** One distribution over all that were observed by several subtasks. */
  histogram(...entries: readonly MetricEntry[]): HistogramSummary {
    const total = new Float64Array(HISTOGRAM_NUMBERS);
    for (const entry of entries) {
      const values = this.#values.get(entry.slot) ?? new Float64Array(0);
      add(total, values.subarray(entry.index, entry.index + HISTOGRAM_NUMBERS));
    }
    return summary(total);
  }

  #number(slot: number, index: number): number {
    return this.#values.get(slot)?.[index] ?? 0;
  }

  /** Time since the last mark of a task, for the counter of what it does since then (E1). */
  #underWay(entry: MetricEntry): number {
    const activity = this.activity(entry);
    if (activity === null || activityCounter(activity) !== entry.name) return 0;
    const found = this.#activities.get(taskKey(entry));
    if (found === undefined) return 0;
    return Math.max(0, this.#clock.nowMs() - this.#number(found.slot, found.index + 1));
  }
}

function taskKey({ vertex, subtask }: MetricEntry): string {
  return `${vertex}/${subtask}`;
}

function add(total: Float64Array, numbers: Float64Array): void {
  const [before, count] = [total[0] ?? 0, numbers[0] ?? 0];
  if (count === 0) return;
  const least = before === 0 ? numbers[2] : Math.min(total[2] ?? 0, numbers[2] ?? 0);
  const greatest = before === 0 ? numbers[3] : Math.max(total[3] ?? 0, numbers[3] ?? 0);
  for (const [index, number] of numbers.entries()) total[index]! += number;
  total[2] = least ?? 0;
  total[3] = greatest ?? 0;
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
  return {
    count,
    sum,
    min,
    max,
    mean: count === 0 ? 0 : sum / count,
    p50: quantile(0.5),
    p95: quantile(0.95),
    p99: quantile(0.99),
    p999: quantile(0.999),
  };
}

// Metrics as numbers in shared memory: one writer (the slot's thread) adds and stores, any thread reads without asking.
//
//   M1. Updating a counter or gauge is one store; no lock, no message. A reader may see a value that is a few updates
//       old.
//   M2. What a number means (its definition) travels once, by message; definitions never change.
//   M3. The memory is bounded: metrics beyond it are counted, in its last number, and otherwise ignored.
//   M4. One number may have several definitions: what one operator gives is what the next one gets, counted once.

import { assert } from "../base/errors.ts";

/**
 * A meter is a counter that is read as a rate. An activity is what a task does at the moment and since when (two
 * numbers).
 */
export type MetricKind = "counter" | "gauge" | "meter" | "histogram" | "activity";

export type MetricScopeName = {
  /** Index of the vertex in the job graph. */
  readonly vertex: number;
  readonly subtask: number;
  /** Uid of the operator; null for metrics of the task. */
  readonly operator: string | null;
};

export type MetricDefinition = MetricScopeName & {
  readonly kind: MetricKind;
  /** Flink's name where it has one. */
  readonly name: string;
  /** First number in the slot's memory. */
  readonly index: number;
  /** Further numbers that the value of a counter is the sum of. */
  readonly plus?: readonly number[];
};

export const METRIC_NUMBERS = 16_384;

// A histogram: count, sum, least, greatest, then buckets of equal relative width.
export const HISTOGRAM_HEADER = 4;
export const HISTOGRAM_BUCKETS = 256;
/** Numbers of one metric of each kind. */
const NUMBERS: Readonly<Record<MetricKind, number>> = {
  counter: 1,
  gauge: 1,
  meter: 1,
  activity: 2,
  histogram: HISTOGRAM_HEADER + HISTOGRAM_BUCKETS,
};

const HISTOGRAM_BASE = 1.15;
const HISTOGRAM_LEAST = 1e-6;
const LOG_BASE = Math.log(HISTOGRAM_BASE);

/** Bucket of a value; each is 15 % wider than the one before, the first holds everything up to 1e-6. */
function histogramBucket(value: number): number {
  if (!(value > HISTOGRAM_LEAST)) return 0;
  return Math.min(HISTOGRAM_BUCKETS - 1, 1 + Math.floor(Math.log(value / HISTOGRAM_LEAST) / LOG_BASE));
}

/** Middle of a bucket, at most 7 % from any value in it. */
export function histogramValue(bucket: number): number {
  return bucket === 0 ? 0 : HISTOGRAM_LEAST * HISTOGRAM_BASE ** (bucket - 0.5);
}

export function metricMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer((METRIC_NUMBERS + 1) * 8);
}

export class MetricRegistry {
  readonly values: Float64Array;
  readonly #define: (definition: MetricDefinition) => void;
  /** One scope for each name, so that a metric is defined once whoever asks for it. Bounded by the job's tasks. */
  readonly #scopes = new Map<string, MetricScope>();
  #next = 0;

  constructor(memory: SharedArrayBuffer, define: (definition: MetricDefinition) => void) {
    this.values = new Float64Array(memory);
    this.#define = define;
  }

  scope(name: MetricScopeName): MetricScope {
    const key = `${name.vertex}/${name.subtask}/${name.operator ?? ""}`;
    let scope = this.#scopes.get(key);
    if (scope === undefined) {
      scope = new MetricScope(this, name);
      this.#scopes.set(key, scope);
    }
    return scope;
  }

  /** A new attempt of a subtask: its metrics count from zero. */
  begin({ vertex, subtask }: { readonly vertex: number; readonly subtask: number }): void {
    const prefix = `${vertex}/${subtask}/`;
    for (const [key, scope] of this.#scopes) if (key.startsWith(prefix)) scope.reset();
  }

  /** Index of the first of `count` numbers; -1 when there is no room. */
  define(definition: Omit<MetricDefinition, "index">, count = 1): number {
    if (this.#next + count > METRIC_NUMBERS) {
      this.values[METRIC_NUMBERS]! += 1;
      return -1;
    }
    const index = this.#next;
    this.#next += count;
    this.#define({ ...definition, index });
    return index;
  }

  /** A further definition of numbers that are there already (M4). */
  alias(definition: MetricDefinition): void {
    this.#define(definition);
  }
}

/** The metrics of one operator of one subtask, or of the task itself. */
export class MetricScope {
  readonly #registry: MetricRegistry;
  readonly #name: MetricScopeName;
  /** A map per kind: user code may look a metric up for each record. */
  readonly #indexes: Readonly<Record<MetricKind, Map<string, number>>> = {
    counter: new Map(),
    gauge: new Map(),
    meter: new Map(),
    histogram: new Map(),
    activity: new Map(),
  };

  constructor(registry: MetricRegistry, name: MetricScopeName) {
    this.#registry = registry;
    this.#name = name;
  }

  get values(): Float64Array {
    return this.#registry.values;
  }

  count(name: string, by = 1): void {
    const index = this.index("counter", name);
    if (index >= 0) this.#registry.values[index]! += by;
  }

  gauge(name: string, value: number): void {
    const index = this.index("gauge", name);
    if (index >= 0) this.#registry.values[index] = value;
  }

  mark(name: string, by = 1): void {
    const index = this.index("meter", name);
    if (index >= 0) this.#registry.values[index]! += by;
  }

  /** What is not a finite number is no observation: it would spoil sum and mean for ever. */
  observe(name: string, value: number): void {
    const at = this.index("histogram", name);
    if (at < 0 || !Number.isFinite(value)) return;
    const { values } = this.#registry;
    const count = values[at]!;
    values[at + 1]! += value;
    if (count === 0 || value < values[at + 2]!) values[at + 2] = value;
    if (count === 0 || value > values[at + 3]!) values[at + 3] = value;
    values[at + HISTOGRAM_HEADER + histogramBucket(value)]! += 1;
    values[at] = count + 1;
  }

  /** Where the metric's numbers begin; defines it at first use. -1: refused. */
  index(kind: MetricKind, name: string): number {
    const indexes = this.#indexes[kind];
    let index = indexes.get(name);
    if (index === undefined) {
      const count = NUMBERS[kind];
      index = this.#registry.define({ ...this.#name, kind, name }, count);
      indexes.set(name, index);
    }
    return index;
  }

  reset(): void {
    const { values } = this.#registry;
    for (const kind of Object.keys(this.#indexes) as MetricKind[]) {
      for (const index of this.#indexes[kind].values()) if (index >= 0) values.fill(0, index, index + NUMBERS[kind]);
    }
  }

  /** A metric that is the sum of numbers which others write (M4). Does nothing when one of them was refused. */
  alias(kind: "counter" | "gauge", name: string, of: readonly number[]): void {
    const [index, ...plus] = of;
    if (index === undefined || of.some((each) => each < 0) || this.#indexes[kind].has(name)) return;
    this.#indexes[kind].set(name, index);
    this.#registry.alias({ ...this.#name, kind, name, index, ...(plus.length > 0 && { plus }) });
  }

  /** A run of counters for generated code, one per name; it writes to the view directly. */
  counters(scopes: readonly { readonly operator: string; readonly name: string }[]): Float64Array {
    let first = -1;
    for (const [offset, { operator, name }] of scopes.entries()) {
      const index = this.#registry.scope({ ...this.#name, operator }).index("counter", name);
      if (index < 0) return new Float64Array(scopes.length); // Refused: counted, but read by nobody.
      if (first < 0) first = index;
      assert(index === first + offset, "counters of one run are neighbours");
    }
    return this.#registry.values.subarray(first, first + scopes.length);
  }
}

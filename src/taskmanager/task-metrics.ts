// Metrics of one task, by Flink's names. Numbers live in the slot's shared metric memory.

import type { MetricScope } from "../metrics/metric-registry.ts";

export class TaskMetrics {
  readonly scope: MetricScope;
  /** Gives the task a turn soon. */
  readonly wake: () => void;
  readonly #values: Float64Array;
  readonly #recordsIn: number;
  readonly #bytesIn: number;
  readonly #watermark: number;
  readonly #busy: number;
  readonly #idle: number;
  readonly #backPressured: number;

  constructor(scope: MetricScope, wake: () => void) {
    this.scope = scope;
    this.wake = wake;
    this.#values = scope.values;
    this.#recordsIn = scope.index("counter", "numRecordsIn");
    this.#bytesIn = scope.index("counter", "numBytesIn");
    this.#watermark = scope.index("gauge", "currentInputWatermark");
    this.#busy = scope.index("counter", "accumulateBusyTimeMs");
    this.#idle = scope.index("counter", "accumulateIdleTimeMs");
    this.#backPressured = scope.index("counter", "accumulateBackPressuredTimeMs");
    this.inputWatermark(-Infinity);
  }

  recordsIn(count: number): void {
    if (this.#recordsIn >= 0) this.#values[this.#recordsIn]! += count;
  }

  bytesIn(count: number): void {
    if (this.#bytesIn >= 0) this.#values[this.#bytesIn]! += count;
  }

  inputWatermark(watermark: number): void {
    if (this.#watermark >= 0) this.#values[this.#watermark] = watermark;
  }

  /** Adds time to one of the three kinds that make up a task's life. */
  time(kind: "busy" | "idle" | "backPressured", ms: number): void {
    const index = kind === "busy" ? this.#busy : kind === "idle" ? this.#idle : this.#backPressured;
    if (index >= 0) this.#values[index]! += ms;
  }
}

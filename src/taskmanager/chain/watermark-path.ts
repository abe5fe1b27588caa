// The way a watermark takes through a chain: operators and exchanges in the order of the chain. The same way goes the
// word that there is no input for now, after the watermark: whatever waits for one has to leave before it.
//
// Delivery can stop in the middle, because an operator that fires windows fills its output; it goes on at the same
// place.

import type { ResultPartition } from "../../network/result-partition.ts";
import type { Operator } from "../../operators/operator.ts";
import type { TaskStatus } from "./chain.ts";

export type PathStep =
  | { readonly kind: "operator"; readonly operator: Operator }
  | { readonly kind: "partition"; readonly partition: ResultPartition };

export class WatermarkPath {
  readonly #steps: readonly PathStep[];
  readonly #status: TaskStatus;
  readonly #onDelivered: (watermark: number) => void;
  #target = -Infinity;
  #delivered = -Infinity;
  #idle = false;
  #idleDelivered = false;
  /** What is on its way: a watermark or, when NaN, whether the input is idle. */
  #delivering = -Infinity;
  #deliveringIdle = false;
  /** The step that it has come to; -1: nothing is on its way. */
  #at = -1;

  constructor(steps: readonly PathStep[], status: TaskStatus, onDelivered: (watermark: number) => void) {
    this.#steps = steps;
    this.#status = status;
    this.#onDelivered = onDelivered;
  }

  /** Latest watermark that has reached every step. */
  get delivered(): number {
    return this.#delivered;
  }

  /** Whether `run` has something to deliver. */
  get isDue(): boolean {
    return this.#at >= 0 || this.#target > this.#delivered || this.#idle !== this.#idleDelivered;
  }

  /** Event time has reached `watermark`; `run` delivers it. Earlier ones are ignored. */
  advance(watermark: number): void {
    if (watermark > this.#target) this.#target = watermark;
  }

  /** The input is idle, or has something again; `run` delivers it. */
  setIdle(idle: boolean): void {
    this.#idle = idle;
  }

  /** Delivers; false when an output was full: call again once there is room. */
  run(): boolean {
    while (this.#at >= 0 || this.#take()) {
      if (!this.#deliver()) return false;
      this.#at = -1;
      this.#reached();
    }
    return true;
  }

  #reached(): void {
    if (Number.isNaN(this.#delivering)) {
      this.#idleDelivered = this.#deliveringIdle;
      return;
    }
    this.#delivered = this.#delivering;
    this.#onDelivered(this.#delivered);
  }

  /** The next thing to deliver; false for nothing. */
  #take(): boolean {
    const isNewer = this.#target > this.#delivered;
    if (!isNewer && this.#idle === this.#idleDelivered) return false;
    this.#delivering = isNewer ? this.#target : Number.NaN;
    this.#deliveringIdle = this.#idle;
    this.#at = 0;
    return true;
  }

  #deliver(): boolean {
    for (; this.#at < this.#steps.length; this.#at += 1) {
      if (this.#status.full) return false;
      if (!this.#deliverTo(this.#steps[this.#at]!)) return false;
    }
    return true;
  }

  #deliverTo(step: PathStep): boolean {
    if (!Number.isNaN(this.#delivering)) {
      if (step.kind === "operator") return step.operator.onWatermark(this.#delivering);
      step.partition.setWatermark(this.#delivering);
    } else if (step.kind === "partition") step.partition.setIdle(this.#deliveringIdle);
    else if (this.#deliveringIdle) return step.operator.onIdle?.() ?? true;
    return true;
  }
}

// The way a watermark takes through a chain: operators and exchanges in the order of the chain.
//
// Delivery can stop in the middle, because an operator that fires windows fills its output; it goes on at the same
// place.

import type { ResultPartition } from "../network/result-partition.ts";
import type { Operator } from "../operators/operator.ts";
import type { TaskStatus } from "./chain.ts";

export type PathStep =
  | { readonly kind: "operator"; readonly operator: Operator }
  | { readonly kind: "partition"; readonly partition: ResultPartition };

export class WatermarkPath {
  readonly #steps: readonly PathStep[];
  readonly #status: TaskStatus;
  #target = -Infinity;
  #delivering = -Infinity;
  #delivered = -Infinity;
  #at = 0;

  constructor(steps: readonly PathStep[], status: TaskStatus) {
    this.#steps = steps;
    this.#status = status;
  }

  /** Latest watermark that has reached every step. */
  get delivered(): number {
    return this.#delivered;
  }

  /** Event time has reached `watermark`; `run` delivers it. Earlier ones are ignored. */
  advance(watermark: number): void {
    if (watermark > this.#target) this.#target = watermark;
  }

  setIdle(idle: boolean): void {
    for (const step of this.#steps) if (step.kind === "partition") step.partition.setIdle(idle);
  }

  /** Delivers; false when an output was full: call again once there is room. */
  run(): boolean {
    for (;;) {
      if (this.#at === 0) {
        if (this.#target <= this.#delivered) return true;
        this.#delivering = this.#target;
      }
      if (!this.#deliver()) return false;
      this.#at = 0;
      this.#delivered = this.#delivering;
    }
  }

  #deliver(): boolean {
    for (; this.#at < this.#steps.length; this.#at += 1) {
      if (this.#status.full) return false;
      const step = this.#steps[this.#at]!;
      if (step.kind === "partition") step.partition.setWatermark(this.#delivering);
      else if (!step.operator.onWatermark(this.#delivering)) return false;
    }
    return true;
  }
}

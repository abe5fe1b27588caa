// Which ways watermarks take through a task: from its inputs, and from each operator that makes watermarks of its own.

import { assert } from "../../base/errors.ts";
import { carriesMarks } from "../../graph/watermark-steps.ts";
import type { ResultPartition } from "../../network/result-partition.ts";
import type { Chain } from "../chain/chain.ts";
import type { ChainMetrics, WatermarkMember } from "../chain/chain-metrics.ts";
import { type PathStep, WatermarkPath } from "../chain/watermark-path.ts";
import type { Bindings } from "./bindings.ts";
import type { Subtask } from "./subtask.ts";

export type WatermarkPathsOptions = {
  readonly subtask: Subtask;
  readonly chain: Chain;
  readonly partitions: readonly ResultPartition[];
  readonly bindings: Bindings;
  readonly metrics: ChainMetrics;
};

export class WatermarkPaths {
  readonly #options: WatermarkPathsOptions;

  constructor(options: WatermarkPathsOptions) {
    this.#options = options;
  }

  /** The way of watermarks that come from the inputs; a source's own begin at its event-time operators. */
  ofInput(): WatermarkPath {
    return this.#path(null);
  }

  /** The way of those that operator `index` makes. */
  behind(index: number): WatermarkPath {
    return this.#path(index);
  }

  /** Event times are told to the exchanges that keep watermarks among their records. */
  tellSteps(): void {
    for (const { index, driver } of this.#options.bindings.eventTimes) {
      const reached = this.#reached(index);
      const marked = this.#options.partitions.filter(
        (partition, exchange) => this.#isMarked(exchange) && reached.has(partition),
      );
      if (marked.length === 0) continue;
      driver.onStep = (watermark) => {
        for (const partition of marked) partition.setWatermark(watermark);
      };
    }
  }

  #isMarked(exchange: number): boolean {
    const { subtask } = this.#options;
    const { edge } = subtask.edge(subtask.descriptor.outputs[exchange]?.edge ?? -1);
    return carriesMarks(subtask.plan, edge);
  }

  /** The exchanges that records behind operator `from` come to without an operator that holds them back. */
  #reached(from: number): ReadonlySet<ResultPartition> {
    const { subtask, bindings } = this.#options;
    const steps: PathStep[] = [];
    const open = this.#next(from, steps);
    for (let at = open.shift(); at !== undefined; at = open.shift()) {
      const isStateless = bindings.list[at]?.o === undefined && subtask.operatorAt(at).kind !== "eventTime";
      if (isStateless) open.push(...this.#next(at, steps));
    }
    return new Set(steps.flatMap((step) => (step.kind === "partition" ? [step.partition] : [])));
  }

  /**
   * Steps behind `from` (null: from the head on) up to the next event-time operators, which make watermarks of their
   * own.
   */
  #path(from: number | null): WatermarkPath {
    const { subtask, bindings, metrics } = this.#options;
    const steps: PathStep[] = [];
    const members: WatermarkMember[] = [];
    const open = from === null ? [0] : this.#next(from, steps);
    for (let index = open.shift(); index !== undefined; index = open.shift()) {
      const passes = subtask.context.sourceWatermarks === "alone" || subtask.operatorAt(index).kind !== "eventTime";
      members.push({ index, passes });
      if (!passes) continue;
      const operator = bindings.list[index]?.o;
      if (operator !== undefined) steps.push({ kind: "operator", operator });
      open.push(...this.#next(index, steps));
    }
    return new WatermarkPath(steps, subtask.status, metrics.watermark(from, members));
  }

  /** Operators directly behind one; the exchanges it feeds become steps. */
  #next(index: number, steps: PathStep[]): number[] {
    const { subtask, chain, partitions } = this.#options;
    const next: number[] = [];
    for (const output of ["", ...subtask.operatorAt(index).sides.map((side) => side.name)]) {
      for (const exchange of chain.shape.exchanges(index, output)) {
        const partition = partitions[exchange];
        assert(partition !== undefined, `no partition ${exchange}`);
        steps.push({ kind: "partition", partition });
      }
      next.push(...chain.shape.consumers(index, output));
    }
    return next;
  }
}

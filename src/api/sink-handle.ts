// Settings of a sink, the end of a stream.

import { checkValue, NAME } from "../types/check-options.ts";
import type { PlanNode } from "./plan-node.ts";

/** Settings of a sink. */
export class SinkHandle {
  readonly #node: PlanNode;

  constructor(node: PlanNode) {
    this.#node = node;
  }

  name(name: string): this {
    checkValue({ what: "the name of a sink", value: name, kind: NAME });
    this.#node.name = name;
    return this;
  }

  parallelism(parallelism: number): this {
    this.#node.parallelism = parallelism;
    return this;
  }

  maxParallelism(maxParallelism: number): this {
    this.#node.maxParallelism = maxParallelism;
    return this;
  }

  slotGroup(group: string): this {
    checkValue({ what: "the slot-sharing group", value: group, kind: NAME });
    this.#node.slotGroup = group;
    return this;
  }

  startNewChain(): this {
    this.#node.chaining = "head";
    return this;
  }

  disableChaining(): this {
    this.#node.chaining = "never";
    return this;
  }
}

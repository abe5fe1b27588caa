// Settings of a sink, the end of a stream.

import { checkValue, NAME } from "../types/check-options.ts";
import { checkedMaxParallelism, checkedParallelism } from "./checks/check-parallelism.ts";
import type { PlanNode } from "./plan/plan-node.ts";

declare const row: unique symbol;

/** Settings of a sink for records `T`. A builder that returns it has `rows(uid)` of `millrace/client` typed. */
export class SinkHandle<out Uid extends string = string, out T = unknown> {
  declare readonly [row]: readonly [Uid, T];
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
    this.#node.parallelism = checkedParallelism(parallelism);
    return this;
  }

  maxParallelism(maxParallelism: number): this {
    this.#node.maxParallelism = checkedMaxParallelism(maxParallelism);
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

// Opens an operator object: what it finds around it in its subtask.

import { asOperator } from "../../base/errors.ts";
import type { PlanOperator } from "../../graph/plan.ts";
import type { OperatorContext } from "../../operators/operator.ts";
import type { KeyedStateStore } from "../../state/contract/keyed-state.ts";
import { keyGroupRangeOf } from "../../state/keys/key-groups.ts";
import type { Chain } from "../chain/chain.ts";
import type { WatermarkPath } from "../chain/watermark-path.ts";
import type { PlacedOperator } from "./bindings.ts";
import type { Subtask } from "./subtask.ts";

export type OperatorSurroundings = {
  readonly subtask: Subtask;
  readonly chain: Chain;
  readonly path: WatermarkPath;
  /** Takes the store that it is given. */
  readonly stores: KeyedStateStore[];
};

export function operatorOpen({ index, operator }: PlacedOperator, around: OperatorSurroundings): void {
  const { subtask, chain, path, stores } = around;
  const { context, status, turn, input } = subtask;
  const { subtask: subtaskIndex } = subtask.descriptor;
  const plan = subtask.operatorAt(index);
  const { uid, parallelism, maxParallelism } = plan;
  const state = plan.key === null ? null : context.storeFor(...storeOf(plan, subtaskIndex));
  if (state !== null) stores.push(state);
  const opened: OperatorContext = {
    env: context.env,
    uid,
    subtaskIndex,
    parallelism,
    maxParallelism,
    keyGroups: keyGroupRangeOf(subtaskIndex, parallelism, maxParallelism),
    output: chain.output(index, ""),
    side: (name) => chain.output(index, name),
    state,
    metrics: subtask.scope(uid),
    full: () => status.full,
    pause: (rows) => status.full || turn.isOver(rows),
    watermark: () => path.delivered,
    channel: () => input.channel,
  };
  asOperator(uid, () => operator.open(opened));
}

/** A combiner holds any key, whichever subtask it is: all its rows are of one key group, that of nobody. */
function storeOf(operator: PlanOperator, subtask: number): [PlanOperator, number] {
  return operator.kind === "preAggregate"
    ? [{ ...operator, parallelism: 1, maxParallelism: 1 }, 0]
    : [operator, subtask];
}

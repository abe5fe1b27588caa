// Opens an operator object: what it finds around it in its subtask.

import { asOperator } from "../../base/errors.ts";
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
  const metrics = subtask.scope(uid);
  const state = plan.key === null ? null : context.storeFor(plan, subtaskIndex, metrics);
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
    metrics,
    full: () => status.full,
    pause: (rows) => status.full || turn.isOver(rows),
    watermark: () => path.delivered,
    channel: () => input.channel,
  };
  asOperator(uid, () => operator.open(opened));
  // What a combiner holds is of no key group, and in no snapshot.
  if (state !== null && plan.kind !== "preAggregate") {
    subtask.state.addKeyed({ uid, store: state, groups: opened.keyGroups });
  }
}

// Makes combiners: what stands in a sender's chain for the exchange behind it, and so does what that would do with a
// record. Errors are about the operator behind the exchange, which the user declared.

import type { JobGraph } from "../../graph/job-graph.ts";
import { edgesInto, optionsOf, type Plan, type PlanOperator } from "../../graph/plan.ts";
import { recordType } from "../../graph/record-type.ts";
import type { Operator } from "../../operators/operator.ts";
import { PreAggregateOperator } from "../../operators/windows/combiner/pre-aggregate-operator.ts";
import type { PaneWindowSpec } from "../../operators/windows/time/window-spec.ts";
import { compileRecordGuard } from "../../types/record-guard.ts";
import { specMismatch } from "../../types/values/spec-mismatch.ts";
import { keyedInput } from "../chain/keyed-input.ts";
import { exchangeRefusal } from "../failures/exchange-refusal.ts";
import { shippedSpec, shippedStrictness } from "./exchange-build.ts";
import { aggregation } from "./operator-build.ts";

export type CombinerBuildOptions = {
  readonly graph: JobGraph;
  readonly operator: PlanOperator;
  readonly functions: Readonly<Record<string, unknown>>;
  /** The longest that a record may wait for others. */
  readonly bufferTimeoutMs: number;
  /** Unique within the slot. */
  readonly name: string;
};

type CombinerOptions = {
  readonly of: string;
  readonly window: PaneWindowSpec | null;
  readonly sendsRecords: boolean;
};

export function combinerBuild({ graph, operator, functions, bufferTimeoutMs, name }: CombinerBuildOptions): Operator {
  const { plan } = graph;
  const { of, window, sendsRecords } = optionsOf<CombinerOptions>(operator);
  const target = { ...operator, uid: of };
  const common = aggregation({ operator: target, functions, input: recordType(plan, operator) });
  const { doubtful } = keyedInput(operator.key ?? { field: null, type: null }, functions.key, {
    id: `${name} key`,
    operator: of,
    location: functions.keyLocation,
  });
  return new PreAggregateOperator({
    ...common,
    operator: of,
    window,
    key: { ...common.key, doubtful },
    // Without windows nothing is given before the end, so that nothing is gained by haste.
    flushAfterMs: window === null ? Infinity : bufferTimeoutMs,
    check: recordCheck(plan, operator, name),
    sendsRecords,
  });
}

/** Refuses records that the exchange would have refused; null when their type is not declared. */
function recordCheck(
  plan: Plan,
  { uid }: PlanOperator,
  name: string,
): ((record: unknown, first: boolean) => void) | null {
  const [edge] = edgesInto(plan, uid);
  const sender = plan.operators.find((operator) => operator.uid === edge?.from);
  const spec = edge === undefined || sender === undefined ? null : shippedSpec({ edge }, sender);
  if (edge === undefined || spec === null) return null;
  const strictness = shippedStrictness(edge);
  const fits = compileRecordGuard(spec, strictness, `${name} ${uid}`);
  const refusal = exchangeRefusal(plan, edge);
  return (record, first) => {
    if (!fits(record, first)) throw refusal.misfit(record, specMismatch(spec, record, strictness));
  };
}

// Puts combiners into a plan: in front of the exchanges of aggregates that can be computed in parts, operators of their
// own that run with the sender.
//
//   sender ──hash by key──▶ window      becomes      sender ──▶ preAggregate ──hash by key──▶ window
//
//   C1. The operator's uid, state and results stay as they are. The uids of combiners follow from it, so that no other
//       uid depends on whether there are any.
//   C2. All edges into an operator get a combiner, or none: it reads either records or partial rows.

import { isInOrder, type Plan, type PlanEdge, type PlanOperator } from "../../graph/plan.ts";
import { recordType } from "../../graph/record-type.ts";
import type { NamedAggregate } from "../../operators/aggregates/aggregate-spec.ts";
import { fieldTypes } from "../../operators/expressions/field-types.ts";
import {
  type Combination,
  canCombine,
  combinedType,
  sendsRecords,
} from "../../operators/windows/combiner/pre-aggregation.ts";
import type { WindowSpec } from "../../operators/windows/time/window-spec.ts";
import { keyName } from "./key-choice.ts";
import type { OperatorFunctions } from "./plan-node.ts";

export type Operators = Pick<Plan, "mode" | "operators" | "edges"> & {
  readonly functions: ReadonlyMap<string, OperatorFunctions>;
  readonly locations: Plan["locations"];
};

/** The plan's operators with combiners among them. */
export function withCombiners(plan: Operators): Operators {
  const operators: PlanOperator[] = [];
  const edges: PlanEdge[] = [];
  const functions = new Map(plan.functions);
  const locations = { ...plan.locations };
  for (const operator of plan.operators) {
    const into = plan.edges.filter((edge) => edge.to === operator.uid);
    const combination = combinationOf(plan, operator, into);
    if (combination === null) {
      operators.push(operator);
      edges.push(...into);
      continue;
    }
    const combiners = into.map((edge, index) => combinerOf(plan, { operator, edge, index, combination }));
    const location = plan.locations[operator.uid];
    for (const { uid } of combiners) {
      functions.set(uid, plan.functions.get(operator.uid) ?? {});
      if (location !== undefined) locations[uid] = location;
    }
    operators.push(...combiners, { ...operator, options: { ...(operator.options as object), partials: true } });
    edges.push(
      ...into.map((edge, index): PlanEdge => {
        return { ...edge, to: combiners[index]!.uid, partitioner: { kind: "forward" } };
      }),
      ...combiners.map(({ uid }): PlanEdge => {
        const key = { field: combination.keyName, type: operator.key?.type ?? null };
        return { from: uid, output: "", to: operator.uid, input: 0, partitioner: { kind: "hash", key }, fields: null };
      }),
    );
  }
  return { mode: plan.mode, operators, edges, functions, locations };
}

/** What the combiners of an operator compute; null when it has none. */
function combinationOf(plan: Operators, operator: PlanOperator, into: readonly PlanEdge[]): Combination | null {
  const { uid, kind, key } = operator;
  // A running aggregate gives a row for each record, so that every record has to get there; at the end of a batch it
  // gives one for each key.
  const isCombinable = kind === "window" || (kind === "aggregate" && plan.mode === "batch" && !isInOrder(operator));
  if (key === null || !isCombinable || !into.some((edge) => isWorthwhile(plan, operator, edge))) return null;
  const { window = null, aggregates } = operator.options as unknown as {
    readonly window?: WindowSpec;
    readonly aggregates: readonly NamedAggregate[];
  };
  const combination: Combination = {
    window,
    lateOutput: plan.edges.some((edge) => edge.from === uid && edge.output === "late"),
    keyName: keyName(key),
    set: { specs: aggregates, custom: (plan.functions.get(uid)?.custom ?? new Map()) as Combination["set"]["custom"] },
    fields: fieldTypes(recordType(plan, operator)),
  };
  return canCombine(combination) ? combination : null;
}

/** From one task to one in the same slot records go by reference: nothing is cheaper. */
function isWorthwhile(plan: Operators, operator: PlanOperator, edge: PlanEdge): boolean {
  const sender = senderOf(plan, edge);
  return sender.parallelism > 1 || operator.parallelism > 1 || sender.slotGroup !== operator.slotGroup;
}

type CombinerParts = {
  readonly operator: PlanOperator;
  readonly edge: PlanEdge;
  readonly index: number;
  readonly combination: Combination;
};

function combinerOf(plan: Operators, { operator, edge, index, combination }: CombinerParts): PlanOperator {
  const { parallelism, maxParallelism, slotGroup } = senderOf(plan, edge);
  const { specs } = combination.set;
  const keyType = operator.key?.type ?? null;
  const records = sendsRecords(combination, {
    keyField: operator.key?.field ?? null,
    type: recordType(plan, operator),
    needed: neededOf(plan, operator),
  });
  return {
    uid: `${operator.uid}/combiner${index === 0 ? "" : `#${index + 1}`}`,
    name: "preAggregate",
    kind: "preAggregate",
    options: {
      of: operator.uid,
      window: combination.window as never,
      aggregates: specs as never,
      sendsRecords: records !== null,
    },
    output: keyType === null ? null : combinedType(combination, keyType, records),
    sides: [],
    key: operator.key,
    state: [],
    parallelism,
    maxParallelism,
    slotGroup,
    chaining: "always",
    onError: "fail",
  };
}

/** Fields that an operator needs, if all edges into it know. */
function neededOf({ edges }: Operators, { uid }: PlanOperator): readonly string[] | null {
  const needed = edges.filter((edge) => edge.to === uid).map(({ fields }) => fields);
  const [first = null] = needed;
  return needed.every((fields) => JSON.stringify(fields) === JSON.stringify(first)) ? first : null;
}

function senderOf({ operators }: Operators, edge: PlanEdge): PlanOperator {
  return operators.find((operator) => operator.uid === edge.from) as PlanOperator;
}

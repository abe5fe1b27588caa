// Types of the records at an operator's ends, as far as the plan knows them.

import { canonicalJson } from "../base/canonical-json.ts";
import type { TypeSpec } from "../types/spec/type-spec.ts";
import type { Plan, PlanEdge, PlanOperator } from "./plan.ts";

type Operators = Pick<Plan, "operators" | "edges">;

/** Type of an operator's output; null when it is not declared. */
export function outputType(operator: PlanOperator, output: string): TypeSpec | null {
  return output === "" ? operator.output : (operator.sides.find((side) => side.name === output)?.type ?? null);
}

/**
 * Type of the records that an operator's input is made of, by default the first; null when it is not known or not one.
 * Behind a combiner that is the type of what is combined, and a combiner takes the type of all that its operator gets:
 * both ends have to lay out their accumulators alike.
 */
export function recordType(plan: Operators, operator: PlanOperator, input: 0 | 1 = 0): TypeSpec | null {
  const byUid = new Map(plan.operators.map((each) => [each.uid, each]));
  const isCombiner = (uid: string): boolean => byUid.get(uid)?.kind === "preAggregate";
  const into = (uid: string): PlanEdge[] => plan.edges.filter((edge) => edge.to === uid && edge.input === input);
  const target = plan.edges.find((edge) => edge.from === operator.uid)?.to ?? operator.uid;
  const edges = into(isCombiner(operator.uid) ? target : operator.uid);
  const types = edges
    .flatMap((edge) => (isCombiner(edge.from) ? into(edge.from) : [edge]))
    .map((edge) => typeOf(byUid.get(edge.from), edge));
  const [first] = types;
  return first !== undefined && types.every((type) => canonicalJson(type) === canonicalJson(first)) ? first : null;
}

function typeOf(operator: PlanOperator | undefined, { output }: PlanEdge): TypeSpec | null {
  return operator === undefined ? null : outputType(operator, output);
}

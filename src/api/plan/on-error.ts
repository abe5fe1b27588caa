// `onError` and the side output that belongs to it: refused where they could have no effect.

import { UserError } from "../../base/errors.ts";
import { type ErrorPolicy, obeysOnError, SIDE_LATE } from "../../graph/plan.ts";
import { checkValue, oneOf } from "../../types/check-options.ts";
import { callSite } from "../checks/call-site.ts";
import type { PlanNode } from "./plan-node.ts";

/** Side output of `onError("side")`. */
const SIDE_ERRORS = "errors";

const POLICY = oneOf("fail", "skip", "side");

/** The side outputs are then those of the operator's own and, if the policy is "side", that of errors. */
export function setOnError(node: PlanNode, policy: ErrorPolicy): void {
  checkOnError(node, policy);
  const own = node.sides.filter(({ name }) => name !== SIDE_ERRORS);
  node.onError = policy;
  node.sides = policy === "side" ? [...own, { name: SIDE_ERRORS, type: null }] : own;
}

/** Refuses what is no policy, and a policy for an operator that could not keep to it. */
function checkOnError(node: PlanNode, policy: ErrorPolicy): void {
  checkValue({ what: "the policy of onError", value: policy, kind: POLICY });
  if (policy === "fail" || obeysOnError(node)) return;
  const location = callSite();
  throw new UserError("ON_ERROR_WITHOUT_EFFECT", `onError("${policy}") has no effect on ${whatIs(node)}`, {
    fix: FIX[node.kind] ?? "put it behind the operator whose function may throw",
    ...(location && { location }),
  });
}

/** Refuses side outputs whose names have a meaning already. */
export function checkSideNames(names: readonly string[], uid: string, inOrder: boolean): void {
  const taken = names.find((name) => name === SIDE_ERRORS || name === "" || (inOrder && name === SIDE_LATE));
  if (taken === undefined) return;
  const location = callSite();
  throw new UserError("SIDE_NAME_RESERVED", `process function "${uid}" names a side output ${JSON.stringify(taken)}`, {
    fix:
      taken === ""
        ? "give the side output a name"
        : `choose another name: "${taken}" is the side output of ${taken === SIDE_LATE ? ".inOrder()" : '.onError("side")'}`,
    ...(location && { location }),
  });
}

const FIX: Partial<Readonly<Record<PlanNode["kind"], string>>> = {
  source: 'rows that cannot be read have a policy of the source\'s own, for example csv(path, { invalid: "skip" })',
  parse: 'records that the schema refuses have a policy of parse: parse(schema, { invalid: "skip" })',
  filter: "an expression does not throw: leave it out, or filter by a function",
  window: "mend the function of the aggregate, or leave out before the window what it cannot take",
  aggregate: "mend the function of the aggregate, or leave out before it what it cannot take",
};

function whatIs({ kind, explicitUid }: PlanNode): string {
  const what = kind === "filter" ? "filter by an expression" : kind;
  return explicitUid === null ? what : `${what} "${explicitUid}"`;
}

// What to say of a state budget that is used up because windows wait for files that have not been begun.

import { types } from "node:util";
import { EngineError, UserError } from "../../base/errors.ts";
import { canBeLate, optionsOf, type Plan, type PlanOperator } from "../../graph/plan.ts";
import { operatorsBefore, waitsForSplits } from "../../graph/time-order.ts";

/** The error of an operator that had no watermark yet, with the way out if its input is files that it waits for. */
export function waitingFilesTold(error: unknown, plan: Plan): unknown {
  if (types.isProxy(error) || !(error instanceof EngineError)) return error;
  if (error.code !== "STATE_BUDGET_EXCEEDED" || plan.mode === "batch") return error;
  const operator = plan.operators.find(({ uid }) => uid === error.operator);
  if (operator === undefined || !canBeLate(operator)) return error;
  const files = operatorsBefore(plan, operator.uid).find(readsFiles);
  if (files === undefined) return error;
  const [what, waits] = operator.kind === "window" ? ["windows", "stay open"] : ["records", "wait"];
  return new UserError(
    error.code,
    `${error.message}; its ${what} ${waits} until the last file of "${files.uid}" has been begun`,
    {
      fix:
        `If the files follow one another in time, say inTimeOrder: true for "${files.uid}": then ${what} are given ` +
        `while later files wait. Else: ${error.fix}`,
      operator: operator.uid,
      ...(error.location && { location: error.location }),
      cause: error.cause,
    },
  );
}

/** Files, each of which goes through event time by itself. */
function readsFiles(operator: PlanOperator): boolean {
  const { paths } = optionsOf<{ paths?: unknown }>(operator);
  return operator.kind === "source" && Array.isArray(paths) && waitsForSplits(operator);
}

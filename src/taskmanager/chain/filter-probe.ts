// The probe of a filter by an expression: looks for its fields in the first record, where no type declares them.

import { optionsOf, type PlanOperator } from "../../graph/plan.ts";
import type { ExprSpec } from "../../operators/expressions/expr-spec.ts";
import { FieldProbe, takenFields } from "../../operators/expressions/field-presence.ts";

/** For an expression over records without a declared type. */
export function filterProbe(operator: PlanOperator): FieldProbe | undefined {
  const { expression } = optionsOf<{ expression?: ExprSpec }>(operator);
  if (expression === undefined || operator.output !== null) return undefined;
  return new FieldProbe(operator.uid, takenFields(expression));
}

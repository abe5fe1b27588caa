// Makes the operator objects of a chain from the plan and the user's functions.

import { InternalError } from "../base/errors.ts";
import type { PlanOperator } from "../graph/plan.ts";
import type { Operator } from "../operators/operator.ts";
import { ProcessOperator, type ProcessFunctions } from "../operators/process/process-operator.ts";
import type { StateDeclarations } from "../operators/process/state-declaration.ts";

export type OperatorBuildOptions = {
  readonly operator: PlanOperator;
  readonly functions: Readonly<Record<string, unknown>>;
  /** Null: fail. Else told about records on which the user's function threw. */
  readonly onThrow: ((error: unknown, record: unknown, timestampMs: number) => void) | null;
};

export function operatorBuild({ operator, functions, onThrow }: OperatorBuildOptions): Operator {
  switch (operator.kind) {
    case "process":
      return new ProcessOperator({
        functions: functions as ProcessFunctions,
        state: (functions.state ?? {}) as StateDeclarations,
        sides: operator.sides.map((side) => side.name).filter((name) => name !== "errors"),
        onThrow,
      });
    default:
      throw new InternalError("OPERATOR_UNKNOWN", `no operator object for ${operator.kind} "${operator.uid}"`, { operator: operator.uid });
  }
}

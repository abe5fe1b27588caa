// Makes the operator objects of a chain from the plan and the user's functions.

import { InternalError } from "../base/errors.ts";
import type { PlanOperator } from "../graph/plan.ts";
import type { AggregateSet } from "../operators/aggregates/aggregate.ts";
import type { NamedAggregate } from "../operators/aggregates/aggregate-spec.ts";
import { fieldTypes } from "../operators/expressions/field-types.ts";
import type { Operator } from "../operators/operator.ts";
import { ProcessOperator, type ProcessFunctions } from "../operators/process/process-operator.ts";
import type { StateDeclarations } from "../operators/process/state-declaration.ts";
import { PaneWindowOperator } from "../operators/windows/pane-window-operator.ts";
import type { WindowSpec } from "../operators/windows/window-spec.ts";
import type { TypeSpec } from "../types/type-spec.ts";
import { optionsOf } from "./chain.ts";

const ANY: TypeSpec = { kind: "any" };

export type OperatorBuildOptions = {
  readonly operator: PlanOperator;
  readonly functions: Readonly<Record<string, unknown>>;
  /** Type of the records it receives, as far as the plan knows. */
  readonly input: TypeSpec | null;
  /** Whether anybody reads a side output. */
  readonly isRead: (side: string) => boolean;
  /** Null: fail. Else told about records on which the user's function threw. */
  readonly onThrow: ((error: unknown, record: unknown, timestampMs: number) => void) | null;
};

export function operatorBuild(options: OperatorBuildOptions): Operator {
  const { operator, functions, onThrow } = options;
  switch (operator.kind) {
    case "window":
      return windowOperator(options);
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

type WindowPlanOptions = { window: WindowSpec; allowedLatenessMs: number; aggregates: readonly NamedAggregate[] };

function windowOperator({ operator, functions, input, isRead }: OperatorBuildOptions): Operator {
  const { window, allowedLatenessMs, aggregates } = optionsOf<WindowPlanOptions>(operator);
  const field = operator.key?.field ?? null;
  const common = {
    allowedLatenessMs,
    lateOutput: isRead("late"),
    partials: false,
    key: { field, of: (functions.key ?? null) as ((record: unknown) => unknown) | null, type: operator.key?.type ?? ANY },
    keyName: field ?? "key",
    set: { specs: aggregates, custom: functions.custom as AggregateSet["custom"] },
    fields: fieldTypes(input),
  };
  if (window.kind === "session") throw new InternalError("OPERATOR_UNKNOWN", "session windows are not wired yet");
  return new PaneWindowOperator({ ...common, window });
}

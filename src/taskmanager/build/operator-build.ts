// Makes the operator objects of a chain from the plan and the user's functions.

import { assert, InternalError } from "../../base/errors.ts";
import { refusePromise } from "../../base/synchronous.ts";
import { isInOrder, optionsOf, type Plan, type PlanOperator, SIDE_LATE } from "../../graph/plan.ts";
import type { AggregateSet } from "../../operators/aggregates/aggregate.ts";
import type { NamedAggregate } from "../../operators/aggregates/aggregate-spec.ts";
import type { KeyAccess } from "../../operators/aggregates/aggregate-stage.ts";
import { fieldTypes } from "../../operators/expressions/field-types.ts";
import { InOrderOperator } from "../../operators/in-order/in-order-operator.ts";
import type { Operator } from "../../operators/operator.ts";
import { type ProcessFunctions, ProcessOperator } from "../../operators/process/process-operator.ts";
import type { StateDeclarations } from "../../operators/process/state-declaration.ts";
import { AggregateOperator, type AggregateOperatorOptions } from "../../operators/running/aggregate-operator.ts";
import { ReduceOperator } from "../../operators/running/reduce-operator.ts";
import type { WindowSpec } from "../../operators/windows/time/window-spec.ts";
import { windowOperator } from "../../operators/windows/window-operator.ts";
import type { TypeSpec } from "../../types/spec/type-spec.ts";
import { freezeRecord } from "../chain/freeze.ts";
import { timerFailure, userFailure } from "../failures/user-failure.ts";
import { keepingKey, type Reduce } from "./kept-key.ts";
import { userAggregates, userKey } from "./user-aggregate.ts";

export type OperatorBuildOptions = {
  readonly operator: PlanOperator;
  readonly mode: Plan["mode"];
  readonly functions: Readonly<Record<string, unknown>>;
  /** Type of the records it receives, as far as the plan knows. */
  readonly input: TypeSpec | null;
  /** The same of its second input. */
  readonly rightInput: TypeSpec | null;
  /** Whether anybody reads a side output. */
  readonly isRead: (side: string) => boolean;
  /** Whether somebody behind it keeps a row per key. */
  readonly isKept: boolean;
  /** Whether a change in place is to fail at the user's line. */
  readonly checks: boolean;
  /** Null: fail. Else told about records on which the user's function threw. */
  readonly onThrow: ((error: unknown, record: unknown, timestampMs: number) => void) | null;
};

export function operatorBuild(options: OperatorBuildOptions): Operator {
  const { operator, input, rightInput } = options;
  if (!isInOrder(operator)) return builtAsIs(options);
  const { rightKey } = optionsOf<{ rightKey?: unknown }>(operator);
  return new InOrderOperator({
    inner: builtAsIs(options),
    types: [input ?? ANY, ...(rightKey === undefined ? [] : [rightInput ?? ANY])],
    lateOutput: options.isRead(SIDE_LATE),
    freeze: options.checks ? freezeRecord : null,
    failure: (error, record) => userFailure(operator, error, record),
  });
}

const ANY: TypeSpec = { kind: "any" };

function builtAsIs(options: OperatorBuildOptions): Operator {
  const { operator, functions, onThrow } = options;
  switch (operator.kind) {
    case "window": {
      const { window, allowedLatenessMs } = optionsOf<WindowSettings>(operator);
      return windowOperator({
        ...aggregation(options),
        window,
        allowedLatenessMs,
        lateOutput: options.isRead(SIDE_LATE),
        partials: isCombined(operator),
      });
    }
    case "aggregate":
      return new AggregateOperator({ ...aggregation(options), mode: options.mode, partials: isCombined(operator) });
    case "reduce": {
      const [state] = operator.state;
      assert(state?.kind === "reducing", `reduce "${operator.uid}" declares one reducing state`);
      const reduce = synchronous(functions.reduce as Reduce, `the function of reduce "${operator.name}"`);
      return new ReduceOperator({
        state,
        reduce: options.isKept ? keepingKey(reduce, operator, functions.key) : reduce,
        onThrow,
      });
    }
    case "process":
      return new ProcessOperator({
        functions: functions as ProcessFunctions,
        state: (functions.state ?? {}) as StateDeclarations,
        sides: operator.sides.map((side) => side.name).filter((name) => !isOfEngine(operator, name)),
        freeze: options.checks ? freezeRecord : null,
        onThrow,
        onTimerThrow: (error, timer, timestampMs) => {
          if (onThrow === null) throw timerFailure(operator, error, timer);
          onThrow(error, timer, timestampMs);
        },
      });
    default:
      throw new InternalError("OPERATOR_UNKNOWN", `no operator object for ${operator.kind} "${operator.uid}"`, {
        operator: operator.uid,
      });
  }
}

/** Side outputs that a process function does not declare. */
function isOfEngine(operator: PlanOperator, side: string): boolean {
  return side === "errors" || (side === SIDE_LATE && isInOrder(operator));
}

function synchronous(reduce: Reduce, who: string): Reduce {
  return (left, right) => refusePromise(reduce(left, right), who);
}

type WindowSettings = { readonly window: WindowSpec; readonly allowedLatenessMs: number };

/** Whether combiners stand before the operator's exchange. */
function isCombined(operator: PlanOperator): boolean {
  return optionsOf<{ partials?: boolean }>(operator).partials === true;
}

/** What windows, running aggregates and combiners have in common. */
export function aggregation({
  operator,
  functions,
  input,
}: Pick<OperatorBuildOptions, "operator" | "functions" | "input">): Omit<
  AggregateOperatorOptions,
  "mode" | "partials"
> {
  const { uid } = operator;
  const field = operator.key?.field ?? null;
  const key = (functions.key ?? null) as KeyAccess["of"];
  return {
    key: {
      field,
      of: key === null ? null : userKey(uid, key),
      type: operator.key?.type ?? { kind: "any" },
      parts: operator.key?.fields,
    },
    keyName: field ?? "key",
    set: {
      specs: optionsOf<{ aggregates: readonly NamedAggregate[] }>(operator).aggregates,
      custom: userAggregates(uid, functions.custom as AggregateSet["custom"]),
    },
    fields: fieldTypes(input),
  };
}

// What an operator does, in a line of words for people. Pure.

import { windowText } from "../../api/plan/window-text.ts";
import { durationText } from "../../base/duration.ts";
import { isInOrder, type KeySpec, type PartitionerSpec, type PlanOperator } from "../../graph/plan.ts";
import { aggregateText, type NamedAggregate } from "../../operators/aggregates/aggregate-spec.ts";
import { type ExprSpec, exprText } from "../../operators/expressions/expr-spec.ts";
import type { Json } from "../../operators/source.ts";
import type { WindowSpec } from "../../operators/windows/time/window-spec.ts";
import type { StateSpec } from "../../state/contract/keyed-state.ts";
import { specText } from "../../types/spec/spec-text.ts";

const INVALID: Readonly<Record<string, string>> = {
  fail: "invalid rows fail the job",
  skip: "invalid rows are skipped and counted",
  side: "invalid rows go to side.invalid",
};

const ON_ERROR: Readonly<Record<string, string>> = {
  skip: "records on which it throws are skipped and counted",
  side: "records on which it throws go to side.errors",
};

/**
 * `call`: that which declares its function, as the user wrote it; null when it is not known. `guarantee`: of a sink.
 */
export function operatorText(operator: PlanOperator, call: string | null, guarantee = ""): string {
  const onError = ON_ERROR[operator.onError];
  const order = isInOrder(operator) ? ["in event-time order"] : [];
  const text = [
    ...kindParts(operator, call ?? "a function"),
    guarantee,
    ...order,
    ...(onError === undefined ? [] : [onError]),
  ].filter((part) => part !== "");
  return text.join("; ");
}

/** "by symbol", or "by a function" with its type. */
function keyText({ field, type }: KeySpec): string {
  if (field !== null) return `by ${field}`;
  return `by a function${type === null ? "" : ` that gives ${specText(type)}`}`;
}

export function partitionerText(partitioner: PartitionerSpec): string {
  return partitioner.kind === "hash" ? `hash ${keyText(partitioner.key)}` : partitioner.kind;
}

export function stateText(state: StateSpec): string {
  const ttl = state.ttlMs === null ? "" : `, kept for ${durationText(state.ttlMs)} after each write`;
  switch (state.kind) {
    case "list":
      return `${state.name}: list of ${specText(state.item)}${ttl}`;
    case "map":
      return `${state.name}: map from ${specText(state.key)} to ${specText(state.value)}${ttl}`;
    case "aggregating":
      return `${state.name}: aggregating ${specText(state.accumulator)}${ttl}`;
    default:
      return `${state.name}: ${state.kind} ${specText(state.type)}${ttl}`;
  }
}

/** What a combiner sends. */
export function partialRowsText({ key, options }: PlanOperator): string {
  const pane = ((options ?? {}) as Options).window === null ? "" : " and pane";
  return `partial rows by ${key?.field ?? "key"}${pane}`;
}

type Options = Readonly<Record<string, Json>>;

function kindParts(operator: PlanOperator, call: string): string[] {
  const options = (operator.options ?? {}) as Options;
  const key = operator.key === null ? "" : keyText(operator.key);
  switch (operator.kind) {
    case "source": {
      const { source, bounded, live: _live, invalid, streams: _streams, ...rest } = options;
      return [named(source, rest), bounded === true ? "bounded" : "endless", INVALID[String(invalid)] ?? ""];
    }
    case "sink": {
      const { sink, guarantee: _guarantee, ...rest } = options;
      return [named(sink, rest)];
    }
    case "filter":
      return [options.expression === undefined ? call : exprText(options.expression as ExprSpec)];
    case "parse":
      return ["checks each record against a schema", INVALID[String(options.invalid)] ?? ""];
    case "eventTime":
      return eventTimeParts(options);
    case "window": {
      const lateMs = Number(options.allowedLatenessMs);
      const late = lateMs === 0 ? "" : `open for late records for ${durationText(lateMs)}`;
      return [`${windowText(options.window as WindowSpec)} ${key}`, late, aggregatesText(options)];
    }
    case "aggregate":
      return [key, aggregatesText(options)];
    case "preAggregate":
      return [combinerText(operator, options), aggregatesText(options)];
    case "reduce":
      return [key, call];
    case "process":
      return [options.rightKey === undefined ? key : `left ${key}, right ${keyText(options.rightKey as KeySpec)}`];
    default:
      return [call];
  }
}

function eventTimeParts({ field, outOfOrderMs, idleMs, everyMs, unit }: Options): string[] {
  const from = typeof field === "string" ? `from ${field}` : "from a function";
  return [
    unit === null || unit === undefined ? from : `${from} in ${String(unit)}`,
    Number(outOfOrderMs) === 0 ? "in order" : `up to ${durationText(Number(outOfOrderMs))} out of order`,
    typeof everyMs === "number" ? `a watermark every ${durationText(everyMs)}` : "",
    typeof idleMs === "number" ? `idle after ${durationText(idleMs)}` : "",
  ];
}

function combinerText({ key }: PlanOperator, { window }: Options): string {
  const group = key?.field ?? "key";
  const pane = window === null ? "" : ` and pane of ${windowText(window as WindowSpec)}`;
  return `one partial row per ${group}${pane} instead of records`;
}

function aggregatesText({ aggregates }: Options): string {
  return ((aggregates ?? []) as unknown as readonly NamedAggregate[]).map(aggregateText).join(", ");
}

/** A connector with those of its options that are set. */
function named(kind: Json | undefined, options: Options): string {
  const set = Object.entries(options).filter(([, value]) => value !== null);
  return [String(kind), ...set.map(([name, value]) => `${name}=${JSON.stringify(value)}`)].join(" ");
}

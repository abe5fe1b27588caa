// Makes the driver of an `eventTime` from its plan and the source that its task begins with.

import type { Log } from "../../base/env.ts";
import type { UserError } from "../../base/errors.ts";
import type { JobGraph, JobVertex } from "../../graph/job-graph.ts";
import { optionsOf, type PlanOperator } from "../../graph/plan.ts";
import { isLive, isOneStream, operatorsBefore, sourceEnds, timeOrder } from "../../graph/time-order.ts";
import { stepMs } from "../../graph/watermark-steps.ts";
import type { MetricScope } from "../../metrics/metric-registry.ts";
import type { TimestampUnit } from "../../operators/event-time/timestamp.ts";
import type { Behind } from "../../operators/event-time/watermark-generator.ts";
import { EventTimeDriver } from "../drivers/event-time-driver.ts";

type EventTimeSettings = {
  readonly field: string | null;
  readonly outOfOrderMs: number;
  readonly idleMs: number | null;
  readonly unit: TimestampUnit | null;
  readonly everyMs: number | null;
};

export type EventTimeBuild = {
  readonly graph: JobGraph;
  readonly vertex: JobVertex;
  readonly operator: PlanOperator;
  readonly scope: MetricScope;
  readonly log: Log;
  readonly onMisfit: (record: unknown, error: UserError) => void;
};

export function eventTimeBuild({ graph, vertex, operator, scope, log, onMisfit }: EventTimeBuild): EventTimeDriver {
  const options = optionsOf<EventTimeSettings>(operator);
  const [head] = vertex.operators;
  const source = head?.kind === "source" ? head : null;
  const bounded = source !== null && sourceEnds(source);
  const live = operatorsBefore(graph.plan, operator.uid).some(isLive);
  return new EventTimeDriver({
    uid: operator.uid,
    outOfOrderMs: options.outOfOrderMs,
    idleMs: options.idleMs ?? Infinity,
    order: timeOrder(graph, operator),
    bounded,
    live,
    onBehind: source !== null && isPromise(source) ? brokenPromise(source, scope, log) : null,
    stepMs: stepMs(options),
    // Of a live source nobody knows when its next record, and so its next step, will come.
    onlySteps: options.everyMs !== null && bounded && !live,
    unit: options.unit,
    field: operator.output === null ? options.field : null,
    shownField: options.field,
    onMisfit: operator.onError === "fail" ? null : onMisfit,
  });
}

/** The user has said that files follow one another in time. */
function isPromise(source: PlanOperator): boolean {
  return isOneStream(source) && optionsOf<{ inTimeOrder?: boolean }>(source).inTimeOrder === true;
}

/** Counts the records that break the promise; of the first file that holds some, tells which file came too far. */
function brokenPromise(source: PlanOperator, scope: MetricScope, log: Log): (split: string, behind: Behind) => void {
  scope.count("numRecordsBehindFiles", 0);
  let isTold = false;
  return (split, { count, after, afterMs }) => {
    scope.count("numRecordsBehindFiles", count);
    if (isTold) return;
    isTold = true;
    const rows = `${fileOf(split)} holds rows that are older than ${fileOf(after)} allows`;
    log.write("warn", `${rows}, which comes to ${new Date(afterMs).toISOString()}: inTimeOrder does not hold`, {
      source: source.uid,
    });
  };
}

function fileOf(split: string): string {
  return split.replace(/@\d+$/, "");
}

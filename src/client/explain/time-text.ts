// What event time does at an operator, in lines of words for people: what watermarks wait for, where that makes timers
// late, and where it makes chance of which records are late. Pure.

import type { JobGraph } from "../../graph/job-graph.ts";
import { canBeLate, edgesInto, type Plan, type PlanOperator } from "../../graph/plan.ts";
import {
  isLateRead,
  neverLate,
  operatorsBefore,
  sourceEnds,
  sourceTaskRemedy,
  waitsForSplits,
} from "../../graph/time-order.ts";
import { hasStep, hasTimers } from "../../graph/watermark-steps.ts";
import type { Explanation } from "./explain.ts";

type Explained = Pick<Explanation, "plan" | "tasks" | "timeOrders">;

/** Lines about one operator; an empty one says nothing. */
export function timeTexts(operator: PlanOperator, explained: Explained): string[] {
  return [orderText(operator, explained), timersText(operator, explained), lateText(operator, explained)];
}

/** When an `eventTime` gives watermarks, as far as the order of its input decides. */
function orderText(operator: PlanOperator, explained: Explained): string {
  const { uid } = operator;
  const { plan, timeOrders } = explained;
  switch (timeOrders[uid]) {
    case "end":
      return plan.mode === "batch"
        ? "no watermark before the end of the input, so that no record is late: batch mode"
        : "no watermark before the end of the input: behind an exchange nobody knows what is still to come from which file; have it " +
            sourceTaskText(plan, operator);
    case "channels":
      return "no watermark before each of its channels has brought a record; the slowest one counts: each brings its share of one stream, in order";
    case "splits":
      return splitsText(headOf(uid, explained));
    default:
      return "";
  }
}

/** For each operator whose late records somebody reads though there can be none: why, and what to do. */
export function neverLateTexts(graph: JobGraph): string[] {
  const { plan } = graph;
  return neverLate(graph).map((operator) => {
    const ways = eventTimesBefore(plan, operator).map((time) => `${time.uid} ${sourceTaskText(plan, time)}`);
    return `nothing can be late for ${operator.uid}: no watermark comes before the end; have ${ways.join(", ")}`;
  });
}

/** How to have an `eventTime` in the task of its source. */
function sourceTaskText(plan: Plan, eventTime: PlanOperator): string {
  const remedy = sourceTaskRemedy(plan, eventTime);
  if (remedy === null) return "in the task of its source";
  return `in the task of its source with .parallelism(${remedy.parallelism}) behind ${remedy.uids.join(" and ")}`;
}

function splitsText(source: PlanOperator): string {
  if (!sourceEnds(source)) return "";
  if (!waitsForSplits(source)) {
    return (source.options as { inTimeOrder?: unknown }).inTimeOrder === true
      ? "watermarks while later files wait: they follow one another in time (inTimeOrder)"
      : "";
  }
  const promise = splitName(source) === "file" ? "; inTimeOrder: true if they follow one another in time" : "";
  return `no watermark before ${everySplit(source)} has been begun, so that none is late${promise}`;
}

function everySplit(source: PlanOperator): string {
  return `every ${splitName(source)} of ${source.uid}`;
}

function splitName({ options }: PlanOperator): "file" | "split" {
  const { source } = options as { source?: unknown };
  return source === "csv" || source === "jsonl" ? "file" : "split";
}

/** Of a function with timers: that they fire after later records, where watermarks wait for all of a source. */
function timersText(operator: PlanOperator, explained: Explained): string {
  if (!hasTimers(operator)) return "";
  const { plan, timeOrders } = explained;
  for (const { uid } of eventTimesBefore(plan, operator)) {
    const source = headOf(uid, explained);
    const order = timeOrders[uid];
    const waits = order === "splits" && waitsForSplits(source);
    if (order !== "end" && !waits) continue;
    const until = waits ? `${everySplit(source)} has been begun` : "the end of the input";
    return `no timer in event time fires before ${until}; .inOrder() behind keyBy has each fire between the records`;
  }
  return "";
}

/** That chance decides which records are late, where somebody wants to know them, and what to do about it. */
function lateText(operator: PlanOperator, { plan, timeOrders }: Explained): string {
  if (!canBeLate(operator)) return "";
  const before = operatorsBefore(plan, operator.uid);
  const times = eventTimesBefore(plan, operator);
  const isRead = isLateRead(plan, operator);
  // Behind another window or inOrder all is in order.
  if (!(isRead || times.some(hasStep)) || before.some(canBeLate)) return "";
  if (times.every(({ uid }) => timeOrders[uid] === "end"))
    return isRead && plan.mode !== "batch"
      ? "no record is ever late: no watermark comes before the end of the input"
      : "";
  if ([operator, ...before].some(({ uid }) => edgesInto(plan, uid).length > 1)) {
    return "which records are late depends on which input is read faster";
  }
  const several = before.filter(({ kind, parallelism }) => kind !== "preAggregate" && parallelism > 1);
  const remedies = [
    ...(times.every(hasStep) ? [] : ['every: "1s" in eventTime']),
    ...(several.length === 0 ? [] : [`.parallelism(1) behind ${several.map(({ uid }) => uid).join(" and ")}`]),
    ...(before.some(({ kind }) => kind === "preAggregate") ? ["millrace.pipeline.pre-aggregation: false"] : []),
  ];
  if (remedies.length === 0) return "";
  return `which records are late depends on the pace of reading; the same in every run with ${remedies.join(", ")}`;
}

function eventTimesBefore(plan: Plan, { uid }: PlanOperator): PlanOperator[] {
  return operatorsBefore(plan, uid).filter(({ kind }) => kind === "eventTime");
}

/** The first operator of the task that an operator is in. */
function headOf(uid: string, { plan, tasks }: Explained): PlanOperator {
  const [head] = tasks.find(({ operators }) => operators.includes(uid))?.operators ?? [];
  return plan.operators.find((operator) => operator.uid === head) as PlanOperator;
}

// Which exchanges carry watermarks between the records of a batch, and how far apart in event time. Pure.
//
// A watermark after each batch is all that windows need, and costs nothing. A timer that the next record of the batch
// moves has to hear of it before: so the exchanges on the way from eventTime to a function with timers, and those
// behind an eventTime that names a step, keep watermarks among the records.
//
//   S1. What a combiner sends is partial rows, which stand for records of many times: there are no marks among them.
//   S2. Behind inOrder timers fire between the records whatever watermarks come: it asks for none.

import { isInOrder, type Plan, type PlanEdge, type PlanOperator } from "./plan.ts";

/** Default step: event time goes on by so much, and by no less than a part of what may be out of order. */
const STEP_MS = 1_000;
const STEPS_PER_DISORDER = 10;

export type EventTimeStep = { readonly outOfOrderMs: number; readonly everyMs?: number | null };

/** Event time from one watermark among the records to the next. */
export function stepMs({ outOfOrderMs, everyMs = null }: EventTimeStep): number {
  return everyMs ?? Math.max(STEP_MS, outOfOrderMs / STEPS_PER_DISORDER);
}

/** Whether watermarks keep their places among the records of an edge. */
export function carriesMarks(plan: Pick<Plan, "operators" | "edges">, edge: PlanEdge): boolean {
  const operators = new Map(plan.operators.map((operator) => [operator.uid, operator]));
  if (operators.get(edge.from)?.kind === "preAggregate") return false;
  const isTimed = (uid: string): boolean => hasTimers(operators.get(uid));
  const namesStep = (uid: string): boolean => hasStep(operators.get(uid));
  return (
    reaches(edge.to, isTimed, (uid) => plan.edges.filter(({ from }) => from === uid).map(({ to }) => to)) ||
    reaches(edge.from, namesStep, (uid) => plan.edges.filter(({ to }) => to === uid).map(({ from }) => from))
  );
}

function reaches(uid: string, isWanted: (uid: string) => boolean, next: (uid: string) => readonly string[]): boolean {
  const seen = new Set<string>();
  const open = [uid];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (seen.has(at)) continue;
    if (isWanted(at)) return true;
    seen.add(at);
    open.push(...next(at));
  }
  return false;
}

/** Whether watermarks have to keep their places for its timers (S2). */
export function hasTimers(operator: PlanOperator | undefined): boolean {
  if (operator === undefined || isInOrder(operator)) return false;
  return (operator.options as { timers?: unknown } | null)?.timers === true;
}

/** Whether it is an `eventTime` that names a step. */
export function hasStep(operator: PlanOperator | undefined): boolean {
  return (
    operator?.kind === "eventTime" && typeof (operator.options as { everyMs?: unknown } | null)?.everyMs === "number"
  );
}

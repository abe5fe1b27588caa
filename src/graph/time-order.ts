// What the watermarks of an `eventTime` wait for, so that no record of bounded input is late because of the order in
// which the input happened to be read or to arrive. ADR 7 has the reasons.

import type { JobGraph, JobVertex } from "./job-graph.ts";
import { canBeLate, edgesInto, type Plan, type PlanOperator, SIDE_LATE } from "./plan.ts";

export type TimeOrder =
  /** Nothing: records as they arrive, of endless input. */
  | "arrival"
  /** The slowest split of the source in the same task, and, of a bounded one, that every stream has been begun. */
  | "splits"
  /** The slowest input channel: each brings its share of one stream, in the order of that. */
  | "channels"
  /** The end of the input. */
  | "end";

/** Operators that give their records in the order of those they get. */
export const STATELESS: ReadonlySet<string> = new Set(["source", "map", "filter", "flatMap", "parse", "eventTime"]);

export function timeOrder(graph: JobGraph, eventTime: PlanOperator): TimeOrder {
  if (graph.plan.mode === "batch") return "end";
  const vertex = graph.vertices.findIndex(({ operators }) => operators.some(({ uid }) => uid === eventTime.uid));
  if (isSource(graph.vertices[vertex])) return "splits";
  const before = operatorsBefore(graph.plan, eventTime.uid);
  const sources = before.filter(({ kind }) => kind === "source");
  if (!sources.every(sourceEnds)) return "arrival";
  const inputs = graph.edges.filter(({ toVertex }) => toVertex === vertex);
  const isDirect = inputs.every(({ fromVertex }) => isSource(graph.vertices[fromVertex]));
  const isInOrder = sources.every(isOneStream) && before.every(({ kind }) => STATELESS.has(kind));
  return isDirect && isInOrder ? "channels" : "end";
}

/** Operators whose late records somebody reads, though in this graph, unlike in another, none can be late. */
export function neverLate(graph: JobGraph): PlanOperator[] {
  const { plan } = graph;
  if (plan.mode === "batch") return []; // As asked for.
  return plan.operators.filter((operator) => {
    if (!canBeLate(operator) || !isLateRead(plan, operator)) return false;
    const times = operatorsBefore(plan, operator.uid).filter(({ kind }) => kind === "eventTime");
    return times.length > 0 && times.every((time) => timeOrder(graph, time) === "end");
  });
}

export function isLateRead({ edges }: Plan, { uid }: PlanOperator): boolean {
  return edges.some(({ from, output }) => from === uid && output === SIDE_LATE);
}

/** What it takes to have an `eventTime` in the task of its source: a parallelism for some operators. */
export type TaskRemedy = { readonly parallelism: number; readonly uids: readonly string[] };

/** Null when the parallelism of operators is not all that is in the way, or nothing is. */
export function sourceTaskRemedy(plan: Plan, eventTime: PlanOperator): TaskRemedy | null {
  const path = [eventTime];
  for (let at = eventTime; at.kind !== "source"; ) {
    const [edge, ...others] = edgesInto(plan, at.uid);
    if (edge === undefined || others.length > 0 || edge.partitioner.kind !== "forward") return null;
    at = plan.operators.find(({ uid }) => uid === edge.from) as PlanOperator;
    path.unshift(at);
  }
  const [{ parallelism }] = path as [PlanOperator];
  const uids = path.filter((operator) => operator.parallelism !== parallelism).map(({ uid }) => uid);
  return uids.length === 0 ? null : { parallelism, uids };
}

export function sourceEnds({ options }: Pick<PlanOperator, "options">): boolean {
  return (options as { bounded?: unknown }).bounded === true;
}

/** Event time waits until every split of the source has been begun: each goes through time by itself. */
export function waitsForSplits(source: Pick<PlanOperator, "options">): boolean {
  return sourceEnds(source) && !isOneStream(source);
}

/** Records of the source come in their own time. */
export function isLive({ options }: Pick<PlanOperator, "options">): boolean {
  return (options as { live?: unknown } | null)?.live === true;
}

/** The splits of the source follow one another in event time. */
export function isOneStream({ options }: Pick<PlanOperator, "options">): boolean {
  return (options as { streams?: unknown }).streams === "one";
}

function isSource(vertex: JobVertex | undefined): boolean {
  return vertex?.operators[0]?.kind === "source";
}

/** No other `eventTime` stands between it and the sources. */
export function isFirstEventTime(plan: Plan, uid: string): boolean {
  return operatorsBefore(plan, uid).every(({ kind }) => kind !== "eventTime");
}

/** Everything that leads to an operator. */
export function operatorsBefore(plan: Plan, uid: string): PlanOperator[] {
  const open = [uid];
  const before = new Set<string>();
  for (let to = open.pop(); to !== undefined; to = open.pop()) {
    for (const edge of plan.edges) {
      if (edge.to !== to || before.has(edge.from)) continue;
      before.add(edge.from);
      open.push(edge.from);
    }
  }
  return plan.operators.filter((operator) => before.has(operator.uid));
}

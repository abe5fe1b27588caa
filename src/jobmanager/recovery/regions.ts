// The pipelined regions of a job: what has to begin anew together. Pure.
//
//   G1. Two vertices are in one region exactly when exchanges lead from one to the other, in whatever direction and
//       over however many others: who loses a sender or a receiver in the middle of its records cannot go on. All
//       subtasks of a vertex are in one region.
//   G2. A region begins anew only when all its tasks are closed; tasks of other regions run on.

import type { JobGraph } from "../../graph/job-graph.ts";
import type { TaskId } from "../../protocol/slot-messages.ts";

/** Vertices by region, each ascending; regions by their first vertices. */
export function pipelinedRegions({ vertices, edges }: Pick<JobGraph, "vertices" | "edges">): readonly number[][] {
  const heads = vertices.map((_, vertex) => vertex);
  const headOf = (vertex: number): number => {
    let at = vertex;
    while (heads[at] !== at) at = heads[at]!;
    return at;
  };
  for (const { fromVertex, toVertex } of edges) {
    const [first, second] = [headOf(fromVertex), headOf(toVertex)];
    heads[Math.max(first, second)] = Math.min(first, second);
  }
  const regions = new Map<number, number[]>();
  for (const vertex of vertices.keys()) {
    const head = headOf(vertex);
    regions.set(head, [...(regions.get(head) ?? []), vertex]);
  }
  return [...regions.values()];
}

/** The tasks of the last attempt of a region. */
export type RegionState = {
  /** "closing": they were told to end. "closed": nothing of them is left, and the next attempt is waited for. */
  readonly phase: "deploying" | "running" | "closing" | "closed";
  readonly tasks: ReadonlySet<TaskId>;
  /** Those that do not run yet. */
  readonly waiting: ReadonlySet<TaskId>;
  /** Those of which something is left. */
  readonly open: ReadonlySet<TaskId>;
};

export function regionOf(tasks: readonly TaskId[]): RegionState {
  return { phase: "deploying", tasks: new Set(tasks), waiting: new Set(tasks), open: new Set(tasks) };
}

/** Its tasks run, or will. */
export function isUp({ phase }: RegionState): boolean {
  return phase === "deploying" || phase === "running";
}

/** The task runs, or will. */
export function isTaskUp(regions: readonly RegionState[], task: TaskId): boolean {
  return regions.some((region) => region.tasks.has(task) && isUp(region));
}

export function regionDeployed(region: RegionState, tasks: readonly TaskId[]): RegionState {
  const waiting = less(region.waiting, tasks);
  const phase = region.phase === "deploying" && waiting.size === 0 ? "running" : region.phase;
  return { ...region, waiting, phase };
}

export function regionCancelled(region: RegionState): RegionState {
  return isUp(region) ? { ...region, phase: region.open.size === 0 ? "closed" : "closing" } : region;
}

/** G2 */
export function regionClosed(region: RegionState, task: TaskId): RegionState {
  const open = less(region.open, [task]);
  return { ...region, open, phase: region.phase === "closing" && open.size === 0 ? "closed" : region.phase };
}

function less<T>(set: ReadonlySet<T>, items: readonly T[]): ReadonlySet<T> {
  const rest = new Set(set);
  for (const item of items) rest.delete(item);
  return rest;
}

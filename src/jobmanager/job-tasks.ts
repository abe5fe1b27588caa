// The tasks of a job that count: which there are, in which slot and region, from which checkpoint they began, and which
// of them have not closed. Asked and told by the job master alone.

import type { CheckpointId } from "../base/ids.ts";
import type { RestorePlan } from "../checkpoint/restore.ts";
import type { JobGraph } from "../graph/job-graph.ts";
import type { TaskDescriptor, TaskId } from "../protocol/slot-messages.ts";
import { tasksRestored } from "./checkpointing/task-restores.ts";
import { type Deployment, deploymentOf } from "./deployment.ts";
import { pipelinedRegions } from "./recovery/regions.ts";

type Given = {
  readonly attempt: number;
  readonly restored: RestorePlan | null;
  /** All tasks begin anew together, if ever, and are deployed together. */
  readonly isOneRegion: boolean;
};

/** Tasks that are given to a slot together. */
type SlotDeployment = { readonly slot: number; readonly tasks: readonly TaskDescriptor[] };

/** Where the tasks of a region began. */
export type TaskOrigin = { readonly attempt: number; readonly from: CheckpointId | null };

export class JobTasks {
  readonly #graph: JobGraph;
  /** Vertices by region. */
  readonly #regions: readonly (readonly number[])[];
  readonly #origins: TaskOrigin[];
  #deployment: Deployment;
  readonly #slots = new Map<TaskId, number>();
  /** Those that have not closed. */
  readonly #open: readonly Set<TaskId>[];

  constructor(graph: JobGraph, { attempt, restored, isOneRegion }: Given) {
    this.#graph = graph;
    this.#regions = isOneRegion ? [[...graph.vertices.keys()]] : pipelinedRegions(graph);
    this.#origins = this.#regions.map(() => ({ attempt, from: restored?.metadata.id ?? null }));
    this.#deployment = this.#deploymentOf(attempt, restored);
    this.#open = this.#deployment.tasks.map(() => new Set());
    this.#add(this.#deployment.tasks);
  }

  /** How many there are. */
  get slots(): number {
    return this.#deployment.tasks.length;
  }

  get all(): readonly TaskDescriptor[] {
    return this.#deployment.tasks.flat();
  }

  get ids(): readonly TaskId[] {
    return [...this.#slots.keys()];
  }

  get regionTasks(): readonly (readonly TaskId[])[] {
    return [...this.idsOf([...this.#regions.keys()]).values()];
  }

  /** By region. */
  idsOf(regions: readonly number[]): ReadonlyMap<number, readonly TaskId[]> {
    return new Map(
      regions.map((region) => [region, this.all.filter((task) => this.#isIn([region], task)).map(({ id }) => id)]),
    );
  }

  /** Undefined: there is no such task, or it counts no more. */
  slotOf(task: TaskId): number | undefined {
    return this.#slots.get(task);
  }

  /** That of the source's coordinator. */
  coordinatorSlot(vertex: number): number {
    return this.#deployment.assignment.slotOf(vertex, 0);
  }

  openIn(slot: number): readonly TaskId[] {
    return [...(this.#open[slot] ?? [])];
  }

  named(tasks: readonly TaskId[]): readonly TaskDescriptor[] {
    return this.all.filter(({ id }) => tasks.includes(id));
  }

  /** Of the first of these tasks, of all else of the job's first. */
  origin([task]: readonly TaskDescriptor[]): TaskOrigin {
    const region = task === undefined ? 0 : this.#regions.findIndex((vertices) => vertices.includes(task.vertex));
    return this.#origins[region]!;
  }

  /** False: it had closed before. */
  closed(task: TaskId): boolean {
    return this.#open[this.#slots.get(task) ?? -1]?.delete(task) === true;
  }

  /** The next attempt of these regions counts; returns its tasks. */
  replace(regions: readonly number[], attempt: number, restored: RestorePlan | null): readonly TaskDescriptor[] {
    const next = this.#deploymentOf(attempt, restored);
    const { tasks, assignment } = this.#deployment;
    for (const task of this.all) if (this.#isIn(regions, task)) this.#slots.delete(task.id);
    for (const region of regions) this.#origins[region] = { attempt, from: restored?.metadata.id ?? null };
    // Both list the same subtasks in the same order.
    const merged = tasks.map((ofSlot, slot) =>
      ofSlot.map((task, index) => (this.#isIn(regions, task) ? next.tasks[slot]![index]! : task)),
    );
    this.#deployment = { assignment, tasks: merged };
    this.#add(merged.map((ofSlot) => ofSlot.filter((task) => this.#isIn(regions, task))));
    return this.all.filter((task) => this.#isIn(regions, task));
  }

  /** Each region by itself: what its tasks share in a slot goes with them. */
  deployments(regions: readonly number[]): readonly SlotDeployment[] {
    return [...this.#deployment.tasks.entries()].flatMap(([slot, ofSlot]) =>
      regions
        .map((region) => ({ slot, tasks: ofSlot.filter((task) => this.#isIn([region], task)) }))
        .filter(({ tasks }) => tasks.length > 0),
    );
  }

  #add(tasks: readonly (readonly TaskDescriptor[])[]): void {
    for (const [slot, ofSlot] of tasks.entries()) {
      for (const { id } of ofSlot) {
        this.#slots.set(id, slot);
        this.#open[slot]!.add(id);
      }
    }
  }

  #isIn(regions: readonly number[], { vertex }: TaskDescriptor): boolean {
    return regions.some((region) => this.#regions[region]!.includes(vertex));
  }

  #deploymentOf(attempt: number, restored: RestorePlan | null): Deployment {
    const deployment = deploymentOf(this.#graph, attempt);
    if (restored === null) return deployment;
    return { ...deployment, tasks: deployment.tasks.map((tasks) => tasksRestored(this.#graph, tasks, restored)) };
  }
}

// From job graph to task descriptors: which tasks there are, in which slots, and over which links they talk.

import { UserError } from "../base/errors.ts";
import type { Configuration } from "../config/configuration.ts";
import { OPTIONS, SLOTS_MAX } from "../config/options.ts";
import type { JobGraph } from "../graph/job-graph.ts";
import type { OwnerId } from "../memory/pool-report.ts";
import type { SegmentPool } from "../memory/segment-pool.ts";
import { ringLinkMemory } from "../network/ring-link.ts";
import {
  type LinkSpec,
  type TaskDescriptor,
  type TaskInput,
  type TaskOutput,
  taskIdOf,
} from "../protocol/slot-messages.ts";
import { channelOrigins, channelTargets, type SlotAssignment, slotAssignment } from "./topology.ts";

export type Deployment = {
  readonly assignment: SlotAssignment;
  /** Tasks by slot. */
  readonly tasks: readonly (readonly TaskDescriptor[])[];
  /** Owners of network segments, to be closed when the job has ended. */
  readonly owners: readonly OwnerId[];
};

export type DeploymentOptions = {
  readonly jobId: string;
  readonly graph: JobGraph;
  readonly configuration: Configuration;
  readonly network: SegmentPool;
  readonly attempt: number;
};

/** Refuses a job that needs more slots than there are; `available` null: nobody has said how many there are. */
export function checkSlots(graph: JobGraph, available: number | null): SlotAssignment {
  const assignment = slotAssignment(graph);
  const { slots, groups } = assignment;
  const most = available ?? SLOTS_MAX;
  if (slots <= most) return assignment;
  const each = groups.map((group) => `"${group.name}" ${group.slots}`).join(", ");
  const { key } = OPTIONS.numberOfTaskSlots;
  const there = available === null ? `there are ${SLOTS_MAX} at most` : `${key} says ${available}`;
  const more = `set ${key} to ${slots}, or leave it out: there are then as many as the job needs; or `;
  throw new UserError(
    "SLOTS_MISSING",
    `the job needs ${slots} slots, one for each subtask of a slot-sharing group (${each}), and ${there}`,
    {
      fix:
        `${slots <= SLOTS_MAX ? more : ""}run with --parallelism ${Math.max(1, Math.floor(most / groups.length))}, and ` +
        "operators that say .parallelism(n) with no more",
    },
  );
}

export function deploymentOf(options: DeploymentOptions): Deployment {
  const { graph, attempt } = options;
  const assignment = slotAssignment(graph);
  const links = new Links(options, assignment);
  const tasks: TaskDescriptor[][] = Array.from({ length: assignment.slots }, () => []);
  graph.vertices.forEach((vertex, index) => {
    for (let subtask = 0; subtask < vertex.parallelism; subtask += 1) {
      tasks[assignment.slotOf(index, subtask)]?.push({
        id: taskIdOf(index, subtask, attempt),
        vertex: index,
        subtask,
        attempt,
        inputs: graph.edges.filter((edge) => edge.toVertex === index).map((edge) => links.input(edge.index, subtask)),
        outputs: graph.edges
          .filter((edge) => edge.fromVertex === index)
          .map((edge) => links.output(edge.index, subtask)),
      });
    }
  });
  return { assignment, tasks, owners: links.owners };
}

class Links {
  readonly owners: OwnerId[] = [];
  readonly #options: DeploymentOptions;
  readonly #assignment: SlotAssignment;
  readonly #memories = new Map<string, SharedArrayBuffer>();

  constructor(options: DeploymentOptions, assignment: SlotAssignment) {
    this.#options = options;
    this.#assignment = assignment;
  }

  input(edge: number, subtask: number): TaskInput {
    const { from, to, jobEdge } = this.#ends(edge);
    const origins = channelOrigins(jobEdge, from, to, subtask);
    return { edge, links: origins.map((origin) => this.#link(edge, origin, subtask, "receiver")) };
  }

  output(edge: number, subtask: number): TaskOutput {
    const { from, to, jobEdge } = this.#ends(edge);
    const links = channelTargets(jobEdge, from, to, subtask).map((target) =>
      this.#link(edge, subtask, target, "sender"),
    );
    const rings = links.filter((link) => link.kind === "ring").length;
    return {
      edge,
      links,
      segments: rings === 0 ? [] : this.#segments(`${from.name} (${subtask + 1}/${from.parallelism})`, rings),
    };
  }

  #ends(edge: number) {
    const { graph } = this.#options;
    const jobEdge = graph.edges[edge];
    const from = graph.vertices[jobEdge?.fromVertex ?? -1];
    const to = graph.vertices[jobEdge?.toVertex ?? -1];
    if (jobEdge === undefined || from === undefined || to === undefined) throw new Error(`edge ${edge} has no ends`);
    return { jobEdge, from, to };
  }

  #link(edge: number, origin: number, target: number, end: "sender" | "receiver"): LinkSpec {
    const id = `${edge}/${origin}/${target}`;
    const { jobEdge } = this.#ends(edge);
    const from = this.#assignment.slotOf(jobEdge.fromVertex, origin);
    const to = this.#assignment.slotOf(jobEdge.toVertex, target);
    if (from === to) return { kind: "local", id };
    let memory = this.#memories.get(id);
    if (memory === undefined) {
      memory = ringLinkMemory();
      this.#memories.set(id, memory);
    }
    return { kind: "ring", id, memory, peer: end === "sender" ? to : from };
  }

  /** Flink's rule for an output: some segments per channel, and some that all of its channels share. */
  #segments(task: string, channels: number): number[] {
    const { configuration, network, jobId } = this.#options;
    const count =
      channels * configuration.get(OPTIONS.buffersPerChannel) + configuration.get(OPTIONS.floatingBuffersPerGate);
    const owner = network.registerOwner({ job: jobId, task, purpose: "network output" });
    this.owners.push(owner);
    return [...network.allocate(owner, count)];
  }
}

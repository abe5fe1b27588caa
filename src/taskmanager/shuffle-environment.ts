// Makes the channels that tasks name into rings between slots, and gives the outputs of tasks their network segments.
//
// Owns: the rings, and who may still reach the segments of an output. Does not own: the pool, the slots' threads.
//
//   X1. Whichever end of a channel is deployed first makes its ring; the other one finds it.
//   X2. Tasks that are deployed together get all of their segments, or none of them is connected.
//   X3. The segments of an output are free again once its task and all tasks that read from it were released, so that
//       nobody writes or reads there any more; until then nobody else gets them.

import { Configuration } from "../config/configuration.ts";
import { OPTIONS } from "../config/options.ts";
import type { OwnerId } from "../memory/pool-report.ts";
import type { SegmentPool } from "../memory/segment-pool.ts";
import { ringLinkMemory } from "../network/ring-link.ts";
import {
  channelName,
  type JobDescriptor,
  outputName,
  type Ring,
  type SlotWiring,
  type TaskChannel,
  type TaskDescriptor,
  type TaskId,
} from "../protocol/slot-messages.ts";

export type WiringRequest = {
  /** What the tasks are part of: channels of another one are others, whatever their names. */
  readonly run: string;
  readonly job: JobDescriptor;
  /** The slot of the job that the tasks go to. */
  readonly slot: number;
  readonly tasks: readonly TaskDescriptor[];
  /** The slot of this TaskManager that serves a slot of the job. */
  readonly slotOf: (slot: number) => number;
};

type Channel = {
  readonly name: string;
  readonly memory: SharedArrayBuffer;
  /** Tasks that may still use it. */
  users: number;
  lease: Lease | null;
};

/** The segments of an output. */
type Lease = { readonly owner: OwnerId; readonly channels: readonly Channel[] };

type Wiring = { readonly rings: Map<string, Ring>; readonly segments: Map<string, readonly number[]> };

export class ShuffleEnvironment {
  readonly #network: SegmentPool;
  readonly #channels = new Map<string, Channel>();
  /** What each task uses. */
  readonly #used = new Map<string, Channel[]>();

  constructor(network: SegmentPool) {
    this.#network = network;
  }

  /** Channels that some task may still use. */
  get size(): number {
    return this.#channels.size;
  }

  /** Throws MEMORY_EXHAUSTED or MEMORY_REQUEST_TOO_LARGE. */
  connect(request: WiringRequest): SlotWiring {
    const { run, tasks } = request;
    const wiring: Wiring = { rings: new Map(), segments: new Map() };
    try {
      for (const task of tasks) this.#connectTask(request, task, wiring);
    } catch (error) {
      for (const { id } of tasks) this.release(run, id); // X2
      throw error;
    }
    return wiring;
  }

  /** Nothing of the task reads or writes any more: it is closed, or its thread has ended. */
  release(run: string, task: TaskId): void {
    const used = this.#used.get(`${run} ${task}`) ?? [];
    this.#used.delete(`${run} ${task}`);
    for (const channel of used) {
      channel.users -= 1;
      if (channel.users === 0) this.#channels.delete(channel.name);
    }
    for (const lease of new Set(used.map((channel) => channel.lease))) {
      if (lease?.channels.every(({ users }) => users === 0)) this.#network.closeOwner(lease.owner); // X3
    }
  }

  #connectTask(request: WiringRequest, task: TaskDescriptor, wiring: Wiring): void {
    const { run } = request;
    const { jobId, config } = request.job;
    const used: Channel[] = [];
    this.#used.set(`${run} ${task.id}`, used);
    const connect = (channel: TaskChannel): Channel => {
      const name = channelName(channel);
      const made = this.#channel(`${run} ${name}`);
      used.push(made);
      wiring.rings.set(name, { memory: made.memory, peer: request.slotOf(channel.peer) });
      return made;
    };
    const leadsOut = ({ peer }: TaskChannel): boolean => peer !== request.slot; // Else it is a queue within the slot.
    for (const input of task.inputs) input.channels.filter(leadsOut).forEach(connect);
    for (const output of task.outputs) {
      const channels = output.channels.filter(leadsOut).map(connect);
      if (channels.length === 0) continue;
      const owner = this.#network.registerOwner({ job: jobId, task: task.name, purpose: "network output" });
      const lease = { owner, channels };
      for (const channel of channels) channel.lease = lease;
      const count = segmentsOf(new Configuration(config), channels.length);
      wiring.segments.set(outputName(task.id, output), [...this.#network.allocate(owner, count)]);
    }
  }

  #channel(name: string): Channel {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      channel = { name, memory: ringLinkMemory(), users: 0, lease: null };
      this.#channels.set(name, channel); // X1
    }
    channel.users += 1;
    return channel;
  }
}

/** Flink's rule for an output: some segments per channel, and some that all of its channels share. */
function segmentsOf(configuration: Configuration, channels: number): number {
  return channels * configuration.get(OPTIONS.buffersPerChannel) + configuration.get(OPTIONS.floatingBuffersPerGate);
}

// Makes the ends of links in a slot.

import type { MemoryView } from "../../base/memory-view.ts";
import type { DataReceiver, DataSender, Doorbell } from "../../network/data-link.ts";
import { LocalLink } from "../../network/local-link.ts";
import { RingReceiver, RingSender } from "../../network/ring-link.ts";
import { SegmentStock } from "../../network/segment-stock.ts";
import {
  channelName,
  outputName,
  type SlotWiring,
  type TaskChannel,
  type TaskDescriptor,
  type TaskOutput,
} from "../../protocol/slot-messages.ts";

/** Makes senders and receivers for the channels that tasks name; the simulation has one of its own. */
export interface LinkBuilder {
  /** Bytes at which a batch is worth sending. */
  readonly batchBytesMax: number;
  /** Encoded bytes of the largest record that may travel between slots. */
  readonly recordBytesMax: number;
  /** One sender per channel of an output, which share the output's segments. */
  senders(task: TaskDescriptor, output: TaskOutput): DataSender[];
  receiver(channel: TaskChannel): DataReceiver;
}

export type SharedLinksOptions = {
  readonly wiring: SlotWiring;
  /** Over the network pool. */
  readonly view: MemoryView;
  readonly segmentSize: number;
  /** Segments that belong to one channel alone, and the most that it may have in flight. */
  readonly segmentsPerChannel: number;
  readonly segmentsPerChannelMax: number;
  readonly recordBytesMax: number;
  /** Doorbell of each slot of the TaskManager. */
  readonly doorbells: readonly Doorbell[];
  readonly ownSlot: number;
  /** The slot's, by the names of channels: of those of which one end was made. */
  readonly locals: Map<string, LocalLink>;
};

/** A batch is sent once the next record of usual size might not fit the segment any more. */
const BATCH_SLACK_BYTES = 512;

export class SharedLinks implements LinkBuilder {
  readonly batchBytesMax: number;
  readonly recordBytesMax: number;
  readonly #options: SharedLinksOptions;

  constructor(options: SharedLinksOptions) {
    this.#options = options;
    this.batchBytesMax = options.segmentSize - BATCH_SLACK_BYTES;
    this.recordBytesMax = options.recordBytesMax;
  }

  senders(task: TaskDescriptor, output: TaskOutput): DataSender[] {
    const { wiring, view, segmentSize, segmentsPerChannel, segmentsPerChannelMax } = this.#options;
    const segments = wiring.segments.get(outputName(task.id, output)) ?? [];
    const stock = new SegmentStock({ view, segmentSize, segments, exclusive: segmentsPerChannel });
    return output.channels.map((channel) => {
      const name = channelName(channel);
      const ring = wiring.rings.get(name);
      if (ring === undefined) return this.#local(name);
      return new RingSender({
        memory: ring.memory,
        stock,
        receiver: this.#doorbell(ring.peer),
        segmentsMax: segmentsPerChannelMax,
      });
    });
  }

  receiver(channel: TaskChannel): DataReceiver {
    const { wiring, view, segmentSize, segmentsPerChannelMax } = this.#options;
    const name = channelName(channel);
    const ring = wiring.rings.get(name);
    if (ring === undefined) return this.#local(name);
    return new RingReceiver({
      memory: ring.memory,
      view,
      segmentSize,
      sender: this.#doorbell(ring.peer),
      segmentsMax: segmentsPerChannelMax,
    });
  }

  /** Whichever end comes first makes it, the other one takes it. */
  #local(name: string): LocalLink {
    const { locals, ownSlot } = this.#options;
    const made = locals.get(name);
    if (made !== undefined) {
      locals.delete(name);
      return made;
    }
    const own = this.#doorbell(ownSlot);
    const link = new LocalLink({ sender: own, receiver: own });
    locals.set(name, link);
    return link;
  }

  #doorbell(slot: number): Doorbell {
    return this.#options.doorbells[slot]!;
  }
}

// Makes the ends of links in a slot.

import type { MemoryView } from "../../base/memory-view.ts";
import type { DataReceiver, DataSender, Doorbell } from "../../network/data-link.ts";
import { LocalLink } from "../../network/local-link.ts";
import { RingReceiver, RingSender } from "../../network/ring-link.ts";
import { SegmentStock } from "../../network/segment-stock.ts";
import type { LinkSpec } from "../../protocol/slot-messages.ts";

/** Makes senders and receivers from what was deployed; the simulation has one of its own. */
export interface LinkBuilder {
  /** Bytes at which a batch is worth sending. */
  readonly batchBytesMax: number;
  /** Encoded bytes of the largest record that may travel between slots. */
  readonly recordBytesMax: number;
  /** One sender per link of an output, which share the output's segments. */
  senders(links: readonly LinkSpec[], segments: readonly number[]): DataSender[];
  receiver(link: LinkSpec): DataReceiver;
}

export type SharedLinksOptions = {
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
};

/** A batch is sent once the next record of usual size might not fit the segment any more. */
const BATCH_SLACK_BYTES = 512;

export class SharedLinks implements LinkBuilder {
  readonly batchBytesMax: number;
  readonly recordBytesMax: number;
  readonly #options: SharedLinksOptions;
  readonly #locals = new Map<string, LocalLink>();

  constructor(options: SharedLinksOptions) {
    this.#options = options;
    this.batchBytesMax = options.segmentSize - BATCH_SLACK_BYTES;
    this.recordBytesMax = options.recordBytesMax;
  }

  senders(links: readonly LinkSpec[], segments: readonly number[]): DataSender[] {
    const { view, segmentSize, segmentsPerChannel, segmentsPerChannelMax } = this.#options;
    const stock = new SegmentStock({ view, segmentSize, segments, exclusive: segmentsPerChannel });
    return links.map((link) => {
      if (link.kind === "local") return this.#local(link.id);
      return new RingSender({
        memory: link.memory,
        stock,
        receiver: this.#doorbell(link.peer),
        segmentsMax: segmentsPerChannelMax,
      });
    });
  }

  receiver(link: LinkSpec): DataReceiver {
    if (link.kind === "local") return this.#local(link.id);
    const { view, segmentSize, segmentsPerChannelMax } = this.#options;
    return new RingReceiver({
      memory: link.memory,
      view,
      segmentSize,
      sender: this.#doorbell(link.peer),
      segmentsMax: segmentsPerChannelMax,
    });
  }

  #local(id: string): LocalLink {
    let link = this.#locals.get(id);
    if (link === undefined) {
      const own = this.#doorbell(this.#options.ownSlot);
      link = new LocalLink({ sender: own, receiver: own });
      this.#locals.set(id, link);
    }
    return link;
  }

  #doorbell(slot: number): Doorbell {
    return this.#options.doorbells[slot]!;
  }
}

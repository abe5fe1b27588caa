// The exchange of a simulated TaskManager: tasks of one slot hand rows over as they always do, slots talk over
// simulated links.

import type { Env } from "../base/env.ts";
import type { SeededRandom } from "../base/seeded-random.ts";
import type { DataReceiver, DataSender, Doorbell } from "../network/data-link.ts";
import type { ElementKind } from "../network/element.ts";
import { LocalLink } from "../network/local-link.ts";
import { channelName, type SlotWiring, type TaskChannel } from "../protocol/slot-messages.ts";
import type { LinkBuilder } from "../taskmanager/build/links.ts";
import { SimLink } from "./sim-link.ts";

export type SimLinksOptions = {
  readonly env: Env;
  readonly random: SeededRandom;
  readonly delayMaxMs: number;
  readonly batchBytesMax: number;
  readonly recordBytesMax: number;
  readonly onArrival: (link: string, kind: ElementKind, value: number, size: number) => void;
};

/** All links of one TaskManager, by their names, so that both ends meet. */
export class SimLinks {
  readonly #options: SimLinksOptions;
  readonly #links = new Map<string, DataSender & DataReceiver>();

  constructor(options: SimLinksOptions) {
    this.#options = options;
  }

  forSlot(slot: number, doorbells: readonly Doorbell[], { rings }: SlotWiring): LinkBuilder {
    const peerOf = (channel: TaskChannel): number => rings.get(channelName(channel))?.peer ?? slot;
    return {
      batchBytesMax: this.#options.batchBytesMax,
      recordBytesMax: this.#options.recordBytesMax,
      senders: (_task, { channels }) =>
        channels.map((channel) => this.#link(channel, { doorbells, sender: slot, receiver: peerOf(channel) })),
      receiver: (channel) => this.#link(channel, { doorbells, sender: peerOf(channel), receiver: slot }),
    };
  }

  #link(channel: TaskChannel, ends: { doorbells: readonly Doorbell[]; sender: number; receiver: number }) {
    const name = channelName(channel);
    let link = this.#links.get(name);
    if (link === undefined) {
      const sender = ends.doorbells[ends.sender]!;
      const receiver = ends.doorbells[ends.receiver]!;
      const { onArrival } = this.#options;
      link =
        ends.sender === ends.receiver
          ? new LocalLink({ sender, receiver })
          : new SimLink({ ...this.#options, sender, receiver, onArrival: (...what) => onArrival(name, ...what) });
      this.#links.set(name, link);
    }
    return link;
  }
}

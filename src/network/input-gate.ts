// The receiving side of a task: all its channels, polled in turn, each with the shape its batches have now.
//
// Owns: fairness between channels, decoding readers, the combined watermark of each input. Does not own: links,
// operators.
//
//   G1. Channels are polled round robin; one element is handled before the next is taken.
//   G2. A channel's schema applies to the batches after it.
//   G3. The watermark of an input never goes back, and a finished channel does not hold it back.

import { assert, InternalError } from "../base/errors.ts";
import type { BatchCodec, BatchCodecOptions, BatchReader } from "../types/bytes/codec.ts";
import type { TypeSpec } from "../types/spec/type-spec.ts";
import type { DataReceiver, ReceivedElement } from "./data-link.ts";
import { ELEMENT } from "./element.ts";

export type InputChannelOptions = {
  readonly receiver: DataReceiver;
  /** Which input of the task's head it feeds. */
  readonly port: 0 | 1;
  /** Shape known from the plan; null: the sender announces it. */
  readonly codec: BatchCodec | null;
};

export class InputChannel {
  readonly receiver: DataReceiver;
  readonly port: 0 | 1;
  /** Index among the channels of its port. */
  readonly indexInPort: number;
  codec: BatchCodec | null;
  reader: BatchReader | null;
  ended = false;
  /** Nothing is taken from it for now. */
  blocked = false;

  constructor(options: InputChannelOptions, indexInPort: number) {
    this.receiver = options.receiver;
    this.port = options.port;
    this.indexInPort = indexInPort;
    this.codec = options.codec;
    this.reader = options.codec?.createReader() ?? null;
  }

  setCodec(codec: BatchCodec): void {
    this.codec = codec;
    this.reader = codec.createReader();
  }
}

export class InputGate {
  readonly channels: readonly InputChannel[];
  readonly #codecs = new Map<string, BatchCodec>();
  readonly #compile: (spec: TypeSpec, options: BatchCodecOptions) => BatchCodec;
  #next = 0;
  #open: number;

  constructor(
    channels: readonly InputChannelOptions[],
    compile: (spec: TypeSpec, options: BatchCodecOptions) => BatchCodec,
  ) {
    const counts: [number, number] = [0, 0];
    this.channels = channels.map((options) => {
      const index = counts[options.port];
      counts[options.port] += 1;
      return new InputChannel(options, index);
    });
    this.#compile = compile;
    this.#open = channels.length;
  }

  /** Channels that have not ended. */
  get open(): number {
    return this.#open;
  }

  /**
   * The next channel with an element, which `element` then holds; null when no channel has one. Schemas are handled
   * here.
   */
  poll(into: { element: ReceivedElement | null }): InputChannel | null {
    const count = this.channels.length;
    for (let tried = 0; tried < count; tried += 1) {
      const channel = this.channels[this.#next]!;
      this.#next = this.#next + 1 === count ? 0 : this.#next + 1;
      if (channel.ended || channel.blocked) continue;
      let element = channel.receiver.poll();
      while (element !== null && element.kind === ELEMENT.schema) {
        this.#onSchema(channel, element);
        channel.receiver.release();
        element = channel.receiver.poll();
      }
      if (element === null) continue;
      into.element = element;
      return channel;
    }
    return null;
  }

  onEnd(channel: InputChannel): void {
    assert(!channel.ended, "a channel ended twice");
    channel.ended = true;
    this.#open -= 1;
  }

  /** Part of what may wait in its channels that does, 0 to 1. */
  usage(): number {
    let usage = 0;
    for (const channel of this.channels) usage += channel.receiver.inUsage();
    return this.channels.length === 0 ? 0 : usage / this.channels.length;
  }

  #onSchema(channel: InputChannel, element: ReceivedElement): void {
    const bytes = element.view?.bytes;
    if (bytes === undefined) throw new InternalError("SCHEMA_EMPTY", "a schema element without bytes");
    const text = bytes.toString("utf8", element.offset, element.offset + element.size);
    let codec = this.#codecs.get(text);
    if (codec === undefined) {
      const { spec, options } = JSON.parse(text) as { spec: TypeSpec; options: BatchCodecOptions };
      codec = this.#compile(spec, options);
      this.#codecs.set(text, codec);
    }
    channel.setCodec(codec);
  }
}

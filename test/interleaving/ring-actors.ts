// A slot that sends over rings, and others that receive, all asleep while there is nothing to do.

import assert from "node:assert/strict";
import { memoryView } from "../../src/base/memory-view.ts";
import { SharedDoorbell } from "../../src/network/doorbell.ts";
import { ELEMENT } from "../../src/network/element.ts";
import { RingReceiver, RingSender } from "../../src/network/ring-link.ts";
import { SegmentStock } from "../../src/network/segment-stock.ts";
import { TurnLoop } from "../../src/taskmanager/runner/turn-loop.ts";
import { compileBatchCodec } from "../../src/types/batch/batch-codec.ts";
import type { TypeSpec } from "../../src/types/spec/type-spec.ts";
import type { Actor, World } from "./actor.ts";

export type RingData = {
  readonly segmentSize: number;
  readonly segments: number;
  /** Segments that a channel may have in flight; one of them is its own. */
  readonly segmentsMax: number;
  /** Both sides sleep for that long at most. */
  readonly sleepMs: number;
  /** Watermarks that lie in the ring before anybody takes a step. */
  readonly before: number;
  /**
   * What is sent over each channel: lengths of the text of a batch's record, or a watermark, or one that is sent when
   * the receiver has released everything before.
   */
  readonly plan: readonly (number | "watermark" | "watermark when free")[];
};

const SPEC = { kind: "struct", fields: [{ name: "text", type: { kind: "string" } }] } as unknown as TypeSpec;
const codec = compileBatchCodec(SPEC, { timestamps: true, extraFields: "refuse" }, "interleaving");
const SENDER_BELL = 0;

const textAt = (index: number, length: number): string => String.fromCharCode(97 + index).repeat(length);

function bellOf({ memories }: World, slot: number): SharedDoorbell {
  return new SharedDoorbell(new Int32Array(memories.bells!), slot * 2);
}

/** Goes through the plan of one channel as far as there is room. */
class Sending {
  readonly sender: RingSender;
  readonly #plan: RingData["plan"];
  #next = 0;
  #writer = codec.createWriter();

  constructor(sender: RingSender, { plan, before }: RingData) {
    this.sender = sender;
    this.#plan = plan;
    for (let index = 0; index < before; index += 1) sender.sendControl(ELEMENT.watermark, index);
  }

  get isDone(): boolean {
    return this.#next > this.#plan.length;
  }

  turn(): void {
    while (!this.isDone && this.#send()) this.#next += 1;
    if (this.isDone) this.sender.pump();
    this.sender.announce();
  }

  #send(): boolean {
    const what = this.#plan[this.#next];
    if (what === undefined) return this.sender.pump() && this.sender.sendControl(ELEMENT.end, this.#next);
    if (what === "watermark when free" && this.sender.ringAtRelease()) return false;
    if (typeof what === "string") return this.sender.sendControl(ELEMENT.watermark, this.#next);
    if (this.#writer.count === 0) this.#writer.append({ text: textAt(this.#next, what) }, this.#next);
    return this.sender.sendBatch(this.#writer);
  }
}

const sender =
  (channels: number): Actor =>
  (world) => {
    const data = world.data as RingData;
    const view = memoryView(world.memories.region!);
    const segments = Array.from({ length: data.segments }, (_, index) => index + 1);
    const stock = new SegmentStock({ view, segmentSize: data.segmentSize, segments, exclusive: 1 });
    const sendings = Array.from({ length: channels }, (_, channel) => {
      const memory = world.memories[`ring${channel}`]!;
      const receiver = bellOf(world, 1 + channel);
      return new Sending(new RingSender({ memory, stock, receiver, segmentsMax: data.segmentsMax }), data);
    });
    const loop = new TurnLoop({
      bell: bellOf(world, SENDER_BELL),
      turn: () => {
        for (const sending of sendings) sending.turn();
        return { busy: false, sleepMs: data.sleepMs };
      },
      isOver: () => sendings.every((sending) => sending.isDone),
      onOver: () => undefined,
      soon: world.soon,
    });
    return () => world.drive(() => loop.run());
  };

/** Checks that what comes is what was sent, in order, and stays as it is until it is released. */
class Receiving {
  readonly #world: World;
  readonly #receiver: RingReceiver;
  readonly #data: RingData;
  readonly #reader = codec.createReader();
  #seen: number;
  isDone = false;

  constructor(world: World, channel: number) {
    const data = world.data as RingData;
    this.#world = world;
    this.#data = data;
    this.#seen = 0 - data.before;
    this.#receiver = new RingReceiver({
      memory: world.memories[`ring${channel}`]!,
      view: memoryView(world.memories.region!),
      segmentSize: data.segmentSize,
      sender: bellOf(world, SENDER_BELL),
    });
  }

  turn(): boolean {
    const element = this.#receiver.poll();
    if (element === null) return false;
    const { kind, value, view, offset, size } = element;
    const what = this.#data.plan[this.#seen];
    if (this.#seen < 0 || typeof what === "string") {
      const expected = this.#seen < 0 ? this.#seen + this.#data.before : this.#seen;
      assert.deepEqual([kind, value], [ELEMENT.watermark, expected]);
    } else if (what === undefined) {
      assert.deepEqual([kind, value], [ELEMENT.end, this.#seen]);
      this.isDone = true;
    } else {
      assert.equal(kind, ELEMENT.batch);
      for (let look = 0; look < 2; look += 1) {
        this.#reader.open(view!, offset, size);
        assert.deepEqual(this.#reader.record(0), { text: textAt(this.#seen, what) });
        assert.equal(this.#reader.timestamp(0), this.#seen);
        this.#world.point();
      }
    }
    this.#seen += 1;
    this.#receiver.release();
    return true;
  }
}

const receiver =
  (channel: number): Actor =>
  (world) => {
    const receiving = new Receiving(world, channel);
    const loop = new TurnLoop({
      bell: bellOf(world, 1 + channel),
      turn: () => ({ busy: receiving.turn(), sleepMs: (world.data as RingData).sleepMs }),
      isOver: () => receiving.isDone,
      onOver: () => undefined,
      soon: world.soon,
    });
    return () => world.drive(() => loop.run());
  };

export const actors = { sender: sender(1), forTwo: sender(2), receiver: receiver(0), second: receiver(1) };

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryView } from "../base/memory-view.ts";
import { SeededRandom } from "../base/seeded-random.ts";
import { SimEnv } from "../testing/sim-env.ts";
import { SimLink } from "../testing/sim-link.ts";
import { compileBatchCodec } from "../types/batch/batch-codec.ts";
import type { TypeSpec } from "../types/spec/type-spec.ts";
import { dataLinkContract } from "./data-link.contract.ts";
import type { Doorbell } from "./data-link.ts";
import { ELEMENT } from "./element.ts";
import { LocalLink } from "./local-link.ts";
import { RingReceiver, RingSender, ringLinkMemory } from "./ring-link.ts";
import { SegmentStock } from "./segment-stock.ts";

const SEGMENT_SIZE = 4_096;
const TEXT_SPEC = { kind: "struct", fields: [{ name: "text", type: { kind: "string" } }] } as unknown as TypeSpec;

/** Two doorbells that count. */
function bells(): { rings: { sender: number; receiver: number }; sender: Doorbell; receiver: Doorbell } {
  const rings = { sender: 0, receiver: 0 };
  const bellOf = (side: keyof typeof rings): Doorbell => ({
    ring: () => {
      rings[side] += 1;
    },
  });
  return { rings, sender: bellOf("sender"), receiver: bellOf("receiver") };
}

dataLinkContract("local", {
  carries: "rows",
  make: () => {
    const { rings, sender, receiver } = bells();
    const link = new LocalLink({ sender, receiver });
    return { sender: link, receiver: link, rings, settle: async () => undefined, checkIdle: () => undefined };
  },
});

// Its counters wrap at 2^32, and change their sign at 2^31.
const STARTS: readonly (readonly [string, number])[] = [
  ["ring", 0],
  ["ring after 2^31 elements", 2 ** 31 - 2],
  ["ring after 2^32 elements", -2],
];
for (const [name, start] of STARTS)
  dataLinkContract(name, {
    carries: "batches",
    make: (seed) => {
      const { rings, sender, receiver } = bells();
      const segments = 1 + (seed % 4);
      const view = memoryView(new SharedArrayBuffer(SEGMENT_SIZE * segments));
      const stock = new SegmentStock({
        view,
        segmentSize: SEGMENT_SIZE,
        segments: Array.from({ length: segments }, (_, index) => index),
        exclusive: 1,
      });
      const memory = ringLinkMemory(start);
      const ringSender = new RingSender({
        memory,
        stock,
        receiver,
        segmentsMax: segments,
      });
      return {
        sender: ringSender,
        receiver: new RingReceiver({ memory, view, segmentSize: SEGMENT_SIZE, sender }),
        rings,
        settle: async () => undefined,
        checkIdle: () => {
          assert.ok(ringSender.pump());
          assert.equal(stock.free, segments, "every segment is back");
        },
      };
    },
  });

dataLinkContract("simulated", {
  carries: "batches",
  make: (seed) => {
    const { rings, sender, receiver } = bells();
    const env = new SimEnv({ seed });
    const link = new SimLink({
      env,
      random: new SeededRandom(seed),
      sender,
      receiver,
      delayMaxMs: 3,
      onArrival: () => undefined,
    });
    return { sender: link, receiver: link, rings, settle: () => env.advance(4), checkIdle: () => undefined };
  },
});

test("R3: a ring's consumer is rung for every fourth element, and for the rest when they are announced", () => {
  const { rings, receiver } = bells();
  const view = memoryView(new SharedArrayBuffer(SEGMENT_SIZE));
  const stock = new SegmentStock({ view, segmentSize: SEGMENT_SIZE, segments: [0], exclusive: 1 });
  const sender = new RingSender({ memory: ringLinkMemory(), stock, receiver, segmentsMax: 1 });
  const rung = Array.from({ length: 9 }, (_, index) => {
    sender.sendControl(ELEMENT.watermark, index);
    return rings.receiver;
  });
  assert.deepEqual(rung, [0, 0, 0, 1, 1, 1, 1, 2, 2]);
  sender.announce();
  sender.announce();
  assert.equal(rings.receiver, 3);
});

test("what travels in segments beyond 4 GiB of network memory arrives whole", () => {
  const far = 2 ** 32 / SEGMENT_SIZE + 1;
  const view = memoryView(new SharedArrayBuffer((far + 2) * SEGMENT_SIZE)); // Committed where it is written only.
  const memory = ringLinkMemory();
  const { sender: senderBell, receiver: receiverBell } = bells();
  const stock = new SegmentStock({ view, segmentSize: SEGMENT_SIZE, segments: [far, far + 1], exclusive: 2 });
  const sender = new RingSender({ memory, stock, receiver: receiverBell, segmentsMax: 2 });
  const receiver = new RingReceiver({ memory, view, segmentSize: SEGMENT_SIZE, sender: senderBell });
  const codec = compileBatchCodec(TEXT_SPEC, { timestamps: true, extraFields: "refuse" }, "far");
  for (const length of [10, 3 * SEGMENT_SIZE]) {
    const writer = codec.createWriter();
    writer.append({ text: "x".repeat(length) }, 7);
    assert.ok(sender.sendBatch(writer));
    let element = receiver.poll();
    for (let turn = 0; element === null && turn < 9; turn += 1) {
      sender.pump();
      element = receiver.poll();
    }
    const reader = codec.createReader();
    reader.open(element!.view!, element!.offset, element!.size);
    assert.deepEqual(reader.record(0), { text: "x".repeat(length) });
    receiver.release();
  }
});

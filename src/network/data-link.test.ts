import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryView } from "../base/memory-view.ts";
import { SeededRandom } from "../base/seeded-random.ts";
import { SimEnv } from "../testing/sim-env.ts";
import { SimLink } from "../testing/sim-link.ts";
import { dataLinkContract } from "./data-link.contract.ts";
import type { Doorbell } from "./data-link.ts";
import { ELEMENT } from "./element.ts";
import { LocalLink } from "./local-link.ts";
import { RingReceiver, RingSender, ringLinkMemory } from "./ring-link.ts";
import { SegmentStock } from "./segment-stock.ts";

const SEGMENT_SIZE = 4_096;

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

dataLinkContract("ring", {
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
    const memory = ringLinkMemory();
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

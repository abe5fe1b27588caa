import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryView } from "../../base/memory-view.ts";
import { ELEMENT } from "../../network/element.ts";
import type { LocalLink } from "../../network/local-link.ts";
import { ringLinkMemory } from "../../network/ring-link.ts";
import { type Ring, type TaskDescriptor, taskIdOf } from "../../protocol/slot-messages.ts";
import { SharedLinks } from "./links.ts";

const SEGMENT_SIZE = 4_096;

const channel = (from: number, to: number, peer = 0) => ({ edge: 0, from, to, attempt: 0, peer });

/** The sending subtask, whose output leads to others. */
const task = (subtask: number, ...to: number[]) => {
  const output = { edge: 0, channels: to.map((each) => channel(subtask, each)) };
  const of = { id: taskIdOf(0, subtask, 0), name: "task", vertex: 0, subtask, attempt: 0, inputs: [] };
  return [{ ...of, outputs: [output] } satisfies TaskDescriptor, output] as const;
};

type Rings = Readonly<Record<string, Ring>>;
type Wired = { readonly rings?: Rings; readonly segments?: readonly number[]; readonly segmentsPerChannel?: number };

function setUp() {
  const rung: number[] = [];
  const doorbells = [0, 1, 2].map((slot) => ({ ring: () => void rung.push(slot) }));
  const view = memoryView(new SharedArrayBuffer(8 * SEGMENT_SIZE));
  const locals = new Map<string, LocalLink>();
  const linksOf = (ownSlot: number, { rings = {}, segments = [], segmentsPerChannel = 1 }: Wired): SharedLinks =>
    new SharedLinks({
      locals,
      wiring: { rings: new Map(Object.entries(rings)), segments: new Map([["0/0/0/0", segments]]) },
      ...{ view, segmentSize: SEGMENT_SIZE, doorbells, ownSlot, recordBytesMax: 100_000 },
      ...{ segmentsPerChannel, segmentsPerChannelMax: 4 },
    });
  return { linksOf, rung, locals };
}

test("both ends of a channel inside a slot are one queue, and other channels are others", () => {
  const { linksOf, rung, locals } = setUp();
  const links = linksOf(1, {});
  const [sender] = links.senders(...task(1, 1));
  const receiver = links.receiver(channel(1, 1));
  assert.equal(locals.size, 0, "what has both ends waits for nobody");
  const others = [channel(1, 2), { ...channel(1, 1), attempt: 1 }].map((other) => links.receiver(other));
  assert.ok(sender?.sendRows({ rows: [{ id: 1 }], times: null, kinds: null, marks: null }));
  assert.deepEqual(rung, [1], "its own slot is rung");
  for (const other of others) assert.equal(other.poll(), null);
  assert.deepEqual(receiver.poll()?.rows, [{ id: 1 }]);
});

test("a channel between slots rings the slot at its other end, from both ends", () => {
  const { linksOf, rung } = setUp();
  const memory = ringLinkMemory();
  const links = linksOf(0, { rings: { "0/0/2/0": { memory, peer: 2 } }, segments: [0, 1] });
  const [sender] = links.senders(...task(0, 2));
  const receiver = linksOf(2, { rings: { "0/0/2/0": { memory, peer: 0 } } }).receiver(channel(0, 2));
  assert.ok(sender?.sendControl(ELEMENT.watermark, 7));
  sender?.announce();
  assert.deepEqual(rung, [2]);
  sender?.ringAtRelease();
  assert.equal(receiver.poll()?.value, 7);
  receiver.release();
  assert.deepEqual(rung, [2, 0]);
});

test("channels of one output share its segments, and each has its own beyond them", () => {
  const { linksOf } = setUp();
  const ring = (peer: number): Ring => ({ memory: ringLinkMemory(), peer });
  const rings = { "0/0/1/0": ring(1), "0/0/2/0": ring(2) };
  assert.equal(linksOf(0, { rings, segments: [0, 1] }).senders(...task(0, 1, 2)).length, 2);
  const tooFew = linksOf(0, { rings, segments: [0, 1, 2], segmentsPerChannel: 2 });
  assert.throws(() => tooFew.senders(...task(0, 1, 2)), { code: "ASSERTION" });
});

test("a batch is worth sending before it outgrows a segment", () => {
  const { batchBytesMax, recordBytesMax } = setUp().linksOf(0, {});
  assert.ok(batchBytesMax < SEGMENT_SIZE && batchBytesMax > SEGMENT_SIZE / 2, `${batchBytesMax}`);
  assert.equal(recordBytesMax, 100_000);
});

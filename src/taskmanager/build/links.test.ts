import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryView } from "../../base/memory-view.ts";
import { ELEMENT } from "../../network/element.ts";
import { ringLinkMemory } from "../../network/ring-link.ts";
import { SharedLinks } from "./links.ts";

const SEGMENT_SIZE = 4_096;

function setUp() {
  const rung: number[] = [];
  const doorbells = [0, 1, 2].map((slot) => ({ ring: () => void rung.push(slot) }));
  const view = memoryView(new SharedArrayBuffer(8 * SEGMENT_SIZE));
  const linksOf = (ownSlot: number, segmentsPerChannel = 1): SharedLinks =>
    new SharedLinks({
      ...{ view, segmentSize: SEGMENT_SIZE, doorbells, ownSlot, recordBytesMax: 100_000 },
      ...{ segmentsPerChannel, segmentsPerChannelMax: 4 },
    });
  return { linksOf, rung };
}

test("both ends of a link inside a slot are one queue, and other links are others", () => {
  const { linksOf, rung } = setUp();
  const links = linksOf(1);
  const [sender] = links.senders([{ kind: "local", id: "0/1/1" }], []);
  const receiver = links.receiver({ kind: "local", id: "0/1/1" });
  const other = links.receiver({ kind: "local", id: "0/1/2" });
  assert.ok(sender?.sendRows({ rows: [{ id: 1 }], times: null, kinds: null, marks: null }));
  assert.deepEqual(rung, [1], "its own slot is rung");
  assert.equal(other.poll(), null);
  assert.deepEqual(receiver.poll()?.rows, [{ id: 1 }]);
});

test("a link between slots rings the slot at its other end, from both ends", () => {
  const { linksOf, rung } = setUp();
  const memory = ringLinkMemory();
  const [sender] = linksOf(0).senders([{ kind: "ring", id: "0/0/2", memory, peer: 2 }], [0, 1]);
  const receiver = linksOf(2).receiver({ kind: "ring", id: "0/0/2", memory, peer: 0 });
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
  const ring = (id: string, peer: number) => ({ kind: "ring", id, memory: ringLinkMemory(), peer }) as const;
  const ends = [ring("0/0/1", 1), ring("0/0/2", 2)];
  assert.equal(linksOf(0).senders(ends, [0, 1]).length, 2);
  assert.throws(() => linksOf(0, 2).senders(ends, [0, 1, 2]), { code: "ASSERTION" });
});

test("a batch is worth sending before it outgrows a segment", () => {
  const { batchBytesMax, recordBytesMax } = setUp().linksOf(0);
  assert.ok(batchBytesMax < SEGMENT_SIZE && batchBytesMax > SEGMENT_SIZE / 2, `${batchBytesMax}`);
  assert.equal(recordBytesMax, 100_000);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { heapView } from "../base/memory-view.ts";
import { compileBatchCodec } from "../types/batch/batch-codec.ts";
import { ROW_KIND } from "../types/bytes/row-kind.ts";
import { t } from "../types/t.ts";
import type { DataSender, ReceivedElement } from "./data-link.ts";
import { ELEMENT } from "./element.ts";
import { LocalLink } from "./local-link.ts";
import { OutputChannel } from "./output-channel.ts";

const silent = { ring: () => undefined };

/** More than any batch by reference holds. */
const MANY = 2_000;

function setUp() {
  const link = new LocalLink({ sender: silent, receiver: silent });
  const channel = new OutputChannel({ sender: link, timestamps: true, counts: { batches: 0, bytes: 0 } });
  let staged = 0;
  /** Stages rows, and sends what is full, as the generated code does. */
  const stage = (count: number): void => {
    for (; count > 0; count -= 1) {
      staged += 1;
      if (channel.stageRow(staged, staged * 10)) channel.flush();
    }
  };
  const poll = (): ReceivedElement | null => {
    const element = link.poll();
    if (element === null) return null;
    const copy = { ...element };
    link.release();
    return copy;
  };
  return { channel, stage, poll, link };
}

/** Rows and times of what is received, and the kinds of what is no batch. */
function contents(elements: readonly ReceivedElement[]): { rows: unknown[]; times: number[]; others: unknown[] } {
  const rows = elements.flatMap((element) => element.rows ?? []);
  const times = elements.flatMap((element) => [...(element.times ?? [])]);
  const others = elements.flatMap(({ rows, kind, value }) => (rows === null ? [[kind, value]] : []));
  return { rows, times, others };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

test("rows by reference travel with their times, and stay as they were sent while others are staged", () => {
  const { channel, stage, poll, link } = setUp();
  stage(512); // One full batch.
  const first = link.poll() as ReceivedElement;
  const held = { rows: first.rows, times: first.times };
  stage(512);
  stage(3);
  assert.deepEqual(held.rows, upTo(512));
  assert.deepEqual([...(held.times ?? [])].slice(0, 3), [10, 20, 30]);
  assert.equal(held.times?.[511], 5_120);
  link.release();
  assert.ok(channel.flush());
  const rest = [poll(), poll()].filter((element) => element !== null);
  assert.deepEqual(contents(rest).rows, upTo(1_027).slice(512));
  assert.deepEqual(
    contents(rest).times,
    upTo(1_027)
      .slice(512)
      .map((row) => row * 10),
  );
});

test("C2: what is staged beyond the room of the link keeps its times, however much it is", () => {
  const { channel, stage, poll } = setUp();
  stage(4 * 512 + MANY);
  assert.equal(channel.flush(), false);
  assert.equal(channel.stagedRecords(), MANY);
  const received: ReceivedElement[] = [];
  for (let element = poll(); element !== null; element = poll()) {
    received.push(element);
    channel.flush();
  }
  const { rows, times } = contents(received);
  assert.deepEqual(rows, upTo(4 * 512 + MANY));
  assert.deepEqual(
    times,
    rows.map((row) => (row as number) * 10),
  );
});

test("C6: kinds stay as they were sent while others are staged, and inserts alone carry none", () => {
  const { channel, poll, link } = setUp();
  channel.stageChange(1, 10, ROW_KIND.delete);
  assert.ok(channel.flush());
  const held = link.poll()?.kinds;
  channel.stageChange(2, 20, ROW_KIND.updateAfter);
  assert.deepEqual([...(held ?? [])], [ROW_KIND.delete]);
  link.release();
  assert.ok(channel.flush());
  assert.deepEqual([...(poll()?.kinds ?? [])], [ROW_KIND.updateAfter]);
  channel.stageChange(3, 30, ROW_KIND.insert);
  assert.ok(channel.flush());
  assert.equal(poll()?.kinds, null);
});

test("C6: each of the records behind a change has its kind, also beyond the room of the link", () => {
  const { channel, stage, poll } = setUp();
  stage(4 * 512); // All the room there is.
  channel.stageChange(0, 0, ROW_KIND.delete);
  for (let index = 0; index < MANY; index += 1) channel.stageChange(index, 0, ROW_KIND.insert);
  assert.equal(channel.flush(), false);
  for (let index = 0; index < 4; index += 1) poll();
  assert.ok(channel.flush());
  const kinds = poll()?.kinds ?? [];
  assert.deepEqual([...kinds], [ROW_KIND.delete, ...new Array(MANY).fill(ROW_KIND.insert)]);
});

test("C1: a watermark, a word of idleness and the end wait behind rows that have no room, though they had some", () => {
  const { channel, stage, poll, link } = setUp();
  stage(4 * 512 + 1);
  channel.setWatermark(7);
  channel.setIdle(true);
  assert.equal(channel.flush(), false);
  assert.equal(channel.end(), false);
  assert.equal(link.inFlight(), 4, "nothing but the batches");
  assert.equal(poll()?.rows?.length, 512);
  assert.equal(channel.end(), true);
  const received: ReceivedElement[] = [];
  for (let element = poll(); element !== null; element = poll()) received.push(element);
  assert.equal(received[3]?.rows?.length, 1);
  assert.deepEqual(contents(received.slice(4)).others, [
    [ELEMENT.watermark, 7],
    [ELEMENT.idle, 1],
    [ELEMENT.end, 0],
  ]);
});

test("C7: what the receiver wants in flight is not passed, but one batch always goes; a batch is a quarter of it", () => {
  const { channel, stage, poll, link } = setUp();
  link.setAppetite(13);
  channel.flush(); // Hears it.
  assert.equal(channel.batchRecordsMax, 3);
  stage(100);
  assert.deepEqual([link.recordsInFlight(), channel.stagedRecords()], [12, 88]);
  assert.ok(channel.refused && channel.isFull(1_000));
  assert.equal(poll()?.rows?.length, 3);
  assert.equal(channel.flush(), false, "88 are more than it wants");
  for (let left = 3; left > 0; left -= 1) poll();
  assert.ok(channel.flush(), "nothing is in flight");
  assert.equal(link.recordsInFlight(), 88);
  link.setAppetite(1_000_000);
  stage(512);
  channel.flush();
  assert.equal(channel.batchRecordsMax, 512);
});

test("C7: until the receiver has said what it wants, it is what the channel was told; the receiver rings at a release", () => {
  const rings: string[] = [];
  const link = new LocalLink({ sender: { ring: () => rings.push("sender") }, receiver: silent });
  const counts = { batches: 0, bytes: 0 };
  const channel = new OutputChannel({ sender: link, timestamps: false, counts, appetiteAtFirst: 8 });
  for (let n = 0; n < 10; n += 1) if (channel.stageRow(n, NaN)) channel.flush();
  assert.deepEqual([link.recordsInFlight(), channel.stagedRecords()], [8, 2]);
  link.poll();
  assert.deepEqual(rings, []);
  link.release();
  assert.deepEqual(rings, ["sender"]);
  assert.ok(channel.flush());
});

test("C5: a mark keeps its place among the rows, the last one at each, and travels again behind them", () => {
  const { channel, stage, poll } = setUp();
  channel.mark(1);
  channel.mark(5);
  stage(2);
  channel.mark(15);
  stage(1);
  channel.flush();
  stage(1);
  channel.flush();
  const [first, watermark, second] = [poll(), poll(), poll()];
  assert.deepEqual(first?.rows, [1, 2, 3]);
  assert.deepEqual(first?.marks, [0, 5, 2, 15]);
  assert.deepEqual([watermark?.kind, watermark?.value], [ELEMENT.watermark, 15]);
  assert.deepEqual([second?.rows, second?.marks], [[4], null]);
});

test("C5: a mark before the first record of a shape is before it in its batch, whether it came before the shape or not", () => {
  for (const order of ["mark first", "shape first", "another shape first"] as const) {
    const marks: number[][] = [];
    const sender: DataSender = {
      kind: "ring",
      sendSchema: () => true,
      sendRows: () => assert.fail(),
      sendBatch: (writer) => {
        const view = heapView(writer.encodedSize());
        const reader = codec.createReader();
        reader.open(view, 0, writer.encode(view, 0));
        marks.push([...reader.marks]);
        return true;
      },
      sendControl: () => true,
      pump: () => true,
      announce: () => undefined,
      inFlight: () => 0,
      recordsInFlight: () => 0,
      appetite: () => 0,
      outUsage: () => 0,
      ringAtRelease: () => false,
    };
    const codec = compileBatchCodec(t.struct({ n: t.f64 }).spec, { timestamps: true, extraFields: "refuse" });
    const channel = new OutputChannel({ sender, timestamps: true, counts: { batches: 0, bytes: 0 } });
    if (order === "another shape first") channel.setCodec(codec, "a");
    if (order !== "shape first") channel.mark(7);
    channel.setCodec(codec, "b");
    if (order === "shape first") channel.mark(7);
    channel.writer?.append({ n: 1 }, 1);
    channel.writer?.append({ n: 2 }, 2);
    channel.mark(9);
    assert.ok(channel.flush());
    assert.deepEqual(marks, [[0, 7, 2, 9]], order);
  }
});

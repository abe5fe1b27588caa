// The ring between real threads: shared memory, doorbells, sleeping and waking as in slots.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { memoryView } from "../../src/base/memory-view.ts";
import { DOORBELL_WORDS, SharedDoorbell } from "../../src/network/doorbell.ts";
import { ELEMENT } from "../../src/network/element.ts";
import { RingReceiver, ringLinkMemory } from "../../src/network/ring-link.ts";
import { compileBatchCodec } from "../../src/types/batch/batch-codec.ts";
import { RING_SPEC, type RingSetup, textOf } from "./fixtures/ring-setup.ts";

const CHANNELS = 3;
const SEGMENTS = 12;
const SEGMENT_SIZE = 4_096;

test("100,000 batches over three rings between two threads arrive once, whole and in order, large ones included", async () => {
  const setup: RingSetup = {
    region: new SharedArrayBuffer(SEGMENTS * SEGMENT_SIZE),
    memories: Array.from({ length: CHANNELS }, () => ringLinkMemory()),
    doorbells: new SharedArrayBuffer(2 * DOORBELL_WORDS * 4),
    segmentSize: SEGMENT_SIZE,
    segments: Array.from({ length: SEGMENTS }, (_, index) => index),
    batches: 100_000,
    seed: 17,
  };
  const words = new Int32Array(setup.doorbells);
  const own = new SharedDoorbell(words, 0);
  const sender = new SharedDoorbell(words, DOORBELL_WORDS);
  const view = memoryView(setup.region);
  const codec = compileBatchCodec(RING_SPEC, { timestamps: true, extraFields: "refuse" }, "ring receiver");
  const receivers = setup.memories.map(
    (memory) => new RingReceiver({ memory, view, segmentSize: SEGMENT_SIZE, sender }),
  );
  const reader = codec.createReader();
  const lastIds = receivers.map(() => -1);
  const seen = { rows: 0, idSum: 0, batches: 0, ended: 0, total: 0, largest: 0 };

  const check = (index: number, channel: number): void => {
    const { id, text } = reader.record(index) as { id: number; text: string };
    if (id <= lastIds[channel]! || text !== textOf(id) || reader.timestamp(index) !== id) {
      assert.fail(`record ${id} "${text}" after ${lastIds[channel]} in channel ${channel}`);
    }
    lastIds[channel] = id;
    seen.rows += 1;
    seen.idSum += id;
  };
  const takeOne = (receiver: RingReceiver, channel: number): boolean => {
    const element = receiver.poll();
    if (element === null) return false;
    if (element.kind === ELEMENT.batch) {
      reader.open(element.view!, element.offset, element.size);
      seen.batches += 1;
      seen.largest = Math.max(seen.largest, element.size);
      for (let i = 0; i < reader.count; i += 1) check(i, channel);
    } else if (element.kind === ELEMENT.watermark) {
      assert.equal(element.value, lastIds[channel]! + 1, "a watermark follows the batch that it was sent after");
    } else {
      seen.ended += 1;
      seen.total = element.value;
    }
    receiver.release();
    return true;
  };
  const take = (): boolean => receivers.filter(takeOne).length > 0;

  await using thread = threadOf(setup);
  while (seen.ended < CHANNELS) {
    if (take()) continue;
    assert.ok(!thread.ended || take(), "the sender ended before it had sent everything");
    const counter = own.fallAsleep();
    if (!take()) await own.wait(counter, 100);
    own.wakeUp();
  }
  assert.equal(seen.batches, setup.batches);
  assert.equal(seen.rows, seen.total);
  assert.equal(seen.idSum, (seen.total * (seen.total - 1)) / 2);
  assert.ok(seen.largest > SEGMENTS * SEGMENT_SIZE, `the largest batch had ${seen.largest} bytes only`);
});

function threadOf(setup: RingSetup): AsyncDisposable & { readonly ended: boolean } {
  const url = new URL("./fixtures/ring-sender-worker.ts", import.meta.url);
  const worker = new Worker(url, { workerData: { setup, index: 0 }, execArgv: ["--conditions=millrace-source"] });
  worker.on("error", (error) => {
    throw error;
  });
  let ended = false;
  worker.on("exit", () => {
    ended = true;
  });
  return {
    get ended() {
      return ended;
    },
    [Symbol.asyncDispose]: async () => void (await worker.terminate()),
  };
}

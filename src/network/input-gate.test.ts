import assert from "node:assert/strict";
import { test } from "node:test";
import { InternalError } from "../base/errors.ts";
import { memoryView } from "../base/memory-view.ts";
import { SeededRandom } from "../base/seeded-random.ts";
import { compileBatchCodec } from "../types/batch/batch-codec.ts";
import { ShapeLearner } from "../types/shapes/shape-learner.ts";
import { selectFirst } from "./channel-selector.ts";
import type { ReceivedElement } from "./data-link.ts";
import { ELEMENT } from "./element.ts";
import { InputGate } from "./input-gate.ts";
import { LocalLink } from "./local-link.ts";
import { ResultPartition } from "./result-partition.ts";
import { RingReceiver, RingSender, ringLinkMemory } from "./ring-link.ts";
import { SegmentStock } from "./segment-stock.ts";

const silent = { ring: () => undefined };
const compile = (spec: never, options: never) => compileBatchCodec(spec, options, `gate test ${Math.random()}`);

function localGate(ports: readonly (0 | 1)[]) {
  const links = ports.map(() => new LocalLink({ sender: silent, receiver: silent }));
  const channels = links.map((receiver, index) => ({ receiver, port: ports[index]!, codec: null }));
  return { links, gate: new InputGate(channels, compile as never) };
}

test("G1: channels take turns, so that a busy one starves no other", () => {
  const { links, gate } = localGate([0, 0, 1]);
  for (const [index, link] of links.entries())
    for (let i = 0; i < 2; i += 1) link.sendRows({ rows: [index], times: null, kinds: null, marks: null });
  const order: number[] = [];
  const into: { element: ReceivedElement | null } = { element: null };
  for (let channel = gate.poll(into); channel !== null; channel = gate.poll(into)) {
    order.push(gate.channels.indexOf(channel));
    channel.receiver.release();
  }
  assert.deepEqual(order, [0, 1, 2, 0, 1, 2]);
});

test("a channel that has ended is not polled again, and does not end twice", () => {
  const { links, gate } = localGate([0, 0]);
  links[0]!.sendControl(ELEMENT.end, 0);
  const into: { element: ReceivedElement | null } = { element: null };
  const channel = gate.poll(into)!;
  gate.onEnd(channel);
  channel.receiver.release();
  assert.equal(gate.open, 1);
  assert.throws(() => gate.onEnd(channel), { code: "ASSERTION" });
  assert.deepEqual(
    gate.channels.map((other) => other.indexInPort),
    [0, 1],
  );
});

test("G2: two senders whose learned shapes change at different times are each read in their own shape", () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const random = new SeededRandom(seed);
    const senders = [0, 1].map((index) => ringEnds(`seed ${seed} sender ${index}`));
    const gate = new InputGate(
      senders.map(({ receiver }) => ({ receiver, port: 0 as const, codec: null })),
      compile as never,
    );
    const sent: unknown[][] = [[], []];
    const received: unknown[][] = [[], []];
    const into: { element: ReceivedElement | null } = { element: null };
    const readOne = (): boolean => readBatch(gate, into, received);
    for (let id = 0; id < 200; id += 1) {
      const which = random.below(2);
      const record = recordOfSomeShape(random, id);
      senders[which]!.partition.emit(record, 0);
      sent[which]!.push(record);
      senders[which]!.partition.flushSome(id, true);
      while (random.next() < 0.5) readOne();
    }
    for (let idle = 0; idle < 2; ) {
      for (const { partition } of senders) partition.flushSome(1e6, true);
      idle = readOne() ? 0 : idle + 1;
    }
    assert.deepEqual(received, sent, `SEED=${seed}`);
  }
});

function recordOfSomeShape(random: SeededRandom, id: number): Record<string, unknown> {
  if (random.next() < 0.5) return { id };
  return { id, [`f${random.below(4)}`]: random.next() < 0.5 ? id : "text" };
}

/** Adds the records of one batch to those `received` on its channel; false when there is none. */
function readBatch(gate: InputGate, into: { element: ReceivedElement | null }, received: unknown[][]): boolean {
  const channel = gate.poll(into);
  if (channel === null) return false;
  const reader = channel.reader!;
  reader.open(into.element!.view!, into.element!.offset, into.element!.size);
  for (let i = 0; i < reader.count; i += 1) received[gate.channels.indexOf(channel)]!.push(reader.record(i));
  channel.receiver.release();
  return true;
}

function ringEnds(name: string) {
  const view = memoryView(new SharedArrayBuffer(4 * 4_096));
  const stock = new SegmentStock({ view, segmentSize: 4_096, segments: [0, 1, 2, 3], exclusive: 2 });
  const memory = ringLinkMemory();
  const sender = new RingSender({ memory, stock, receiver: silent, segmentsMax: 4 });
  const partition = new ResultPartition({
    name,
    senders: [sender],
    selector: selectFirst,
    timestamps: true,
    shape: new ShapeLearner({ timestamps: true }, name),
    status: { full: false },
    batchBytesMax: 3_000,
    bufferTimeoutMs: 10,
    overdraftRecordsMax: 1_000,
    recordBytesMax: 100_000,
    refusal: {
      misfit: () => new InternalError("REFUSED", "refused"),
      tooLarge: () => new InternalError("REFUSED", "refused"),
    },
  });
  return { partition, receiver: new RingReceiver({ memory, view, segmentSize: 4_096, sender: silent }) };
}

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { heapView } from "../base/memory-view.ts";
import { SegmentStock } from "./segment-stock.ts";

const view = heapView(8);

test("S1: whatever the others hold, a channel can always take its exclusive segments", () => {
  const plan = fc.record({
    channels: fc.integer({ min: 1, max: 5 }),
    exclusive: fc.integer({ min: 0, max: 3 }),
    floating: fc.integer({ min: 0, max: 6 }),
    steps: fc.array(fc.record({ channel: fc.nat(), take: fc.boolean() }), { maxLength: 200 }),
  });
  fc.assert(
    fc.property(plan, ({ channels, exclusive, floating, steps }) => {
      const total = channels * exclusive + floating;
      const segments = Array.from({ length: total }, (_, index) => index);
      const stock = new SegmentStock({ view, segmentSize: 8, segments, exclusive });
      const held: number[][] = Array.from({ length: channels }, () => []);
      for (const _ of held) stock.addChannel(() => undefined);
      for (const { channel, take } of steps) {
        const mine = held[channel % channels]!;
        if (take) tryTake(stock, mine);
        else tryPut(stock, mine);
        const out = held.flat();
        assert.equal(new Set(out).size, out.length, "no segment is out twice");
        assert.equal(stock.free + out.length, total);
        for (const channel of held) assert.ok(channel.length >= exclusive || stock.canTake(channel.length));
      }
    }),
  );
});

function tryTake(stock: SegmentStock, held: number[]): void {
  if (stock.canTake(held.length)) held.push(stock.take(held.length));
}

function tryPut(stock: SegmentStock, held: number[]): void {
  if (held.length > 0) stock.put(held.shift()!, held.length);
}

test("what a quiet channel's receiver has released serves the others", () => {
  const stock = new SegmentStock({ view, segmentSize: 8, segments: [0, 1, 2], exclusive: 1 });
  const taken: number[] = [];
  let released = false;
  stock.addChannel(() => {
    if (released) while (taken.length > 0) stock.put(taken.pop()!, taken.length);
  });
  stock.addChannel(() => undefined);
  while (stock.canTake(taken.length)) taken.push(stock.take(taken.length));
  assert.equal(taken.length, 2);
  stock.take(0);
  assert.equal(stock.canTake(1), false);
  released = true;
  assert.equal(stock.canTake(1), true);
});

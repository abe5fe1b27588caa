import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { WatermarkCombiner } from "./watermark-combiner.ts";
import { WatermarkGenerator } from "./watermark-generator.ts";

describe("the combined watermark of several channels", () => {
  type Step = { kind: "watermark" | "idle" | "active" | "end"; channel: number; value: number };
  const steps = fc.array(
    fc.record({
      kind: fc.constantFrom<Step["kind"]>("watermark", "watermark", "watermark", "idle", "active", "end"),
      channel: fc.integer({ min: 0, max: 3 }),
      value: fc.integer({ min: -5, max: 50 }),
    }),
    { maxLength: 60 },
  );

  test("W1 to W3: it is the least over the active channels, and never goes back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), steps, (channels, plan) => {
        const combiner = new WatermarkCombiner(channels);
        const model = Array.from({ length: channels }, () => ({ watermark: -Infinity, idle: false, ended: false }));
        let before = -Infinity;
        for (const { kind, channel: index, value } of plan) {
          const channel = model[index];
          if (channel === undefined || channel.ended) continue;
          if (kind === "watermark") {
            combiner.onWatermark(index, value);
            channel.watermark = Math.max(channel.watermark, value);
            channel.idle = false;
          } else if (kind === "end") {
            combiner.onEnd(index);
            channel.ended = true;
          } else {
            combiner.onIdle(index, kind === "idle");
            channel.idle = kind === "idle";
          }
          const active = model.filter((other) => !other.idle && !other.ended);
          const least = Math.min(...active.map((other) => other.watermark));
          const expected = active.length === 0 ? before : Math.max(before, least);
          assert.equal(combiner.watermark, expected);
          assert.equal(combiner.idle, active.length === 0 && model.some((other) => other.idle && !other.ended));
          before = combiner.watermark;
        }
      }),
    );
  });

  test("W2: a finished channel does not drag the others to the end of time", () => {
    const combiner = new WatermarkCombiner(2);
    combiner.onWatermark(0, 10);
    combiner.onWatermark(1, 5);
    combiner.onEnd(1);
    assert.equal(combiner.watermark, 10);
    combiner.onEnd(0);
    assert.equal(combiner.watermark, 10);
  });
});

describe("watermarks made from event times", () => {
  test("B1: without splits, the watermark is the greatest event time less the bound and one", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1 }), fc.nat({ max: 50 }), (times, bound) => {
        const generator = new WatermarkGenerator({ outOfOrderMs: bound, idleMs: Infinity });
        let greatest = -Infinity;
        for (const [index, time] of times.entries()) {
          generator.observe(time);
          greatest = Math.max(greatest, time);
          assert.equal(generator.watermark(index), greatest - bound - 1);
        }
      }),
    );
  });

  test("B1 to B3: over random splits, idleness and departures it holds to the slowest split and never goes back", () => {
    const step = fc.record({
      kind: fc.constantFrom("observe", "observe", "observe", "enter", "leave", "wait"),
      split: fc.constantFrom("a", "b", "c"),
      value: fc.integer({ min: 0, max: 100 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (plan) => {
        const idleMs = 10;
        const generator = new WatermarkGenerator({ outOfOrderMs: 3, idleMs });
        const open = new Map<string, { greatest: number; atMs: number; idle: boolean }>();
        let current: string | null = null;
        let nowMs = 0;
        let expected = -Infinity;
        for (const { kind, split, value } of plan) {
          if (kind === "enter") {
            if (!open.has(split)) open.set(split, { greatest: -Infinity, atMs: nowMs, idle: false });
            generator.enterSplit(split);
            current = split;
          } else if (kind === "leave" && current !== null && open.has(split) && open.size > 1) {
            generator.leaveSplit(split);
            open.delete(split);
            if (current === split) {
              current = [...open.keys()][0]!;
              generator.enterSplit(current);
            }
          } else if (kind === "observe" && current !== null) {
            generator.observe(value);
            const clock = open.get(current)!;
            clock.greatest = Math.max(clock.greatest, value);
            clock.atMs = nowMs;
            clock.idle = false;
          } else if (kind === "wait") {
            nowMs += value;
          }
          if (current === null) continue;
          const watermark = generator.watermark(nowMs);
          for (const clock of open.values()) if (nowMs - clock.atMs >= idleMs) clock.idle = true;
          const active = [...open.values()].filter((clock) => !clock.idle);
          const least = Math.min(...active.map((clock) => clock.greatest));
          if (active.length > 0) expected = Math.max(expected, least - 4);
          assert.equal(watermark, expected);
          assert.equal(generator.idle, active.length === 0);
          const next = Math.min(...active.map((clock) => clock.atMs + idleMs), Infinity);
          assert.equal(generator.nextCheckMs(), next);
        }
      }),
      { numRuns: 500 },
    );
  });
});

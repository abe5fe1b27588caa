import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { unreachable } from "../../base/errors.ts";
import { ByteCursor, ByteSink } from "../../types/bytes/byte-buffer.ts";
import type { ByteReader, ByteWriter } from "../../types/bytes/codec.ts";
import { WatermarkCombiner } from "./watermark-combiner.ts";
import { WatermarkGenerator } from "./watermark-generator.ts";

type ChannelStep = {
  readonly kind: "watermark" | "idle" | "active" | "end";
  readonly channel: number;
  readonly value: number;
};

/** What W1 to W3 say, computed anew from all channels. */
class CombinerModel {
  /** Never goes back. */
  watermark = -Infinity;
  readonly #channels: { watermark: number; idle: boolean; ended: boolean }[];

  constructor(channels: number) {
    this.#channels = Array.from({ length: channels }, () => ({ watermark: -Infinity, idle: false, ended: false }));
  }

  isOpen(index: number): boolean {
    return this.#channels[index]?.ended === false;
  }

  get idle(): boolean {
    return this.#active().length === 0 && this.#channels.some((channel) => channel.idle && !channel.ended);
  }

  step({ kind, channel: index, value }: ChannelStep): void {
    const channel = this.#channels[index]!;
    if (kind === "watermark") channel.watermark = Math.max(channel.watermark, value);
    if (kind === "end") channel.ended = true;
    else channel.idle = kind === "idle";
    const active = this.#active().map((other) => other.watermark);
    if (active.length > 0) this.watermark = Math.max(this.watermark, Math.min(...active));
    if (this.idle) this.watermark = Math.max(this.watermark, ...this.#channels.map((other) => other.watermark));
  }

  #active() {
    return this.#channels.filter((channel) => !channel.idle && !channel.ended);
  }
}

function stepCombiner(combiner: WatermarkCombiner, { kind, channel, value }: ChannelStep): void {
  if (kind === "watermark") combiner.onWatermark(channel, value);
  else if (kind === "end") combiner.onEnd(channel);
  else combiner.onIdle(channel, kind === "idle");
}

describe("the combined watermark of several channels", () => {
  const steps = fc.array(
    fc.record({
      kind: fc.constantFrom<ChannelStep["kind"]>("watermark", "watermark", "watermark", "idle", "active", "end"),
      channel: fc.integer({ min: 0, max: 3 }),
      value: fc.integer({ min: -5, max: 50 }),
    }),
    { maxLength: 60 },
  );

  test("W1 to W3: it is the least over the active channels, and never goes back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), steps, (channels, plan) => {
        const combiner = new WatermarkCombiner(channels);
        const model = new CombinerModel(channels);
        for (const step of plan) {
          if (!model.isOpen(step.channel)) continue;
          stepCombiner(combiner, step);
          model.step(step);
          assert.equal(combiner.watermark, model.watermark);
          assert.equal(combiner.idle, model.idle);
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

  test("W3: when all are idle it is where the furthest has been, whichever fell idle last, and though one has ended", () => {
    for (const [first, last] of [
      [0, 1],
      [1, 0],
    ] as const) {
      for (const lastDoes of ["idle", "end"] as const) {
        const combiner = new WatermarkCombiner(2);
        combiner.onWatermark(0, 100);
        combiner.onWatermark(1, 50);
        combiner.onIdle(first, true);
        if (lastDoes === "idle") combiner.onIdle(last, true);
        else combiner.onEnd(last);
        assert.deepEqual([combiner.watermark, combiner.idle], [100, true], `${first} first, ${last} ${lastDoes}`);
      }
    }
  });
});

type SplitStep = {
  readonly kind: "observe" | "enter" | "leave" | "wait";
  readonly split: string;
  readonly value: number;
};

const OUT_OF_ORDER_MS = 3;
const IDLE_MS = 10;

/** Where the model is while it has none of the splits. */
const NONE = "none";

/** What B1 to B4 say, computed anew from all open splits. */
class SplitsModel {
  nowMs = 0;
  /** Split that records belong to. */
  current = NONE;
  /** Never goes back. */
  watermark = -Infinity;
  #greatest = -Infinity;
  readonly #open = new Map<string, { greatest: number; atMs: number; idle: boolean }>();

  constructor() {
    this.enter(NONE);
  }

  enter(split: string): void {
    this.#open.delete(NONE);
    if (!this.#open.has(split)) this.#open.set(split, { greatest: -Infinity, atMs: this.nowMs, idle: false });
    this.current = split;
  }

  canLeave(split: string): boolean {
    return this.#open.has(split);
  }

  /** Returns the split to enter instead; null: the current one was not left, or there is no other. */
  leave(split: string): string | null {
    this.#open.delete(split);
    if (this.#open.size === 0) this.enter(NONE);
    return this.current === split ? [...this.#open.keys()][0]! : null;
  }

  observe(timeMs: number): void {
    const clock = this.#open.get(this.current)!;
    clock.greatest = Math.max(clock.greatest, timeMs);
    this.#greatest = Math.max(this.#greatest, timeMs);
    clock.atMs = this.nowMs;
    clock.idle = false;
  }

  /** Lets splits turn idle by now, and the watermark follow the others. */
  advance(): void {
    for (const clock of this.#open.values()) if (this.nowMs - clock.atMs >= IDLE_MS) clock.idle = true;
    const greatest = this.#active().map((clock) => clock.greatest);
    const reached = greatest.length > 0 ? Math.min(...greatest) : this.#greatest;
    this.watermark = Math.max(this.watermark, reached - OUT_OF_ORDER_MS - 1);
  }

  get idle(): boolean {
    return this.#active().length === 0;
  }

  nextCheckMs(): number {
    return Math.min(...this.#active().map((clock) => clock.atMs + IDLE_MS), Infinity);
  }

  #active() {
    return [...this.#open.values()].filter((clock) => !clock.idle);
  }
}

/** Does one step to the generator and its model; one that is not possible now does nothing. */
function stepSplits(generator: WatermarkGenerator, model: SplitsModel, { kind, split, value }: SplitStep): void {
  switch (kind) {
    case "enter":
      enterSplit(generator, model, split);
      break;
    case "leave":
      if (model.canLeave(split)) leaveSplit(generator, model, split);
      break;
    case "observe":
      observe(generator, model, value);
      break;
    case "wait":
      model.nowMs += value;
      break;
    default:
      unreachable(kind);
  }
}

function enterSplit(generator: WatermarkGenerator, model: SplitsModel, split: string): void {
  generator.enterSplit(split);
  model.enter(split);
}

function leaveSplit(generator: WatermarkGenerator, model: SplitsModel, split: string): void {
  generator.leaveSplit(split);
  const next = model.leave(split);
  if (next !== null) enterSplit(generator, model, next);
}

function observe(generator: WatermarkGenerator, model: SplitsModel, timeMs: number): void {
  generator.observe(timeMs);
  model.observe(timeMs);
}

describe("watermarks made from event times", () => {
  test("B1: without splits, the watermark is the greatest event time less the bound and one", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1 }),
        fc.nat({ max: 50 }),
        (times, bound) => {
          const generator = new WatermarkGenerator({ outOfOrderMs: bound, idleMs: Infinity });
          let greatest = -Infinity;
          for (const [index, time] of times.entries()) {
            generator.observe(time);
            greatest = Math.max(greatest, time);
            assert.equal(generator.watermark(index), greatest - bound - 1);
          }
        },
      ),
    );
  });

  test("B1 to B4: over random splits, idleness and departures it holds to the slowest split and never goes back", () => {
    const step = fc.record({
      kind: fc.constantFrom<SplitStep["kind"]>("observe", "observe", "observe", "enter", "leave", "wait"),
      split: fc.constantFrom("a", "b", "c"),
      value: fc.integer({ min: 0, max: 100 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (plan) => {
        const generator = new WatermarkGenerator({ outOfOrderMs: OUT_OF_ORDER_MS, idleMs: IDLE_MS });
        const model = new SplitsModel();
        generator.watermark(model.nowMs); // A task asks before it has a split.
        for (const step of plan) {
          stepSplits(generator, model, step);
          model.advance();
          assert.equal(generator.watermark(model.nowMs), model.watermark);
          assert.equal(generator.idle, model.idle);
          assert.equal(generator.nextCheckMs(), model.nextCheckMs());
        }
      }),
      { numRuns: 500 },
    );
  });

  test("B4: who has no split yet, or has left its last, is idle after `idleMs` and not at once, until the next split", () => {
    const generator = new WatermarkGenerator({ outOfOrderMs: 0, idleMs: 10 });
    const at = (nowMs: number) => [generator.watermark(nowMs), generator.idle, generator.nextCheckMs()];
    assert.deepEqual(at(0), [-Infinity, false, 10]);
    assert.deepEqual(at(9), [-Infinity, false, 10]);
    assert.deepEqual(at(10), [-Infinity, true, Infinity]);
    generator.enterSplit("a");
    assert.deepEqual(at(20), [-Infinity, false, 30]);
    generator.observe(5);
    generator.leaveSplit("a");
    assert.deepEqual(at(25), [4, false, 35]);
    assert.deepEqual(at(35), [4, true, Infinity]);
    generator.enterSplit("b");
    assert.deepEqual(at(40), [4, false, 50]);
  });

  test("B2: the last record of an idle split counts, though the split is left with it", () => {
    const generator = new WatermarkGenerator({ outOfOrderMs: 0, idleMs: 10 });
    generator.watermark(0);
    generator.enterSplit("a");
    generator.watermark(0);
    generator.watermark(10);
    generator.observe(5);
    generator.leaveSplit("a");
    assert.equal(generator.watermark(11), 4);
  });

  test("B2: a split that was idle holds back from its next record on, for who asks among the records as well", () => {
    const generator = new WatermarkGenerator({ outOfOrderMs: 0, idleMs: 100 });
    for (const split of ["a", "b"]) generator.addSplit(split);
    generator.watermark(0);
    generator.enterSplit("b");
    generator.observe(1_000);
    assert.equal(generator.watermark(150), 999, "a is idle");
    generator.enterSplit("a");
    generator.observe(1_500);
    generator.enterSplit("b");
    generator.observe(3_000);
    assert.equal(generator.reached(1_000), 1_499);
  });

  test("B2: when all splits are idle the watermark is where the furthest has been, whichever fell idle last", () => {
    for (const lasting of ["ahead", "behind"]) {
      const generator = new WatermarkGenerator({ outOfOrderMs: 0, idleMs: 10 });
      const observe = (split: string): void => {
        generator.enterSplit(split);
        generator.observe(split === "ahead" ? 100 : 50);
      };
      observe("ahead");
      observe("behind");
      assert.equal(generator.watermark(0), 49);
      observe(lasting);
      generator.watermark(9);
      generator.watermark(10);
      assert.equal(generator.idle, false);
      assert.equal(generator.watermark(19), 99, `${lasting} falls idle last`);
      assert.equal(generator.idle, true);
    }
  });

  test("B6: a bounded source is not idle, however long it waits for a split or for records", () => {
    const generator = new WatermarkGenerator({ outOfOrderMs: 0, idleMs: 10, bounded: true });
    const at = (nowMs: number) => [generator.watermark(nowMs), generator.idle, generator.nextCheckMs()];
    assert.deepEqual(at(0), [-Infinity, false, Infinity]);
    assert.deepEqual(at(100), [-Infinity, false, Infinity]);
    generator.addSplit("a");
    assert.deepEqual(at(100), [-Infinity, false, Infinity]);
    assert.deepEqual(at(110), [-Infinity, false, Infinity]);
    generator.enterSplit("a");
    generator.observe(5);
    generator.leaveSplit("a");
    assert.deepEqual(at(200), [4, false, Infinity]);
    assert.deepEqual(at(900), [4, false, Infinity]);
  });

  test("B3: a split holds everything back from when it is given, though its reader is still at another", () => {
    const generator = new WatermarkGenerator({ outOfOrderMs: 0, idleMs: Infinity });
    generator.addSplit("a");
    generator.addSplit("b");
    generator.observe(5); // By a reader that does not say of which: it has one split.
    assert.equal(generator.watermark(0), -Infinity);
    generator.leaveSplit("b");
    assert.equal(generator.watermark(0), 4);
  });

  test("B5: while it is held there is no watermark and nobody is idle; then what was seen counts, and idleness begins", () => {
    const generator = new WatermarkGenerator({ outOfOrderMs: 0, idleMs: 10, held: true });
    const at = (nowMs: number) => [generator.watermark(nowMs), generator.idle, generator.nextCheckMs()];
    generator.addSplit("a");
    generator.observe(5);
    assert.deepEqual(at(0), [-Infinity, false, Infinity]);
    assert.deepEqual(at(100), [-Infinity, false, Infinity]);
    generator.leaveSplit("a");
    generator.addSplit("b");
    generator.observe(7);
    assert.deepEqual(at(200), [-Infinity, false, Infinity]);
    generator.release();
    assert.deepEqual(at(300), [6, false, 310]);
    assert.deepEqual(at(310), [6, true, Infinity]);
  });
});

type Snapshotted = { snapshot(out: ByteWriter): void; restore(input: ByteReader): void };

function restoreFrom<T extends Snapshotted>(into: T, ...from: readonly Snapshotted[]): T {
  for (const each of from) {
    const out = new ByteSink();
    each.snapshot(out);
    const input = new ByteCursor(out.copy());
    into.restore(input);
    assert.equal(input.position, out.position, "all of the snapshot is read");
  }
  return into;
}

/** Two generators of the same input: one of them is restored now and then, from itself. */
class Twins {
  readonly #make: () => WatermarkGenerator;
  readonly #whole: WatermarkGenerator;
  #other: WatermarkGenerator;
  readonly #open = new Set<string>();

  constructor(follows: boolean) {
    this.#make = () => new WatermarkGenerator({ outOfOrderMs: 3, idleMs: Infinity, follows });
    this.#whole = this.#make();
    this.#other = this.#make();
  }

  observe(value: number): void {
    if (this.#open.size > 0) this.#both((each) => each.observe(value));
  }

  enter(split: string): void {
    this.#open.add(split);
    this.#both((each) => each.enterSplit(split));
  }

  leave(split: string): void {
    if (!this.#open.delete(split)) return;
    this.#both((each) => each.behind(split));
    this.#both((each) => each.leaveSplit(split));
    this.#enterFirst();
  }

  restore(): void {
    this.#other = restoreFrom(this.#make(), this.#other);
    for (const split of this.#open) this.#other.addSplit(split);
    this.#enterFirst();
  }

  check(): void {
    if (this.#open.size > 0) this.#both((each) => each.current.nextStepMs);
    this.#both((each) => [each.reached(10), each.watermark(0), each.greatest]);
  }

  #enterFirst(): void {
    for (const first of [...this.#open].slice(0, 1)) this.#both((each) => each.enterSplit(first));
  }

  #both(act: (each: WatermarkGenerator) => unknown): void {
    assert.deepEqual(act(this.#other), act(this.#whole));
  }
}

describe("a generator and a combiner that are restored", () => {
  test("B7: go on as if nothing had been, wherever the snapshot is taken: watermarks, steps, and what is behind", () => {
    const step = fc.record({
      kind: fc.constantFrom(
        "observe" as const,
        "observe" as const,
        "enter" as const,
        "leave" as const,
        "restore" as const,
      ),
      split: fc.constantFrom("a", "b", "c"),
      value: fc.integer({ min: 0, max: 100 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (plan, follows) => {
        const twins = new Twins(follows);
        for (const { kind, split, value } of plan) {
          if (kind === "observe") twins.observe(value);
          else if (kind === "restore") twins.restore();
          else twins[kind](split);
          twins.check();
        }
      }),
      { numRuns: 500 },
    );
  });

  test("B7: of several begin with the least, and hold to the clocks of the splits that come to them", () => {
    const reading = (split: string, time: number) => {
      const generator = new WatermarkGenerator({ outOfOrderMs: 0, idleMs: Infinity });
      generator.addSplit(split);
      generator.observe(time);
      generator.watermark(0);
      return generator;
    };
    const before = [reading("a", 100), reading("b", 50)];
    for (const order of [before, [...before].reverse()]) {
      const after = restoreFrom(new WatermarkGenerator({ outOfOrderMs: 0, idleMs: Infinity }), ...order);
      assert.deepEqual([after.watermark(0), after.greatest], [49, 100]);
      after.addSplit("a");
      assert.equal(after.watermark(0), 99);
      const both = restoreFrom(new WatermarkGenerator({ outOfOrderMs: 0, idleMs: Infinity }), ...order);
      for (const split of ["a", "b"]) both.addSplit(split);
      assert.equal(both.watermark(0), 49);
    }
  });

  test("B7: a split that was idle still is, one that was not has its time again, and a held one waits", () => {
    const options = { outOfOrderMs: 0, idleMs: 10 };
    const before = new WatermarkGenerator(options);
    for (const split of ["a", "b"]) before.addSplit(split);
    before.watermark(0);
    before.enterSplit("b");
    before.observe(5);
    assert.equal(before.watermark(10), 4, "a is idle");
    const after = restoreFrom(new WatermarkGenerator(options), before);
    for (const split of ["a", "b"]) after.addSplit(split);
    after.enterSplit("b");
    after.observe(7);
    assert.deepEqual([after.watermark(1_000), after.idle, after.nextCheckMs()], [6, false, 1_010]);
    const held = restoreFrom(new WatermarkGenerator({ ...options, held: true }), before);
    held.addSplit("b");
    held.observe(9);
    assert.equal(held.watermark(0), 4);
  });

  test("B7: splits that follow others go on from the least of what was left, so that none is behind for the restore", () => {
    const options = { outOfOrderMs: 0, idleMs: Infinity, follows: true };
    const before = [300, 100].map((time, index) => {
      const generator = new WatermarkGenerator(options);
      generator.addSplit(`${index}`);
      generator.observe(time);
      generator.leaveSplit(`${index}`);
      return generator;
    });
    const after = restoreFrom(new WatermarkGenerator(options), ...before);
    after.addSplit("next");
    after.observe(150);
    assert.deepEqual([after.watermark(0), after.behind("next"), after.greatest], [149, null, 300]);
  });

  test("W4: begin with the least watermark, never go back, and know how far any channel had come", () => {
    const combined = (...watermarks: readonly number[]) => {
      const combiner = new WatermarkCombiner(watermarks.length);
      for (const [channel, watermark] of watermarks.entries()) combiner.onWatermark(channel, watermark);
      return combiner;
    };
    const before = [combined(10, 30), combined(20, 40)];
    for (const order of [before, [...before].reverse()]) {
      const after = restoreFrom(new WatermarkCombiner(3), ...order);
      assert.deepEqual([after.watermark, after.greatest, after.idle], [10, 40, false]);
      for (const channel of [0, 1, 2]) after.onWatermark(channel, 5);
      assert.equal(after.watermark, 10);
      after.onWatermark(0, 25);
      for (const channel of [1, 2]) after.onEnd(channel);
      assert.equal(after.watermark, 25);
      after.onIdle(0, true);
      assert.deepEqual([after.watermark, after.idle], [40, true], "a channel that had ended counts");
    }
  });
});

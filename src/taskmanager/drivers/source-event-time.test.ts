// Which records of a bounded source are late: the real coordinator, drivers and watermarks, in any order that a run can
// have.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { SeededRandom } from "../../base/seeded-random.ts";
import { WatermarkCombiner } from "../../operators/event-time/watermark-combiner.ts";
import type { PollResult, SourceOutput, SourceReader, SourceSplit, SplitEnumerator } from "../../operators/source.ts";
import { EventTimeDriver } from "./event-time-driver.ts";
import { SourceCoordinator } from "./source-coordinator.ts";
import { SourceDriver } from "./source-driver.ts";

type Input = {
  /** Event times, by file and position. */
  readonly files: readonly (readonly number[])[];
  readonly rangeSize: number;
  readonly parallelism: number;
  readonly outOfOrderMs: number;
  readonly inTimeOrder: boolean;
  readonly seed: number;
};

type Range = { readonly file: number; readonly from: number; readonly to: number };

/** Subtasks of a bounded source and its coordinator, with messages that take their time. */
class Reading {
  readonly #input: Input;
  readonly #random: SeededRandom;
  readonly #coordinator: SourceCoordinator;
  readonly #subtasks: Subtask[];
  readonly #combiner: WatermarkCombiner;
  /** Greatest event time before each record of its stream. */
  readonly #before: readonly (readonly number[])[];
  readonly late: string[] = [];
  emitted = 0;
  readonly advanced = new Set<number>();

  constructor(input: Input) {
    const { files, rangeSize, parallelism, inTimeOrder, seed } = input;
    this.#input = input;
    this.#random = new SeededRandom(seed);
    const ranges = files.flatMap((times, file) =>
      Array.from({ length: Math.ceil(times.length / rangeSize) }, (_, index): Range => {
        return { file, from: index * rangeSize, to: Math.min(times.length, (index + 1) * rangeSize) };
      }),
    );
    this.#coordinator = new SourceCoordinator({
      enumerator: rangesOf(ranges),
      source: { bounded: true, streams: inTimeOrder ? "one" : "several" },
      operator: "in",
      failed: (error) => {
        throw error;
      },
    });
    let before = -Infinity;
    this.#before = files.map((times) => {
      if (!inTimeOrder) before = -Infinity;
      return times.map((time) => {
        const was = before;
        before = Math.max(before, time);
        return was;
      });
    });
    this.#combiner = new WatermarkCombiner(parallelism);
    this.#subtasks = Array.from({ length: parallelism }, (_, index) => {
      return new Subtask(index, {
        times: files,
        outOfOrderMs: input.outOfOrderMs,
        emit: (file, at, watermark) => this.#onRecord(file, at, watermark),
        request: (request) => this.#coordinator.request({ subtask: index, ...request }),
      });
    });
  }

  async run(): Promise<void> {
    await this.#coordinator.start();
    for (let open = this.#subtasks; open.length > 0; open = open.filter(({ ended }) => !ended)) {
      const subtask = open[this.#random.below(open.length)]!;
      const watermark = subtask.act(this.#random);
      if (watermark > -Infinity) this.#combiner.onWatermark(subtask.index, watermark);
      if (subtask.ended) this.#combiner.onEnd(subtask.index);
      if (this.#combiner.watermark > -Infinity) this.advanced.add(this.emitted);
    }
  }

  /** A record is late only when one before it in its own stream makes it so, whoever reads what when. */
  #onRecord(file: number, at: number, watermark: number): void {
    this.emitted += 1;
    const { files, outOfOrderMs } = this.#input;
    const time = files[file]![at]!;
    const bound = this.#before[file]![at]! - outOfOrderMs - 1;
    const where = `record ${at} of file ${file} at ${time}`;
    assert.ok(watermark <= bound, `${where}: the watermark ${watermark} of its subtask has passed ${bound}`);
    assert.ok(this.#combiner.watermark <= bound, `${where}: the watermark has passed ${bound}`);
    if (time <= this.#combiner.watermark) this.late.push(where);
  }
}

function rangesOf(ranges: Range[]): SplitEnumerator {
  return {
    start: async () => undefined,
    next: () => {
      const range = ranges.shift();
      return range === undefined ? null : { id: `${range.file}@${range.from}`, position: range };
    },
    onlyFollows: ({ position }) => ranges.every(({ file }) => file === (position as Range).file),
    addBack: () => undefined,
    snapshot: () => null,
    restore: () => undefined,
    close: async () => undefined,
  };
}

type SubtaskOptions = {
  readonly times: readonly (readonly number[])[];
  readonly outOfOrderMs: number;
  readonly emit: (file: number, at: number, watermark: number) => void;
  readonly request: (request: { answer: (splits: readonly SourceSplit[] | null) => void; release: () => void }) => void;
};

class Subtask {
  readonly index: number;
  ended = false;
  readonly #time: EventTimeDriver;
  readonly #driver: SourceDriver;
  readonly #messages: (() => void)[] = [];
  #started = false;
  /** Time passes between polls, so that splits whose turn has not come are silent for long. */
  #nowMs = 0;

  constructor(index: number, { times, outOfOrderMs, emit, request }: SubtaskOptions) {
    this.index = index;
    const time = new EventTimeDriver({
      uid: "time",
      outOfOrderMs,
      idleMs: 20,
      stepMs: 1_000,
      onlySteps: false,
      live: false,
      order: "splits",
      bounded: true,
      unit: "ms",
      field: null,
      shownField: null,
      onBehind: null,
      onMisfit: null,
    });
    let splits: SourceSplit[] = [];
    let noMore = false;
    const reader: SourceReader<unknown> = {
      addSplit: (split) => void splits.push(split),
      noMoreSplits: () => {
        noMore = true;
      },
      poll: (output: SourceOutput<unknown>, limit: number): PollResult => {
        const [split] = splits;
        if (split === undefined) return noMore ? "end" : "wait";
        const { file, from, to } = split.position as Range;
        output.enterSplit(split.id);
        const stop = Math.min(to, from + limit);
        for (let at = from; at < stop; at += 1) output.offer([file, at], NaN);
        splits = stop === to ? [] : [{ ...split, position: { file, from: stop, to } }];
        if (stop === to) output.leaveSplit(split.id);
        return "more";
      },
      snapshot: () => splits,
      close: async () => undefined,
    };
    this.#time = time;
    this.#driver = new SourceDriver({
      uid: "in",
      clock: { nowMs: () => 0, monotonicMs: () => 0 },
      reader,
      indexed: null,
      policy: "fail",
      bounded: true,
      batch: false,
      output: {
        offer: (record) => {
          const [file, at] = record as [number, number];
          emit(file, at, time.watermark(this.#nowMs));
          time.assign(times[file]![at], record);
          return true;
        },
      },
      invalid: { offer: () => true },
      counts: { add: () => undefined },
      splits: {
        add: (split) => time.addSplit(split),
        enter: (split) => time.enterSplit(split),
        leave: (split) => time.leaveSplit(split),
        release: () => time.release(),
      },
      requestSplit: () =>
        request({
          answer: (splits) => void this.#messages.push(() => this.#driver.onSplits(splits)),
          release: () => void this.#messages.push(() => this.#driver.release()),
        }),
    });
  }

  /** Starts, takes a message or reads on; the watermark after it. */
  act(random: SeededRandom): number {
    if (!this.#started) {
      if (random.below(4) > 0) return -Infinity; // Its slot is still loading the job.
      this.#started = true;
      this.#driver.start();
    }
    this.#nowMs += random.below(15);
    if (random.below(2) === 0) this.#messages.shift()?.();
    else if (this.#driver.poll(1 + random.below(4)) === "end") this.ended = true;
    return this.#time.watermark(this.#nowMs);
  }
}

describe("event time of a bounded source", () => {
  /** Files whose records are out of order by no more than `outOfOrderMs`, or by anything. */
  const inputs = (orderly: boolean) =>
    fc
      .record({
        steps: fc.array(fc.array(fc.integer({ min: -20, max: 40 }), { maxLength: 12 }), { minLength: 1, maxLength: 5 }),
        starts: fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 5, maxLength: 5 }),
        rangeSize: fc.integer({ min: 1, max: 13 }),
        parallelism: fc.integer({ min: 1, max: 4 }),
        inTimeOrder: fc.boolean(),
        seed: fc.nat(),
      })
      .map(({ steps, starts, ...rest }): Input => {
        let time = 0;
        const files = steps.map((file, index) => {
          if (!rest.inTimeOrder) time = starts[index]!;
          return file.map((step) => {
            time += orderly ? Math.abs(step) : step;
            return orderly ? time - (Math.abs(step) % 11) : time;
          });
        });
        return { ...rest, files, outOfOrderMs: 10 };
      });

  test("no record is late for the order of files and ranges, their size, the parallelism, or who was slow", async () => {
    await fc.assert(
      fc.asyncProperty(inputs(true), async (input) => {
        const reading = new Reading(input);
        await reading.run();
        assert.deepEqual(reading.late, []);
        assert.equal(reading.emitted, input.files.flat().length);
      }),
      { numRuns: 400 },
    );
  });

  test("what is late is late for a record before it in its own file, or in a file before it where files follow one another", async () => {
    await fc.assert(
      fc.asyncProperty(inputs(false), async (input) => {
        const reading = new Reading(input);
        await reading.run(); // Asserts for each record.
        assert.equal(reading.emitted, input.files.flat().length);
      }),
      { numRuns: 400 },
    );
  });

  const rising = (from: number) => Array.from({ length: 100 }, (_, index) => from + index);
  const example = { rangeSize: 10, parallelism: 2, outOfOrderMs: 0, inTimeOrder: false, seed: 7 };

  test("one file gives watermarks while it is read, and files that follow one another while later ones wait", async () => {
    for (const input of [
      { ...example, files: [rising(0)] },
      { ...example, files: [rising(0), rising(100), rising(200)], inTimeOrder: true },
    ]) {
      const reading = new Reading(input);
      await reading.run();
      assert.ok(
        Math.min(...reading.advanced) < 50,
        `the first watermark came after ${[...reading.advanced][0]} records`,
      );
    }
  });

  test("of several files there is a watermark as soon as the last has been begun, and not before", async () => {
    const reading = new Reading({ ...example, files: [rising(0), rising(0), rising(0)], parallelism: 1 });
    await reading.run();
    const first = Math.min(...reading.advanced);
    assert.ok(first > 200 && first < 210, `the first watermark came after ${first} records`);
  });
});

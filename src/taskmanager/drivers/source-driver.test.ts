import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { generate } from "../../connectors/datagen/index.ts";
import { WatermarkGenerator } from "../../operators/event-time/watermark-generator.ts";
import { sourceContract } from "../../operators/source.contract.ts";
import type {
  IndexedSource,
  InvalidPolicy,
  InvalidRow,
  PollResult,
  Source,
  SourceOutput,
  SourceReader,
  SourceReaderContext,
  SourceSplit,
} from "../../operators/source.ts";
import { simWorld } from "../../testing/world.ts";
import { SourceCoordinator } from "./source-coordinator.ts";
import { SourceDriver } from "./source-driver.ts";

type Poll = (output: SourceOutput<unknown>, splits: SourceSplit[]) => PollResult;

type Driven = {
  readonly bounded?: boolean;
  readonly addSplit?: () => void;
  readonly policy?: InvalidPolicy;
  readonly invalid?: (row: unknown) => boolean;
  readonly onInvalid?: (issues: readonly string[]) => void;
};

/** A reader that keeps the splits it is given, and the driver of it with what the driver asked for. */
function driven(poll: Poll, { bounded = true, addSplit, policy = "fail", invalid, onInvalid }: Driven = {}) {
  const splits: SourceSplit[] = [];
  const reader: SourceReader<unknown> = {
    addSplit: addSplit ?? ((given) => void splits.push(given)),
    noMoreSplits: () => undefined,
    poll: (output) => poll(output, splits),
    snapshot: () => splits,
    close: async () => undefined,
  };
  const seen = { records: [] as unknown[], requests: 0, left: [] as string[] };
  const driver = new SourceDriver({
    uid: "in",
    clock: { nowMs: () => 0, monotonicMs: () => 0 },
    reader,
    indexed: null,
    policy,
    bounded,
    batch: false,
    output: {
      offer: (record) => {
        seen.records.push(record);
        return true;
      },
    },
    invalid: { offer: (row) => invalid?.(row) ?? true },
    counts: { add: (issues) => onInvalid?.(issues) },
    splits: {
      add: () => undefined,
      enter: () => undefined,
      leave: (split) => void seen.left.push(split),
      release: () => undefined,
    },
    requestSplit: () => {
      seen.requests += 1;
    },
  });
  driver.start();
  return { driver, seen, splits };
}

/** Reads a split in one poll, and then says "end" without leaving it. */
const endsEachSplit: Poll = (output, splits) => {
  const split = splits.shift();
  if (split !== undefined) output.offer(split.id, NaN);
  return "end";
};

const split = (id: string): SourceSplit => ({ id, position: null });

describe("D3: what a reader forgets", () => {
  test("`end` leaves the splits that were given, asks for the next, and ends the source when there are no more", () => {
    const { driver, seen } = driven(endsEachSplit);
    assert.equal(driver.poll(10), "wait");
    driver.onSplits([split("a")]);
    assert.equal(driver.poll(10), "wait");
    assert.deepEqual([seen.left, seen.requests], [["a"], 2]);
    driver.onSplits([split("b")]);
    assert.equal(driver.poll(10), "wait");
    driver.onSplits(null);
    assert.equal(driver.poll(10), "end");
    assert.deepEqual(seen, { records: ["a", "b"], requests: 3, left: ["a", "b"] });
  });

  test("a reader that waits without a split, and will get none, is at its end", () => {
    const leaves: Poll = (output, splits) => {
      const next = splits.shift();
      if (next !== undefined) output.leaveSplit(next.id);
      return "wait";
    };
    for (const bounded of [true, false]) {
      const { driver } = driven(leaves, { bounded });
      driver.onSplits([split("a")]);
      assert.equal(driver.poll(10), "wait");
      driver.onSplits(null);
      assert.equal(driver.poll(10), "end");
    }
    const splitless = driven(() => "wait", { bounded: false }).driver;
    splitless.onSplits(null);
    assert.equal(splitless.poll(10), "wait", "an endless source may have no splits at all");
    const without = driven(() => "wait", { bounded: true }).driver;
    without.onSplits(null);
    assert.equal(without.poll(10), "end", "a bounded one without any has ended");
  });

  test("a split that is neither left nor in the snapshot of a reader that waits fails, and says what to do", () => {
    const forgets: Poll = (output, splits) => {
      const next = splits.shift();
      if (next === undefined) return "wait";
      output.enterSplit(next.id);
      return "more";
    };
    const { driver } = driven(forgets);
    driver.onSplits([split("a")]);
    assert.equal(driver.poll(10), "more");
    assert.throws(() => driver.poll(10), {
      code: "SOURCE_SPLIT_NOT_LEFT",
      operator: "in",
      fix: /call output\.leaveSplit\("a"\)/,
    });
  });

  test("a reader that waits for more of a split is left alone", () => {
    const { driver } = driven(() => "wait");
    driver.onSplits([split("a")]);
    assert.equal(driver.poll(10), "wait");
  });
});

describe("D4: what a source says of event time", () => {
  function telling(options: { bounded: boolean; batch: boolean }) {
    const said: string[] = [];
    const reader: SourceReader<unknown> = {
      addSplit: () => undefined,
      noMoreSplits: () => undefined,
      poll: () => "wait",
      watermark: () => 7,
      snapshot: () => [split("a"), split("b")],
      close: async () => undefined,
    };
    const driver = new SourceDriver({
      uid: "in",
      clock: { nowMs: () => 0, monotonicMs: () => 0 },
      reader,
      indexed: null,
      policy: "fail",
      ...options,
      output: { offer: () => true },
      invalid: { offer: () => true },
      counts: { add: () => undefined },
      splits: {
        add: (id) => said.push(`add ${id}`),
        enter: (id) => said.push(`enter ${id}`),
        leave: (id) => said.push(`leave ${id}`),
        release: () => said.push("release"),
      },
      requestSplit: () => undefined,
    });
    return { driver, said };
  }

  test("a bounded source makes no watermark before it is released, or knows that there is no more; in batch mode never", () => {
    for (const [bounded, batch, held, after] of [
      [true, false, -Infinity, 7],
      [false, false, 7, 7],
      [true, true, -Infinity, -Infinity],
    ] as const) {
      for (const act of ["released", "told that there is no more"]) {
        const { driver } = telling({ bounded, batch });
        driver.onSplits([split("a")]);
        assert.equal(driver.watermark(), held);
        if (act === "released") driver.release();
        else driver.onSplits(null);
        assert.equal(driver.watermark(), after, `bounded ${bounded}, batch ${batch}, ${act}`);
      }
    }
  });

  test("a split counts from when the reader has got it, and not from when it gets to it", () => {
    const { driver, said } = telling({ bounded: true, batch: false });
    driver.onSplits([split("a")]);
    driver.onSplits([split("b")]);
    driver.release();
    assert.deepEqual(said, ["add a", "add b", "release"]);
  });
});

describe("what a reader does wrong is an error of its own", () => {
  test("splits that it does not have", () => {
    for (const act of ["enterSplit", "leaveSplit"] as const) {
      const { driver } = driven((output) => {
        output[act]("b");
        return "more";
      });
      driver.onSplits([split("a")]);
      assert.throws(() => driver.poll(10), {
        code: "SOURCE_SPLIT_UNKNOWN",
        message: /"b", which is none of its splits/,
      });
    }
  });

  test("a poll that gives none of the three answers, such as one that is asynchronous", () => {
    const { driver } = driven((async () => "more") as unknown as Poll);
    assert.throws(() => driver.poll(10), { code: "SOURCE_POLL_RESULT", message: /gave a promise/ });
  });

  test("what it throws, wherever it does, is told with the source and the error as the cause", () => {
    const cause = new TypeError("no page");
    const fails = (): never => {
      throw cause;
    };
    const expected = { code: "SOURCE_FAILED", message: 'the source "in" threw TypeError: no page', cause };
    assert.throws(() => driven(fails).driver.poll(10), expected);
    const { driver } = driven(() => "wait", { addSplit: fails });
    driver.onSplits([split("a")]);
    assert.throws(() => driver.poll(10), expected);
  });

  test("an enumerator whose `next` gives nothing", () => {
    const failures: unknown[] = [];
    const enumerator = {
      start: async () => undefined,
      next: () => undefined as unknown as null,
      addBack: () => undefined,
      snapshot: () => null,
      restore: () => undefined,
      close: async () => undefined,
    };
    const coordinator = new SourceCoordinator({
      enumerator,
      source: { bounded: true },
      operator: "in",
      failed: (error) => failures.push(error),
    });
    return coordinator.start().then(() => {
      coordinator.request({ subtask: 0, answer: () => assert.fail("an answer"), release: () => undefined });
      assert.equal((failures[0] as { code?: string }).code, "SOURCE_SPLIT_INVALID");
      assert.equal((failures[0] as { operator?: string }).operator, "in");
    });
  });
});

/** The driver of an indexed source as a reader: it is polled as a task does, its loop is a plain one. */
function drivenReader<T>(source: IndexedSource<T>, context: SourceReaderContext): SourceReader<T> {
  let output: SourceOutput<T> | null = null;
  const { clock, timers } = context.env;
  const driver = new SourceDriver({
    uid: context.uid,
    clock,
    reader: source.createReader(context),
    indexed: source,
    policy: source.invalid,
    bounded: source.bounded,
    batch: false,
    output: { offer: () => assert.fail("its records come from the loop") },
    invalid: { offer: () => true },
    counts: { add: () => undefined },
    splits: {
      add: () => undefined,
      enter: (split) => output?.enterSplit(split),
      leave: (split) => output?.leaveSplit(split),
      release: () => undefined,
    },
    requestSplit: () => undefined,
  });
  driver.loop = (step, _times, from, to) => {
    let index = from;
    for (let room = true; room && index < to; index += step as number) {
      room = output?.offer(source.generate(index), NaN) === true;
    }
    return index;
  };
  return {
    addSplit: (split) => driver.onSplits([split]),
    noMoreSplits: () => driver.onSplits(null),
    poll: (given, limit) => {
      output = given;
      const result = driver.poll(limit);
      const nextMs = driver.nextPollMs();
      if (result === "wait" && nextMs < Infinity) timers.after(nextMs - clock.nowMs(), context.wake);
      return result;
    },
    snapshot: () => driver.snapshot(),
    close: () => driver.close(),
  };
}

function throughDriver<T>(source: IndexedSource<T>): Source<T> {
  return { ...source, createReader: (context) => drivenReader(source, context) };
}

const indexes = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

for (const rate of [undefined, 5_000]) {
  sourceContract(
    `an indexed source through its driver, ${rate === undefined ? "as fast as possible" : "with a rate"}`,
    () => {
      const source = generate(500, (index) => index, rate === undefined ? {} : { rate });
      return { source: throughDriver(source), world: simWorld(1), expected: indexes(500) };
    },
  );
}

describe("a row that is not valid", () => {
  const row = { raw: "x", issues: ["no number", "too short"], file: "a.csv", line: 3 };
  const invalidBy = (policy: InvalidPolicy, room: boolean, bad: InvalidRow = row) => {
    const aside: unknown[] = [];
    const counts: (readonly string[])[] = [];
    const given: boolean[] = [];
    const { driver } = driven(
      (output) => {
        given.push(output.invalid(bad));
        return "more";
      },
      { policy, invalid: (one) => aside.push(one) > 0 && room, onInvalid: (issues) => void counts.push(issues) },
    );
    driver.onSplits([split("a")]);
    return { poll: () => driver.poll(10), aside, counted: () => counts.length, counts, given };
  };

  test("fails the task with its place and all that is wrong, unless it is to be skipped or set aside", () => {
    const failing = invalidBy("fail", true);
    assert.throws(failing.poll, {
      code: "ROW_INVALID",
      operator: "in",
      message: "a.csv:3: no number; too short in 'x'",
      fix: /^mend the row, or read on with invalid: "skip"/,
    });
    for (const [issue, option] of [
      ["bytes that are not UTF-8 (see the option `encoding`)", "encoding"],
      ["not JSON: ends early; if the file is one JSON array, say `array: true`", "array"],
    ]) {
      const { poll } = invalidBy("fail", true, { ...row, issues: ["odd", issue ?? ""] });
      assert.throws(poll, { fix: new RegExp(`^give the source the option \`${option}\`, mend the row, `) });
    }
    assert.deepEqual([failing.aside, failing.counted()], [[], 0]);
  });

  test("that is skipped is counted, and the reader goes on; one that is set aside may fill the output", () => {
    const skipped = invalidBy("skip", true);
    skipped.poll();
    assert.deepEqual([skipped.given, skipped.aside, skipped.counts], [[true], [], [row.issues]]);
    for (const room of [true, false]) {
      const aside = invalidBy("side", room);
      aside.poll();
      assert.deepEqual([aside.given, aside.aside, aside.counted()], [[room], [row], 1]);
    }
  });
});

describe("D2: the splits of an indexed source", () => {
  /** A reader with the splits `ids`, what it gives at the time of each poll, and the watermarks of that. */
  function reading(source: IndexedSource<number>, subtask: number, ...ids: readonly string[]) {
    const { env } = simWorld(1);
    const { mark, observe, count, gauge } = { mark: () => {}, observe: () => {}, count: () => {}, gauge: () => {} };
    const metrics = { mark, observe, count, gauge };
    const generator = new WatermarkGenerator({ outOfOrderMs: 0, idleMs: Infinity });
    const reader = drivenReader(source, {
      env,
      disk: env.disk,
      uid: "in",
      subtaskIndex: subtask,
      parallelism: 1,
      metrics,
      wake: () => {},
    });
    for (const id of ids) reader.addSplit({ id, position: Number.parseInt(id, 10) });
    reader.noMoreSplits();
    const given: number[] = [];
    const output: SourceOutput<number> = {
      offer: (record) => {
        generator.observe(record);
        return given.push(record) > 0;
      },
      invalid: () => true,
      enterSplit: (split) => generator.enterSplit(split),
      leaveSplit: (split) => generator.leaveSplit(split),
    };
    const poll = (limit: number): PollResult => reader.poll(output, limit);
    return { env, poll, take: () => given.splice(0), watermark: () => generator.watermark(env.clock.nowMs()) };
  }

  test("of a restore with fewer subtasks go on in step: no record is late for the watermark before it", () => {
    const { poll, take, watermark } = reading(
      generate(1_000, (index) => index),
      0,
      "0/3",
      "1/3",
      "2/3",
    );
    let reached = watermark();
    const seen: number[] = [];
    while (poll(10) !== "end") {
      const records = take();
      seen.push(...records);
      assert.ok(Math.min(...records) > reached, `${records} after the watermark ${reached}`);
      assert.ok(Math.max(...records) - seen.length < 60, `${records} after ${seen.length} records`);
      reached = watermark();
    }
    assert.deepEqual(
      seen.sort((left, right) => left - right),
      indexes(1_000),
    );
  });

  test("that are none fail the task", () => {
    const source = generate(10, (index) => index);
    assert.throws(() => reading(source, 0, "a").poll(10), /not an indexed split: a/);
  });

  test("record n is due n / rate seconds after record 0, whichever subtask has it", async () => {
    const source = generate(10, (index) => index, { rate: 10 });
    for (const [subtask, ids, due] of [
      [0, ["0/2"], [[0], [], [2], [], [4]]],
      [1, ["1/2"], [[], [1], [], [3], []]],
      [0, ["0/2", "1/2"], [[0], [1], [2], [3], [4]]],
    ] as const) {
      const { env, poll, take } = reading(source, subtask, ...ids);
      for (const records of due) {
        while (poll(10) === "more");
        assert.deepEqual(take(), records, `subtask ${subtask} with ${ids}`);
        await env.advance(100);
      }
    }
  });
});

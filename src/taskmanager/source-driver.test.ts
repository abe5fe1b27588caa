import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { PollResult, SourceOutput, SourceReader, SourceSplit } from "../operators/source.ts";
import { SourceCoordinator } from "./source-coordinator.ts";
import { SourceDriver } from "./source-driver.ts";

type Poll = (output: SourceOutput<unknown>, splits: SourceSplit[]) => PollResult;

/** A reader that keeps the splits it is given, and the driver of it with what the driver asked for. */
function driven(poll: Poll, { bounded = true, addSplit }: { bounded?: boolean; addSplit?: () => void } = {}) {
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
    policy: "fail",
    bounded,
    output: {
      offer: (record) => {
        seen.records.push(record);
        return true;
      },
    },
    invalid: { offer: () => true },
    onInvalid: () => undefined,
    splits: { enter: () => undefined, leave: (split) => void seen.left.push(split) },
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
    driver.onSplit(split("a"));
    assert.equal(driver.poll(10), "wait");
    assert.deepEqual([seen.left, seen.requests], [["a"], 2]);
    driver.onSplit(split("b"));
    assert.equal(driver.poll(10), "wait");
    driver.onSplit(null);
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
      driver.onSplit(split("a"));
      assert.equal(driver.poll(10), "wait");
      driver.onSplit(null);
      assert.equal(driver.poll(10), "end");
    }
    const splitless = driven(() => "wait", { bounded: false }).driver;
    splitless.onSplit(null);
    assert.equal(splitless.poll(10), "wait", "an endless source may have no splits at all");
  });

  test("a split that is neither left nor in the snapshot of a reader that waits fails, and says what to do", () => {
    const forgets: Poll = (output, splits) => {
      const next = splits.shift();
      if (next === undefined) return "wait";
      output.enterSplit(next.id);
      return "more";
    };
    const { driver } = driven(forgets);
    driver.onSplit(split("a"));
    assert.equal(driver.poll(10), "more");
    assert.throws(() => driver.poll(10), {
      code: "SOURCE_SPLIT_NOT_LEFT",
      operator: "in",
      fix: /call output\.leaveSplit\("a"\)/,
    });
  });

  test("a reader that waits for more of a split is left alone", () => {
    const { driver } = driven(() => "wait");
    driver.onSplit(split("a"));
    assert.equal(driver.poll(10), "wait");
  });
});

describe("what a reader does wrong is an error of its own", () => {
  test("splits that it does not have", () => {
    for (const act of ["enterSplit", "leaveSplit"] as const) {
      const { driver } = driven((output) => {
        output[act]("b");
        return "more";
      });
      driver.onSplit(split("a"));
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
    driver.onSplit(split("a"));
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
    const coordinator = new SourceCoordinator(enumerator, "in", (error) => failures.push(error));
    return coordinator.start().then(() => {
      coordinator.request(0, () => assert.fail("an answer"));
      assert.equal((failures[0] as { code?: string }).code, "SOURCE_SPLIT_INVALID");
      assert.equal((failures[0] as { operator?: string }).operator, "in");
    });
  });
});

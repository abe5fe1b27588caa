import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TaskStatus } from "../chain/chain.ts";
import { FlatMapDriver } from "./flat-map-driver.ts";
import { TurnClock } from "./turn-clock.ts";

/** A driver in front of an output that takes `room` records. */
function setUp(room = Infinity, fails = false) {
  const status: TaskStatus = { full: false, failure: null };
  const out: unknown[] = [];
  const left = { room };
  const threw: unknown[] = [];
  const clock = { nowMs: () => 0, monotonicMs: () => 0 };
  const driver = new FlatMapDriver({
    uid: "split",
    status,
    turn: new TurnClock(clock),
    onThrow: (error, record, timestampMs) => {
      threw.push([(error as Error).message, record, timestampMs]);
      if (fails) throw error;
    },
  });
  driver.output = {
    offer: (record, timestampMs) => {
      assert.ok(left.room > 0, "nothing is offered to an output that has no room");
      out.push([record, timestampMs]);
      left.room -= 1;
      if (left.room === 0) status.full = true;
      return left.room > 0;
    },
  };
  /** Gives room for so many more, and lets the driver go on. */
  const resume = (more: number): boolean => {
    left.room = more;
    status.full = false;
    return driver.resume();
  };
  return { driver, status, out, threw, resume };
}

const at = (timestampMs: number, ...records: unknown[]) => records.map((record) => [record, timestampMs]);

function* counting(to: number, log: string[] = []): Generator<number> {
  try {
    for (let n = 1; n <= to; n += 1) yield n;
  } finally {
    log.push("closed");
  }
}

describe("a flatMap driver", () => {
  test("sends arrays and generators at once where there is room, with the time of their record", () => {
    const { driver, out, status } = setUp();
    driver.start([1, 2], 10, "a");
    driver.start(counting(2), 20, "b");
    driver.start([], 30, "c");
    driver.start(new Set(["x"]), 40, "d");
    assert.deepEqual(out, [...at(10, 1, 2), ...at(20, 1, 2), ...at(40, "x")]);
    assert.equal(status.full, false);
    assert.equal(driver.resume(), true);
  });

  for (const [what, results] of [
    ["an array", () => [1, 2, 3, 4, 5]],
    ["a generator", () => counting(5)],
  ] as const) {
    test(`what is left of ${what} goes on where it stopped, each once, however little room there is`, () => {
      const { driver, out, status, resume } = setUp(2);
      driver.start(results(), 10, "a");
      assert.deepEqual([out.length, status.full], [2, true]);
      for (let tries = 0; !resume(1); tries += 1) assert.ok(tries < 10);
      assert.deepEqual(out, at(10, 1, 2, 3, 4, 5));
    });
  }

  test("F1, F2: results that come while earlier ones wait go behind them, and no further record is to be taken", () => {
    const { driver, out, status, resume } = setUp(1);
    driver.start([1, 2], 10, "a");
    driver.start([3], 20, "b");
    driver.start(counting(1), 30, "c");
    status.full = false; // As if somebody else had made room.
    driver.start(["last"], 40, "d");
    assert.deepEqual([out.length, status.full], [1, true]);
    assert.equal(resume(2), false);
    assert.equal(resume(100), true);
    assert.deepEqual(out, [...at(10, 1, 2), ...at(20, 3), ...at(30, 1), ...at(40, "last")]);
  });

  test("F3: an array that waits is a copy, whether some of it was sent or none: the function may use its own again", () => {
    const { driver, out, resume } = setUp(1);
    const own = [1, 2, 3];
    driver.start(own, 10, "a");
    own.fill(0);
    own.length = 0;
    own.push(7, 8);
    driver.start(own, 20, "b");
    own.fill(0);
    own.length = 1;
    assert.equal(resume(100), true);
    assert.deepEqual(out, [...at(10, 1, 2, 3), ...at(20, 7, 8)]);
  });

  test("is full no more once everything has gone, and holds no record then", () => {
    const { driver, out, resume } = setUp(1);
    driver.start([1, 2], 10, "a");
    assert.equal(resume(5), true);
    assert.equal(driver.resume(), true);
    driver.start([3], 20, "b");
    assert.deepEqual(out, [...at(10, 1, 2), ...at(20, 3)]);
  });

  test("does not go on while the output is full", () => {
    const { driver, status } = setUp(1);
    driver.start([1, 2], 10, "a");
    status.full = true;
    assert.equal(driver.resume(), false);
  });

  test("a generator that throws is told with its record and ends there; those behind it go on", () => {
    const { driver, out, threw, resume } = setUp(1);
    const breaks = function* (): Generator<number> {
      yield 1;
      throw new Error("gave up");
    };
    driver.start(breaks(), 10, "a");
    driver.start([2], 20, "b");
    assert.equal(resume(5), true);
    assert.deepEqual(threw, [["gave up", "a", 10]]);
    assert.deepEqual(out, [...at(10, 1), ...at(20, 2)]);
    const failing = setUp(5, true);
    assert.throws(() => failing.driver.start(breaks(), 10, "a"), /gave up/);
  });

  test("closing ends the generators that were not read to their end, each once", () => {
    const { driver } = setUp(1);
    const log: string[] = [];
    driver.start(counting(5, log), 10, "a");
    assert.deepEqual(log, []);
    driver.close();
    driver.close();
    assert.deepEqual(log, ["closed"]);
    assert.equal(driver.resume(), true);
  });

  test("what is no iterable is refused with what it is", () => {
    const { driver } = setUp();
    for (const result of [null, undefined, 5, "text", {}])
      assert.throws(() => driver.start(result, 0, "a"), { code: "FLATMAP_NOT_ITERABLE", operator: "split" });
    assert.throws(() => driver.start(Promise.resolve([]), 0, "a"), { code: "FUNCTION_RETURNED_PROMISE" });
  });
});

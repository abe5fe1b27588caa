import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EventTimeDriver, type EventTimeOptions } from "./event-time-driver.ts";

function setUp(options: Partial<EventTimeOptions> = {}): EventTimeDriver {
  return new EventTimeDriver({
    uid: "times",
    outOfOrderMs: 10,
    stepMs: 1_000,
    onlySteps: false,
    live: false,
    idleMs: 1_000,
    order: "splits",
    bounded: false,
    unit: "ms",
    field: null,
    shownField: null,
    onBehind: null,
    onMisfit: null,
    ...options,
  });
}

describe("a driver of event times", () => {
  test("gives each record its time, and watermarks behind the greatest by the bound", () => {
    const driver = setUp();
    assert.equal(driver.watermark(0), -Infinity);
    assert.equal(driver.assign(500, {}), 500);
    assert.equal(driver.assign(200, {}), 200);
    assert.equal(driver.watermark(0), 489);
    assert.equal(setUp({ unit: "s" }).assign(2, {}), 2_000);
  });

  test("tells how far event time has come before the record at hand, each time that it has gone on by a step", () => {
    const driver = setUp({ stepMs: 100 });
    const told: number[] = [];
    driver.onStep = (watermark) => told.push(watermark);
    for (const at of [500, 550, 599, 600, 601, 300, 699, 700, 5_000]) driver.assign(at, {});
    assert.deepEqual(told, [489, 589, 689, 4_989]);
    assert.equal(driver.watermark(0), 4_989);
  });

  test("with watermarks at steps only, has none that depends on when it is asked", () => {
    const driver = setUp({ stepMs: 100, onlySteps: true });
    driver.addSplit("a");
    assert.equal(driver.assign(450, {}), 450);
    assert.equal(driver.watermark(0), 439, "nobody takes steps");
    const told: number[] = [];
    driver.onStep = (watermark) => told.push(watermark);
    for (const at of [500, 550, 599]) {
      driver.assign(at, {});
      assert.equal(driver.watermark(0), 489);
    }
    assert.deepEqual(told, [489]);
  });

  test("what is bounded falls idle only where its records come in their own time, behind an exchange too", () => {
    for (const [order, bounded] of [
      ["splits", true],
      ["channels", false],
    ] as const) {
      for (const live of [true, false]) {
        const driver = setUp({ order, bounded, live });
        driver.release();
        driver.addChannel(0);
        driver.watermark(0);
        driver.watermark(5_000);
        assert.equal(driver.idle, live, `${order}, live: ${live}`);
      }
    }
  });

  test("of the split that is behind, whichever the record belongs to", () => {
    const driver = setUp({ stepMs: 100, outOfOrderMs: 0 });
    const told: number[] = [];
    driver.onStep = (watermark) => told.push(watermark);
    const read = (split: string, at: number): void => {
      driver.enterSplit(split);
      driver.assign(at, {});
    };
    read("a", 1_000);
    for (const [split, at] of [
      ["b", 200],
      ["b", 250],
      ["a", 1_200],
      ["b", 300],
      ["b", 450],
    ] as const)
      read(split, at);
    assert.deepEqual(told, [999]); // Of a alone, before b was known: event time does not go back.
    read("b", 1_150);
    assert.deepEqual(told, [999, 1_149]);
  });

  test("says once that it has fallen idle, and once that it goes on", () => {
    const driver = setUp();
    driver.assign(500, {});
    driver.watermark(0);
    assert.deepEqual([driver.idle, driver.nextCheckMs()], [false, 1_000]);
    driver.watermark(1_000);
    assert.equal(driver.idle, true);
    driver.assign(600, {});
    driver.watermark(1_500);
    assert.equal(driver.idle, false);
    assert.equal(driver.nextCheckMs(), 2_500);
  });

  test("a record without a usable time fails the task with the record and its field, and moves no watermark", () => {
    const driver = setUp({ shownField: "at" });
    driver.assign(500, {});
    assert.throws(() => driver.assign(null, { id: 7 }), {
      code: "TIMESTAMP_MISSING",
      operator: "times",
      message: /in the field "at" of the record \{ id: 7 \}$/,
    });
    assert.throws(() => setUp().assign("today", { id: 7 }), { code: "TIMESTAMP_TYPE", message: /for the record/ });
    assert.equal(driver.watermark(0), 489);
  });

  test("or is told of and has no time, where that is wanted", () => {
    const told: unknown[] = [];
    const driver = setUp({ onMisfit: (record, error) => told.push([record, error.code, error.operator]) });
    assert.ok(Number.isNaN(driver.assign(NaN, { id: 7 })));
    assert.deepEqual(told, [[{ id: 7 }, "TIMESTAMP_NAN", "times"]]);
    assert.equal(driver.watermark(0), -Infinity);
  });

  test("a field that the first record has not is a mistake of the job; later it is one of the record", () => {
    const misfits: unknown[] = [];
    const onMisfit = (record: unknown): void => void misfits.push(record);
    assert.throws(() => setUp({ field: "at", shownField: "at", onMisfit }).assign(undefined, { time: 5 }), {
      code: "FIELD_UNKNOWN",
    });
    const driver = setUp({ field: "at", shownField: "at", onMisfit });
    driver.assign(5, { at: 5 });
    driver.assign(undefined, { time: 5 });
    assert.deepEqual(misfits, [{ time: 5 }]);
  });

  test("of a bounded source gives no watermark before it is released, and none before the end where it has to wait for that", () => {
    for (const [order, after] of [
      ["splits", 489],
      ["end", -Infinity],
    ] as const) {
      const driver = setUp({ order, bounded: true });
      driver.addSplit("a");
      driver.assign(500, {});
      assert.equal(driver.watermark(0), -Infinity);
      driver.release();
      assert.equal(driver.watermark(0), after);
    }
    const endOnly = setUp({ order: "end" });
    endOnly.assign(500, {});
    assert.equal(endOnly.watermark(0), -Infinity, "behind an exchange");
  });

  test("counts the records that files before theirs left behind, where files are promised to follow one another", () => {
    const told: unknown[] = [];
    for (const onBehind of [null, (...one: readonly unknown[]) => void told.push(one)]) {
      const driver = setUp({ onBehind });
      for (const [split, times] of [
        ["a", [480, 500, 470, 100]],
        ["b", [490, 489, 10, 600, 50]],
        ["c", [700]],
        ["d", [595, 690]],
        ["e", [600, 689, 690]],
      ] as const) {
        driver.addSplit(split);
        for (const time of times) driver.assign(time, {});
        driver.leaveSplit(split);
      }
    }
    const b = { count: 3, after: "a", afterMs: 500 }; // 489, 10 and 50: 10 ms are allowed.
    const d = { count: 1, after: "c", afterMs: 700 };
    assert.deepEqual(told, [
      ["b", b],
      ["d", d],
      ["e", { ...d, count: 2 }],
    ]);
  });

  test("behind an exchange holds to the slowest of its channels until that ends, if each is in order", () => {
    const driver = setUp({ order: "channels" });
    driver.addChannel(0);
    driver.addChannel(1);
    driver.enterChannel(1);
    driver.assign(500, {});
    assert.equal(driver.watermark(0), -Infinity, "the other channel has given nothing");
    driver.enterChannel(0);
    driver.assign(300, {});
    assert.equal(driver.watermark(0), 289);
    driver.enterChannel(1);
    driver.assign(700, {});
    assert.equal(driver.watermark(0), 289);
    driver.leaveChannel(0);
    assert.equal(driver.watermark(0), 689);
    const arrival = setUp({ order: "arrival" });
    arrival.addChannel(0);
    arrival.addChannel(1);
    arrival.enterChannel(1);
    arrival.assign(500, {});
    assert.equal(arrival.watermark(0), 489, "unless records count as they arrive");
  });
});

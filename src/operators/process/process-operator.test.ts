import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { managedStore } from "../../state/managed/managed-store.ts";
import { heapBlocks } from "../../state/pages/block-source.ts";
import { PageAllocator } from "../../state/pages/page-allocator.ts";
import { testOwner } from "../../state/suites/test-owner.contract.ts";
import { compileKeyHash } from "../../types/keys/key-hash.ts";
import type { OperatorContext } from "../operator.ts";
import { type ProcessContext, ProcessOperator, type ProcessTimer } from "./process-operator.ts";

const keyHash = compileKeyHash({ kind: "f64" }, "process test");

/** An operator whose records set timers, and whose turns are over after so many rows. */
function setUp(
  onTimer: (timer: ProcessTimer, context: ProcessContext) => void,
  pauses: readonly number[] = [Infinity],
) {
  const allocator = new PageAllocator(heapBlocks(16 * 1024 * 1024));
  const store = managedStore({
    owner: testOwner(allocator, "p"),
    key: { kind: "f64" },
    maxParallelism: 8,
    keyGroups: { first: 0, last: 7 },
    allocator,
    clock: { nowMs: () => 0, monotonicMs: () => 0 },
    seed: 1,
    heapBudget: { limitBytes: Infinity, configKey: "", usedBytes: 0 },
  });
  const operator = new ProcessOperator({
    functions: {
      onRecord: (record, context) => context.timers.set("t", record as number),
      onTimer,
    },
    state: {},
    sides: [],
    freeze: null,
    onThrow: null,
    onTimerThrow: (error) => {
      throw error;
    },
  });
  let turns = 0;
  let left = pauses[0] as number;
  operator.open({
    uid: "p",
    state: store,
    output: { offer: () => true },
    full: () => false,
    pause: (rows: number) => {
      left -= rows;
      return left < 0;
    },
  } as unknown as OperatorContext);
  const turn = (watermark: number): boolean => {
    turns += 1;
    left = pauses[turns % pauses.length] as number;
    return operator.onWatermark(watermark);
  };
  return {
    set: (key: number, atMs: number) => operator.onRecord(atMs, Number.NaN, key, keyHash(key), 0),
    turn,
    watermark: (watermark: number): number => {
      const before = turns;
      while (!turn(watermark));
      return turns - before;
    },
  };
}

describe("a process function", () => {
  test("has its timers fired turn by turn, in the order and with the watermark that one long turn would give them", () => {
    const run = (pauses: readonly number[]) => {
      const seen: string[] = [];
      const { set, watermark } = setUp(({ at, key }, context) => {
        seen.push(`${at} ${String(key)} ${context.key} ${context.timestamp} ${context.watermark}`);
        if (at % 3 === 0) context.timers.set("again", at + 1);
      }, pauses);
      for (let key = 0; key < 200; key += 1) set(key, (key * 7) % 50);
      for (let key = 0; key < 200; key += 2) set(key, 60 + (key % 30)); // Moved to later times.
      const turns = [30, 70, 1_000].map(watermark);
      return { seen, turns };
    };
    const whole = run([Infinity]);
    assert.deepEqual(whole.turns, [1, 1, 1]);
    assert.equal(whole.seen.length, 200 + whole.seen.filter((text) => Number.parseInt(text, 10) % 3 === 0).length);
    for (const pauses of [[1], [2, 5, 1], [64]]) {
      const { seen, turns } = run(pauses);
      assert.deepEqual(seen, whole.seen);
      assert.ok((turns[0] as number) > 1);
    }
  });

  test("that for ever sets a timer which is due keeps the turn in the end, so that the watchdog sees it", () => {
    let fired = 0;
    let turns = 0;
    let turnsAtLimit = 0;
    const { set, turn } = setUp(
      (timer, context) => {
        fired += 1;
        if (fired === 200_000) turnsAtLimit = turns;
        if (fired === 400_000) throw new Error("for ever");
        context.timers.set("t", timer.at + 0.000_001);
      },
      [1_000],
    );
    set(1, 5);
    assert.throws(() => {
      for (; !turn(10); turns += 1);
    }, /for ever/);
    assert.ok(turns >= 90, "at first it gives way");
    assert.equal(turns, turnsAtLimit, "then no more");
  });

  test("that sets a timer for the same time again and again fails where it sets it", () => {
    let fired = 0;
    const { set, turn } = setUp(
      (timer, context) => {
        fired += 1;
        context.timers.set("t", timer.at);
      },
      [1_000],
    );
    set(1, 5);
    assert.throws(
      () => {
        while (!turn(10)) assert.ok(fired < 1_000_000);
      },
      { code: "TIMER_ENDLESS", operator: "p" },
    );
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TurnClock } from "./turn-clock.ts";

/** A clock that moves by what the rows cost, and counts the looks at it. */
class WorkClock {
  looks = 0;
  #nowMs = 0;

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    this.looks += 1;
    return this.#nowMs;
  }

  work(ms: number): void {
    this.#nowMs += ms;
  }
}

/** Milliseconds that turns of rows of a given cost take, and rows and looks in each. */
function turns(rowMs: number, rowsAsked: number, count: number): { ms: number; rows: number; looks: number }[] {
  const clock = new WorkClock();
  const turn = new TurnClock(clock);
  return Array.from({ length: count }, () => {
    const startMs = clock.nowMs();
    clock.looks = 0;
    turn.begin(startMs + 2);
    let rows = 0;
    do {
      clock.work(rowMs * rowsAsked);
      rows += rowsAsked;
    } while (!turn.isOver(rowsAsked));
    return { ms: clock.nowMs() - startMs, rows, looks: clock.looks };
  });
}

describe("the clock of a turn", () => {
  test("ends turns of fast rows in time, and is looked at every 256 rows", () => {
    for (const { ms, rows, looks } of turns(0.0001, 1, 5)) {
      assert.ok(ms >= 2 && ms < 2.1, `${ms} ms`);
      assert.ok(looks <= rows / 256 + 10, `${looks} looks in ${rows} rows`);
    }
  });

  test("ends turns of slow rows a quarter of a millisecond late at most, whatever they cost", () => {
    for (const rowMs of [0.001, 0.01, 0.1]) {
      for (const { ms, looks } of turns(rowMs, 1, 5)) {
        assert.ok(ms >= 2 && ms < 2.5, `rows of ${rowMs} ms: ${ms} ms`);
        assert.ok(looks < 25, `${looks} looks`);
      }
    }
  });

  test("lets at least one row pass in each turn, however slow", () => {
    for (const { rows } of turns(100, 1, 5)) assert.ok(rows >= 1 && rows <= 2);
    const clock = new WorkClock();
    const turn = new TurnClock(clock);
    turn.begin(-1);
    assert.equal(turn.isOver(1), false);
    assert.equal(turn.isOver(1), true);
    assert.equal(turn.isOver(1), true, "over is over");
    turn.begin(2);
    assert.equal(turn.isOver(1), false);
  });

  test("counts rows that are asked for together", () => {
    for (const { ms } of turns(0.002, 64, 5)) assert.ok(ms >= 2 && ms < 2.6, `${ms} ms`);
  });

  test("never ends a turn while time stands still", () => {
    const turn = new TurnClock({ nowMs: () => 5, monotonicMs: () => 5 });
    turn.begin(6);
    for (let row = 0; row < 10_000; row += 1) assert.equal(turn.isOver(1), false);
  });
});

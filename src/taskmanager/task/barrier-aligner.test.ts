import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BarrierAligner } from "./barrier-aligner.ts";

const blocked = (aligner: BarrierAligner): boolean[] => [0, 1, 2].map((channel) => aligner.isBlocked(channel));

describe("barriers of several channels", () => {
  test("the snapshot is due when the last has come; channels that had theirs wait until then (B1)", () => {
    const aligner = new BarrierAligner(3, "exactly-once");
    assert.equal(aligner.onBarrier(1, 1), 0);
    assert.equal(aligner.onBarrier(0, 1), 0);
    assert.deepEqual(blocked(aligner), [true, true, false]);
    assert.equal(aligner.aligning, 1);
    assert.equal(aligner.onBarrier(2, 1), 1);
    assert.deepEqual(blocked(aligner), [false, false, false]);
    assert.equal(aligner.aligning, 0);
  });

  test("at least once nothing waits, and the snapshot is due at the same time", () => {
    const aligner = new BarrierAligner(3, "at-least-once");
    assert.equal(aligner.onBarrier(1, 1), 0);
    assert.equal(aligner.onBarrier(0, 1), 0);
    assert.deepEqual(blocked(aligner), [false, false, false]);
    assert.equal(aligner.onBarrier(2, 1), 1);
  });

  test("channels that have ended, before or meanwhile, need none (B2)", () => {
    const aligner = new BarrierAligner(3, "exactly-once");
    assert.equal(aligner.onEnd(0), 0);
    assert.equal(aligner.onBarrier(1, 1), 0);
    assert.equal(aligner.onEnd(2), 1);
    assert.equal(aligner.onBarrier(1, 2), 2);
    assert.equal(aligner.onEnd(1), 0, "no checkpoint is under way");
  });

  test("a later checkpoint ends the wait for an earlier one, whose barriers are passed over then (B3)", () => {
    const aligner = new BarrierAligner(3, "exactly-once");
    aligner.onBarrier(0, 1);
    assert.equal(aligner.onBarrier(1, 2), 0);
    assert.deepEqual(blocked(aligner), [false, true, false]);
    assert.equal(aligner.onBarrier(2, 1), 0);
    assert.deepEqual(blocked(aligner), [false, true, false]);
    assert.equal(aligner.onBarrier(0, 2), 0);
    assert.equal(aligner.onBarrier(2, 2), 2);
    assert.equal(aligner.onBarrier(1, 2), 0, "taken: it does not begin again");
    assert.deepEqual(blocked(aligner), [false, false, false]);
  });

  test("one that is given up blocks nobody, before, while and after its barriers come", () => {
    const aligner = new BarrierAligner(3, "exactly-once");
    aligner.onBarrier(0, 1);
    aligner.onAbort(1);
    assert.deepEqual(blocked(aligner), [false, false, false]);
    assert.equal(aligner.onBarrier(1, 1), 0);
    assert.deepEqual(blocked(aligner), [false, false, false]);
    aligner.onAbort(5);
    assert.equal(aligner.onBarrier(1, 5), 0);
    assert.deepEqual(blocked(aligner), [false, false, false]);
    aligner.onBarrier(1, 6);
    aligner.onAbort(5);
    assert.deepEqual(blocked(aligner), [false, true, false], "that of another goes on");
  });
});

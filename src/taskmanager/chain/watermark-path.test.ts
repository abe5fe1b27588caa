import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResultPartition } from "../../network/result-partition.ts";
import type { Operator } from "../../operators/operator.ts";
import type { TaskStatus } from "./chain.ts";
import { type PathStep, WatermarkPath } from "./watermark-path.ts";

/** An operator, a partition and another operator, of which the first stops as often as the test says. */
function setUp(stops = 0) {
  const status: TaskStatus = { full: false, failure: null };
  const log: string[] = [];
  let left = stops;
  const operator = (name: string, stopping: boolean): PathStep => ({
    kind: "operator",
    operator: {
      onWatermark: (watermark: number) => {
        log.push(`${name} ${watermark}`);
        if (!stopping || left === 0) return true;
        left -= 1;
        return false;
      },
      onIdle: () => {
        log.push(`${name} idle`);
        return true;
      },
    } as unknown as Operator,
  });
  const partition = {
    setWatermark: (watermark: number) => log.push(`partition ${watermark}`),
    setIdle: (idle: boolean) => log.push(`partition ${idle ? "idle" : "active"}`),
  } as unknown as ResultPartition;
  const steps = [operator("first", true), { kind: "partition", partition } as const, operator("last", false)];
  const path = new WatermarkPath(steps, status, (watermark) => log.push(`delivered ${watermark}`));
  return { path, status, take: () => log.splice(0) };
}

test("a watermark reaches every step in the order of the chain, once, and then counts as delivered", () => {
  const { path, take } = setUp();
  path.advance(5);
  assert.equal(path.delivered, -Infinity);
  assert.equal(path.run(), true);
  assert.deepEqual(take(), ["first 5", "partition 5", "last 5", "delivered 5"]);
  assert.equal(path.delivered, 5);
  path.advance(5);
  path.advance(4);
  assert.equal(path.run(), true);
  assert.deepEqual(take(), []);
});

test("a delivery that stops goes on at its step with its watermark; a newer one follows it", () => {
  const { path, take } = setUp(2);
  path.advance(5);
  assert.equal(path.run(), false);
  path.advance(9);
  assert.equal(path.run(), false);
  assert.equal(path.delivered, -Infinity);
  assert.equal(path.run(), true);
  assert.deepEqual(take().slice(0, 6), ["first 5", "first 5", "first 5", "partition 5", "last 5", "delivered 5"]);
  assert.equal(path.delivered, 9);
});

test("nothing is delivered to a step while an output is full", () => {
  const { path, status, take } = setUp();
  status.full = true;
  path.advance(5);
  assert.equal(path.run(), false);
  assert.deepEqual(take(), []);
  status.full = false;
  assert.equal(path.run(), true);
  assert.equal(take().length, 4);
});

test("that there is input again is told also while it was on its way that there is none", () => {
  const { path, status, take } = setUp();
  path.setIdle(true);
  status.full = true;
  assert.equal(path.run(), false);
  path.setIdle(false);
  status.full = false;
  assert.equal(path.isDue, true);
  assert.equal(path.run(), true);
  assert.deepEqual(take(), ["first idle", "partition idle", "last idle", "partition active"]);
});

test("that there is no input for now goes behind the watermark, and operators hear only of its beginning", () => {
  const { path, take } = setUp();
  path.setIdle(true);
  path.advance(5);
  assert.equal(path.run(), true);
  assert.deepEqual(take().slice(3), ["delivered 5", "first idle", "partition idle", "last idle"]);
  assert.equal(path.run(), true);
  assert.deepEqual(take(), []);
  path.setIdle(false);
  assert.equal(path.run(), true);
  assert.deepEqual(take(), ["partition active"]);
  assert.equal(path.delivered, 5);
});

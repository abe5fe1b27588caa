import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { UserError } from "../../base/errors.ts";
import type { OperatorMetrics } from "../operator.ts";
import { userMetrics } from "./user-metrics.ts";

function setUp() {
  const updates: [string, string, number][] = [];
  const metrics: OperatorMetrics = {
    count: (name, by = 1) => updates.push(["count", name, by]),
    gauge: (name, value) => updates.push(["gauge", name, value]),
    mark: (name, by = 1) => updates.push(["mark", name, by]),
    observe: (name, value) => updates.push(["observe", name, value]),
  };
  return { user: userMetrics("detector", metrics), updates };
}

describe("metrics of user code", () => {
  test("each kind has its verb; counters and meters stand at 0 from the start", () => {
    const { user, updates } = setUp();
    const { counter } = user; // Works without its object.
    counter("alerts").inc();
    user.counter("alerts").inc(-2);
    user.gauge("level").set(7);
    user.histogram("size").update(3);
    user.meter("logins").mark();
    user.meter("logins").mark(4);
    assert.deepEqual(updates, [
      ["count", "alerts", 0],
      ["count", "alerts", 1],
      ["count", "alerts", -2],
      ["gauge", "level", 7],
      ["observe", "size", 3],
      ["mark", "logins", 0],
      ["mark", "logins", 1],
      ["mark", "logins", 4],
    ]);
  });

  test("U3: asking again gives the same metric", () => {
    const { user } = setUp();
    assert.equal(user.counter("a"), user.counter("a"));
    assert.notEqual(user.counter("a"), user.counter("b"));
  });

  test("what is no finite number does not spoil a count", () => {
    const { user, updates } = setUp();
    user.counter("a").inc(Number.NaN);
    user.meter("b").mark(Infinity);
    assert.deepEqual(updates, [
      ["count", "a", 0],
      ["mark", "b", 0],
    ]);
  });

  const refused = (make: () => unknown, message: RegExp): void => {
    assert.throws(make, (error) => {
      assert.ok(error instanceof UserError);
      assert.deepEqual([error.code, error.operator], ["METRIC_NAME", "detector"]);
      assert.match(error.message, message);
      return true;
    });
  };

  test("U1: a name belongs to one kind, and never to the engine", () => {
    const { user } = setUp();
    user.counter("a");
    refused(() => user.gauge("a"), /^gauge "a" of "detector" is a counter already$/);
    for (const name of ["numRecordsIn", "numRecordsOut.late", "numRecordsOutPerSecond", "currentInputWatermark"])
      refused(() => user.counter(name), /has the name of a metric of the engine$/);
    for (const name of ["", "1a", "a b", "ä", "x".repeat(81), undefined as unknown as string])
      refused(() => user.meter(name), /has no valid name$/);
    user.counter("numAlerts");
  });

  test("U2: names made from data are refused before they fill the memory", () => {
    const { user } = setUp();
    for (let i = 0; i < 200; i += 1) user.counter(`key-${i}`).inc();
    refused(() => user.counter("key-200"), /is one metric too many: there are 200$/);
    user.counter("key-7").inc();
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { TimedList } from "./timed-list.ts";

function listOf(times: readonly number[], limit = Infinity): TimedList {
  const list = new TimedList(limit, 100, () => 8);
  times.forEach((time, n) => {
    if (list.takes(time)) list.add(time, n);
  });
  return list;
}

describe("values in the order of their times", () => {
  test("are that whatever the order in which they come, equal times as they came, and with a limit the earliest ones", () => {
    const times = fc.array(fc.nat(20), { maxLength: 60, size: "max" });
    const limits = fc.oneof(fc.integer({ min: 1, max: 8 }), fc.constant(Infinity));
    fc.assert(
      fc.property(times, limits, fc.nat(60), (all, limit, readAt) => {
        const list = listOf(all.slice(0, readAt), limit);
        assert.ok(list.values.length <= limit);
        all.slice(readAt).forEach((time, n) => {
          if (list.takes(time)) list.add(time, Math.min(readAt, all.length) + n);
        });
        const expected = [...all.keys()].sort((a, b) => all[a]! - all[b]! || a - b).slice(0, limit);
        assert.deepEqual(list.values, expected);
        assert.deepEqual(
          list.times,
          expected.map((n) => all[n]),
        );
        assert.equal(list.bytes, 100 + 8 * expected.length);
      }),
      { numRuns: 500 },
    );
  });

  test("cost a few steps each, also in falling order", (t) => {
    let steps = 0;
    const { sort } = Uint32Array.prototype;
    t.mock.method(
      Uint32Array.prototype,
      "sort",
      function (this: Uint32Array, compare: (a: number, b: number) => number) {
        return sort.call(this, (left: number, right: number) => {
          steps += 1;
          return compare(left, right);
        });
      },
    );
    const { splice } = Array.prototype;
    Array.prototype.splice = () => assert.fail("all that comes behind is moved");
    t.after(() => {
      Array.prototype.splice = splice;
    });
    const count = 100_000;
    for (const timeOf of [(n: number) => n, (n: number) => -n, (n: number) => Math.imul(n, 0x9e3779b1) >>> 0]) {
      for (const limit of [Infinity, 10]) {
        steps = 0;
        const times = Array.from({ length: count }, (_, n) => timeOf(n));
        assert.equal(listOf(times, limit).values.length, Math.min(limit, count));
        assert.ok(steps <= 20 * count, `${steps} comparisons`);
      }
    }
  });
});

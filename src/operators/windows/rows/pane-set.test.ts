import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { PaneSet } from "./pane-set.ts";

type Model = Set<number>;

function assertSame(set: PaneSet, model: Model, probes: readonly number[]): void {
  const sorted = [...model].sort((left, right) => left - right);
  for (const probe of [Number.NEGATIVE_INFINITY, ...probes, Number.POSITIVE_INFINITY]) {
    assert.equal(set.from(probe), sorted.find((pane) => pane >= probe) ?? Number.POSITIVE_INFINITY);
    assert.equal(set.before(probe), sorted.findLast((pane) => pane < probe) ?? Number.NaN);
  }
}

/** Panes of each kind of stream: in order, backwards, anywhere. */
const runs = fc.array(
  fc.record({
    act: fc.constantFrom("add", "add", "delete"),
    from: fc.integer({ min: -3_000, max: 3_000 }),
    step: fc.constantFrom(-7, -1, 1, 3),
    count: fc.integer({ min: 1, max: 900 }),
  }),
  { minLength: 1, maxLength: 8 },
);

describe("a set of panes", () => {
  test("takes a pane again that it had last and that was deleted", () => {
    const set = new PaneSet();
    set.add(5);
    set.delete(5);
    assert.equal(set.from(5), Number.POSITIVE_INFINITY);
    set.add(5);
    assert.equal(set.from(5), 5);
  });

  test("finds the neighbours of any pane, whatever was added and deleted in which order", () => {
    fc.assert(
      fc.property(runs, fc.array(fc.integer({ min: -9_000, max: 9_000 }), { maxLength: 20 }), (acts, probes) => {
        const set = new PaneSet();
        const model: Model = new Set();
        for (const { act, from, step, count } of acts) {
          for (let n = 0; n < count; n += 1) {
            const pane = from + n * step;
            if (act === "add") {
              set.add(pane);
              model.add(pane);
            } else {
              set.delete(pane);
              model.delete(pane);
            }
          }
          assertSame(set, model, [from, from + 1, from - 1, ...probes]);
        }
      }),
      { numRuns: 100 },
    );
  });
});

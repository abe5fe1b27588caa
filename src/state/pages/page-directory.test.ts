import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PageDirectory } from "./page-directory.ts";

const GROUPS = 4;
const EMPTY = 12345;

test("entries of all groups stay where they were put, whatever is added, removed, cut and cleared around them", () => {
  const step = fc.record({
    group: fc.nat(GROUPS - 1),
    act: fc.constantFrom("add", "add", "add", "remove", "clear"),
    pick: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300, size: "max" }), (steps) => {
      const directory = new PageDirectory(GROUPS, EMPTY);
      const model = Array.from({ length: GROUPS }, () => new Map<number, number>());
      for (const [n, { group, act, pick }] of steps.entries()) {
        const ordinals = [...model[group]!.keys()];
        if (act === "add") addBoth(directory, model[group]!, group, 1000 + n * 512);
        else if (act === "clear") clearBoth(directory, model[group]!, group);
        else if (ordinals.length > 0) removeBoth(directory, model[group]!, group, ordinals[pick % ordinals.length]!);
        model.forEach((pages, at) => {
          compare(directory, pages, at);
        });
      }
    }),
    { numRuns: 100 },
  );
});

type Pages = Map<number, number>;

function compare(directory: PageDirectory, pages: Pages, group: number): void {
  for (const [ordinal, entry] of pages) assert.equal(directory.get(group, ordinal), entry);
  if (directory.counts[group] === 0) assert.equal(directory.entries[directory.bases[group]!], EMPTY);
}

function addBoth(directory: PageDirectory, pages: Pages, group: number, entry: number): void {
  const next = directory.next(group);
  const ordinal = directory.add(group, entry);
  assert.equal(ordinal, next);
  assert.ok(!pages.has(ordinal));
  pages.set(ordinal, entry);
}

function removeBoth(directory: PageDirectory, pages: Pages, group: number, ordinal: number): void {
  directory.remove(group, ordinal);
  pages.delete(ordinal);
}

function clearBoth(directory: PageDirectory, pages: Pages, group: number): void {
  directory.clear(group);
  pages.clear();
}

test("an entry without a page is negative, and its ordinal is used again before new ones", () => {
  const directory = new PageDirectory(1);
  for (let n = 0; n < 10; n += 1) directory.add(0, 100 + n);
  for (const ordinal of [3, 7, 0]) {
    directory.remove(0, ordinal);
    assert.ok(directory.get(0, ordinal) < 0);
  }
  assert.deepEqual(
    [1, 2, 3, 4].map((n) => directory.add(0, n)).sort((a, b) => a - b),
    [0, 3, 7, 10],
  );
  directory.truncate(0, 2);
  assert.equal(directory.counts[0], 9);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GroupSet } from "./group-set.ts";

function groupsOf(set: GroupSet): number[] {
  const groups: number[] = [];
  for (let group = set.next(-1); group !== -1; group = set.next(group)) groups.push(group);
  return groups;
}

for (const size of [1, 31, 32, 33, 128, 1024, 1025, 32_768]) {
  test(`the groups of a set of ${size} are those added and not deleted, in order`, () => {
    const group = fc.oneof(fc.nat(size - 1), fc.nat(Math.min(size - 1, 70)), fc.constant(size - 1));
    const steps = fc.array(fc.record({ group, isAdded: fc.boolean() }), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (taken) => {
        const set = new GroupSet(size);
        const model = new Set<number>();
        for (const step of taken) {
          set[step.isAdded ? "add" : "delete"](step.group);
          model[step.isAdded ? "add" : "delete"](step.group);
        }
        assert.deepEqual(
          groupsOf(set),
          [...model].sort((left, right) => left - right),
        );
      }),
      { numRuns: 100 },
    );
  });
}

test("a full set has every group", () => {
  const set = new GroupSet(5000);
  for (let group = 0; group < 5000; group += 1) set.add(group);
  assert.deepEqual(
    groupsOf(set),
    Array.from({ length: 5000 }, (_, group) => group),
  );
});

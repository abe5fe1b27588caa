import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { heapBlocks } from "../pages/block-source.ts";
import { PageAllocator } from "../pages/page-allocator.ts";
import { testOwner } from "../suites/test-owner.contract.ts";
import { TableHeads } from "./namespace-heads.ts";
import { HEAD_REFUSED } from "./namespace-lists.ts";

const GROUPS = 8;
const NAMESPACES = [-3, 0, 2.5, 7, 1e12];

function setup(limitBytes = 1 << 20) {
  const allocator = new PageAllocator(heapBlocks(limitBytes));
  const owner = testOwner(allocator);
  const account = owner.account("t");
  const keyGroups = { first: 0, last: GROUPS - 1 };
  const heads = new TableHeads("t", {
    allocator,
    owner,
    maxParallelism: GROUPS,
    keyGroups,
    seed: 7,
    account,
  });
  return { heads, account, allocator };
}

function groupsOf(heads: TableHeads, namespace: number): number[] {
  const groups: number[] = [];
  for (let group = heads.next(-1, namespace); group !== -1; group = heads.next(group, namespace)) groups.push(group);
  return groups.sort((left, right) => left - right);
}

function checkAndRemove(heads: TableHeads, namespace: number, rows: ReadonlyMap<number, number>): void {
  assert.deepEqual(groupsOf(heads, namespace), [...rows.keys()].sort());
  for (let group = 0; group < GROUPS; group += 1) assert.equal(heads.get(group, namespace), rows.get(group) ?? -1);
  for (const group of rows.keys()) heads.remove(group, namespace);
}

test("a namespace's groups are those that have rows of it, each once, with their first rows", () => {
  const step = fc.record({
    group: fc.nat(GROUPS - 1),
    namespace: fc.constantFrom(...NAMESPACES),
    row: fc.nat(100),
    isRemoval: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: "max" }), (steps) => {
      const { heads, account, allocator } = setup();
      const model = new Map(NAMESPACES.map((namespace) => [namespace, new Map<number, number>()]));
      for (const { group, namespace, row, isRemoval } of steps) {
        const rows = model.get(namespace) as Map<number, number>;
        if (!isRemoval) {
          assert.equal(heads.put(group, namespace, row), rows.get(group) ?? -1);
          rows.set(group, row);
        } else if (rows.delete(group)) heads.remove(group, namespace);
        assert.deepEqual(groupsOf(heads, namespace), [...rows.keys()].sort());
      }
      for (const [namespace, rows] of model) checkAndRemove(heads, namespace, rows);
      assert.equal(account.bytes, 0, "nothing is left of namespaces without rows");
      assert.equal(allocator.close(), 0);
    }),
    { numRuns: 200 },
  );
});

test("a head that the budget refuses leaves its namespace as it was", () => {
  const { heads, account } = setup(64 * 1024);
  const known = new Map<number, number[]>();
  let refused = 0;
  for (let namespace = 0; refused < 50; namespace += 1) {
    for (const group of [namespace % GROUPS, (namespace * 5 + 1) % GROUPS]) {
      const groups = known.get(namespace) ?? [];
      const before = heads.put(group, namespace, group);
      if (before === HEAD_REFUSED) refused += 1;
      else if (!groups.includes(group)) known.set(namespace, [...groups, group]);
      assert.deepEqual(groupsOf(heads, namespace), (known.get(namespace) ?? []).sort());
    }
  }
  for (const [namespace, groups] of known) for (const group of groups) heads.remove(group, namespace);
  assert.equal(account.bytes, 0);
});

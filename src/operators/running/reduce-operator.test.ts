import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { managedStore } from "../../state/managed/managed-store.ts";
import { heapBlocks } from "../../state/pages/block-source.ts";
import { PageAllocator } from "../../state/pages/page-allocator.ts";
import { testOwner } from "../../state/suites/test-owner.contract.ts";
import { ROW_KIND } from "../../types/bytes/row-kind.ts";
import { compileKeyHash } from "../../types/keys/key-hash.ts";
import { t } from "../../types/t.ts";
import type { OperatorContext } from "../operator.ts";
import { ReduceOperator } from "./reduce-operator.ts";

type Row = { key: string; total: number };

function run(
  onThrow: ((error: unknown, record: unknown) => void) | null,
  rows: readonly Row[],
  returned: unknown[] = [],
  kinds: unknown[] = [],
): unknown[] {
  const emitted: unknown[] = [];
  const allocator = new PageAllocator(heapBlocks(1024 * 1024));
  const store = managedStore({
    owner: testOwner(allocator, "sum"),
    key: { kind: "string" },
    maxParallelism: 8,
    keyGroups: { first: 0, last: 7 },
    allocator,
    clock: { nowMs: () => 0, monotonicMs: () => 0 },
    seed: 1,
    heapBudget: { limitBytes: 0, configKey: "", usedBytes: 0 },
  });
  const operator = new ReduceOperator({
    state: { kind: "reducing", name: "value", type: t.struct({ key: t.string, total: t.f64 }).spec, ttlMs: null },
    reduce(left, right) {
      const total = (left as Row).total + (right as Row).total;
      if (total === 13) throw new Error("unlucky");
      const row = { key: (left as Row).key, total };
      returned.push(row);
      return row;
    },
    onThrow,
  });
  const output = {
    offer: (record: unknown, _timestampMs: number, kind: unknown) => emitted.push(record) > 0 && kinds.push(kind) > 0,
  };
  operator.open({ uid: "sum", state: store, output } as unknown as OperatorContext);
  const hash = compileKeyHash({ kind: "string" }, "reduce test");
  for (const row of rows) operator.onRecord(row, 0, row.key, hash(row.key));
  return emitted;
}

describe("reduce", () => {
  const rows = [5, 2, 8, 1].map((total) => ({ key: "a", total }));

  test("gives the value of the key after each record", () => {
    const other = { key: "b", total: 40 };
    assert.deepEqual(run(null, [...rows.slice(0, 2), other, { key: "a", total: 1 }]), [
      { key: "a", total: 5 },
      { key: "a", total: 7 },
      other,
      { key: "a", total: 8 },
    ]);
  });

  test("inserts the first value of each key and updates it from then on", () => {
    const kinds: unknown[] = [];
    run(null, [...rows.slice(0, 2), { key: "b", total: 40 }, { key: "a", total: 1 }], [], kinds);
    assert.deepEqual(kinds, [ROW_KIND.insert, ROW_KIND.updateAfter, ROW_KIND.insert, ROW_KIND.updateAfter]);
  });

  test("emits the records that came and that its function made; none is made again from the state", () => {
    const returned: unknown[] = [];
    for (const onThrow of [null, () => undefined]) {
      const emitted = run(onThrow, rows.slice(0, 2), returned);
      assert.equal(emitted[0], rows[0]);
      assert.equal(emitted[1], returned.at(-1));
    }
  });

  test("with a policy for errors leaves out the record on which the function throws, and keeps the value before it", () => {
    const thrown: unknown[] = [];
    const skipping = run(
      (_, record) => void thrown.push(record),
      [...rows.slice(0, 1), { key: "a", total: 8 }, ...rows.slice(3)],
    );
    assert.deepEqual(skipping, [
      { key: "a", total: 5 },
      { key: "a", total: 6 },
    ]);
    assert.deepEqual(thrown, [{ key: "a", total: 8 }]);
    assert.throws(() => run(null, [...rows.slice(0, 1), { key: "a", total: 8 }]), /unlucky/);
  });
});

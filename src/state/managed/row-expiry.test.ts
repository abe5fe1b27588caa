import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyBatch } from "../keys/key-batch.ts";
import { heapBlocks } from "../pages/block-source.ts";
import { PageAllocator } from "../pages/page-allocator.ts";
import { testOwner } from "../suites/test-owner.contract.ts";
import { ManagedTable } from "../table/managed-table.ts";
import { RowExpiry } from "./row-expiry.ts";

const TTL_MS = 100;

function setup(keys: number, maxParallelism: number) {
  let nowMs = 0;
  const allocator = new PageAllocator(heapBlocks(64 << 20));
  const table = new ManagedTable(
    { name: "t", key: "number", namespaced: false, listed: false, blob: false, valueWords: 60, initial: null },
    {
      allocator,
      owner: testOwner(allocator),
      maxParallelism,
      keyGroups: { first: 0, last: maxParallelism - 1 },
      seed: 7,
    },
  );
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  const expiry = new RowExpiry(table, TTL_MS, clock, (address) => table.remove(address));
  const batch = new KeyBatch(keys);
  batch.numbers.set(Array.from({ length: keys }, (_, key) => key));
  batch.hashNumbers(keys);
  const rows = new Int32Array(keys);
  table.resolve(batch, keys, rows);
  for (const row of rows) expiry.stamp(row);
  const advance = (ms: number): void => {
    nowMs += ms;
  };
  return { table, expiry, rows, advance };
}

test("a write looks at four rows, whatever groups they are in; a table that loses its last one is no trap", () => {
  const { table, expiry, advance } = setup(100, 32_768);
  expiry.sweep();
  assert.equal(table.size, 100);
  advance(TTL_MS);
  for (let left = 96; left >= 0; left -= 4) {
    expiry.sweep();
    assert.ok(table.size <= left, `${table.size} are left, not ${left}`);
  }
  expiry.sweep();
  assert.equal(table.size, 0);
});

test("a row is removed when its time has come, and not a millisecond before", () => {
  const { table, expiry, advance } = setup(1, 1);
  advance(TTL_MS - 1);
  expiry.sweep();
  assert.equal(table.size, 1);
  advance(1);
  expiry.sweep();
  assert.equal(table.size, 0);
});

test("pages that a burst has left behind are passed 64 at a time", () => {
  const { table, expiry, rows, advance } = setup(20_000, 1);
  for (const row of rows.subarray(0, -1)) table.remove(row);
  advance(TTL_MS);
  let sweeps = 0;
  for (; table.size > 0; sweeps += 1) expiry.sweep();
  assert.equal(sweeps, Math.ceil(20_000 / table.layout.rowsPerPage / 64));
});

test("a write looks at no key group without rows", () => {
  const { table, expiry } = setup(3, 32_768);
  const scan = table.scanGroup.bind(table);
  let scans = 0;
  table.scanGroup = (...args) => {
    scans += 1;
    return scan(...args);
  };
  for (let n = 0; n < 1_000; n += 1) expiry.sweep();
  assert.ok(scans <= 1_000 * (1 + 3), `${scans} groups`);
});

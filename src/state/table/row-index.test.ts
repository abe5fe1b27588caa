import assert from "node:assert/strict";
import { test } from "node:test";
import { heapBlocks } from "../pages/block-source.ts";
import { PAGE_BYTES, PageAllocator } from "../pages/page-allocator.ts";
import { testOwner } from "../suites/test-owner.contract.ts";
import { RowIndex } from "./row-index.ts";

function setup(limitBytes = 1 << 20) {
  const allocator = new PageAllocator(heapBlocks(limitBytes));
  const account = testOwner(allocator).account("s");
  const living = new Map<number, number>();
  const index: RowIndex = new RowIndex(allocator, account, 1, () => {
    for (const [row, hash] of living) index.place(0, hash, row);
  });
  return { index, account, living, i32: allocator.view.i32 };
}

type Setup = ReturnType<typeof setup>;

function add({ index, living }: Setup, row: number, hash: number): boolean {
  if (!index.reserve(0)) return false;
  index.place(0, hash, row);
  living.set(row, hash);
  return true;
}

/** Whether a search by the row's hash comes to its entry before it comes to an empty one. */
function finds({ index, i32 }: Setup, row: number, hash: number): boolean {
  const mask = index.masks[0]!;
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const entry = i32[index.position(0, slot)]!;
    if (entry === 0) return false;
    if ((entry & 0xffffff) === row + 1 && entry >>> 24 === hash >>> 24) return true;
  }
}

test("rows that come and go do not make the index grow, and every row is found at all times", () => {
  const all = setup();
  let random = 12345;
  const next = () => {
    random = (Math.imul(random, 1103515245) + 12345) | 0;
    return random;
  };
  for (let row = 0; row < 500; row += 1) assert.ok(add(all, row, next()));
  for (let n = 0; n < 20_000; n += 1) {
    const row = (next() >>> 8) % 500;
    all.index.remove(0, all.living.get(row)!, row);
    all.living.delete(row);
    assert.ok(add(all, row, next()));
    if (n % 500 === 0) for (const [at, hash] of all.living) assert.ok(finds(all, at, hash));
  }
  assert.equal(all.index.masks[0], 1023);
  assert.equal(all.account.bytes, PAGE_BYTES);
  all.index.clear(0);
  assert.equal(all.account.bytes, 0);
});

test("the index is at most three quarters full, and a refused growth leaves it as it was", () => {
  const all = setup(64 * 1024);
  let row = 0;
  while (add(all, row, Math.imul(row, 0x9e3779b1))) {
    row += 1;
    assert.ok(row <= (all.index.masks[0]! + 1) * 0.75);
  }
  assert.equal(row, 8192 * 0.75);
  assert.equal(all.account.bytes, 8 * PAGE_BYTES);
  for (const [at, hash] of all.living) assert.ok(finds(all, at, hash));
});

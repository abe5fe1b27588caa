import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SegmentPool } from "../../memory/segment-pool.ts";
import { testOwner } from "../suites/test-owner.contract.ts";
import { heapBlocks, poolBlocks } from "./block-source.ts";
import type { MemoryAccount, MemoryOwner } from "./memory-owner.ts";
import { PAGE_BYTES, PageAllocator } from "./page-allocator.ts";

test("pages are held once, accounts add up, and free blocks go back, under any order of calls", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(1000)), { maxLength: 200 }), (steps) => {
      const blocks = heapBlocks(8 * 16 * PAGE_BYTES, 16 * PAGE_BYTES);
      const allocator = new PageAllocator(blocks);
      const owner = testOwner(allocator).account("a");
      const held: number[] = [];
      for (const [take, pick] of steps) {
        if (take) {
          const page = allocator.allocate(owner);
          if (page === -1) assert.equal(held.length, 8 * 16 - 1);
          else held.push(page);
        } else if (held.length > 0) {
          const [page] = held.splice(pick % held.length, 1);
          allocator.release(page!, owner);
        }
        assert.equal(new Set(held).size, held.length);
        assert.ok(!held.includes(allocator.zeroPage));
        assert.equal(owner.bytes, held.length * PAGE_BYTES);
        assert.equal(allocator.usedBytes, (held.length + 1) * PAGE_BYTES);
      }
      for (const page of held) allocator.release(page, owner);
      assert.ok(blocks.leased() <= 2, "at most one block is kept besides that of the zero page");
      assert.equal(allocator.close(), 0);
      assert.equal(blocks.leased(), 0);
    }),
    { numRuns: 200 },
  );
});

test("of all blocks that were full no more than two are kept once their pages are released, in whatever order", () => {
  for (const isBackwards of [false, true]) {
    const blocks = heapBlocks(8 * 16 * PAGE_BYTES, 16 * PAGE_BYTES);
    const allocator = new PageAllocator(blocks);
    const owner = testOwner(allocator).account("a");
    const held: number[] = [];
    for (let page = allocator.allocate(owner); page !== -1; page = allocator.allocate(owner)) held.push(page);
    assert.equal(blocks.leased(), 8);
    for (const page of isBackwards ? held.reverse() : held) allocator.release(page, owner);
    assert.ok(blocks.leased() <= 2, `${blocks.leased()} are kept`);
    assert.equal(allocator.close(), 0);
  }
});

test("a page that is released twice, or was never given out, is a bug that names the state", () => {
  const allocator = new PageAllocator(heapBlocks(64 * 1024));
  const owner = testOwner(allocator).account("w");
  const page = allocator.allocate(owner);
  allocator.release(page, owner);
  assert.throws(() => allocator.release(page, owner), /page \d+ of op\/w is not held/);
});

test("closing reports what was not given back", () => {
  const allocator = new PageAllocator(heapBlocks(64 * 1024));
  allocator.allocate(testOwner(allocator).account("leak"));
  assert.equal(allocator.close(), PAGE_BYTES);
});

test("without any memory the error names the operator that needs it", () => {
  assert.throws(() => new PageAllocator(heapBlocks(0), { operator: "keeper" }), {
    code: "STATE_BUDGET_EXCEEDED",
    operator: "keeper",
    message: /^operator "keeper" keeps state, and the slot's share of managed memory, 0 B, is less than a block of/,
  });
});

test("the segment pool's limit for the slot is the budget, and its blocks come back", () => {
  const pool = SegmentPool.create({
    name: "managed memory",
    configKey: "taskmanager.memory.managed.size",
    segments: 4,
    segmentSize: 1 << 20,
    groupLimits: [2],
  });
  const owner = pool.registerOwner({ job: "j", task: "t", purpose: "state" }, 1);
  const allocator = new PageAllocator(poolBlocks(pool, owner, 2 << 20));
  const payer = testOwner(allocator).account("sum");
  const pages: number[] = [];
  for (let page = allocator.allocate(payer); page !== -1; page = allocator.allocate(payer)) {
    allocator.view.f64.fill(1, page, page + 512);
    pages.push(page);
  }
  assert.equal(pages.length, 2 * 256 - 1);
  assert.ok(allocator.view.f64.subarray(allocator.zeroPage, allocator.zeroPage + 512).every((word) => word === 0));
  assert.match(allocator.exceeded(payer).message, /state "sum" of operator "op" holds .*2.?M/i);
  for (const page of pages) allocator.release(page, payer);
  assert.equal(allocator.close(), 0);
  assert.equal(pool.closeOwner(owner), 0);
});

test("who cannot grow is told who holds more, the greatest first, and what helps", () => {
  const allocator = new PageAllocator(heapBlocks(64 * 4096));
  const owners = new Map<string, MemoryOwner>();
  const ownerOf = (operator: string): MemoryOwner => {
    const owner = owners.get(operator) ?? testOwner(allocator, operator);
    owners.set(operator, owner);
    return owner;
  };
  const held = (operator: string, state: string, pages: number, advice?: string): MemoryAccount => {
    const one = ownerOf(operator).account(state, advice);
    for (let n = 0; n < pages; n += 1) assert.ok(allocator.allocate(one) >= 0);
    return one;
  };
  const small = held("op", "small", 2);
  const gone = held("op", "gone", 0);
  for (let n = 0; n < 3; n += 1) allocator.release(allocator.allocate(gone), gone);
  const equal = held("b", "equal", 2, "send less");
  for (const [operator, state, pages] of [
    ["a", "third", 5],
    ["op", "first", 20],
    ["a", "fourth", 4],
    ["a", "second", 9],
  ] as const)
    held(operator, state, pages);
  const rest =
    'cannot grow beside "first" with 80 KiB, "second" of "a" with 36 KiB, "third" of "a" with 20 KiB: the slot';
  const error = allocator.exceeded(small);
  assert.ok(error.message.startsWith(`state "small" of operator "op" holds 8 KiB and ${rest}`), error.message);
  assert.match(error.fix ?? "", /keep less: clear state that is done with, or give it a ttl\.$/);
  assert.match(allocator.exceeded(equal).fix ?? "", /keep less: send less\.$/);
});

test("who froze a page is told before it changes, once, and before it is released", () => {
  const allocator = new PageAllocator(heapBlocks(1 << 20));
  const account = testOwner(allocator).account("s");
  const [one, two, three] = [allocator.allocate(account), allocator.allocate(account), allocator.allocate(account)];
  const told: number[] = [];
  const frozen = allocator.freezeAll((page) => told.push(page));
  assert.deepEqual(frozen, [allocator.zeroPage, one, two, three]);
  const fresh = allocator.allocate(account);
  allocator.writableAll(Int32Array.of(two + 7, fresh, two), 3);
  assert.equal(allocator.writable(two + 8), two + 8);
  assert.deepEqual(told, [two]);
  allocator.release(one, account);
  assert.deepEqual(told, [two, one]);
  assert.equal(allocator.allocate(account), one);
  allocator.writable(one);
  assert.deepEqual(told, [two, one], "a page that was given again is a new one");
  allocator.freezeAll((page) => told.push(page));
  allocator.writableAll(Int32Array.of(two), 1);
  assert.deepEqual(told, [two, one, two]);
  for (const page of [one, two, three, fresh]) allocator.release(page, account);
  assert.equal(allocator.close(), 0);
});

test("only its owner releases a page, and an owner that ended neither gets nor releases any", () => {
  const allocator = new PageAllocator(heapBlocks(1 << 20));
  const [one, other] = [testOwner(allocator, "one"), testOwner(allocator, "other")];
  const [mine, theirs] = [one.account("s"), other.account("s")];
  const page = allocator.allocate(mine);
  assert.throws(() => allocator.release(page, theirs), /page \d+, which other\/s releases, is another owner's/);
  assert.deepEqual([one.usedBytes, other.usedBytes], [PAGE_BYTES, 0]);
  allocator.release(page, mine);
  const { number } = one;
  allocator.endOwner(one);
  assert.throws(() => allocator.allocate(mine), /operator "one" has ended and asks for memory for "s"/);
  assert.throws(() => allocator.endOwner(one), /has ended already/);
  assert.equal(testOwner(allocator, "next").number, number, "numbers are given again");
});

test("what an owner has not released when it ends is told by its states, and free again", () => {
  const allocator = new PageAllocator(heapBlocks(1 << 20));
  const [leaky, other] = [testOwner(allocator, "leaky"), testOwner(allocator, "other")];
  const before = allocator.usedBytes;
  allocator.allocate(other.account("kept"));
  const [one, two] = [leaky.account("one"), leaky.account("two")];
  for (const account of [one, two, two]) allocator.allocate(account);
  assert.equal(leaky.usedBytes, 3 * PAGE_BYTES);
  assert.throws(() => allocator.endOwner(leaky), {
    code: "STATE_LEAKED",
    operator: "leaky",
    message: /operator "leaky" of job job has ended and not given back managed memory: "one" 4 KiB, "two" 8 KiB$/,
  });
  assert.deepEqual([leaky.usedBytes, leaky.peakBytes, other.usedBytes], [0, 3 * PAGE_BYTES, PAGE_BYTES]);
  assert.equal(allocator.usedBytes, before + PAGE_BYTES);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { testOwner } from "../suites/test-owner.contract.ts";
import { heapBlocks } from "./block-source.ts";
import { PAGE_BYTES, PageAllocator } from "./page-allocator.ts";
import { TimerHeap } from "./timer-heap.ts";

const ROW_WORDS = 2;
const ROWS_MAX = 1000;

/** A heap over rows of [time, i32 index in the heap] in pages of the test. */
function setup() {
  const allocator = new PageAllocator(heapBlocks(1 << 20));
  const owner = testOwner(allocator);
  const [account, rowsAccount] = [owner.account("timers"), owner.account("rows")];
  const pages = Array.from({ length: 4 }, () => allocator.allocate(rowsAccount));
  const row = (n: number) => pages[n >> 8]! + (n & 255) * ROW_WORDS;
  const options = { allocator, account, timeWord: 0, indexAt: 2, tie: (left: number, right: number) => left - right };
  return { heap: new TimerHeap(options), f64: allocator.view.f64, account, row };
}

const hashOf = (n: number) => (n * 7) % 5;

test("the top is always the earliest timer, by time, hash and tie, under any sequence of sets, moves and removals", () => {
  const act = fc.constantFrom("set", "set", "set", "set", "remove", "pop");
  const step = fc.record({ act, n: fc.nat(300), time: fc.nat(40), moved: fc.nat(2) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 200, maxLength: 1200, size: "max" }), (steps) => {
      const all = setup();
      const { heap, account, row } = all;
      const model = new Map<number, number>();
      for (const { act: what, n, time, moved } of steps) {
        const first = earliest(model, row);
        assert.equal(found(all, model.get(first) ?? Infinity, moved), first === -1 ? -1 : row(first));
        if (what === "pop") removeBoth(all, model, first);
        else if (what === "remove") removeBoth(all, model, n);
        else setBoth(all, model, n, time);
      }
      assert.equal(heap.size, model.size);
      heap.release();
      assert.equal(account.bytes, 0);
    }),
    { numRuns: 60 },
  );
});

type Setup = ReturnType<typeof setup>;

/** The top, however few of the timers that were moved to later times are looked at in a go. */
function found({ heap }: Setup, leastMs: number, moved: number): number {
  do assert.ok(heap.leastMs() <= leastMs, "no timer is earlier");
  while (heap.top(moved) === -1 && moved > 0 && heap.leastMs() < leastMs);
  const top = heap.top(Infinity);
  assert.equal(heap.leastMs(), leastMs);
  return top;
}

function removeBoth({ heap, row }: Setup, model: Map<number, number>, n: number): void {
  if (model.delete(n)) heap.remove(row(n));
}

function setBoth({ heap, f64, row }: Setup, model: Map<number, number>, n: number, time: number): void {
  const known = model.get(n);
  f64[row(n)] = time;
  model.set(n, time);
  if (known === undefined) {
    assert.ok(heap.reserve());
    heap.push(row(n), hashOf(n));
  } else if (time < known) {
    heap.advance(row(n));
  }
}

function earliest(model: ReadonlyMap<number, number>, row: (n: number) => number): number {
  let best = -1;
  for (const [n, time] of model) {
    const other = model.get(best) ?? Infinity;
    const order = time - other || hashOf(n) - hashOf(best) || row(n) - row(best);
    if (best === -1 || order < 0) best = n;
  }
  return best;
}

test("pages of the heap come and go with its size", () => {
  const { heap, f64, account, row } = setup();
  for (let n = 0; n < ROWS_MAX; n += 1) {
    f64[row(n)] = n;
    assert.ok(heap.reserve());
    heap.push(row(n), 0);
  }
  assert.equal(account.bytes, 4 * PAGE_BYTES);
  for (let n = 0; n < ROWS_MAX; n += 1) {
    assert.equal(heap.top(0), row(n));
    heap.remove(row(n));
  }
  assert.ok(account.bytes <= 2 * PAGE_BYTES);
  assert.equal(heap.top(0), -1);
  assert.equal(heap.leastMs(), Infinity);
});
